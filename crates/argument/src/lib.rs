//! What the prover and the verifier of a succinct proof of inference share.
//!
//! Spec: spec/v1/zk.md; the modules follow its sections.
//!
//! | Module        | Section | Purpose                                                    |
//! |---------------|---------|------------------------------------------------------------|
//! | `claims`      | 8.1     | claims on wires, kept until they are discharged            |
//! | `field`       | 1       | the field and its extension                                |
//! | `formulas`    | 6 to 8  | public formulas, order of messages, points of operands     |
//! | `labels`      | 5       | names of messages and challenges                           |
//! | `leaves`      | 6       | slots of the lookup argument                               |
//! | `multilinear` | 2       | extensions of public tensors                               |
//! | `pcs`         | 11      | commitments and openings                                   |
//! | `plan`        | 2 to 4  | wires, sites, identities of a program                      |
//! | `profile`     | 11      | named soundness targets                                    |
//! | `rounds`      | 5       | messages of a sumcheck round                               |
//! | `soundness`   | 13      | bits of soundness of a proof, in integers                  |
//! | `stack`       | 9       | many tensors as one polynomial                             |
//! | `statement`   | 5       | what a proof is about, and its absorption                  |
//! | `stream`      | 10      | the bytes of a proof, fixed-width and canonical            |
//! | `transcript`  | 10      | typed Fiat–Shamir: a message is absorbed where it is read  |

#![forbid(unsafe_code)]

pub mod claims;
pub mod field;
pub mod formulas;
pub mod labels;
pub mod leaves;
pub mod multilinear;
pub mod pcs;
pub mod plan;
pub mod profile;
pub mod rounds;
pub mod soundness;
pub mod stack;
pub mod statement;
pub mod stream;
pub mod transcript;
