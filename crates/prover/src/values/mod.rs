//! The integers of every wire of a plan.
//!
//! Spec: spec/v1/zk.md, sections 2 to 4. All integers are representatives of least magnitude modulo `p`. What the
//! trace of a run holds is borrowed from it; the rest follows from the definitions of the wires.
//!
//! | Module         | Purpose                                                            |
//! |----------------|--------------------------------------------------------------------|
//! | `arithmetic`   | representatives modulo `p`, floors                                 |
//! | `need`         | which wires a prover needs as integers                             |
//! | `nest`         | loops over spaces with broadcast operands                          |
//! | `linear`       | combinations over such loops                                       |
//! | `pointwise`    | combinations, products, limbs, quotients                           |
//! | `groups`       | sums, maxima and ranks over axes                                   |
//! | `layout`       | views and maps                                                     |
//! | `einsum`       | products of tensors                                                |
//! | `wide`         | the reciprocal root of a row                                       |
//! | `norm`         | the bound of a row by its norm                                     |
//! | `multiplicity` | how often each row of a table is looked up                         |

mod arithmetic;
mod einsum;
mod error;
mod groups;
mod layout;
mod linear;
mod multiplicity;
mod need;
mod nest;
mod norm;
mod pointwise;
#[cfg(test)]
mod tests;
mod wide;

pub use error::ValuesError;

use tracing::info_span;
use veridical_argument::plan::{Definition, Fill, Plan, Wire, WireId};
use veridical_executor::Trace;
use veridical_program::{ConstData, Program};

use arithmetic::balanced;
use need::Need;

/// Integers in the width in which they are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integers<'v> {
    /// A weight of 8 bits.
    I8(&'v [i8]),
    /// A weight of 16 bits.
    I16(&'v [i16]),
    /// Everything else.
    I32(&'v [i32]),
}

impl Integers<'_> {
    /// Number of cells.
    pub const fn len(&self) -> usize {
        match self {
            Self::I8(integers) => integers.len(),
            Self::I16(integers) => integers.len(),
            Self::I32(integers) => integers.len(),
        }
    }

    /// Whether there is no cell, which no wire has.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The integers of the wires of a plan in row-major order.
#[derive(Debug)]
pub struct Values<'a> {
    plan: &'a Plan,
    source: Source<'a>,
    columns: Vec<Option<Column<'a>>>,
}

/// Where the integers of a wire are.
#[derive(Debug)]
enum Column<'a> {
    /// In the trace, or in a constant of the program.
    Borrowed(Integers<'a>),
    Owned(Vec<i32>),
    /// The same cells in the same order as another wire, which is no `Same` itself.
    Same(WireId),
}

/// What plan and program know of a run.
#[derive(Debug)]
struct Source<'a> {
    /// By tensor id.
    tensors: Vec<&'a [i32]>,
    /// By const id.
    constants: Vec<Option<&'a ConstData>>,
}

/// Called with every wire after it was filled and before anything that depends on it.
type Overrides<'h> = &'h mut dyn FnMut(WireId, &mut Vec<i32>);

impl<'a> Values<'a> {
    /// Computes the integers that a proof of `plan` needs; see [`Values::wire`].
    ///
    /// # Errors
    /// [`ValuesError`] if plan, program and trace do not belong together. For a plan of the program and a trace of
    /// as many runs there is none.
    pub fn compute(
        plan: &'a Plan,
        program: &'a Program,
        trace: &'a Trace,
    ) -> Result<Self, ValuesError> {
        Self::from_source(plan, Source::new(plan, program, trace)?, None)
    }

    /// The integers of a registration plan, which follow from the weights alone.
    ///
    /// # Errors
    /// [`ValuesError`] if plan and program do not belong together; for [`Plan::registration`] of a program there is
    /// none.
    pub fn of_weights(plan: &'a Plan, program: &'a Program) -> Result<Self, ValuesError> {
        Self::from_source(plan, Source::of_weights(plan, program)?, None)
    }

