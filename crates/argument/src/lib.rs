//! What the prover and the verifier of a succinct proof of inference share.
//!
//! Spec: spec/v1/zk.md; the modules follow its sections.
//!
//! | Module        | Section | Purpose                                                    |
//! |---------------|---------|------------------------------------------------------------|
//! | `field`       | 1       | the field and its extension                                |
//! | `plan`        | 2 to 4  | wires, sites, identities of a program                      |

pub mod field;
pub mod plan;
