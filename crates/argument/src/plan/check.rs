//! What every plan keeps: order, shapes, labels, tables. The builder's plans do; this says so of any plan.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::plan::shape::{all_variables, broadcasts, cells};
use crate::plan::{
    Combination, Definition, Factor, Fill, Identity, Labels, Plan, Scaled, Site, Table, TableUse,
    View, Wire, WireId,
};

/// A rule that a plan breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Defect {
    /// About a wire.
    #[error("wire {wire}: {what}")]
    Wire {
        /// Wire id.
        wire: usize,
        /// The rule.
        what: &'static str,
    },
    /// About a lookup.
    #[error("site {site}: {what}")]
    Site {
        /// Position.
        site: usize,
        /// The rule.
        what: &'static str,
    },
    /// About an identity.
    #[error("identity {identity}: {what}")]
    Identity {
        /// Position.
        identity: usize,
        /// The rule.
        what: &'static str,
    },
    /// About a table.
    #[error("table {table}: {what}")]
    Table {
        /// Position.
        table: usize,
        /// The rule.
        what: &'static str,
    },
    /// About an output.
    #[error("output {output}: {what}")]
    Output {
        /// Position.
        output: usize,
        /// The rule.
        what: &'static str,
    },
}

/// A broken rule, before it is known of what.
type Rule = Result<(), &'static str>;

fn rule(holds: bool, what: &'static str) -> Rule {
    if holds { Ok(()) } else { Err(what) }
}

