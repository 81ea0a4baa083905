//! Definitions of wires as the specification says them, one cell at a time, without any concern for speed.

use std::collections::BTreeMap;

use veridical_argument::formulas::pairs::for_each;
use veridical_argument::plan::{
    Combination, Definition, Factor, Fill, Labels, NormLimb, NormPart, Plan, Scaled, Table,
    WideLimb, WidePart, WireId,
};
use veridical_program::ConstData;

const P: i128 = 2_130_706_433;

/// The integer of least magnitude congruent to `value`.
pub fn reduce(value: i128) -> i32 {
    let residue = value.rem_euclid(P);
    i32::try_from(if residue > P / 2 {
        residue - P
    } else {
        residue
    })
    .unwrap()
}

/// All indices of a shape in row-major order.
pub fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![vec![]], |outer, &size| {
        let next = outer
            .iter()
            .flat_map(|index| (0..size).map(move |i| [index.as_slice(), &[i]].concat()));
        next.collect()
    })
}

struct Naive<'p> {
    plan: &'p Plan,
    tensors: &'p [Vec<i32>],
    constants: &'p [ConstData],
    done: Vec<Vec<i32>>,
}

/// The integers of all wires, multiplicities included.
pub fn wires(plan: &Plan, tensors: &[Vec<i32>], constants: &[ConstData]) -> Vec<Vec<i32>> {
    let mut naive = Naive {
        plan,
        tensors,
        constants,
        done: vec![],
    };
    for id in 0..plan.wires.len() {
        let cells = naive.wire(id);
        naive.done.push(cells);
    }
    for table in 0..plan.tables.len() {
        naive.done[plan.tables[table].multiplicity.0] = naive.multiplicities(table);
    }
    naive.done
}

