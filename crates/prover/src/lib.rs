//! Prover of succinct proofs of inference.
//!
//! Spec: spec/v1/zk.md. [`prove`] runs a program and proves what it gave.
//!
//! | Module       | Section | Purpose                                             |
//! |--------------|---------|-----------------------------------------------------|
//! | `prove`      | 5       | the steps in order                                  |
//! | `weights`    | 12      | the commitment to the weights                       |
//! | `values`     | 2 to 4  | the integers of every wire                          |
//! | `gkr`        | 6       | lookups                                             |
//! | `zero_check` | 7       | identities                                          |
//! | `reduce`     | 8       | claims on wires that are not committed              |
//! | `merge`      | 8.1     | several claims become one                           |
//! | `opening`    | 9       | claims on the stacks                                |
//! | `sumcheck`   | 5       | the engine of all sumchecks but those of the layers |
//! | `contract`   |         | partial evaluation of integer tensors               |
//! | `costs`      |         | what a proof takes, before it is made               |

mod cells;
#[cfg(feature = "cheating")]
pub mod cheat;
pub mod contract;
mod costs;
mod error;
pub mod gkr;
pub mod merge;
pub mod opening;
mod prove;
pub mod reduce;
pub mod sumcheck;
#[cfg(test)]
mod testing;
pub mod values;
mod weights;
pub mod zero_check;

pub use costs::{Costs, costs, registration_costs};
pub use error::ProveError;
pub use prove::{Proof, Runs, prove, register};
pub use weights::WeightCommitment;