impl Plan {
    /// Checks the structure of a plan.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), Defect> {
        for (id, wire) in self.wires.iter().enumerate() {
            let checked = self.check_wire(id, wire);
            checked.map_err(|what| Defect::Wire { wire: id, what })?;
        }
        for (site, s) in self.sites.iter().enumerate() {
            let checked = self.check_site(s);
            checked.map_err(|what| Defect::Site { site, what })?;
        }
        for (identity, i) in self.identities.iter().enumerate() {
            let checked = self.check_identity(i);
            checked.map_err(|what| Defect::Identity { identity, what })?;
        }
        for (table, t) in self.tables.iter().enumerate() {
            let checked = self.check_table(table, t);
            checked.map_err(|what| Defect::Table { table, what })?;
        }
        for (output, o) in self.outputs.iter().enumerate() {
            let is_there = o.output == output && self.wire(o.wire).is_some();
            rule(is_there, "no such wire").map_err(|what| Defect::Output { output, what })?;
        }
        Ok(())
    }

    fn check_wire(&self, id: usize, wire: &Wire) -> Rule {
        let size = cells(&wire.shape);
        rule(!wire.shape.is_empty() && size > 0, "it has no cell")?;
        rule(size < usize::MAX, "its cells cannot be counted")?;
        // Shape of an operand, which has a smaller id.
        let shape = |of: WireId| -> Result<&[usize], &'static str> {
            let operand = self.wires.get(of.0).filter(|_| of.0 < id);
            operand
                .map(|w| w.shape.as_slice())
                .ok_or("it refers to a later wire")
        };
        match &wire.definition {
            Definition::Public { .. } | Definition::Weight { .. } => Ok(()),
            Definition::One => rule(size == 1, "the integer 1 has one cell"),
            Definition::Iota => {
                let long = wire.shape.iter().filter(|&&n| n > 1).count();
                rule(long <= 1, "positions run along one axis")
            }
            Definition::Witness { fill } => check_fill(fill, &wire.shape, self, id),
            Definition::Combination(combination) => {
                for &(_, of) in &combination.terms {
                    shape(of)?;
                }
                self.check_combination(combination, &wire.shape)
            }
            Definition::Sum { of, axes } => {
                let mut expected = shape(*of)?.to_vec();
                let ascends = axes.is_sorted_by(|a, b| a < b) && !axes.is_empty();
                rule(ascends, "axes of a sum do not ascend")?;
                for &axis in axes {
                    *expected.get_mut(axis).ok_or("a sum has no such axis")? = 1;
                }
                rule(expected == wire.shape, "a sum has another shape")
            }
            Definition::View(view) => check_view(view, shape(view.of)?, &wire.shape),
            Definition::Map { of, factors } => self.check_map(shape(*of)?, &wire.shape, factors),
            Definition::Einsum { a, b, labels } => {
                check_labels(labels, shape(*a)?, shape(*b)?, &wire.shape)
            }
        }
    }

    fn check_combination(&self, combination: &Combination, space: &[usize]) -> Rule {
        let mut seen = BTreeSet::new();
        for &(coeff, wire) in &combination.terms {
            let is_fine = coeff != 0 && coeff.unsigned_abs() < 1 << 31;
            rule(is_fine, "a coefficient is 0 or too large")?;
            rule(seen.insert(wire), "a wire occurs twice")?;
            let wire = self.wire(wire).ok_or("no such wire")?;
            rule(
                broadcasts(&wire.shape, space),
                "a wire does not fit the space",
            )?;
        }
        let is_fine = combination.constant.unsigned_abs() < 1 << 40;
        rule(is_fine, "a constant is too large")
    }

    fn check_scaled(&self, scaled: &Scaled, space: &[usize]) -> Rule {
        rule(scaled.shift <= 31, "a divisor exceeds 2^31")?;
        self.check_combination(&scaled.combination, space)
    }

    fn check_site(&self, site: &Site) -> Rule {
        rule(
            !site.shape.is_empty() && cells(&site.shape) > 0,
            "it has no cell",
        )?;
        for scaled in site.tuple.iter().chain(&site.vanishing) {
            self.check_scaled(scaled, &site.shape)?;
        }
        let (id, columns) = site.tuple.split_first().ok_or("the tuple is empty")?;
        rule(id.shift == 0, "a table id is divided")?;
        let columns_of = |id: i64| {
            let position = usize::try_from(id).ok()?.checked_sub(1)?;
            self.tables.get(position).map(|t| match t.table {
                Table::Range { .. } | Table::Below { .. } => 1_usize,
                Table::Constant { .. }
                | Table::Zero
                | Table::Formula { .. }
                | Table::Weight { .. } => 2,
            })
        };
        let id = &id.combination;
        let base = columns_of(id.constant).ok_or("no such table")?;
        rule(columns.len() == base, "the tuple has another length")?;
        // A mask chooses between the base and another table.
        for &(coeff, _) in &id.terms {
            let other = columns_of(id.constant.saturating_add(coeff)).ok_or("no such table")?;
            rule(other == base, "the tuple has another length")?;
        }
        rule(
            id.terms.len() <= 1,
            "a table is chosen by more than one wire",
        )
    }

    fn check_identity(&self, identity: &Identity) -> Rule {
        let space = &identity.shape;
        rule(!space.is_empty() && cells(space) > 0, "it has no cell")?;
        rule(!identity.terms.is_empty(), "it has no term")?;
        for term in &identity.terms {
            let is_fine = term.coeff != 0 && term.coeff.unsigned_abs() < 1 << 31;
            rule(is_fine, "a coefficient is 0 or too large")?;
            let degree = term.factors.len();
            rule((1..=3).contains(&degree), "a term has no or many factors")?;
            for &factor in &term.factors {
                let wire = self.wire(factor).ok_or("no such wire")?;
                rule(
                    broadcasts(&wire.shape, space),
                    "a wire does not fit the space",
                )?;
            }
        }
        Ok(())
    }

    fn check_table(&self, position: usize, table: &TableUse) -> Rule {
        let wire = self.wire(table.multiplicity).ok_or("no such wire")?;
        rule(
            wire.shape == [table.rows],
            "multiplicities have another shape",
        )?;
        let fill = Fill::Multiplicity { table: position };
        let is_counted = wire.definition == Definition::Witness { fill };
        rule(is_counted, "multiplicities are counted elsewhere")?;
        match table.table {
            Table::Range { bits } => {
                let rows = 1_usize.checked_shl(bits).unwrap_or(0);
                let is_fine = (1..=16).contains(&bits) && rows == table.rows;
                rule(is_fine, "a range has another number of rows")
            }
            Table::Zero => rule(table.rows == 1, "the zero table has one row"),
            Table::Constant { .. } => Ok(()),
            Table::Below { rows } => {
                let is_fine = rows == table.rows && rows <= 1 << 16;
                rule(is_fine, "an interval has another number of rows")
            }
            Table::Formula { bits, .. } => {
                let rows = 1_usize.checked_shl(bits).unwrap_or(0);
                let is_fine = [8, 16].contains(&bits) && rows == table.rows;
                rule(is_fine, "a formula has another number of rows")
            }
            Table::Weight { wire, .. } => {
                let wire = self.wire(wire).ok_or("no such wire")?;
                rule(wire.shape == [table.rows], "elements have another shape")
            }
        }
    }

    fn check_map(&self, from: &[usize], to: &[usize], factors: &[Factor]) -> Rule {
        let uncovered = "factors do not cover the axes";
        let (mut from, mut to) = (from, to);
        for factor in factors {
            let (operand, result) = match factor {
                Factor::Same { axes } => {
                    let same = from.get(..*axes).ok_or(uncovered)?.to_vec();
                    (same.clone(), same)
                }
                Factor::Related(pairs) => (pairs.from_shape(), pairs.to_shape()),
            };
            from = from.strip_prefix(operand.as_slice()).ok_or(uncovered)?;
            to = to.strip_prefix(result.as_slice()).ok_or(uncovered)?;
            if let Factor::Related(crate::plan::Pairs::Rows { ids, .. }) = factor {
                let ids = self.wire(*ids).ok_or("no such wire")?;
                let is_public = matches!(ids.definition, Definition::Public { .. });
                rule(is_public && ids.shape == result, "ids are not public")?;
            }
        }
        rule(from.is_empty() && to.is_empty(), uncovered)
    }
}