impl Naive<'_> {
    fn shape(&self, id: WireId) -> &[usize] {
        &self.plan.wires[id.0].shape
    }

    /// The cell of a wire at an index of a space in which it is broadcast.
    fn at(&self, id: WireId, index: &[usize]) -> i128 {
        let shape = self.shape(id);
        assert_eq!(shape.len(), index.len());
        let flat = shape
            .iter()
            .zip(index)
            .fold(0, |flat, (&n, &i)| flat * n + if n == 1 { 0 } else { i });
        self.done[id.0][flat].into()
    }

    /// A combination of integers before it is reduced.
    fn exact(&self, combination: &Combination, index: &[usize]) -> i128 {
        let terms = combination
            .terms
            .iter()
            .map(|&(coeff, wire)| i128::from(coeff) * self.at(wire, index));
        terms.sum::<i128>() + i128::from(combination.constant)
    }

    fn wire(&self, id: usize) -> Vec<i32> {
        let shape = &self.plan.wires[id].shape;
        let each = |cell: &dyn Fn(&[usize]) -> i128| -> Vec<i32> {
            indices(shape)
                .iter()
                .map(|index| reduce(cell(index)))
                .collect()
        };
        match &self.plan.wires[id].definition {
            Definition::Public { tensor }
            | Definition::Witness {
                fill: Fill::Tensor(tensor),
            } => self.tensors[*tensor].clone(),
            Definition::One => vec![1],
            Definition::Iota => each(&|index| index.iter().map(|&i| i as i128).sum()),
            Definition::Weight { constant } => {
                let data = &self.constants[*constant];
                (0..data.len())
                    .map(|i| reduce(data.get(i).unwrap().into()))
                    .collect()
            }
            Definition::Combination(combination) => each(&|index| self.exact(combination, index)),
            Definition::Sum { of, axes } => each(&|index| {
                group(self.shape(*of), axes, index)
                    .iter()
                    .map(|at| self.at(*of, at))
                    .sum()
            }),
            Definition::View(view) => self.view(id, view.of, &view.bits),
            Definition::Map { of, factors } => self.map(id, *of, factors),
            Definition::Einsum { a, b, labels } => self.einsum(id, *a, *b, labels),
            Definition::Witness { fill } => self.fill(id, fill),
        }
    }

    fn fill(&self, id: usize, fill: &Fill) -> Vec<i32> {
        let shape = self.plan.wires[id].shape.clone();
        let each = |cell: &dyn Fn(&[usize]) -> i128| -> Vec<i32> {
            indices(&shape)
                .iter()
                .map(|index| reduce(cell(index)))
                .collect()
        };
        let floor = |of: &Scaled, index: &[usize]| {
            self.exact(&of.combination, index).div_euclid(1 << of.shift)
        };
        let open =
            |mask: &Option<WireId>, at: &[usize]| mask.is_none_or(|mask| self.at(mask, at) == 1);
        match fill {
            Fill::Tensor(_) => unreachable!(),
            Fill::Low { of, bits } => each(&|index| floor(of, index).rem_euclid(1 << bits)),
            Fill::Floor { of } => each(&|index| floor(of, index)),
            Fill::Product(a, b) => each(&|index| self.at(*a, index) * self.at(*b, index)),
            Fill::AtLeast { of, bound } => each(&|index| self.at(*of, index).max((*bound).into())),
            Fill::Positive(of) => each(&|index| i128::from(self.at(*of, index) > 0)),
            Fill::Quotient(num, den) => {
                each(&|index| quotient(self.at(*num, index), self.at(*den, index)))
            }
            Fill::Remainder(num, den) => each(&|index| {
                let (num, den) = (self.at(*num, index), self.at(*den, index));
                num - quotient(num, den) * den
            }),
            Fill::Max { of, axes, mask } => {
                let mut space = self.shape(*of).to_vec();
                if let Some(mask) = mask {
                    space = space
                        .iter()
                        .zip(self.shape(*mask))
                        .map(|(&a, &b)| a.max(b))
                        .collect();
                }
                each(&|index| {
                    let cells = group(&space, axes, index);
                    let cells = cells
                        .iter()
                        .filter(|at| open(mask, at))
                        .map(|at| self.at(*of, at));
                    cells.max().unwrap_or(0)
                })
            }
            Fill::First {
                of,
                max,
                axes,
                mask,
            } => each(&|index| {
                let cells = group(&shape, axes, index);
                let hit =
                    |at: &&Vec<usize>| open(mask, at) && self.at(*of, at) == self.at(*max, at);
                i128::from(cells.iter().find(hit).is_some_and(|at| at == index))
            }),
            Fill::Wide { limb } => each(&|index| self.wide(limb, index)),
            Fill::Formula { of, formula } => each(&|index| {
                let v = i32::try_from(self.at(*of, index)).unwrap();
                formula.of(v).into()
            }),
            Fill::Norm { limb } => each(&|index| self.norm(limb, index)),
            Fill::Ranks { of } => {
                let x = &self.done[of.0];
                let [.., ranks, n] = shape[..] else {
                    unreachable!()
                };
                let cell = |flat: usize| {
                    let (row, rank, j) = (flat / (n * ranks), flat / n % ranks, flat % n);
                    let row = &x[row * n..][..n];
                    let ahead = |i: usize| {
                        (0..n)
                            .filter(|&k| row[k] > row[i] || row[k] == row[i] && k < i)
                            .count()
                    };
                    let position = (0..n).find(|&i| ahead(i) == rank).unwrap_or(n);
                    i32::from(j >= position)
                };
                (0..shape.iter().product()).map(cell).collect()
            }
            // Counted when all other wires are known.
            Fill::Multiplicity { .. } => vec![],
        }
    }

    /// `y[point of the view] = x[rearranged point]` on the zero extensions.
    fn view(&self, id: usize, of: WireId, bits: &[usize]) -> Vec<i32> {
        let shape = &self.plan.wires[id].shape;
        let from = self.shape(of).to_vec();
        let flat_bits = |index: &[usize], shape: &[usize]| -> Vec<usize> {
            let axes = index.iter().zip(shape);
            axes.flat_map(|(&i, &n)| {
                let count = n.next_power_of_two().trailing_zeros();
                (0..count).rev().map(move |k| i >> k & 1)
            })
            .collect()
        };
        let mut cells = vec![0; shape.iter().product()];
        let places = indices(shape).into_iter().enumerate();
        let places: BTreeMap<Vec<usize>, usize> = places
            .map(|(cell, index)| (flat_bits(&index, shape), cell))
            .collect();
        for (flat, index) in indices(&from).iter().enumerate() {
            let operand = flat_bits(index, &from);
            let mut point = vec![0; operand.len()];
            for (variable, &bit) in bits.iter().enumerate() {
                point[bit] = operand[variable];
            }
            cells[places[&point]] = self.done[of.0][flat];
        }
        cells
    }

    fn map(&self, id: usize, of: WireId, factors: &[Factor]) -> Vec<i32> {
        let (from, to) = (self.shape(of).to_vec(), self.plan.wires[id].shape.clone());
        // All pairs of (flat index in the operand, flat index in the result), factor by factor.
        let mut pairs = vec![(0_usize, 0_usize)];
        let (mut from_axis, mut to_axis) = (0, 0);
        for factor in factors {
            let (own, from_group, to_group) = match factor {
                Factor::Same { axes } => {
                    let group = from[from_axis..from_axis + axes].to_vec();
                    let cells: usize = group.iter().product();
                    ((0..cells).map(|i| (i, i)).collect(), group.clone(), group)
                }
                Factor::Related(related) => {
                    let ids = match related {
                        veridical_argument::plan::Pairs::Rows { ids, .. } => {
                            self.done[ids.0].clone()
                        }
                        _ => vec![],
                    };
                    let (from_group, to_group) = (related.from_shape(), related.to_shape());
                    let (from_cells, to_cells) = (padded(&from_group), padded(&to_group));
                    let mut own: Vec<(usize, usize)> = vec![];
                    for_each(related, &ids, |i, o| {
                        let place =
                            |cells: &[usize], cell| cells.iter().position(|&c| c == cell).unwrap();
                        own.push((place(&from_cells, i), place(&to_cells, o)));
                    });
                    (own, from_group, to_group)
                }
            };
            let (from_size, to_size): (usize, usize) =
                (from_group.iter().product(), to_group.iter().product());
            assert_eq!(
                from[from_axis..from_axis + from_group.len()],
                from_group[..]
            );
            assert_eq!(to[to_axis..to_axis + to_group.len()], to_group[..]);
            from_axis += from_group.len();
            to_axis += to_group.len();
            let joined = pairs.iter().flat_map(|&(i, o)| {
                own.iter()
                    .map(move |&(k, l)| (i * from_size + k, o * to_size + l))
            });
            pairs = joined.collect();
        }
        let mut cells = vec![0_i128; to.iter().product()];
        for (i, o) in pairs {
            cells[o] += i128::from(self.done[of.0][i]);
        }
        cells.into_iter().map(reduce).collect()
    }

    fn einsum(&self, id: usize, a: WireId, b: WireId, labels: &Labels) -> Vec<i32> {
        let mut names: Vec<(u8, usize)> = vec![];
        for (name, &size) in labels
            .a
            .iter()
            .zip(self.shape(a))
            .chain(labels.b.iter().zip(self.shape(b)))
        {
            if *name != Labels::UNIT && !names.iter().any(|known| known.0 == *name) {
                names.push((*name, size));
            }
        }
        let sizes: Vec<usize> = names.iter().map(|name| name.1).collect();
        let shape = &self.plan.wires[id].shape;
        let mut cells = vec![0_i128; shape.iter().product()];
        for assignment in indices(&sizes) {
            let index = |labels: &[u8]| -> Vec<usize> {
                let place = |name: &u8| names.iter().position(|known| known.0 == *name);
                labels
                    .iter()
                    .map(|name| place(name).map_or(0, |place| assignment[place]))
                    .collect()
            };
            let out = index(&labels.out)
                .iter()
                .zip(shape)
                .fold(0, |flat, (&i, &n)| flat * n + i);
            cells[out] += self.at(a, &index(&labels.a)) * self.at(b, &index(&labels.b));
        }
        cells.into_iter().map(reduce).collect()
    }

    /// Section 4.13, for witnesses of honest size.
    fn wide(&self, limb: &WideLimb, index: &[usize]) -> i128 {
        let v: Vec<i128> = limb
            .variance
            .iter()
            .map(|&wire| self.at(wire, index))
            .collect();
        let d: Vec<i128> = limb.target.iter().map(|&x| x.into()).collect();
        let join = |limbs: &[i128]| {
            limbs
                .iter()
                .enumerate()
                .map(|(i, x)| x << (14 * i))
                .sum::<i128>()
        };
        let (variance, target) = (join(&v), join(&d));
        let mut r = 0_i128;
        for bit in (0..28).rev() {
            if (r + (1 << bit)).pow(2) * variance <= target {
                r += 1 << bit;
            }
        }
        let t = r * variance;
        let f = target - r * t;
        let g = 2 * t + variance - 1 - f;
        let digit = |x: i128, i: usize| x >> (14 * i) & 0x3fff;
        let (r0, r1) = (digit(r, 0), digit(r, 1));
        // What a column leaves above its limb, with exact division.
        let above = |column: i128, limb: i128| {
            assert_eq!((column - limb) % (1 << 14), 0);
            (column - limb) / (1 << 14)
        };
        match limb.part {
            WidePart::Root(i) => digit(r, i),
            WidePart::Product(i) => digit(t, i),
            WidePart::Slack(i) => digit(f, i),
            WidePart::Gap(i) => digit(g, i),
            WidePart::ProductCarry(i) => {
                let k0 = above(r0 * v[0], digit(t, 0));
                let k1 = above(r0 * v[1] + r1 * v[0] + k0, digit(t, 1));
                let k2 = above(r0 * v[2] + r1 * v[1] + k1, digit(t, 2));
                assert_eq!(r0 * v[3] + r1 * v[2] + k2, digit(t, 3));
                assert_eq!(r1 * v[3], 0);
                [k0, k1, k2][i]
            }
            WidePart::TargetCarry(i) => {
                let t = |i| digit(t, i);
                let k0 = above(r0 * t(0) + digit(f, 0), d[0]);
                let k1 = above(r0 * t(1) + r1 * t(0) + digit(f, 1) + k0, d[1]);
                let k2 = above(r0 * t(2) + r1 * t(1) + digit(f, 2) + k1, d[2]);
                assert_eq!(r0 * t(3) + r1 * t(2) + digit(f, 3) + k2, d[3]);
                assert_eq!(r1 * t(3), 0);
                [k0, k1, k2][i]
            }
            WidePart::GapCarry => {
                let low = |x: i128| x & ((1 << 28) - 1);
                let high = |x: i128| x >> 28;
                let sum = low(f) + low(g) + 1 - 2 * low(t) - low(variance);
                assert_eq!(sum % (1 << 28), 0);
                let carry = sum / (1 << 28);
                assert_eq!(high(f) + high(g) + carry, 2 * high(t) + high(variance));
                carry
            }
        }
    }

    /// Section 12.6 as it is written, digit by digit.
    fn norm(&self, limb: &NormLimb, index: &[usize]) -> i128 {
        let digit = |x: i128, i: usize| (x >> (10 * i)) & 1023;
        let squares = limb.squares.iter().enumerate();
        let s: i128 = squares.map(|(i, &w)| self.at(w, index) << (10 * i)).sum();
        let factor = limb.factor.iter().enumerate();
        let q: i128 = factor.map(|(i, &q)| i128::from(q) << (10 * i)).sum();
        let mut r: i128 = 0;
        for bit in (0..30).rev() {
            // The greatest number whose square is below the product, and one more.
            if (r | 1 << bit).pow(2) < q * s {
                r |= 1 << bit;
            }
        }
        r += i128::from(r * r < q * s);
        let magnitude = self.at(limb.magnitude, index);
        if magnitude * i128::from(limb.reach) < r + (magnitude + 1) / 2 {
            return i128::from(limb.part == NormPart::Choice);
        }
        let slack = r * r - q * s;
        // What is left of r^2 - Q S - slack above digit i, by digits of the three.
        let carry = |upto: usize| {
            let squares: Vec<i128> = limb.squares.iter().map(|&w| self.at(w, index)).collect();
            let mut carry = 0;
            for i in 0..=upto {
                for j in 0..=i.min(2) {
                    if i - j < 3 {
                        carry += digit(r, j) * digit(r, i - j);
                    }
                    if i - j < 4 {
                        carry -= i128::from(limb.factor[j]) * squares[i - j];
                    }
                }
                carry -= digit(slack, i);
                assert_eq!(carry % 1024, 0, "digit {i}");
                carry /= 1024;
            }
            carry
        };
        match limb.part {
            NormPart::Choice => 0,
            NormPart::Root(i) => digit(r, i),
            NormPart::Slack(i) => digit(slack, i),
            NormPart::Carry(i) => carry(i),
        }
    }

    /// Rows by brute force, tuples as elements of the field.
    fn multiplicities(&self, table: usize) -> Vec<i32> {
        let entry = self.plan.tables[table];
        let second = |row: usize| -> i128 {
            match entry.table {
                Table::Range { .. } | Table::Zero | Table::Below { .. } => 0,
                Table::Formula { formula, bits } => formula.column(bits)[row].into(),
                Table::Constant { constant } => self.constants[constant].get(row).unwrap().into(),
                Table::Weight { constant, wire } => {
                    assert_eq!(
                        self.constants[constant].get(row).unwrap(),
                        self.done[wire.0][row]
                    );
                    self.done[wire.0][row].into()
                }
            }
        };
        let mut counts = vec![0; entry.rows];
        for site in &self.plan.sites {
            for index in indices(&site.shape) {
                let column = |i: usize| {
                    let Some(scaled) = site.tuple.get(i) else {
                        return 0;
                    };
                    // The inverse of 2 is (p + 1) / 2.
                    let mut value = self.exact(&scaled.combination, &index).rem_euclid(P);
                    for _ in 0..scaled.shift {
                        value = value * (P / 2 + 1) % P;
                    }
                    value
                };
                if column(0) != table as i128 + 1 {
                    continue;
                }
                let hit = |&row: &usize| {
                    column(1) == row as i128 && column(2) == second(row).rem_euclid(P)
                };
                if let Some(row) = (0..entry.rows).find(hit) {
                    counts[row] += 1;
                }
            }
        }
        counts
    }
}

