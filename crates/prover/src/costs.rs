//! What a proof takes, before it is made.

use veridical_argument::pcs::{MIN_VARIABLES, Schedule, VariablesError};
use veridical_argument::plan::Plan;
use veridical_argument::profile::{Profile, Stack as Kind};
use veridical_argument::soundness::Description;
use veridical_argument::soundness::bound::Bits;
use veridical_argument::soundness::opening::Gap;
use veridical_argument::stack::{weight_stack, witness_stack};
use veridical_argument::stream::DIGEST_BYTES;
use veridical_program::Program;

use crate::error::ProveError;
use crate::gkr;

/// Bytes of an element of the field, and of an integer.
const INTEGER: usize = 4;
/// Bytes that a visited slot of the lookups takes at the peak: its columns and layers.
const LOOKUP_SLOT: usize = 48;
/// Bytes that a cell of a stack takes while the stack is opened.
const OPENED_CELL: usize = 24;
/// Tables and buffers of any proof.
const FIXED: usize = 20 << 20;
/// A part of so many is added.
const MARGIN: usize = 5;

/// Sizes, memory and soundness of a proof.
#[derive(Debug, Clone)]
pub struct Costs {
    /// Integers committed with the proof.
    pub witness_cells: usize,
    /// Slots of the lookup argument.
    pub lookup_slots: usize,
    /// Integers committed with the model.
    pub weight_cells: usize,
    /// Predicted peak memory in bytes, beyond what the process and the program take.
    pub memory: usize,
    /// How much of it the weight commitment takes.
    pub weight_memory: usize,
    /// Bits of each component.
    pub components: Vec<(String, Bits)>,
    /// Whole bits of the union bound.
    pub soundness_bits: u32,
}

/// What proving `batch` runs of a program takes.
///
/// # Errors
/// The program cannot be proven, or not for so many runs.
pub fn costs(program: &Program, batch: usize, profile: Profile) -> Result<Costs, ProveError> {
    of_plan(&Plan::build(program, batch)?, program, profile)
}

/// What a registration proof takes.
///
/// # Errors
/// The program has no registration proof: the condition that does not hold.
pub fn registration_costs(program: &Program, profile: Profile) -> Result<Costs, ProveError> {
    of_plan(&Plan::registration(program)?, program, profile)
}

fn of_plan(plan: &Plan, program: &Program, profile: Profile) -> Result<Costs, ProveError> {
    let sizes = plan.costs();
    let too_large = |what| move || ProveError::TooLarge { what };
    let (weights, _) =
        weight_stack(program.graph(), MIN_VARIABLES).ok_or_else(too_large("weights"))?;
    let (witness, _) = witness_stack(plan, MIN_VARIABLES).ok_or_else(too_large("witness"))?;
    let report = Description::of_plan(plan, program.graph(), profile)?.report(Gap::of(profile))?;
    let memory = Memory::of(plan, profile, witness.variables(), weights.variables())?;
    let components = report
        .parts
        .iter()
        .map(|part| (part.name.clone(), part.bits()))
        .collect();
    Ok(Costs {
        witness_cells: sizes.witness_cells,
        lookup_slots: sizes.lookup_slots,
        weight_cells: weights.used(),
        memory: memory.peak,
        weight_memory: memory.weights,
        components,
        soundness_bits: report.union().whole(),
    })
}

/// Memory of a proof in bytes, beyond what the process and the program take.
#[derive(Debug, Clone, Copy)]
struct Memory {
    peak: usize,
    weights: usize,
}

impl Memory {
    /// Commitments and wires stay; beside them either the lookups or an opening need the most. The
    /// bytes per slot and cell were measured (`tests/accept/test_memory.py` compares them with
    /// whole proofs); everything else is what the structures hold.
    fn of(
        plan: &Plan,
        profile: Profile,
        witness: usize,
        weights: usize,
    ) -> Result<Self, VariablesError> {
        let sizes = plan.costs();
        let weight_commitment = committed(profile, Kind::Weights, weights)?;
        let witness_commitment = committed(profile, Kind::Witness, witness)?;
        // Each as an integer of the run and as one of a wire.
        let wires = sizes
            .witness_cells
            .saturating_add(sizes.site_cells)
            .saturating_mul(2 * INTEGER);
        let lookups = gkr::visited_slots(plan).saturating_mul(LOOKUP_SLOT);
        let opening = (1_usize << witness.max(weights)).saturating_mul(OPENED_CELL);
        let sum = weight_commitment
            .saturating_add(witness_commitment)
            .saturating_add(wires)
            .saturating_add(lookups.max(opening));
        Ok(Self {
            // What an allocator holds back, and what else is small.
            peak: sum.saturating_add(sum / MARGIN).saturating_add(FIXED),
            weights: weight_commitment,
        })
    }
}

/// Values, codeword and tree of a commitment.
fn committed(profile: Profile, stack: Kind, variables: usize) -> Result<usize, VariablesError> {
    let schedule = Schedule::new(profile, stack, variables)?;
    let values = INTEGER << variables;
    let encoded = schedule.phases.first().map_or(0, |first| {
        let tree = (2 * DIGEST_BYTES) << first.log_positions();
        (values << first.log_inv_rate).saturating_add(tree)
    });
    Ok(values.saturating_add(encoded))
}
