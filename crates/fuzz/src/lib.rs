//! Fuzz targets: hostile proofs, programs and provers.
//!
//! A target is a function of bytes that panics when something is wrong. `scripts/fuzz.sh` runs it under
//! libFuzzer with coverage; a test of this crate runs it on the seeds and on every input that once found something.
//!
//! | Module    | The bytes say                                              | What must hold                       |
//! |-----------|------------------------------------------------------------|--------------------------------------|
//! | `proof`   | how an honest proof or its statement is changed            | only the unchanged one is accepted   |
//! | `witness` | which cells and messages a prover changes before it goes on | only true outputs are accepted       |
//! | `graph`   | how the graph of a program is changed                      | bounded work; junk is not accepted   |
//! | `file`    | program, statement and proof themselves                    | whatever loads is written back alike |
//! | `receipt` | a receipt, a post, a policy or options                      | only what was signed is accepted     |

#![expect(
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a target reports by panicking"
)]

pub mod case;
pub mod file;
pub mod graph;
pub mod proof;
pub mod receipt;
mod script;
#[path = "../../executor/tests/support/mod.rs"]
#[expect(dead_code, reason = "shared with tests that build more")]
mod support;
pub mod witness;
