//! Which nodes are computed together.
//!
//! A fusion never changes a value of a tensor that is still computed: it only leaves out tensors that
//! nobody else reads.

use veridical_program::graph::M;
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
        Op::Clamp { lo, hi } => Some(Map::Clamp {
            round: 0,
            shift: 0,
            add: 0,
            lo,
            hi,
        }),
        Op::Table {
            shift,
            first,
            round,
        } => {
            let entries = widen(program.constant(*node.consts.first()?)?);
            let round = if round { half(shift) } else { 0 };
            let add = i32::try_from(first.checked_neg()?).ok()?;
            if let Some((slope, lo, hi)) = clamped_line(&entries)
                && let Some(add) = add.checked_add(slope)
            {
                return Some(Map::Clamp {
                    round,
                    shift,
                    add,
                    lo,
                    hi,
                });
            }
            Some(Map::Lookup {
                round,
                shift,
                add,
                table: Table::new(&entries),
            })
        }
        _ => None,
    }
}

/// One map in place of two, if there is one: `then` after `first`.
///
/// A clamp before a non-decreasing map is a clamp after it, with the images of the bounds.
pub(super) fn compose(first: &Map, then: &Map) -> Option<Map> {
    match (first, then) {
        (Map::Identity, map) => Some(map.clone()),
        (
            &Map::Clamp {
                round,
                shift,
                add,
                lo,
                hi,
            },
            &Map::Clamp {
                round: 0,
                shift: 0,
                add: 0,
                lo: lo2,
                hi: hi2,
            },
        ) => Some(Map::Clamp {
            round,
            shift,
            add,
            lo: lo.clamp(lo2, hi2),
            hi: hi.clamp(lo2, hi2),
        }),
        (
            &Map::Clamp {
                round: 0,
                shift: 0,
                add: 0,
                lo,
                hi,
            },
            &Map::Clamp {
                round, shift, add, ..
            },
        ) if is_exact((round, shift, add), (lo, hi)) => Some(Map::Clamp {
            round,
            shift,
            add,
            lo: then.apply(lo),
            hi: then.apply(hi),
        }),
        (
            &Map::Clamp {
                round: 0,
                shift: 0,
                add: 0,
                lo,
                hi,
            },
            Map::Lookup {
                round,
                shift,
                add,
                table,
            },
        ) => {
            // The part of the table that the bounds leave.
            let index = |x: i32| -> Option<usize> {
                let index = (x.checked_add(*round)? >> shift).checked_add(*add)?;
                usize::try_from(index)
                    .ok()
                    .filter(|&index| index <= table.last())
            };
            let (low, high) = (index(lo)?, index(hi)?);
            let entries: Vec<i32> = (low..=high)
                .map(|i| i32::try_from(i).map(|i| table.entry(i)))
                .collect::<Result<_, _>>()
                .ok()?;
            let add = add.checked_sub(i32::try_from(low).ok()?)?;
            is_exact((*round, *shift, add), (lo, hi)).then(|| Map::Lookup {
                round: *round,
                shift: *shift,
                add,
                table: Table::new(&entries),
            })
        }
        _ => None,
    }
}

/// Whether `((x + round) >> shift) + add` fits 32 bits for every integer of a tensor and both bounds.
///
/// After a clamp the second map never sees the values beyond the bounds, nor the bounds that are out
/// of reach; in the composed map it sees both, and a sum that wraps would be on the wrong side.
fn is_exact((round, shift, add): (i32, u32, i32), (lo, hi): (i32, i32)) -> bool {
    let ends = [i64::from(lo).min(-M), i64::from(hi).max(M)];
    ends.into_iter()
        .all(|x| i32::try_from(((x + i64::from(round)) >> shift) + i64::from(add)).is_ok())
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
    fn test_a_composed_map_equals_both_in_turn() {
        let clamp = |round, shift, add, lo, hi| Map::Clamp {
            round,
            shift,
            add,
            lo,
            hi,
        };
        let table = Table::new(&(0..40).map(|i| i * i % 17).collect::<Vec<_>>());
        let lookup = Map::Lookup {
            round: 2,
            shift: 2,
            add: 20,
            table,
        };
        let plain = clamp(0, 0, 0, -50, 61);
        let pairs = [
            (plain.clone(), clamp(4, 3, -2, -6, 3)),
            (plain.clone(), clamp(4, 3, -2, -100, 100)),
            (clamp(4, 3, -2, -9, 9), clamp(0, 0, 0, -3, 30)),
            (clamp(4, 3, -2, -9, 9), clamp(0, 0, 0, 20, 30)),
            (plain, lookup),
        ];
        for (first, then) in pairs {
            let both = compose(&first, &then).expect("composable");
            for x in -300..300 {
                assert_eq!(
                    both.apply(x),
                    then.apply(first.apply(x)),
                    "{first:?} {then:?} {x}"
                );
            }
        }
    }

    /// A table may begin near one end of the field and give values near the other.
    #[test]
    fn test_a_clamp_is_not_composed_with_a_map_that_would_wrap() {
        let m = i32::try_from(M).expect("31 bits");
        let clamp = |add, lo, hi| Map::Clamp {
            round: 0,
            shift: 0,
            add,
            lo,
            hi,
        };
        let line = clamp(-2 * m + 5, -m, -m + 5);
        assert!(compose(&clamp(0, -m, m), &line).is_none());
        let line = clamp(2 * m - 5, m - 5, m);
        assert!(compose(&clamp(0, -m, m), &line).is_none());
        let line = clamp(-m, -m, 0);
        assert!(compose(&clamp(0, -m, m), &line).is_some());
    }

    #[test]
    fn test_a_clamp_is_not_composed_with_a_table_whose_index_would_wrap() {
        let m = i32::try_from(M).expect("31 bits");
        let clamp = |lo, hi| Map::Clamp {
            round: 0,
            shift: 0,
            add: 0,
            lo,
            hi,
        };
        let lookup = |add| Map::Lookup {
            round: 1,
            shift: 0,
            add,
            table: Table::new(&[5, 6, 7, 8]),
        };
        let far = 1_100_000_000;
        assert!(compose(&clamp(-far, 2 - far), &lookup(far)).is_none());
        let both = compose(&clamp(-1, 2), &lookup(0)).expect("composable");
        assert_eq!([-m, -1, 1, m].map(|x| both.apply(x)), [5, 5, 7, 8]);
    }

    #[test]
    fn test_a_rounded_shift_is_not_composed_with_a_table() {
        let shift = Map::Clamp {
            round: 1,
            shift: 1,
            add: 0,
            lo: -9,
            hi: 9,
        };
        let table = Map::Lookup {
            round: 0,
            shift: 0,
            add: 9,
            table: Table::new(&[1; 19]),
        };
        assert!(compose(&shift, &table).is_none());
    }

    #[test]
    fn test_table_with_one_wrong_entry_is_no_line() {
        assert_eq!(clamped_line(&[0, 0, 1, 2, 2, 4]), None);
        assert_eq!(clamped_line(&[3, 2, 1]), None);
        assert_eq!(clamped_line(&[0, 2, 4]), None);
    }
}