    /// As [`Values::of_weights`], for a prover that cheats.
    ///
    /// # Errors
    /// As for [`Values::compute_with`].
    #[cfg(feature = "cheating")]
    pub fn of_weights_with(
        plan: &'a Plan,
        program: &'a Program,
        overrides: &mut dyn FnMut(WireId, &mut Vec<i32>),
    ) -> Result<Self, ValuesError> {
        Self::from_source(plan, Source::of_weights(plan, program)?, Some(overrides))
    }

    /// As [`Values::compute`], for a prover that cheats: `overrides` may change any wire. All that depends on it and
    /// is not a tensor of the program follows from the changed integers, and so do wires which are a function of
    /// others; a committed tensor of the program stays as in the trace unless changed itself.
    ///
    /// # Errors
    /// As for [`Values::compute`]; [`ValuesError::Length`] if the length of a wire was changed.
    #[cfg(feature = "cheating")]
    pub fn compute_with(
        plan: &'a Plan,
        program: &'a Program,
        trace: &'a Trace,
        overrides: &mut dyn FnMut(WireId, &mut Vec<i32>),
    ) -> Result<Self, ValuesError> {
        Self::from_source(plan, Source::new(plan, program, trace)?, Some(overrides))
    }

    /// The integers of a wire in 32 bits.
    ///
    /// `None` for weights of 8 and 16 bits from which nothing else is computed, which [`Values::integers`] gives,
    /// and for virtual wires that a proof can do without: those whose only claim comes from a combination, a sum or a
    /// view, and whose evaluation follows from it and from those of the other operands (at most one operand of a
    /// combination, an einsum rather than another). They have no [`Wire::tensor`], and are in no site or identity,
    /// no output, no operand of an einsum or a map.
    pub fn wire(&self, id: WireId) -> Option<&[i32]> {
        match self.integers(id)? {
            Integers::I32(integers) => Some(integers),
            Integers::I8(_) | Integers::I16(_) => None,
        }
    }