/// Operands of a fill are earlier wires of a shape that the honest prover can read.
fn check_fill(fill: &Fill, shape: &[usize], plan: &Plan, id: usize) -> Rule {
    let mut same = Vec::new();
    match fill {
        Fill::Tensor(_) | Fill::Multiplicity { .. } => {}
        Fill::Low { of, .. } | Fill::Floor { of } => {
            plan.check_scaled(of, shape)?;
            same.extend(of.combination.terms.iter().map(|(_, wire)| *wire));
        }
        Fill::Product(a, b) | Fill::Quotient(a, b) | Fill::Remainder(a, b) => same.extend([a, b]),
        Fill::AtLeast { of, .. } | Fill::Positive(of) | Fill::Formula { of, .. } => same.push(*of),
        Fill::Norm { limb } => {
            same.extend(limb.squares);
            same.push(limb.magnitude);
        }
        Fill::First { of, max, mask, .. } => {
            same.extend([of, max]);
            same.extend(mask);
        }
        Fill::Wide { limb } => same.extend(limb.variance),
        Fill::Max { of, mask, .. } => {
            for operand in mask.iter().chain([of]) {
                rule(operand.0 < id, "it refers to a later wire")?;
            }
        }
        Fill::Ranks { of } => rule(of.0 < id, "it refers to a later wire")?,
    }
    for operand in same {
        let wire = plan.wire(operand).filter(|_| operand.0 < id);
        let wire = wire.ok_or("it refers to a later wire")?;
        rule(
            broadcasts(&wire.shape, shape),
            "an operand does not fit the shape",
        )?;
    }
    Ok(())
}

fn check_view(view: &View, from: &[usize], to: &[usize]) -> Rule {
    rule(
        cells(from) == cells(to),
        "a view changes the number of cells",
    )?;
    let count = usize::try_from(all_variables(to)).unwrap_or(usize::MAX);
    let operand = usize::try_from(all_variables(from)).unwrap_or(usize::MAX);
    let mut sorted = view.bits.clone();
    sorted.sort_unstable();
    let is_permutation = sorted.iter().copied().eq(0..count);
    rule(
        is_permutation && operand == count,
        "a view is no permutation",
    )
}

fn check_labels(labels: &Labels, a: &[usize], b: &[usize], out: &[usize]) -> Rule {
    for (labels, shape) in [(&labels.a, a), (&labels.b, b), (&labels.out, out)] {
        rule(labels.len() == shape.len(), "labels do not cover the axes")?;
        let mut seen = BTreeSet::new();
        for (&label, &n) in labels.iter().zip(shape) {
            let is_unit = label == Labels::UNIT;
            rule(is_unit == (n == 1), "an axis of size 1 has a label")?;
            rule(is_unit || seen.insert(label), "a label occurs twice")?;
        }
    }
    let size = |labels: &[u8], shape: &[usize], label: u8| {
        let position = labels.iter().position(|&l| l == label)?;
        shape.get(position).copied()
    };
    let of = |label| {
        [
            size(&labels.a, a, label),
            size(&labels.b, b, label),
            size(&labels.out, out, label),
        ]
    };
    for &label in labels.a.iter().chain(&labels.b).chain(&labels.out) {
        if label == Labels::UNIT {
            continue;
        }
        match of(label) {
            [Some(m), Some(n), None] => rule(m == n, "a label has two sizes")?,
            [None, None, _] => return Err("a label of the result is in no operand"),
            [_, _, None] => return Err("a label of one operand is summed over"),
            [m, n, Some(size)] => {
                let agrees = [m, n].into_iter().flatten().all(|n| n == size);
                rule(agrees, "a label has two sizes")?;
            }
        }
    }
    Ok(())
}
