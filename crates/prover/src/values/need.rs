//! Which wires a prover needs as integers.
//!
//! A virtual wire is not needed when its only claim is passed on without looking at its cells: by a combination
//! (of whose operands one evaluation follows from the claim and the others), a sum or a view. Most are the
//! products of linear layers, whose result, the combination with the bias, is in the trace.

use veridical_argument::plan::{
    Combination, Definition, Factor, Fill, Pairs, Plan, Scaled, Table, Wire, WireId,
};

/// Which integers of the wires of a plan are needed.
#[derive(Debug)]
pub(super) struct Need {
    /// Integers in any width.
    pub(super) some: Vec<bool>,
    /// Integers in 32 bits: something is computed from them.
    pub(super) wide: Vec<bool>,
}

impl Need {
    /// Every wire.
    pub(super) fn everything(plan: &Plan) -> Self {
        let all = vec![true; plan.wires.len()];
        Self {
            some: all.clone(),
            wide: all,
        }
    }

    /// What proofs of the plan need.
    pub(super) fn of(plan: &Plan) -> Self {
        let mut need = Self {
            some: vec![false; plan.wires.len()],
            wide: vec![false; plan.wires.len()],
        };
        for site in &plan.sites {
            for expression in site.tuple.iter().chain(&site.vanishing) {
                need.combination(&expression.combination);
            }
        }
        for identity in &plan.identities {
            for term in &identity.terms {
                term.factors.iter().for_each(|&factor| need.compute(factor));
            }
        }
        for entry in &plan.tables {
            if let Table::Weight { wire, .. } = entry.table {
                need.compute(wire);
            }
        }
        let mut claims = vec![0_u32; plan.wires.len()];
        for output in &plan.outputs {
            need.keep(output.wire);
            claim(&mut claims, output.wire);
        }
        // Consumers come after what they consume.
        for (id, wire) in plan.wires.iter().enumerate().rev() {
            let is_committed = matches!(wire.definition, Definition::Witness { .. });
            if is_committed || claims[id] > 1 {
                need.keep(WireId(id));
            }
            need.reduction(plan, &wire.definition, &mut claims);
            if need.some[id] && wire.tensor.is_none() {
                operands(wire, |operand| need.compute(operand));
            }
        }
        need
    }

    /// What the reduction of a claim on a wire looks at.
    fn reduction(&mut self, plan: &Plan, definition: &Definition, claims: &mut [u32]) {
        match definition {
            Definition::Combination(combination) => {
                let is_virtual = |id: WireId| {
                    plan.wire(id)
                        .is_some_and(|wire| wire.tensor.is_none() && is_virtual(&wire.definition))
                };
                // One evaluation follows from the others; a product is the dearest to compute.
                let operands = || {
                    combination
                        .terms
                        .iter()
                        .map(|term| term.1)
                        .filter(|&id| is_virtual(id))
                };
                let is_product = |id: &WireId| {
                    plan.wire(*id)
                        .is_some_and(|w| matches!(w.definition, Definition::Einsum { .. }))
                };
                let implied = operands().find(is_product).or_else(|| operands().next());
                for &(_, operand) in &combination.terms {
                    claim(claims, operand);
                    if Some(operand) != implied {
                        self.keep(operand);
                    }
                }
            }
            Definition::Sum { of, .. } => claim(claims, *of),
            Definition::View(view) => claim(claims, view.of),
            Definition::Map { of, factors } => {
                claim(claims, *of);
                self.keep(*of);
                row_ids(factors, |ids| self.compute(ids));
            }
            Definition::Einsum { a, b, .. } => {
                for &operand in [a, b] {
                    claim(claims, operand);
                    self.keep(operand);
                }
            }
            Definition::Public { .. }
            | Definition::One
            | Definition::Iota
            | Definition::Witness { .. }
            | Definition::Weight { .. } => {}
        }
    }

    fn keep(&mut self, id: WireId) {
        if let Some(some) = self.some.get_mut(id.0) {
            *some = true;
        }
    }

    fn compute(&mut self, id: WireId) {
        self.keep(id);
        if let Some(wide) = self.wide.get_mut(id.0) {
            *wide = true;
        }
    }

    fn combination(&mut self, combination: &Combination) {
        combination
            .terms
            .iter()
            .for_each(|&(_, operand)| self.compute(operand));
    }
}

/// Counts a claim that some reduction makes.
fn claim(claims: &mut [u32], id: WireId) {
    if let Some(count) = claims.get_mut(id.0) {
        *count += 1;
    }
}

/// Whether a wire is a function of others.
pub(super) fn is_virtual(definition: &Definition) -> bool {
    match definition {
        Definition::Combination(_)
        | Definition::Sum { .. }
        | Definition::View(_)
        | Definition::Map { .. }
        | Definition::Einsum { .. } => true,
        Definition::Public { .. }
        | Definition::One
        | Definition::Iota
        | Definition::Witness { .. }
        | Definition::Weight { .. } => false,
    }
}

/// The wires from which the integers of a wire are computed.
pub(super) fn operands(wire: &Wire, mut visit: impl FnMut(WireId)) {
    match &wire.definition {
        Definition::Public { .. }
        | Definition::One
        | Definition::Iota
        | Definition::Weight { .. } => {}
        Definition::Witness { fill } => fill_operands(fill, visit),
        Definition::Combination(combination) => {
            combination.terms.iter().for_each(|term| visit(term.1));
        }
        Definition::Sum { of, .. } => visit(*of),
        Definition::View(view) => visit(view.of),
        Definition::Map { of, factors } => {
            visit(*of);
            row_ids(factors, visit);
        }
        Definition::Einsum { a, b, .. } => {
            visit(*a);
            visit(*b);
        }
    }
}

fn fill_operands(fill: &Fill, mut visit: impl FnMut(WireId)) {
    match fill {
        Fill::Tensor(_) | Fill::Multiplicity { .. } => {}
        Fill::Low { of, .. } | Fill::Floor { of } => {
            let Scaled { combination, .. } = of;
            combination.terms.iter().for_each(|term| visit(term.1));
        }
        Fill::Product(a, b) | Fill::Quotient(a, b) | Fill::Remainder(a, b) => {
            visit(*a);
            visit(*b);
        }
        Fill::AtLeast { of, .. }
        | Fill::Ranks { of }
        | Fill::Positive(of)
        | Fill::Formula { of, .. } => visit(*of),
        Fill::Max { of, mask, .. } => {
            visit(*of);
            if let Some(mask) = mask {
                visit(*mask);
            }
        }
        Fill::First { of, max, mask, .. } => {
            visit(*of);
            visit(*max);
            if let Some(mask) = mask {
                visit(*mask);
            }
        }
        Fill::Wide { limb } => limb.variance.iter().for_each(|&limb| visit(limb)),
        Fill::Norm { limb } => {
            visit(limb.magnitude);
            limb.squares.iter().for_each(|&limb| visit(limb));
        }
    }
}

fn row_ids(factors: &[Factor], mut visit: impl FnMut(WireId)) {
    for factor in factors {
        if let Factor::Related(Pairs::Rows { ids, .. }) = factor {
            visit(*ids);
        }
    }
}
