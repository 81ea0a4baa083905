//! What a sumcheck is about.

use std::borrow::Cow;

use p3_field::{ExtensionField, Field, PackedValue, PrimeCharacteristicRing};
use veridical_argument::field::{EF, F};

use super::SumcheckError;

/// Base elements, one per lane.
pub type PackedF = <F as Field>::Packing;

/// Extension elements, one per lane.
pub type PackedEF = <EF as ExtensionField<F>>::ExtensionPacking;

/// Most factors of a term.
pub const MAX_FACTORS: usize = 3;

/// Where the cells of a table are stored: `2^outer` rows of `2^inner` cells, of which the first `stride` are
/// stored; the others are 0 in every table.
///
/// A tensor whose last axis is no power of two is thus stored as it is. A stride that is not `2^inner` is a
/// multiple of [`Shape::GRAIN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Variables of the number of a row, the highest.
    pub outer: usize,
    /// Variables within a row, the lowest.
    pub inner: usize,
    /// Stored cells of a row.
    pub stride: usize,
}

impl Shape {
    /// A stride is a multiple of this, the widest vector of any instruction set.
    pub const GRAIN: usize = 16;

    /// All `2^variables` cells.
    pub fn dense(variables: usize) -> Self {
        Self {
            outer: 0,
            inner: variables,
            stride: 1 << variables,
        }
    }

    /// Rows of `length` real cells, stored with the least stride that is possible.
    pub fn rows(outer: usize, length: usize) -> Self {
        let full = length.next_power_of_two();
        Self {
            outer,
            inner: full.ilog2() as usize,
            stride: length.next_multiple_of(Self::GRAIN).min(full),
        }
        .merged()
    }

    /// The same storage with rows as long as possible.
    pub(super) fn merged(self) -> Self {
        if self.stride == 1 << self.inner {
            Self::dense(self.variables())
        } else {
            self
        }
    }

    /// The distance of the two cells that the highest variable tells apart, in stored cells; 1 without variables.
    pub(super) fn half(&self) -> usize {
        if self.outer > 0 {
            self.stride << (self.outer - 1)
        } else {
            (1 << self.inner) >> usize::from(self.inner > 0)
        }
    }

    /// The domain of the lower variables.
    pub(super) fn bound(&self) -> Self {
        if self.outer > 0 {
            return Self {
                outer: self.outer - 1,
                ..*self
            };
        }
        let inner = self.inner.saturating_sub(1);
        Self {
            outer: 0,
            inner,
            stride: self.stride.min(1 << inner),
        }
    }

    /// Number of variables.
    pub fn variables(&self) -> usize {
        self.outer + self.inner
    }

    /// Number of stored cells.
    pub fn cells(&self) -> usize {
        self.stride << self.outer
    }
}

/// A function on the domain, in the order of [`Shape`]. Cells behind the end are 0.
#[derive(Debug, Clone)]
pub enum Table<'a> {
    /// Base elements; they stay so until the first challenge.
    Base(Cow<'a, [F]>),
    /// Extension elements; packed before use, so [`Table::Packed`] is the cheaper one.
    Extension(Cow<'a, [EF]>),
    /// Extension elements, lane by lane: cell `i` is lane `i % WIDTH` of element `i / WIDTH`. Lanes behind the end of
    /// a domain of less than one element are 0.
    Packed(Vec<PackedEF>),
}

/// `coeff * prod T_j`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Coefficient.
    pub coeff: F,
    /// Positions of one to [`MAX_FACTORS`] tables.
    pub factors: Vec<usize>,
}

/// `weight * sum of terms`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Weight, a challenge as a rule.
    pub weight: EF,
    /// Terms.
    pub terms: Vec<Term>,
}

/// `sum_x sum of groups` over one domain.
#[derive(Debug, Clone)]
pub struct Part<'a> {
    /// Domain.
    pub shape: Shape,
    /// Functions.
    pub tables: Vec<Table<'a>>,
    /// Summand.
    pub groups: Vec<Group>,
}

/// `sum_x [eq(tau, x)] (sum of parts)`; the parts have as many variables, each a storage order of its own.
#[derive(Debug, Clone)]
pub struct Sumcheck<'a> {
    /// Point of an outer `eq(tau, .)`, which adds 1 to the degree.
    pub equality: Option<Vec<EF>>,
    /// Parts, at least one.
    pub parts: Vec<Part<'a>>,
}

