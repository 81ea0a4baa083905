//! The verifier against a prover that follows the specification word by word.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what cannot be proven has failed the test"
)]

mod bounds;
mod bytes;
mod case;
mod forgery;
mod honest;
#[path = "../../../executor/tests/support/random.rs"]
mod random;
mod real;
mod statement;
#[path = "../../../executor/tests/support/mod.rs"]
mod support;
mod word;
