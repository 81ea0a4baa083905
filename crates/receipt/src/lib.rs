//! Verifier of whole receipts: the second, independent implementation.
//!
//! Spec: spec/v1/receipt.md, policy.md, log.md, seeds.md. A pure function of its arguments: it reads hostile bytes
//! and decides what is accepted, so it neither panics, nor rounds, nor depends on the machine. It has no clock, no
//! randomness, no files and no threads, so that it runs wherever a receipt is read, a browser above all. Every
//! verdict and every name of an error is that of `python/veridical/verifier`.
//!
//! | Module       | Purpose                                                        |
//! |--------------|----------------------------------------------------------------|
//! | `error`      | names of errors, and what a person can do                      |
//! | `text`       | base64, hexadecimal digits, quoted strings                     |
//! | `canonical`  | the JSON in which every value has one encoding                 |
//! | `members`    | objects with exactly the listed members                        |
//! | `commitment` | tensors as bytes, and commitments to them                      |
//! | `keys`       | Ed25519 and P-256, strictly                                    |
//! | `statement`  | what was asked, which program answered, what it answered       |
//! | `envelope`   | who vouches for it, in which tier, with which evidence         |
//! | `bundle`     | the file: all of these and reveals                             |
//! | `log`        | what log proofs show                                           |
//! | `seed`       | what a seed's proof shows, and what the seed draws             |
//! | `policy`     | rules, and documents in TOML                                   |
//! | `verifier`   | the numbered checks and the verdict                            |
//! | `post`       | texts that were published, and the receipts they came from     |
//! | `options`    | arguments in JSON, for hosts in another language               |

#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_types,
    clippy::float_arithmetic,
    clippy::host_endian_bytes,
    clippy::indexing_slicing,
    clippy::integer_division,
    clippy::let_underscore_must_use,
    clippy::panic_in_result_fn,
    clippy::unreachable
)]

mod bundle;
mod canonical;
mod commitment;
mod envelope;
mod error;
mod keys;
mod log;
mod members;
pub mod options;
mod policy;
mod post;
mod seed;
mod statement;
mod text;
mod verifier;

pub use error::{Error, Kind};
pub use policy::Outcome;
pub use verifier::{Check, Given, Report, Status, Verdict, Verified, explain, verify};