    /// The integers of a wire in the width in which they are held; `None` only for virtual wires as in
    /// [`Values::wire`].
    pub fn integers(&self, id: WireId) -> Option<Integers<'_>> {
        match self.columns.get(id.0)?.as_ref()? {
            Column::Borrowed(integers) => Some(*integers),
            Column::Owned(integers) => Some(Integers::I32(integers)),
            Column::Same(other) => self.integers(*other),
        }
    }

    fn from_source(
        plan: &'a Plan,
        source: Source<'a>,
        mut overrides: Option<Overrides<'_>>,
    ) -> Result<Self, ValuesError> {
        // A changed witness may make a wire differ from the trace, and then its operands are needed too.
        let need = if overrides.is_some() {
            Need::everything(plan)
        } else {
            Need::of(plan)
        };
        let mut changed = vec![false; plan.wires.len()];
        let mut values = Self {
            plan,
            source,
            columns: Vec::with_capacity(plan.wires.len()),
        };
        for (id, wire) in plan.wires.iter().enumerate() {
            let is_late = matches!(
                wire.definition,
                Definition::Witness {
                    fill: Fill::Multiplicity { .. }
                }
            );
            // What the trace or the program holds costs nothing.
            let is_skipped =
                !need.some[id] && wire.tensor.is_none() && need::is_virtual(&wire.definition);
            if is_late || is_skipped {
                values.columns.push(None);
                continue;
            }
            let mut column = values.column(id, wire, need.wide[id], &mut changed)?;
            if let Some(overrides) = &mut overrides {
                changed[id] |= values.alter(id, &mut column, overrides)?;
            }
            values.columns.push(Some(column));
        }
        let multiplicities = info_span!("multiplicities").in_scope(|| values.multiplicities())?;
        for (table, counts) in multiplicities.into_iter().enumerate() {
            let id = plan.tables[table].multiplicity;
            let mut column = Column::Owned(counts);
            if let Some(overrides) = &mut overrides {
                values.alter(id.0, &mut column, overrides)?;
            }
            values.columns[id.0] = Some(column);
        }
        Ok(values)
    }

    /// The integers of a wire whose operands are there, before any override of its own.
    fn column(
        &self,
        id: usize,
        wire: &'a Wire,
        is_wide: bool,
        changed: &mut [bool],
    ) -> Result<Column<'a>, ValuesError> {
        if need::is_virtual(&wire.definition) {
            need::operands(wire, |operand| {
                changed[id] |= changed.get(operand.0).is_some_and(|&changed| changed);
            });
        }
        let tensor = match wire.definition {
            Definition::Public { tensor }
            | Definition::Witness {
                fill: Fill::Tensor(tensor),
            } => Some(tensor),
            Definition::Witness { .. } => None,
            _ if changed[id] => None,
            _ => wire.tensor,
        };
        let column = match tensor {
            Some(tensor) => {
                let missing = ValuesError::MissingTensor { wire: id, tensor };
                let integers = self.source.tensors.get(tensor).copied().ok_or(missing)?;
                Column::Borrowed(Integers::I32(integers))
            }
            None => self.define(id, wire, is_wide)?,
        };
        let actual = match &column {
            Column::Borrowed(integers) => integers.len(),
            Column::Owned(integers) => integers.len(),
            Column::Same(other) => self.integers(*other).map_or(0, |integers| integers.len()),
        };
        self.check_length(id, actual)?;
        Ok(column)
    }

    fn define(&self, id: usize, wire: &'a Wire, is_wide: bool) -> Result<Column<'a>, ValuesError> {
        match &wire.definition {
            Definition::Public { tensor } => Err(ValuesError::MissingTensor {
                wire: id,
                tensor: *tensor,
            }),
            Definition::One => Ok(Column::Owned(vec![1])),
            Definition::Iota => {
                let cells = i64::try_from(wire.shape.iter().product::<usize>()).unwrap_or(0);
                Ok(Column::Owned((0..cells).map(balanced).collect()))
            }
            Definition::Witness { fill } => self.witness(id, fill).map(Column::Owned),
            Definition::Weight { constant } => {
                let missing = ValuesError::MissingConstant {
                    wire: id,
                    constant: *constant,
                };
                let data = self
                    .source
                    .constants
                    .get(*constant)
                    .copied()
                    .flatten()
                    .ok_or(missing)?;
                Ok(weight(data, is_wide))
            }
            Definition::Combination(combination) => self.combination(id, combination),
            Definition::Sum { of, axes } => self.sum(id, *of, axes).map(Column::Owned),
            Definition::View(view) => self.view(id, view),
            Definition::Map { of, factors } => self.map(id, *of, factors),
            Definition::Einsum { a, b, labels } => {
                self.einsum(id, *a, *b, labels).map(Column::Owned)
            }
        }
    }

    fn witness(&self, id: usize, fill: &Fill) -> Result<Vec<i32>, ValuesError> {
        match fill {
            Fill::Tensor(tensor) => Err(ValuesError::MissingTensor {
                wire: id,
                tensor: *tensor,
            }),
            Fill::Low { of, bits } => self.floor(id, of, Some(*bits)),
            Fill::Floor { of } => self.floor(id, of, None),
            Fill::Product(a, b) => self.binary(id, *a, *b, |a, b| a * b),
            Fill::AtLeast { of, bound } => {
                self.unary(id, *of, |x| balanced(i64::from(x).max(*bound)))
            }
            Fill::Positive(of) => self.unary(id, *of, |x| i32::from(x > 0)),
            Fill::Quotient(num, den) => self.binary(id, *num, *den, arithmetic::floor_quotient),
            Fill::Remainder(num, den) => self.binary(id, *num, *den, arithmetic::floor_remainder),
            Fill::Max { of, axes, mask } => self.maximum(id, *of, axes, *mask),
            Fill::First {
                of,
                max,
                axes,
                mask,
            } => self.first(id, *of, *max, axes, *mask),
            Fill::Ranks { of } => self.ranks(id, *of),
            Fill::Wide { limb } => self.wide(id, limb),
            // Only a dishonest operand has more than 16 bits.
            Fill::Formula { of, formula } => {
                self.unary(id, *of, |x| balanced(formula.of(x).into()))
            }
            Fill::Norm { limb } => self.norm(id, limb),
            Fill::Multiplicity { table } => Err(ValuesError::Multiplicity {
                table: *table,
                wire: id,
            }),
        }
    }

    /// Lets `overrides` change a wire; whether it did.
    fn alter(
        &self,
        id: usize,
        column: &mut Column<'a>,
        overrides: &mut Overrides<'_>,
    ) -> Result<bool, ValuesError> {
        let before = match column {
            Column::Borrowed(integers) => Some(*integers),
            Column::Owned(integers) => Some(Integers::I32(integers)),
            Column::Same(other) => self.integers(*other),
        };
        let before = match before {
            Some(Integers::I8(integers)) => integers.iter().map(|&x| x.into()).collect(),
            Some(Integers::I16(integers)) => integers.iter().map(|&x| x.into()).collect(),
            Some(Integers::I32(integers)) => integers.to_vec(),
            None => return Ok(false),
        };
        let mut integers: Vec<i32> = before.clone();
        overrides(WireId(id), &mut integers);
        self.check_length(id, integers.len())?;
        for integer in &mut integers {
            *integer = balanced(i64::from(*integer));
        }
        let is_changed = integers != before;
        if is_changed {
            *column = Column::Owned(integers);
        }
        Ok(is_changed)
    }

    fn check_length(&self, id: usize, actual: usize) -> Result<(), ValuesError> {
        let expected = self.plan.wires[id].shape.iter().product();
        if expected == actual {
            Ok(())
        } else {
            Err(ValuesError::Length {
                wire: id,
                expected,
                actual,
            })
        }
    }

    /// Shape and integers of an operand of wire `id`.
    fn operand(&self, id: usize, operand: WireId) -> Result<(&'a [usize], &[i32]), ValuesError> {
        let found = self.plan.wire(operand).zip(self.wire(operand));
        let (wire, integers) = found.ok_or(ValuesError::Operand {
            wire: id,
            operand: operand.0,
        })?;
        Ok((&wire.shape, integers))
    }

    /// A column with the cells of `of`.
    fn same(&self, of: WireId) -> Column<'a> {
        match self.columns.get(of.0) {
            Some(Some(Column::Same(other))) => Column::Same(*other),
            _ => Column::Same(of),
        }
    }

    /// Shape of wire `id`.
    fn shape(&self, id: usize) -> &'a [usize] {
        &self.plan.wires[id].shape
    }
}

