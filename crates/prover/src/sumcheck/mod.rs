//! Sumchecks over tables of base and extension elements.
//!
//! Spec: spec/v1/zk.md, section 5, "Sumcheck rounds".
//!
//! One engine proves `sum_x [eq(tau, x)] sum_g weight_g sum_t coeff_t prod_j T_tj(x)`. Variables are
//! bound from the highest, so lanes of a packed table never meet until a single vector is left.

mod equality;
mod error;
mod first;
mod kernel;
mod lanes;
mod problem;
mod prove;
mod samples;
mod stage;
#[cfg(test)]
mod tests;

pub(crate) use equality::{equality_table, packed_equality_table};
pub use error::SumcheckError;
pub(crate) use lanes::Lanes;
pub use problem::{
    Group, MAX_FACTORS, Outcome, PackedEF, PackedF, Part, Shape, Sumcheck, Table, Term,
};
pub(crate) use prove::product_round;
