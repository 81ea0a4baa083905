//! What the prover and the verifier of a succinct proof of inference share.
//!
//! Spec: spec/v1/zk.md; the modules follow its sections.
//!
//! | Module        | Section | Purpose                                                    |
//! |---------------|---------|------------------------------------------------------------|
//! | `field`       | 1       | the field and its extension                                |
//! | `plan`        | 2 to 4  | wires, sites, identities of a program                      |
//! | `stream`      | 5       | the bytes of a proof, fixed-width and canonical            |
//! | `transcript`  | 5       | typed Fiat–Shamir: a message is absorbed where it is read  |

pub mod field;
pub mod plan;
pub mod stream;
pub mod transcript;
