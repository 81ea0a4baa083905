//! Plans with the integers of all wires, each computed cell by cell from its definition.

use std::collections::BTreeSet;

use p3_field::{PrimeCharacteristicRing, PrimeField32};
use veridical_argument::field::F;
use veridical_argument::formulas::pairs;
use veridical_argument::multilinear::{padded_indices, shape_variables};
use veridical_argument::plan::{
    Combination, Definition, Factor, Fill, Labels, Pairs, Plan, Role, View, Wire, WireId,
};

use crate::reduce::Source;
use crate::testing::Random;
use crate::values::Integers;

pub(super) struct Model {
    pub plan: Plan,
    pub integers: Vec<Vec<i32>>,
    /// Wires whose integers the prover does not get.
    pub hidden: BTreeSet<WireId>,
    random: Random,
}

impl Source for Model {
    fn integers(&self, wire: WireId) -> Option<Integers<'_>> {
        let known = !self.hidden.contains(&wire);
        known.then(|| Integers::I32(&self.integers[wire.0]))
    }
}

/// The representative of least magnitude.
fn balanced(value: F) -> i32 {
    let canonical = i64::from(value.as_canonical_u32());
    let p = i64::from(F::ORDER_U32);
    let value = if canonical > p / 2 {
        canonical - p
    } else {
        canonical
    };
    value.try_into().unwrap()
}

/// A row-major tensor of elements.
struct Tensor {
    shape: Vec<usize>,
    cells: Vec<F>,
}

impl Tensor {
    /// The cells of the zero extension.
    fn padded(&self) -> Vec<F> {
        let mut padded = vec![F::ZERO; 1 << shape_variables(&self.shape)];
        for (at, &cell) in padded_indices(&self.shape).zip(&self.cells) {
            padded[at] = cell;
        }
        padded
    }

    fn cut(shape: &[usize], padded: &[F]) -> Vec<i32> {
        let indices = padded_indices(shape);
        indices.map(|at| balanced(padded[at])).collect()
    }

    /// The cell at a position, of which leading axes are dropped and axes of size 1 are broadcast.
    fn at(&self, position: &[usize]) -> F {
        let position = &position[position.len() - self.shape.len()..];
        let index = self.shape.iter().zip(position).fold(0, |index, (&n, &at)| {
            index * n + if n == 1 { 0 } else { at }
        });
        self.cells[index]
    }
}

/// All positions of a shape in row-major order.
fn positions(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    let count: usize = shape.iter().product();
    (0..count).map(move |index| {
        let mut rest = index;
        let mut position: Vec<usize> = shape
            .iter()
            .rev()
            .map(|&n| {
                let at = rest % n;
                rest /= n;
                at
            })
            .collect();
        position.reverse();
        position
    })
}

