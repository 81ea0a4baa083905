//! Policies: what a consumer asks of a receipt. There is no default.
//!
//! Spec: spec/v1/policy.md.

mod document;
mod facts;
mod rules;

pub use facts::Outcome;

pub(crate) use document::read;
pub(crate) use facts::{Answer, EnvelopeFacts, Facts, Soundness};
pub(crate) use rules::{Rule, distinct};
