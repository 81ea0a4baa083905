//! Plans with integers that satisfy their lookups.

use std::sync::Arc;

use veridical_argument::multilinear::shape_variables;
use veridical_argument::plan::{
    Combination, Definition, Fill, Plan, Role, Scaled, Site, Table, TableUse, Wire, WireId,
};
use veridical_program::ConstData;

use crate::gkr::Witness;
use crate::values::Integers;

const ROLE: Role = Role {
    node: 0,
    what: "test",
};

/// A plan and the integers of its wires.
pub(super) struct Build {
    pub(super) plan: Plan,
    pub(super) integers: Vec<Vec<i32>>,
    pub(super) constants: Vec<ConstData>,
    state: u64,
}

impl Witness for Build {
    fn integers(&self, wire: WireId) -> Option<Integers<'_>> {
        self.integers.get(wire.0).map(|cells| Integers::I32(cells))
    }

    fn constant(&self, constant: usize) -> Option<&ConstData> {
        self.constants.get(constant)
    }
}

pub(super) fn scaled(terms: &[(i64, WireId)], constant: i64, shift: u32) -> Scaled {
    Scaled {
        combination: Combination {
            terms: terms.to_vec(),
            constant,
        },
        shift,
    }
}

impl Build {
    fn new(seed: u64) -> Self {
        Self {
            plan: Plan {
                batch: 1,
                wires: Vec::new(),
                tables: Vec::new(),
                sites: Vec::new(),
                identities: Vec::new(),
                outputs: Vec::new(),
            },
            integers: Vec::new(),
            constants: Vec::new(),
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        }
    }

    /// A number below `bound`.
    fn draw(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 33).unwrap() % bound
    }

    fn wire(&mut self, shape: &[usize], integers: Vec<i32>) -> WireId {
        assert_eq!(shape.iter().product::<usize>(), integers.len());
        self.plan.wires.push(Wire {
            shape: shape.to_vec(),
            definition: Definition::Witness {
                fill: Fill::Tensor(0),
            },
            tensor: None,
            role: ROLE,
        });
        self.integers.push(integers);
        WireId(self.plan.wires.len() - 1)
    }

    fn random(&mut self, shape: &[usize], bound: usize) -> WireId {
        let cells = shape.iter().product();
        let integers = (0..cells).map(|_| i32::try_from(self.draw(bound)).unwrap());
        let integers = integers.collect();
        self.wire(shape, integers)
    }

    fn site(&mut self, shape: &[usize], tuple: Vec<Scaled>) {
        self.plan.sites.push(Site {
            shape: shape.to_vec(),
            tuple,
            vanishing: Vec::new(),
            role: ROLE,
        });
    }

    /// Adds a table that `looked_up[i]` cells hit in row `i`.
    fn table(&mut self, table: Table, looked_up: Vec<i32>) {
        let rows = looked_up.len();
        let multiplicity = self.wire(&[rows], looked_up);
        self.plan.tables.push(TableUse {
            table,
            rows,
            multiplicity,
        });
    }
}

fn count(rows: usize, indices: impl IntoIterator<Item = i32>) -> Vec<i32> {
    let mut counts = vec![0; rows];
    for index in indices {
        counts[usize::try_from(index).unwrap()] += 1;
    }
    counts
}

/// Sites of these numbers of cells in one range table.
pub(super) fn sized(cells: &[usize], bits: u32) -> Build {
    let mut build = Build::new(u64::try_from(cells.len()).unwrap() + u64::from(bits));
    let mut all = Vec::new();
    for &cells in cells {
        let wire = build.random(&[cells], 1 << bits);
        all.extend(build.integers[wire.0].iter().copied());
        build.site(
            &[cells],
            vec![scaled(&[], 1, 0), scaled(&[(1, wire)], 0, 0)],
        );
    }
    build.table(Table::Range { bits }, count(1 << bits, all));
    build
}