/// Where a sumcheck ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Challenges in order, which are a point, highest variable first.
    pub point: Vec<EF>,
    /// Every table at the point, part by part.
    pub values: Vec<EF>,
    /// Value of the last round polynomial, `eq(tau, point)` included.
    pub claim: EF,
}

impl<'a> Sumcheck<'a> {
    /// `sum_x a(x) b(x)` over `2^variables` cells: degree 2.
    pub fn product(variables: usize, a: Table<'a>, b: Table<'a>) -> Self {
        Self {
            equality: None,
            parts: vec![Part::product(variables, a, b)],
        }
    }

    /// `sum_x eq(point, x) a(x) b(x)`: degree 3.
    pub fn weighted_product(point: Vec<EF>, a: Table<'a>, b: Table<'a>) -> Self {
        Self {
            parts: vec![Part::product(point.len(), a, b)],
            equality: Some(point),
        }
    }

    /// Number of variables.
    pub fn variables(&self) -> usize {
        self.parts.first().map_or(0, |part| part.shape.variables())
    }

    /// Largest number of factors of a term, at least 1.
    pub fn factors(&self) -> usize {
        self.parts
            .iter()
            .flat_map(|part| &part.groups)
            .flat_map(|group| &group.terms)
            .map(|term| term.factors.len())
            .max()
            .unwrap_or(1)
            .max(1)
    }

    /// Degree of the round polynomials.
    pub fn degree(&self) -> usize {
        self.factors() + usize::from(self.equality.is_some())
    }

    /// Refuses parts that do not fit each other.
    pub(super) fn check(&self) -> Result<(), SumcheckError> {
        let variables = self.variables();
        if let Some(point) = &self.equality
            && point.len() != variables
        {
            return Err(SumcheckError::Point {
                found: point.len(),
                expected: variables,
            });
        }
        self.parts.iter().try_for_each(|part| part.check(variables))
    }
}

impl<'a> Part<'a> {
    fn product(variables: usize, a: Table<'a>, b: Table<'a>) -> Self {
        Self {
            shape: Shape::dense(variables),
            tables: vec![a, b],
            groups: vec![Group {
                weight: EF::ONE,
                terms: vec![Term {
                    coeff: F::ONE,
                    factors: vec![0, 1],
                }],
            }],
        }
    }

    fn check(&self, variables: usize) -> Result<(), SumcheckError> {
        let shape = self.shape;
        if shape.variables() != variables {
            return Err(SumcheckError::Variables {
                found: shape.variables(),
                expected: variables,
            });
        }
        let full = shape.stride == 1 << shape.inner;
        let partial = shape.stride < 1 << shape.inner && shape.stride.is_multiple_of(Shape::GRAIN);
        if !full && !partial {
            return Err(SumcheckError::Stride {
                inner: shape.inner,
                stride: shape.stride,
            });
        }
        for (table, contents) in self.tables.iter().enumerate() {
            if contents.cells() > shape.cells().next_multiple_of(contents.grain()) {
                return Err(SumcheckError::TableTooLong {
                    table,
                    length: contents.cells(),
                    cells: shape.cells(),
                });
            }
        }
        for (group, terms) in self.groups.iter().enumerate() {
            for term in &terms.terms {
                if !(1..=MAX_FACTORS).contains(&term.factors.len()) {
                    return Err(SumcheckError::Factors {
                        group,
                        factors: term.factors.len(),
                    });
                }
                if let Some(table) = term.factors.iter().find(|at| **at >= self.tables.len()) {
                    return Err(SumcheckError::NoSuchTable {
                        group,
                        table: *table,
                        tables: self.tables.len(),
                    });
                }
            }
        }
        Ok(())
    }
}

impl Table<'_> {
    /// Stored cells.
    pub fn cells(&self) -> usize {
        match self {
            Self::Base(cells) => cells.len(),
            Self::Extension(cells) => cells.len(),
            Self::Packed(vectors) => vectors.len() * PackedF::WIDTH,
        }
    }

    /// What the number of stored cells is a multiple of.
    fn grain(&self) -> usize {
        match self {
            Self::Packed(_) => PackedF::WIDTH,
            _ => 1,
        }
    }
}
