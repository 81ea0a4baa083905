//! How often each row of each table is looked up.
//!
//! Spec: spec/v1/zk.md, section 6.

use std::ops::Range;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use veridical_argument::plan::{Definition, Fill, Site, Table};
use veridical_program::{ConstData, P};

use super::arithmetic::{balanced, divide_by_power};
use super::linear::{BLOCK, Linear};
use super::nest::{MIN_PARALLEL, Nest};
use super::{Values, ValuesError};

/// A column of a lookup: `linear / 2^shift`.
struct Entry<'v> {
    linear: Linear<'v>,
    shift: u32,
}

/// A site with its wires at hand.
struct Lookups<'v> {
    cells: usize,
    nest: Nest,
    /// Table id, first and second column.
    entries: [Entry<'v>; 3],
}

/// The second column of a table.
enum Second<'v> {
    /// 0 in every row.
    Zero,
    Constant(&'v ConstData),
    Wire(&'v [i32]),
    Formula(Vec<i32>),
}

/// A table with its rows at hand.
struct Rows<'v> {
    count: usize,
    second: Second<'v>,
}

/// Counts by table, made when the first lookup names it.
type Counts = Vec<Vec<u32>>;

impl Values<'_> {
    /// The multiplicities of all tables.
    pub(super) fn multiplicities(&self) -> Result<Vec<Vec<i32>>, ValuesError> {
        let tables = (0..self.plan.tables.len()).map(|table| self.rows(table));
        let tables: Vec<Rows<'_>> = tables.collect::<Result<_, _>>()?;
        let sites = self.plan.sites.iter().enumerate();
        let sites: Vec<Lookups<'_>> = sites
            .map(|(id, site)| self.lookups(id, site))
            .collect::<Result<_, _>>()?;
        let total: usize = sites.iter().map(|site| site.cells).sum();
        // One share for each thread, as each has its own counts. Sums do not depend on the shares.
        let shares = rayon::current_num_threads()
            .min(total / MIN_PARALLEL)
            .max(1);
        let count = |share: usize| {
            let part = total * share / shares..total * (share + 1) / shares;
            let mut counts: Counts = vec![Vec::new(); tables.len()];
            let mut start = 0;
            for site in &sites {
                let cells = clip(&part, start, site.cells);
                if !cells.is_empty() {
                    site.count(cells, &tables, &mut counts);
                }
                start += site.cells;
            }
            counts
        };
        let counts = if shares == 1 {
            count(0)
        } else {
            (0..shares)
                .into_par_iter()
                .map(count)
                .reduce(Vec::new, merge)
        };
        let filled = counts.into_iter().zip(&tables).map(|(counts, rows)| {
            let mut column: Vec<i32> = counts
                .into_iter()
                .map(|count| balanced(count.into()))
                .collect();
            column.resize(rows.count, 0);
            column
        });
        Ok(filled.collect())
    }

    fn rows(&self, table: usize) -> Result<Rows<'_>, ValuesError> {
        let entry = self.plan.tables[table];
        let wire = entry.multiplicity.0;
        let counted = self.plan.wire(entry.multiplicity).is_some_and(|wire| {
            let fill = Fill::Multiplicity { table };
            wire.definition == Definition::Witness { fill } && wire.shape == [entry.rows]
        });
        if !counted {
            return Err(ValuesError::Multiplicity { table, wire });
        }
        let (actual, second) = match entry.table {
            Table::Range { bits } => (1_usize.checked_shl(bits).unwrap_or(0), Second::Zero),
            Table::Zero => (1, Second::Zero),
            Table::Below { rows } => (rows, Second::Zero),
            Table::Formula { formula, bits } => {
                let column = formula.column(bits);
                (column.len(), Second::Formula(column))
            }
            Table::Constant { constant } => {
                let missing = ValuesError::MissingConstant { wire, constant };
                let data = self
                    .source
                    .constants
                    .get(constant)
                    .copied()
                    .flatten()
                    .ok_or(missing)?;
                (data.len(), Second::Constant(data))
            }
            Table::Weight { wire: elements, .. } => {
                let elements = self.operand(wire, elements)?.1;
                (elements.len(), Second::Wire(elements))
            }
        };
        if actual != entry.rows {
            let expected = entry.rows;
            return Err(ValuesError::Length {
                wire,
                expected,
                actual,
            });
        }
        Ok(Rows {
            count: actual,
            second,
        })
    }

    fn lookups(&self, id: usize, site: &Site) -> Result<Lookups<'_>, ValuesError> {
        let site_error = ValuesError::Site { site: id };
        if site.tuple.len() > 3 || site.tuple.iter().any(|entry| entry.shift > 31) {
            return Err(site_error);
        }
        let mut shapes = Vec::new();
        let mut entries = [0; 3].map(|_| Entry {
            linear: Linear::new(Vec::new(), 0),
            shift: 0,
        });
        for (entry, scaled) in entries.iter_mut().zip(&site.tuple) {
            let terms = self.terms(usize::MAX, &scaled.combination, shapes.len());
            let (own, terms) = terms.map_err(|_| site_error.clone())?;
            shapes.extend(own);
            *entry = Entry {
                linear: Linear::new(terms, scaled.combination.constant),
                shift: scaled.shift,
            };
        }
        Ok(Lookups {
            cells: site.shape.iter().product(),
            nest: Nest::broadcast(&site.shape, &shapes).ok_or(site_error)?,
            entries,
        })
    }
}

