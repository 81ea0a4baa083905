//! Seeds nobody can choose: a verifiable random function, beacon rounds, integer sampling.
//!
//! Spec: spec/v1/seeds.md. The verifying half is a pure function of its arguments: it reads hostile
//! bytes, so it neither panics, nor rounds, nor depends on the machine. What needs the secret key
//! stands behind the feature `prover`.
//!
//! | Module   | Section | Purpose                                                 |
//! |----------|---------|---------------------------------------------------------|
//! | `error`  |         | one variant per check                                   |
//! | `vrf`    | 3       | ECVRF-EDWARDS25519-SHA512-TAI of RFC 9381               |
//! | `beacon` | 5       | rounds of a drand chain                                 |
//! | `noise`  | 6       | Gumbel noise in fixed point, from a seed                |
//! | `sample` | 6       | the index that noise and logits choose                  |

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
    clippy::unreachable,
    clippy::wildcard_enum_match_arm
)]

pub mod beacon;
mod error;
pub mod noise;
pub mod sample;
pub mod vrf;

pub use error::SeedError;