/// Sites of these shapes in one range table, each of two wires of which one is broadcast along a
/// random axis.
pub(super) fn shaped(shapes: &[Vec<usize>], seed: u64) -> Build {
    let mut build = Build::new(seed + 5);
    let mut all = Vec::new();
    for shape in shapes {
        let wire = build.random(shape, 100);
        let mut narrow = shape.clone();
        let axis = build.draw(shape.len());
        narrow[axis] = 1;
        let other = build.random(&narrow, 100);
        let sum = scaled(&[(1, wire), (1, other)], 3, 0);
        let cells: usize = shape.iter().product();
        let strides = shape[axis + 1..].iter().product::<usize>();
        all.extend((0..cells).map(|cell| {
            let (above, below) = (cell / (strides * shape[axis]), cell % strides);
            build.integers[wire.0][cell] + build.integers[other.0][above * strides + below] + 3
        }));
        build.site(shape, vec![scaled(&[], 1, 0), sum]);
    }
    build.table(Table::Range { bits: 8 }, count(256, all));
    build
}

/// Shapes of up to five axes, most of them padded, of at most `2^variables` slots.
pub(super) fn odd_shapes(count: usize, variables: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut build = Build::new(seed);
    let mut shapes = Vec::new();
    while shapes.len() < count {
        let axes = 1 + build.draw(5);
        let shape: Vec<usize> = (0..axes).map(|_| 1 + build.draw(40)).collect();
        if shape_variables(&shape) <= variables {
            shapes.push(shape);
        }
    }
    shapes
}

/// Every kind of table and of expression, padded and not.
pub(super) fn balanced(seed: u64) -> Build {
    let mut build = Build::new(seed + 11);
    let (batch, rows, width) = (1 + build.draw(3), 1 + build.draw(40), 1 + build.draw(70));
    let elements: Vec<i16> = (0..37).map(|i| i * i - 300).collect();
    build
        .constants
        .push(ConstData::I16(Arc::from(elements.clone())));

    // Range tables of 4 and 8 bits: x + 3 row = 2^5 value, with a broadcast operand.
    let shape = [batch, rows, width];
    let value = build.random(&shape, 256);
    let row = build.random(&[1, rows, 1], 1000);
    let mut shifted = Vec::new();
    for (at, &value) in build.integers[value.0].iter().enumerate() {
        let row = build.integers[row.0][at / width % rows];
        shifted.push(32 * value - 3 * row + 7);
    }
    let shifted = build.wire(&shape, shifted);
    let eight = scaled(&[(1, shifted), (3, row)], -7, 5);
    let small = build.random(&[batch, 64, 32], 16);
    let one = build.random(&[batch, 1, 1], 16);
    build.site(
        &[batch, 64, 32],
        vec![scaled(&[], 1, 0), scaled(&[(1, small)], 0, 0)],
    );
    build.site(
        &[batch, 1, 1],
        vec![scaled(&[], 1, 0), scaled(&[(-1, one)], 15, 0)],
    );
    build.site(&[batch, 1, 1], vec![scaled(&[], 1, 0), scaled(&[], 9, 0)]);
    build.site(&shape, vec![scaled(&[], 2, 0), eight]);

    // A table of two columns, looked up at a part of the cells; the others look up the zero table.
    let index = build.random(&shape, 37);
    let mask = build.random(&shape, 2);
    let masked: Vec<i32> = build.integers[index.0]
        .iter()
        .zip(&build.integers[mask.0])
        .map(|(index, mask)| index * mask)
        .collect();
    let images: Vec<i32> = build.integers[mask.0]
        .iter()
        .zip(&masked)
        .map(|(mask, &index)| mask * i32::from(elements[usize::try_from(index).unwrap()]))
        .collect();
    let hits: Vec<i32> = build.integers[mask.0]
        .iter()
        .zip(&masked)
        .filter(|(mask, _)| **mask == 1)
        .map(|(_, &index)| index)
        .collect();
    let misses = i32::try_from(masked.len() - hits.len()).unwrap();
    let column = build.wire(&shape, masked);
    let image = build.wire(&shape, images);
    build.site(
        &shape,
        vec![
            scaled(&[(-1, mask)], 4, 0),
            scaled(&[(1, column)], 0, 0),
            scaled(&[(2, image)], 0, 1),
        ],
    );

    let smalls = build.integers[small.0].clone().into_iter();
    let ones = build.integers[one.0].clone().into_iter().map(|x| 15 - x);
    let nines = std::iter::repeat_n(9, batch);
    let four = count(16, smalls.chain(ones).chain(nines));
    build.table(Table::Range { bits: 4 }, four);
    let eights = count(256, build.integers[value.0].iter().copied());
    build.table(Table::Range { bits: 8 }, eights);
    build.table(Table::Constant { constant: 0 }, count(37, hits));
    build.table(Table::Zero, vec![misses]);
    build
}
