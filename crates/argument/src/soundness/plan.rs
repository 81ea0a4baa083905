//! What a proof consists of, from its plan.
//!
//! Spec: spec/v1/zk.md, sections 5 to 9 and 13. Every claim is counted as if no two had equal points,
//! so the figures bound those of any proof from above.

use veridical_program::Graph;

use super::{Description, Opened};
use crate::formulas::einsum::EinsumVariables;
use crate::formulas::map::MapVariables;
use crate::formulas::zero_check::groups;
use crate::leaves::{Leaves, LeavesError, site_wires, table_wires};
use crate::multilinear::shape_variables;
use crate::pcs::{MAX_VARIABLES, MIN_VARIABLES};
use crate::plan::{Definition, Plan, WireId};
use crate::profile::Profile;
use crate::stack::{weight_stack, witness_stack};

/// Columns of a tuple, the id of its table included.
const TUPLE: usize = 3;

/// Claims on every wire of a plan.
struct Claims(Vec<usize>);

impl Claims {
    fn add(&mut self, wire: WireId) {
        if let Some(count) = self.0.get_mut(wire.0) {
            *count = count.saturating_add(1);
        }
    }

    fn of(&self, wire: WireId) -> usize {
        self.0.get(wire.0).copied().unwrap_or(0)
    }
}

impl Description {
    /// A proof of a plan.
    ///
    /// # Errors
    /// The plan has too many lookups.
    pub fn of_plan(plan: &Plan, graph: &Graph, profile: Profile) -> Result<Self, LeavesError> {
        let leaves = Leaves::new(plan)?;
        let unused = Opened {
            variables: MIN_VARIABLES,
            claims: 0,
        };
        let mut this = Self::new(profile, leaves.variables, TUPLE, unused);
        let mut claims = Claims(vec![0; plan.wires.len()]);
        // Section 6.4, and 6.5 at the same point.
        for sent in site_wires(plan, &leaves)
            .iter()
            .chain(&table_wires(plan, &leaves))
        {
            claims.add(sent.wire);
        }
        this.combination(leaves.variables);
        // Section 7: the point, the powers of lambda, the rounds.
        for group in groups(plan) {
            this.combination(group.variables);
            this.combination(group.identities.len());
            this.sumchecks(group.degree, group.variables, 1);
            for sent in &group.sent {
                claims.add(sent.wire);
            }
        }
        // Step 5.
        for published in &plan.outputs {
            let shape = plan.wire(published.wire).map(|wire| wire.shape.as_slice());
            this.combination(shape.map_or(0, shape_variables));
            claims.add(published.wire);
        }
        this.reductions(plan, &mut claims);
        this.stacks(plan, graph, &claims);
        Ok(this)
    }

    /// Section 8.
    fn reductions(&mut self, plan: &Plan, claims: &mut Claims) {
        for (id, wire) in plan.wires.iter().enumerate().rev() {
            let count = claims.of(WireId(id));
            let is_reduced = match wire.definition {
                Definition::Public { .. }
                | Definition::One
                | Definition::Iota
                | Definition::Witness { .. }
                | Definition::Weight { .. } => false,
                Definition::Combination(_)
                | Definition::Sum { .. }
                | Definition::View(_)
                | Definition::Map { .. }
                | Definition::Einsum { .. } => true,
            };
            if count == 0 || !is_reduced {
                continue;
            }
            if count > 1 {
                self.combination(count);
                self.sumchecks(2, shape_variables(&wire.shape), 1);
            }
            self.reduction(plan, &wire.definition, &wire.shape, claims);
        }
    }

    /// One claim on a wire becomes claims on its operands.
    fn reduction(
        &mut self,
        plan: &Plan,
        definition: &Definition,
        result: &[usize],
        claims: &mut Claims,
    ) {
        let shape = |wire: WireId| plan.wire(wire).map_or(&[][..], |wire| &wire.shape);
        match definition {
            Definition::Combination(combination) => {
                for (_, operand) in &combination.terms {
                    claims.add(*operand);
                }
            }
            Definition::Sum { of, .. } => claims.add(*of),
            Definition::View(view) => claims.add(view.of),
            Definition::Map { of, factors } => {
                let summed = MapVariables::new(shape(*of), factors).summed();
                self.sumchecks(2, summed, 1);
                claims.add(*of);
            }
            Definition::Einsum { a, b, labels } => {
                let variables = EinsumVariables::new(labels, shape(*a), shape(*b), result);
                self.sumchecks(variables.degree(), variables.summed(), 1);
                claims.add(*a);
                claims.add(*b);
            }
            Definition::Public { .. }
            | Definition::One
            | Definition::Iota
            | Definition::Witness { .. }
            | Definition::Weight { .. } => {}
        }
    }

    /// Section 9. A stack that is too large has no schedule, which the report says.
    fn stacks(&mut self, plan: &Plan, graph: &Graph, claims: &Claims) {
        let mut witness = 0_usize;
        let mut weights = 0_usize;
        for (id, wire) in plan.wires.iter().enumerate() {
            let count = claims.of(WireId(id));
            match wire.definition {
                Definition::Witness { .. } => witness = witness.saturating_add(count),
                Definition::Weight { .. } => weights = weights.saturating_add(count),
                _ => {}
            }
        }
        let too_large = MAX_VARIABLES.saturating_add(1);
        let stack = witness_stack(plan, MIN_VARIABLES);
        self.witness = Opened {
            variables: stack.map_or(too_large, |(stack, _)| stack.variables()),
            claims: witness,
        };
        if weights > 0 {
            let stack = weight_stack(graph, MIN_VARIABLES);
            self.weights = Some(Opened {
                variables: stack.map_or(too_large, |(stack, _)| stack.variables()),
                claims: weights,
            });
        }
    }
}
