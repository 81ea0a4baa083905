//! Integers of a run against sites and identities, cell by cell.

use veridical_argument::plan::{Combination, Plan, Scaled, Table, WireId};
use veridical_executor::Trace;
use veridical_program::Program;
use veridical_prover::values::{Integers, Values};

pub const P: i64 = 2_130_706_433;

/// A plan with the integers of a run.
pub struct Oracle<'a> {
    plan: &'a Plan,
    program: &'a Program,
    values: Values<'a>,
}

/// A wire read in a space.
struct Reader {
    integers: Vec<i32>,
    /// Step of each axis of the space, 0 where broadcast.
    strides: Vec<usize>,
}

impl Reader {
    fn at(&self, cell: &[usize]) -> i64 {
        let at: usize = cell.iter().zip(&self.strides).map(|(i, s)| i * s).sum();
        self.integers[at].into()
    }
}

/// Every cell of a space.
pub fn cells(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    let count: usize = shape.iter().product();
    (0..count).map(move |mut at| {
        let mut cell = vec![0; shape.len()];
        for (i, n) in cell.iter_mut().zip(shape).rev() {
            *i = at % n;
            at /= n;
        }
        cell
    })
}

fn inverse_of_power(shift: u32) -> i64 {
    // (p + 1) / 2 is the inverse of 2.
    (0..shift).fold(1, |x, _| x * P.midpoint(1) % P)
}

impl<'a> Oracle<'a> {
    pub fn new(plan: &'a Plan, program: &'a Program, trace: &'a Trace) -> Self {
        let values = Values::compute(plan, program, trace).unwrap();
        Self::of(plan, program, values)
    }

    pub fn of(plan: &'a Plan, program: &'a Program, values: Values<'a>) -> Self {
        Self {
            plan,
            program,
            values,
        }
    }

    /// Integers of a wire that a proof needs.
    pub fn integers(&self, wire: WireId) -> Option<Vec<i32>> {
        Some(match self.values.integers(wire)? {
            Integers::I8(x) => x.iter().map(|&x| x.into()).collect(),
            Integers::I16(x) => x.iter().map(|&x| x.into()).collect(),
            Integers::I32(x) => x.to_vec(),
        })
    }

    fn reader(&self, wire: WireId, space: &[usize]) -> Reader {
        let shape = &self.plan.wires[wire.0].shape;
        let mut strides = vec![0; space.len()];
        let mut step = 1;
        for (stride, n) in strides.iter_mut().zip(shape).rev() {
            if *n > 1 {
                *stride = step;
            }
            step *= n;
        }
        let integers = self.integers(wire).expect("wires of sites have integers");
        Reader { integers, strides }
    }

    fn linear(&self, c: &Combination, space: &[usize]) -> impl Fn(&[usize]) -> i64 + use<> {
        let readers: Vec<(i64, Reader)> = c
            .terms
            .iter()
            .map(|&(coeff, wire)| (coeff, self.reader(wire, space)))
            .collect();
        let constant = c.constant;
        move |cell| {
            let terms = readers.iter().map(|(coeff, x)| coeff * x.at(cell) % P);
            (constant + terms.sum::<i64>()).rem_euclid(P)
        }
    }

    fn scaled(&self, s: &Scaled, space: &[usize]) -> impl Fn(&[usize]) -> i64 + use<> {
        let linear = self.linear(&s.combination, space);
        let factor = inverse_of_power(s.shift);
        move |cell| linear(cell) * factor % P
    }

    /// Every tuple is a row of its table, every vanishing expression is 0, every multiplicity is a count.
    pub fn check_lookups(&self) -> Result<(), String> {
        let mut counts: Vec<Vec<i32>> = self.plan.tables.iter().map(|t| vec![0; t.rows]).collect();
        for site in &self.plan.sites {
            let columns = |list: &[Scaled]| -> Vec<_> {
                list.iter().map(|s| self.scaled(s, &site.shape)).collect()
            };
            let (tuple, vanishing) = (columns(&site.tuple), columns(&site.vanishing));
            for cell in cells(&site.shape) {
                let place = || format!("{:?} at {cell:?}", site.role);
                if vanishing.iter().any(|expression| expression(&cell) != 0) {
                    return Err(format!("{} does not vanish", place()));
                }
                let row: Vec<i64> = tuple.iter().map(|column| column(&cell)).collect();
                let table = usize::try_from(row[0]).unwrap().wrapping_sub(1);
                let index = usize::try_from(row[1]).unwrap();
                let found = self.plan.tables.get(table).filter(|t| index < t.rows);
                let second = found.is_some().then(|| self.second(table, index)).flatten();
                if found.is_none() || second != row.get(2).copied() {
                    return Err(format!("{}: {row:?} is in no table", place()));
                }
                counts[table][index] += 1;
            }
        }
        for (table, counts) in self.plan.tables.iter().zip(&counts) {
            if self.integers(table.multiplicity).as_ref() != Some(counts) {
                return Err(format!("multiplicities of {:?}", table.table));
            }
        }
        Ok(())
    }

    /// Second column of a row of a table, if it has one.
    fn second(&self, table: usize, row: usize) -> Option<i64> {
        let element = match self.plan.tables[table].table {
            Table::Range { .. } | Table::Below { .. } => return None,
            Table::Formula { formula, bits } => formula.column(bits)[row],
            Table::Zero => 0,
            Table::Constant { constant } | Table::Weight { constant, .. } => {
                let constant = self.program.constant(constant).unwrap();
                constant.get(row).unwrap()
            }
        };
        Some(i64::from(element).rem_euclid(P))
    }

    /// Every identity holds at every cell.
    pub fn check_identities(&self) -> Result<(), String> {
        for identity in &self.plan.identities {
            let terms: Vec<(i64, Vec<Reader>)> = identity
                .terms
                .iter()
                .map(|term| {
                    let factors = term.factors.iter();
                    let readers = factors.map(|&wire| self.reader(wire, &identity.shape));
                    (term.coeff, readers.collect())
                })
                .collect();
            for cell in cells(&identity.shape) {
                let product = |(coeff, factors): &(i64, Vec<Reader>)| {
                    let factors = factors.iter().map(|f| f.at(&cell) % P);
                    factors.fold(*coeff % P, |x, f| x * f % P)
                };
                if terms.iter().map(product).sum::<i64>() % P != 0 {
                    return Err(format!("{:?} at {cell:?}", identity.role));
                }
            }
        }
        Ok(())
    }
}
