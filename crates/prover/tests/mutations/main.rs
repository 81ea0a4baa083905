//! Changed proofs and changed witnesses: none is accepted, and no bytes make the verifier panic.
//!
//! With `VERIDICAL_CAMPAIGN=full` every byte is changed, and 20,000 elements of a larger proof.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what cannot be built has failed the test"
)]

mod bytes;
#[path = "../forgeries/case.rs"]
#[expect(dead_code, reason = "shared with tests that lie more")]
mod case;
#[path = "../../../executor/tests/support/mod.rs"]
#[expect(dead_code, reason = "shared with tests that build more")]
mod support;
mod transcript;
mod witness;

/// Whether nothing is left to chance.
fn is_full() -> bool {
    std::env::var("VERIDICAL_CAMPAIGN").is_ok_and(|value| value == "full")
}
