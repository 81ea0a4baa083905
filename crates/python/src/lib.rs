//! Python adapter: converts arguments, calls the crates, maps errors. No logic of its own.
//!
//! | Module     | Purpose                                                    |
//! |------------|------------------------------------------------------------|
//! | `arrays`   | NumPy arrays to slices and back                            |
//! | `error`    | one conversion from every Rust error to the Python tree    |
//! | `executor` | class `Executor`, instruction sets                         |
//! | `program`  | class `Program`                                            |
//! | `proof`    | weight commitments, proofs                                 |
//! | `seeds`    | verifiable random function, beacon rounds, sampling        |
//! | `timeline` | class `Timeline`, where time goes                          |
//! | `trace`    | class `Trace`                                              |

mod arrays;
mod error;
mod executor;
mod program;
mod proof;
mod seeds;
mod timeline;
mod trace;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use super::executor::{Executor, available_isas, cpu_features};
    #[pymodule_export]
    use super::program::Program;
    #[pymodule_export]
    use super::proof::{
        WeightCommitment, proof_costs, prove, register, registration_costs, verify_proof,
        verify_registration,
    };
    #[pymodule_export]
    use super::seeds::{
        beacon_verify, gumbel_noise, gumbel_sample, vrf_prove, vrf_public_key, vrf_verify,
    };
    #[pymodule_export]
    use super::timeline::Timeline;
    #[pymodule_export]
    use super::trace::Trace;

    use super::{Bound, PyModule, PyModuleMethods, PyResult};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
