//! Which nodes are computed together.
//!
//! A fusion never changes a value of a tensor that is still computed: it only leaves out tensors that
//! nobody else reads.

use veridical_program::{ConstData, Graph, Node, Op, Program};

use crate::kernels::epilogue::{Map, Table};

/// Readers of every tensor.
pub(super) struct Readers {
    /// Nodes by tensor id, once for every operand.
    nodes: Vec<Vec<usize>>,
    published: Vec<bool>,
}

impl Readers {
    pub(super) fn new(graph: &Graph) -> Self {
        let mut nodes = vec![Vec::new(); graph.tensors.len()];
        for (id, node) in graph.nodes.iter().enumerate() {
            for &t in &node.inputs {
                nodes[t].push(id);
            }
        }
        let mut published = vec![false; graph.tensors.len()];
        for output in &graph.outputs {
            published[output.tensor] = true;
        }
        Self { nodes, published }
    }

    /// The only reader of a tensor that is not an output.
    pub(super) fn only(&self, tensor: usize) -> Option<usize> {
        match self.nodes[tensor][..] {
            [reader] if !self.published[tensor] => Some(reader),
            _ => None,
        }
    }

    /// Readers of a tensor, or `None` if it is an output as well.
    pub(super) fn unpublished(&self, tensor: usize) -> Option<&[usize]> {
        (!self.published[tensor]).then_some(self.nodes[tensor].as_slice())
    }
}

/// The map of a `table` or `shift` node.
pub(super) fn map_of(program: &Program, node: &Node) -> Option<Map> {
    match node.op {
        Op::Shift { shift } => Some(Map::Clamp {
            round: half(shift),
            shift,
            add: 0,
            lo: i32::MIN,
            hi: i32::MAX,
        }),
        Op::Table { shift, first, round } => {
            let entries = widen(program.constant(*node.consts.first()?)?);
            let round = if round { half(shift) } else { 0 };
            let add = i32::try_from(first.checked_neg()?).ok()?;
            if let Some((slope, lo, hi)) = clamped_line(&entries) {
                let add = add.checked_add(slope)?;
                return Some(Map::Clamp { round, shift, add, lo, hi });
            }
            Some(Map::Lookup { round, shift, add, table: Table::new(&entries) })
        }
        _ => None,
    }
}

fn half(shift: u32) -> i32 {
    if shift == 0 { 0 } else { 1 << (shift - 1) }
}

/// Recognises `t[i] = clamp(i + c, lo, hi)` over all entries and returns `(c, lo, hi)`.
///
/// Requantisation, ReLU and clip are such tables: arithmetic is faster than a look-up.
fn clamped_line(entries: &[i32]) -> Option<(i32, i32, i32)> {
    let (&first, &last) = (entries.first()?, entries.last()?);
    let rise = entries.iter().position(|&y| y != first).unwrap_or(0);
    let offset = entries[rise].checked_sub(i32::try_from(rise).ok()?)?;
    let on_line = |(i, &y): (usize, &i32)| {
        i32::try_from(i)
            .ok()
            .and_then(|i| i.checked_add(offset))
            .is_some_and(|line| y == line.max(first).min(last))
    };
    (first <= last && entries.iter().enumerate().all(on_line)).then_some((offset, first, last))
}

/// Elements of a constant as 32-bit integers.
pub(crate) fn widen(data: &ConstData) -> Vec<i32> {
    match data {
        ConstData::I8(data) => data.iter().map(|&x| x.into()).collect(),
        ConstData::I16(data) => data.iter().map(|&x| x.into()).collect(),
        ConstData::I32(data) => data.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_relu_table_is_a_clamped_line() {
        assert_eq!(clamped_line(&[0, 0, 0, 1, 2, 3, 3]), Some((-2, 0, 3)));
    }

    #[test]
    fn test_constant_table_is_a_clamped_line() {
        assert_eq!(clamped_line(&[7, 7, 7]), Some((7, 7, 7)));
    }

    #[test]
    fn test_table_with_one_wrong_entry_is_no_line() {
        assert_eq!(clamped_line(&[0, 0, 1, 2, 2, 4]), None);
        assert_eq!(clamped_line(&[3, 2, 1]), None);
        assert_eq!(clamped_line(&[0, 2, 4]), None);
    }
}