impl Lookups<'_> {
    /// Counts the lookups of some cells.
    fn count(&self, cells: Range<usize>, tables: &[Rows<'_>], counts: &mut Counts) {
        let [table, first, second] = &self.entries;
        let fixed = table
            .linear
            .as_constant()
            .map(|id| element(id, table.shift, i64::MAX));
        let no_second = second.linear.as_constant() == Some(0);
        let steps = self.nest.inner();
        let (mut ids, mut firsts, mut seconds) = ([0; BLOCK], [0; BLOCK], [0; BLOCK]);
        self.nest.runs(cells, |_, len, positions| {
            for skip in (0..len).step_by(BLOCK) {
                let len = BLOCK.min(len - skip);
                let firsts = &mut firsts[..len];
                first.linear.residues(steps, positions, skip, firsts);
                if !no_second {
                    second
                        .linear
                        .residues(steps, positions, skip, &mut seconds[..len]);
                }
                let columns = firsts.iter().zip(&seconds);
                let columns = columns.map(|(&a, &b)| [(a, first.shift), (b, second.shift)]);
                if let Some(id) = fixed {
                    if let Some((rows, counts)) = named(id, tables, counts) {
                        if no_second && matches!(rows.second, Second::Zero) {
                            count_positions(firsts, first.shift, counts);
                        } else {
                            columns.for_each(|columns| rows.count(columns, counts));
                        }
                    }
                } else {
                    let ids = &mut ids[..len];
                    table.linear.residues(steps, positions, skip, ids);
                    for (&id, columns) in ids.iter().zip(columns) {
                        let id = element(id, table.shift, i64::MAX);
                        if let Some((rows, counts)) = named(id, tables, counts) {
                            rows.count(columns, counts);
                        }
                    }
                }
            }
        });
    }
}

impl Rows<'_> {
    /// Counts the row `(first, second)`, if it is one; columns are numerators and binary logarithms of divisors.
    fn count(
        &self,
        [(first, first_shift), (second, second_shift)]: [(i64, u32); 2],
        counts: &mut [u32],
    ) {
        let limit = i64::try_from(self.count).unwrap_or(i64::MAX);
        let Ok(row) = usize::try_from(element(first, first_shift, limit)) else {
            return;
        };
        let Some(count) = counts.get_mut(row) else {
            return;
        };
        let expected = match &self.second {
            Second::Zero => 0,
            Second::Constant(data) => data.get(row).unwrap_or(0),
            Second::Wire(elements) => elements[row],
            Second::Formula(column) => column[row],
        };
        let expected = i64::from(expected);
        if expected << second_shift == second
            || expected.rem_euclid(P) == divide_by_power(second, second_shift)
        {
            *count += 1;
        }
    }
}

/// Counts the positions `values / 2^shift` that exist: all that a table of one column asks for.
fn count_positions(values: &[i64], shift: u32, counts: &mut [u32]) {
    let dropped = (1_i64 << shift) - 1;
    for &value in values {
        // Negative quotients become positions far beyond the table.
        let position = usize::try_from(value >> shift).unwrap_or(usize::MAX);
        let position = if value & dropped == 0 && position < counts.len() {
            position
        } else {
            usize::try_from(divide_by_power(value, shift)).unwrap_or(usize::MAX)
        };
        if let Some(count) = counts.get_mut(position) {
            *count += 1;
        }
    }
}

/// `value / 2^shift` as an element of `0 .. p - 1`; fast if that is below `limit <= p` and an exact quotient.
fn element(value: i64, shift: u32, limit: i64) -> i64 {
    let quotient = value >> shift;
    let is_exact = quotient << shift == value;
    if is_exact && (0..limit.min(P)).contains(&quotient) {
        quotient
    } else {
        divide_by_power(value, shift)
    }
}

/// Rows and counts of the table that the first entry of a tuple names.
fn named<'t, 'v>(
    id: i64,
    tables: &'t [Rows<'v>],
    counts: &'t mut Counts,
) -> Option<(&'t Rows<'v>, &'t mut [u32])> {
    let table = usize::try_from(id).ok()?.checked_sub(1)?;
    let rows = tables.get(table)?;
    let counts = counts.get_mut(table)?;
    if counts.is_empty() {
        counts.resize(rows.count, 0);
    }
    Some((rows, counts))
}

/// The part of `len` cells from `start` on that lies in `part`, counted from `start`.
fn clip(part: &Range<usize>, start: usize, len: usize) -> Range<usize> {
    part.start.saturating_sub(start).min(len)..part.end.saturating_sub(start).min(len)
}

/// Sums of counts; empty ones are zero.
fn merge(mut a: Counts, b: Counts) -> Counts {
    if a.is_empty() {
        return b;
    }
    for (a, b) in a.iter_mut().zip(b) {
        if a.is_empty() {
            *a = b;
        } else {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        }
    }
    a
}
