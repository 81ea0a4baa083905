//! What the conditions of one node may look at.

use crate::constant::{ConstData, Dtype};
use crate::error::NodeError;
use crate::exact::Interval;
use crate::graph::{ConstInfo, ConstKind, Graph, Node, TensorInfo};

/// A node with its surroundings.
pub(super) struct Site<'a> {
    graph: &'a Graph,
    constants: &'a [Option<ConstData>],
    facts: &'a [Option<i128>],
    pub(super) node: &'a Node,
}

/// What the rules say about the result of a node.
pub(super) struct Derived {
    pub(super) shape: Vec<usize>,
    /// `None` if it depends on weights that are not held.
    pub(super) range: Option<Interval>,
    /// Row-norm fact `Q` of section 4.10.
    pub(super) fact: Option<i128>,
}

/// An operand.
#[derive(Clone, Copy)]
pub(super) struct Operand<'a> {
    pub(super) id: usize,
    pub(super) position: usize,
    pub(super) shape: &'a [usize],
    pub(super) range: Interval,
    pub(super) fact: Option<i128>,
    pub(super) info: &'a TensorInfo,
}

/// A constant; `elements` is `None` if it is not held.
#[derive(Clone, Copy)]
pub(super) struct Constant<'a> {
    pub(super) id: usize,
    pub(super) position: usize,
    pub(super) info: &'a ConstInfo,
    pub(super) elements: Option<&'a ConstData>,
}

impl Derived {
    pub(super) fn new(shape: impl Into<Vec<usize>>, range: Interval) -> Self {
        Self {
            shape: shape.into(),
            range: Some(range),
            fact: None,
        }
    }

    pub(super) fn with_fact(mut self, fact: Option<i128>) -> Self {
        self.fact = fact;
        self
    }
}

impl<'a> Site<'a> {
    pub(super) const fn new(
        graph: &'a Graph,
        constants: &'a [Option<ConstData>],
        node: &'a Node,
        facts: &'a [Option<i128>],
    ) -> Self {
        Self {
            graph,
            constants,
            facts,
            node,
        }
    }

    /// All operands.
    pub(super) fn operands(&self) -> Vec<Operand<'a>> {
        let describe = |(position, &id)| {
            let info: &TensorInfo = self.graph.tensors.get(id)?;
            let range = Interval::new(info.lo, info.hi);
            let fact = self.facts.get(id).copied().flatten();
            Some(Operand {
                id,
                position,
                shape: &info.shape,
                range,
                fact,
                info,
            })
        };
        self.node
            .inputs
            .iter()
            .enumerate()
            .filter_map(describe)
            .collect()
    }

    /// Exactly `N` operands, and `C` constants of the kind given.
    pub(super) fn take<const N: usize, const C: usize>(
        &self,
        kind: ConstKind,
    ) -> Result<([Operand<'a>; N], [Constant<'a>; C]), NodeError> {
        let operands = self.operands();
        let actual = operands.len();
        let arity = NodeError::Arity {
            what: "operands",
            expected: N,
            actual,
        };
        Ok((
            operands.try_into().ok().ok_or(arity)?,
            self.constants(kind)?,
        ))
    }

    /// Exactly `C` constants of the kind given.
    pub(super) fn constants<const C: usize>(
        &self,
        kind: ConstKind,
    ) -> Result<[Constant<'a>; C], NodeError> {
        let describe = |(position, &id)| {
            let elements = self.constants.get(id).and_then(Option::as_ref);
            Some(Constant {
                id,
                position,
                info: self.graph.consts.get(id)?,
                elements,
            })
        };
        let constants: Vec<_> = self
            .node
            .consts
            .iter()
            .enumerate()
            .filter_map(describe)
            .collect();
        let actual = constants.len();
        let arity = NodeError::Arity {
            what: "constants",
            expected: C,
            actual,
        };
        let constants: [Constant<'a>; C] = constants.try_into().ok().ok_or(arity)?;
        for c in &constants {
            if c.info.kind != kind {
                let expected = match kind {
                    ConstKind::Weight => "weight",
                    ConstKind::Table => "table",
                };
                return Err(NodeError::ConstKind {
                    position: c.position,
                    expected,
                });
            }
        }
        Ok(constants)
    }

    /// A single operand and no constant.
    pub(super) fn only(&self) -> Result<Operand<'a>, NodeError> {
        let ([x], []) = self.take(ConstKind::Weight)?;
        Ok(x)
    }
}