impl Model {
    pub fn new(seed: u64) -> Self {
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
            hidden: BTreeSet::new(),
            random: Random::new(seed),
        }
    }

    pub fn push(&mut self, shape: &[usize], definition: Definition, integers: Vec<i32>) -> WireId {
        assert_eq!(integers.len(), shape.iter().product::<usize>());
        self.integers.push(integers);
        self.plan.wires.push(Wire {
            shape: shape.to_vec(),
            definition,
            tensor: None,
            role: Role {
                node: 7,
                what: "test",
            },
        });
        WireId(self.integers.len() - 1)
    }

    pub fn witness(&mut self, shape: &[usize], bits: u32) -> WireId {
        let count = shape.iter().product();
        let end = 1_usize << bits;
        let random = &mut self.random;
        let mut integer = || i32::try_from(random.below(2 * end)).unwrap() - (1 << bits);
        let integers = (0..count).map(|_| integer()).collect();
        let fill = Fill::Tensor(0);
        self.push(shape, Definition::Witness { fill }, integers)
    }

    fn tensor(&self, wire: WireId) -> Tensor {
        let cells = &self.integers[wire.0];
        Tensor {
            shape: self.plan.wires[wire.0].shape.clone(),
            cells: cells.iter().map(|&x| F::from_i32(x)).collect(),
        }
    }

    pub fn combination(
        &mut self,
        shape: &[usize],
        terms: &[(i64, WireId)],
        constant: i64,
    ) -> WireId {
        let tensors: Vec<(F, Tensor)> = terms
            .iter()
            .map(|&(coeff, wire)| (F::from_i64(coeff), self.tensor(wire)))
            .collect();
        let cell = |position: Vec<usize>| {
            let terms = tensors.iter().map(|(coeff, t)| *coeff * t.at(&position));
            balanced(F::from_i64(constant) + terms.sum::<F>())
        };
        let integers = positions(shape).map(cell).collect();
        let terms = terms.to_vec();
        let combination = Combination { terms, constant };
        self.push(shape, Definition::Combination(combination), integers)
    }

    pub fn sum(&mut self, of: WireId, axes: &[usize]) -> WireId {
        let operand = self.tensor(of);
        let mut shape = operand.shape.clone();
        for &axis in axes {
            shape[axis] = 1;
        }
        let mut cells = vec![F::ZERO; shape.iter().product()];
        for position in positions(&operand.shape) {
            let index = shape.iter().zip(&position).fold(0, |index, (&n, &at)| {
                index * n + if n == 1 { 0 } else { at }
            });
            cells[index] += operand.at(&position);
        }
        let integers = cells.into_iter().map(balanced).collect();
        let axes = axes.to_vec();
        self.push(&shape, Definition::Sum { of, axes }, integers)
    }

    pub fn view(&mut self, shape: &[usize], of: WireId, bits: &[usize]) -> WireId {
        let operand = self.tensor(of).padded();
        let total = shape_variables(shape);
        let mut padded = vec![F::ZERO; 1 << total];
        for (index, cell) in padded.iter_mut().enumerate() {
            let bit = |at: usize| index >> (total - 1 - at) & 1;
            *cell = operand[bits.iter().fold(0, |from, &at| 2 * from + bit(at))];
        }
        let view = View {
            of,
            bits: bits.to_vec(),
        };
        self.push(shape, Definition::View(view), Tensor::cut(shape, &padded))
    }

    pub fn map(&mut self, of: WireId, factors: &[Factor]) -> WireId {
        let operand = self.tensor(of);
        // Cells of the groups that were mapped, of the group, and of the axes behind it.
        let mut done = 1;
        let mut cells = operand.padded();
        let mut rest = cells.len();
        let mut axes = operand.shape.as_slice();
        let mut shape = Vec::new();
        for factor in factors {
            match factor {
                Factor::Same { axes: count } => {
                    let (same, later) = axes.split_at(*count);
                    axes = later;
                    shape.extend_from_slice(same);
                    done <<= shape_variables(same);
                    rest >>= shape_variables(same);
                }
                Factor::Related(pairs) => {
                    let (from, to) = (pairs.from_shape(), pairs.to_shape());
                    axes = &axes[from.len()..];
                    shape.extend_from_slice(&to);
                    let (before, after) = (1 << shape_variables(&from), 1 << shape_variables(&to));
                    rest /= before;
                    let ids = match pairs {
                        Pairs::Rows { ids, .. } => self.integers[ids.0].as_slice(),
                        _ => &[],
                    };
                    let mut mapped = vec![F::ZERO; done * after * rest];
                    pairs::for_each(pairs, ids, |i, o| {
                        for outer in 0..done {
                            for inner in 0..rest {
                                let cell = cells[(outer * before + i) * rest + inner];
                                mapped[(outer * after + o) * rest + inner] += cell;
                            }
                        }
                    });
                    cells = mapped;
                    done *= after;
                }
            }
        }
        let integers = Tensor::cut(&shape, &cells);
        let factors = factors.to_vec();
        self.push(&shape, Definition::Map { of, factors }, integers)
    }

    /// Labels are letters; axes of size 1 are named `1`.
    pub fn einsum(&mut self, a: WireId, b: WireId, labels: [&str; 3]) -> WireId {
        let label = |c: char| if c == '1' { Labels::UNIT } else { c as u8 };
        let [of_a, of_b, of_out] =
            labels.map(|names| names.chars().map(label).collect::<Vec<u8>>());
        let (first, second) = (self.tensor(a), self.tensor(b));
        let mut sizes: Vec<(u8, usize)> = Vec::new();
        for (labels, tensor) in [(&of_a, &first), (&of_b, &second)] {
            assert_eq!(labels.len(), tensor.shape.len());
            for (&label, &size) in labels.iter().zip(&tensor.shape) {
                if label != Labels::UNIT && sizes.iter().all(|known| known.0 != label) {
                    sizes.push((label, size));
                }
            }
        }
        let place = |label: u8| sizes.iter().position(|known| known.0 == label);
        let size = |&label: &u8| place(label).map_or(1, |at| sizes[at].1);
        let shape: Vec<usize> = of_out.iter().map(size).collect();
        let all: Vec<usize> = sizes.iter().map(|known| known.1).collect();
        let mut cells = vec![F::ZERO; shape.iter().product()];
        for position in positions(&all) {
            let at = |labels: &[u8]| -> Vec<usize> {
                let at = |&label: &u8| place(label).map_or(0, |at| position[at]);
                labels.iter().map(at).collect()
            };
            let index = at(&of_out);
            let index = shape
                .iter()
                .zip(index)
                .fold(0, |index, (&n, at)| index * n + at);
            cells[index] += first.at(&at(&of_a)) * second.at(&at(&of_b));
        }
        let integers = cells.into_iter().map(balanced).collect();
        let labels = Labels {
            a: of_a,
            b: of_b,
            out: of_out,
        };
        self.push(&shape, Definition::Einsum { a, b, labels }, integers)
    }
}
