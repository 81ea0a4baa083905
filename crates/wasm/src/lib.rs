//! The verifier of succinct proofs behind a plain C interface, for WebAssembly.
//!
//! Spec: spec/v1/zk.md, sections 5 to 9. It answers for three byte strings: a program or verification
//! key, a statement (see [`StatementBytes`]) and a proof. No threads, no clock, no randomness, no imports.
//!
//! | Module      | Purpose                                      |
//! |-------------|----------------------------------------------|
//! | `statement` | the bytes of a statement                     |
//! | `answer`    | verdict or refusal as JSON                   |
//! | `abi`       | pointers in, pointer out: all the unsafe code |

#![deny(unsafe_code)]

mod abi;
mod answer;
mod statement;

pub use answer::{Refusal, answer, check};
pub use statement::{StatementBytes, StatementError};
