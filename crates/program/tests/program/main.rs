//! Tests of the loader from outside: what is accepted, what is refused, and by which check.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail by panicking"
)]

mod boundary;
mod draft;
mod hostile;
mod roundtrip;
mod soundness;
mod vectors;