impl<'a> Operand<'a> {
    pub(super) fn narrow(self) -> Result<Self, NodeError> {
        if self.info.is_narrow() {
            return Ok(self);
        }
        Err(NodeError::NotNarrow {
            position: self.position,
            lo: self.info.lo,
            hi: self.info.hi,
        })
    }

    /// Fails unless every value lies in `[lo, hi]`.
    pub(super) fn within(self, lo: i128, hi: i128) -> Result<Self, NodeError> {
        let Interval {
            lo: actual_lo,
            hi: actual_hi,
        } = self.range;
        if (Interval { lo, hi }).contains(self.range) {
            return Ok(self);
        }
        Err(NodeError::OperandRange {
            position: self.position,
            lo,
            hi,
            actual_lo,
            actual_hi,
        })
    }

    /// The last `N` axes, and those before them.
    pub(super) fn trailing<const N: usize>(self) -> Result<(&'a [usize], [usize; N]), NodeError> {
        let actual = self.shape.len();
        self.shape
            .split_last_chunk()
            .map(|(leading, last)| (leading, *last))
            .ok_or(NodeError::Rank {
                position: self.position,
                expected: N,
                actual,
            })
    }

    /// Length of a row; the loader refuses tensors of rank 0 before.
    pub(super) fn row(self) -> Result<usize, NodeError> {
        self.trailing().map(|(_, [row])| row)
    }

    pub(super) fn misfit(self, expected: impl Into<Vec<usize>>) -> NodeError {
        let (expected, actual) = (expected.into(), self.shape.to_vec());
        NodeError::OperandShape {
            position: self.position,
            expected,
            actual,
        }
    }
}

impl Constant<'_> {
    pub(super) fn dtype(self, accepted: &[Dtype]) -> Result<Self, NodeError> {
        if accepted.contains(&self.info.dtype) {
            return Ok(self);
        }
        Err(NodeError::ConstDtype {
            position: self.position,
            actual: self.info.dtype.name(),
        })
    }

    pub(super) fn shape(self, expected: &[usize]) -> Result<Self, NodeError> {
        if self.info.shape == expected {
            return Ok(self);
        }
        Err(self.misfit(expected))
    }

    pub(super) fn misfit(self, expected: impl Into<Vec<usize>>) -> NodeError {
        let (expected, actual) = (expected.into(), self.info.shape.clone());
        NodeError::ConstShape {
            position: self.position,
            expected,
            actual,
        }
    }
}

/// Fails if `actual` exceeds `limit`.
pub(super) fn at_most(
    condition: &'static str,
    actual: i128,
    limit: impl Into<i128>,
) -> Result<(), NodeError> {
    let limit = limit.into();
    if actual <= limit {
        Ok(())
    } else {
        Err(NodeError::Field {
            condition,
            actual,
            limit,
        })
    }
}

/// Fails if `value` is outside `lo..=hi`.
pub(super) fn attribute(
    name: &'static str,
    value: i128,
    lo: i128,
    hi: i128,
) -> Result<(), NodeError> {
    if lo <= value && value <= hi {
        return Ok(());
    }
    Err(NodeError::Attribute {
        name,
        value,
        lo,
        hi,
    })
}

/// Shape of two operands under broadcast: equal rank, equal or 1 on each axis.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    if a.len() != b.len() {
        return None;
    }
    a.iter()
        .zip(b)
        .map(|(&m, &n)| match (m, n) {
            (1, n) => Some(n),
            (m, 1) => Some(m),
            (m, n) => (m == n).then_some(m),
        })
        .collect()
}