/// The indices of the group of a space that `index` lies in, in row-major order.
fn group(space: &[usize], axes: &[usize], index: &[usize]) -> Vec<Vec<usize>> {
    let start = index.iter().enumerate();
    let start = start.map(|(axis, &i)| if axes.contains(&axis) { 0 } else { i });
    axes.iter()
        .fold(vec![start.collect()], |group: Vec<Vec<usize>>, &axis| {
            let moved = |at: &Vec<usize>, i| {
                let mut at = at.clone();
                at[axis] = i;
                at
            };
            group
                .iter()
                .flat_map(|at| (0..space[axis]).map(move |i| moved(at, i)))
                .collect()
        })
}

fn quotient(num: i128, den: i128) -> i128 {
    if den == 0 {
        return 0;
    }
    // The greatest integer that is at most num / den.
    let near = num / den;
    let is_above = |q: i128| {
        if den > 0 {
            q * den > num
        } else {
            q * den < num
        }
    };
    if is_above(near) { near - 1 } else { near }
}

/// Positions of the cells of a group in its zero extension, row-major.
fn padded(shape: &[usize]) -> Vec<usize> {
    let place = |index: Vec<usize>| {
        index
            .iter()
            .zip(shape)
            .fold(0, |flat, (&i, &n)| flat * n.next_power_of_two() + i)
    };
    indices(shape).into_iter().map(place).collect()
}