impl<'a> Source<'a> {
    fn new(plan: &Plan, program: &'a Program, trace: &'a Trace) -> Result<Self, ValuesError> {
        if plan.batch != trace.batch() {
            return Err(ValuesError::Batch {
                plan: plan.batch,
                trace: trace.batch(),
            });
        }
        Ok(Self {
            tensors: (0..trace.len())
                .filter_map(|tensor| trace.tensor(tensor).ok())
                .collect(),
            constants: constants(program),
        })
    }

    fn of_weights(plan: &Plan, program: &'a Program) -> Result<Self, ValuesError> {
        if plan.batch != 0 {
            return Err(ValuesError::Batch {
                plan: plan.batch,
                trace: 0,
            });
        }
        Ok(Self {
            tensors: Vec::new(),
            constants: constants(program),
        })
    }
}

/// By const id.
fn constants(program: &Program) -> Vec<Option<&ConstData>> {
    let ids = 0..program.graph().consts.len();
    ids.map(|id| program.constant(id)).collect()
}

/// A weight in its own width, or in 32 bits where something is computed from it.
fn weight(data: &ConstData, is_wide: bool) -> Column<'_> {
    match data {
        ConstData::I8(integers) if is_wide => {
            Column::Owned(integers.iter().map(|&x| x.into()).collect())
        }
        ConstData::I16(integers) if is_wide => {
            Column::Owned(integers.iter().map(|&x| x.into()).collect())
        }
        ConstData::I8(integers) => Column::Borrowed(Integers::I8(integers)),
        ConstData::I16(integers) => Column::Borrowed(Integers::I16(integers)),
        // Constants of 32 bits may exceed M: only their residue is a cell.
        ConstData::I32(integers) if integers.iter().all(|&x| balanced(x.into()) == x) => {
            Column::Borrowed(Integers::I32(integers))
        }
        ConstData::I32(integers) => {
            Column::Owned(integers.iter().map(|&x| balanced(x.into())).collect())
        }
    }
}
