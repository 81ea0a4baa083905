//! Committing to a stack and opening it.

use std::sync::{Arc, OnceLock};

use p3_commit::Mmcs;
use p3_matrix::dense::{DenseMatrix, RowMajorMatrix};
use p3_multilinear_util::point::Point;
use p3_multilinear_util::poly::Poly;
use p3_sumcheck::OpeningBatch;
use p3_sumcheck::commit::{commit_base, write_stacked_message};
use p3_sumcheck::layout::{Layout, PrefixProver, Table};
use p3_whir::PcsProof;

use super::merkle::SharedTree;
use super::schedule::Schedule;
use super::{Domain, LABEL, PcsError, Scheme, codec, config};
use crate::field::{EF, F};
use crate::profile::{Profile, Stack};
use crate::transcript::{ProverTranscript, Root};

/// Twiddle factors, computed once for all commitments of a process.
fn domain() -> &'static Domain {
    static DOMAIN: OnceLock<Domain> = OnceLock::new();
    DOMAIN.get_or_init(Domain::default)
}

/// A committed stack: serves any number of proofs; a clone shares values, codeword and tree.
#[derive(Clone, Debug)]
pub struct Committed {
    schedule: Arc<Schedule>,
    values: Arc<Poly<F>>,
    tree: <SharedTree as Mmcs<F>>::ProverData<DenseMatrix<F>>,
    root: Root,
}

impl Committed {
    /// Commits to the values of a stack.
    ///
    /// # Errors
    /// The number of values is no power of two, or outside the sizes of schedules.
    pub fn new(profile: Profile, stack: Stack, values: Vec<F>) -> Result<Self, PcsError> {
        if !values.len().is_power_of_two() {
            return Err(PcsError::Length {
                values: values.len(),
            });
        }
        let schedule = Schedule::new(profile, stack, values.len().ilog2() as usize)?;
        let values = Poly::new(values);
        let (fold, log_inv_rate) = schedule
            .phases
            .first()
            .map_or((0, 1), |phase| (phase.fold, phase.log_inv_rate));
        let (cap, tree) = commit_base(
            domain(),
            &SharedTree::default(),
            schedule.variables,
            fold,
            log_inv_rate,
            |message| {
                let order = <PrefixProver<F, EF> as Layout<F, EF>>::variable_order();
                write_stacked_message(order, &values, fold, message);
            },
        );
        let root = cap.roots().first().copied().unwrap_or_default();
        Ok(Self {
            schedule: Arc::new(schedule),
            values: Arc::new(values),
            tree,
            root: Root(root),
        })
    }

    /// The root, which the caller's transcript absorbs before it draws any challenge.
    pub fn root(&self) -> Root {
        self.root
    }

    /// Variables of the stack.
    pub fn variables(&self) -> usize {
        self.schedule.variables
    }

    /// The values of the stack.
    pub fn values(&self) -> &[F] {
        self.values.as_slice()
    }

    /// Appends to the proof an opening of `value` at `point`, high bit first.
    ///
    /// # Errors
    /// The point has another number of coordinates, or the stack another value there.
    pub fn open(
        &self,
        transcript: &mut ProverTranscript,
        point: &[EF],
        value: EF,
    ) -> Result<(), PcsError> {
        let variables = self.variables();
        if point.len() != variables {
            return Err(PcsError::Point {
                variables,
                found: point.len(),
            });
        }
        let config = config(&self.schedule)?;
        let samples = config.commitment_ood_samples();
        let fold = config.round_folding_factor(0);
        let scheme = Scheme::new(config, domain().clone(), SharedTree::default());
        let table = Table::new(RowMajorMatrix::new(self.values().to_vec(), 1 << variables));
        let mut layout =
            PrefixProver::from_witness(PrefixProver::<F, EF>::new_witness(vec![table], fold));

        let (challenger, bytes) = transcript.opening(LABEL, variables);
        let answers = (0..samples)
            .map(|_| layout.add_virtual_eval(challenger))
            .collect();
        let request = OpeningBatch::new(vec![0], vec![]);
        let point = Point::new(point.to_vec());
        let evals = layout.eval_at(0, &request, &point, challenger);
        if evals.current() != [value] {
            return Err(PcsError::Value);
        }
        let whir = scheme
            .prove(answers, challenger, layout, Arc::clone(&self.tree), 1)
            .map_err(|error| PcsError::Schedule {
                what: error.to_string(),
            })?;
        let opening = PcsProof {
            whir,
            evals: vec![evals],
        };
        codec::write(bytes, &self.schedule, &opening);
        Ok(())
    }
}
