//! What a proof takes, before it is made.

use veridical_argument::pcs::MIN_VARIABLES;
use veridical_argument::plan::Plan;
use veridical_argument::profile::Profile;
use veridical_argument::soundness::Description;
use veridical_argument::soundness::bound::Bits;
use veridical_argument::soundness::opening::Gap;
use veridical_argument::stack::{weight_stack, witness_stack};
use veridical_program::Program;

use crate::error::ProveError;

/// Bytes of an element of the extension.
const EXTENSION: usize = 20;

/// Sizes, memory and soundness of a proof.
#[derive(Debug, Clone)]
pub struct Costs {
    /// Integers committed with the proof.
    pub witness_cells: usize,
    /// Slots of the lookup argument.
    pub lookup_slots: usize,
    /// Integers committed with the model.
    pub weight_cells: usize,
    /// Predicted peak memory in bytes.
    pub memory: usize,
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
    let plan = Plan::build(program, batch)?;
    let sizes = plan.costs();
    let too_large = |what| move || ProveError::TooLarge { what };
    let (weights, _) =
        weight_stack(program.graph(), MIN_VARIABLES).ok_or_else(too_large("weights"))?;
    let (witness, _) = witness_stack(&plan, MIN_VARIABLES).ok_or_else(too_large("witness"))?;
    let report = Description::of_plan(&plan, program.graph(), profile)?.report(Gap::of(profile))?;
    let components = report
        .parts
        .iter()
        .map(|part| (part.name.clone(), part.bits()))
        .collect();
    Ok(Costs {
        witness_cells: sizes.witness_cells,
        lookup_slots: sizes.lookup_slots,
        weight_cells: weights.used(),
        memory: memory(&plan, witness.variables(), weights.variables()),
        components,
        soundness_bits: report.union().whole(),
    })
}

/// Peak memory: the weights stay committed; then either the lookups or an opening needs the most.
fn memory(plan: &Plan, witness: usize, weights: usize) -> usize {
    let sizes = plan.costs();
    // Values, and a codeword of at most four times their number with its tree.
    let committed = |variables: usize| (1_usize << variables).saturating_mul(4 + 4 * 4 + 8);
    let wires = sizes
        .witness_cells
        .saturating_add(sizes.site_cells)
        .saturating_mul(2 * 4);
    // Numerators and denominators of the first layer above the leaves, and half of it again above.
    let lookups = sizes.lookup_slots.saturating_mul(2 * EXTENSION);
    let opening = |variables: usize| (1_usize << variables).saturating_mul(2 * EXTENSION);
    committed(weights)
        .saturating_add(committed(witness))
        .saturating_add(wires)
        .saturating_add(lookups.max(opening(witness)).max(opening(weights)))
}
