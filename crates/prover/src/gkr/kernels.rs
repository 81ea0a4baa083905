//! Passes over leaves that are computed from columns of base elements.
//!
//! Spec: spec/v1/zk.md, sections 6.2 and 6.3.
//!
//! A denominator is `constant + sum_c coefficient_c column_c`; the numerator is 1 or the first
//! column. So what the first round sums is a form in products of two base columns, and binding its
//! variable is one dot product of base elements per coordinate.

#![expect(
    clippy::inline_always,
    reason = "a vector that is passed by a call goes through memory"
)]

use p3_field::{Algebra, BasedVectorSpace, PackedValue, PrimeCharacteristicRing};
use veridical_argument::field::{DEGREE, EF, F};

use super::lanes::{IN_ORDER, ONE, P, V, ZERO, accumulate, add, mul, split, split_base, spread};
use super::layer::{bind_first, leading};
use super::leaves::{Leaf, LeafTable, MAX_COLUMNS, Part};
use super::tree::{Quad, all_above};

/// Weights that are summed with one reduction.
const GROUP: usize = 4;

/// What is done with the columns of a block, `C` of them; `D` is twice as many.
trait Pass {
    type Output;

    fn run<const C: usize, const D: usize>(self, view: &View<'_, C>) -> Self::Output;
}

/// A block with a known number of columns.
struct View<'l, const C: usize> {
    leaf: &'l Leaf,
    columns: [&'l [P]; C],
}

impl Leaf {
    fn view<const C: usize>(&self) -> View<'_, C> {
        let column = |i: usize| self.columns.get(i).map_or(&[][..], |c| P::pack_slice(c));
        View {
            leaf: self,
            columns: std::array::from_fn(column),
        }
    }

    fn pass<T: Pass>(&self, pass: T) -> T::Output {
        match self.columns.len() {
            1 => pass.run::<1, 2>(&self.view()),
            2 => pass.run::<2, 4>(&self.view()),
            3 => pass.run::<3, 6>(&self.view()),
            _ => pass.run::<MAX_COLUMNS, { 2 * MAX_COLUMNS }>(&self.view()),
        }
    }
}

impl<const C: usize> View<'_, C> {
    /// The coefficients, by coordinate.
    fn coefficients(&self, factor: EF) -> [[F; C]; DEGREE] {
        let scaled: [EF; C] = std::array::from_fn(|i| self.leaf.coefficients[i] * factor);
        std::array::from_fn(|k| scaled.map(|value| coordinate(&value, k)))
    }

    /// The columns at the slots of quad `index`, even and odd.
    #[inline(always)]
    fn slots(&self, index: usize) -> ([P; C], [P; C]) {
        let (mut even, mut odd) = ([P::ZERO; C], [P::ZERO; C]);
        for i in 0..C {
            let column = self.columns[i];
            (even[i], odd[i]) = split_base(column[2 * index], column[2 * index + 1], IN_ORDER);
        }
        (even, odd)
    }

    /// The columns at the slots of the quads `2 pair` and `2 pair + 1`, even and odd; the first `C` of
    /// each have the lowest variable of the quads 0, the others 1.
    #[inline(always)]
    fn line<const D: usize>(&self, pair: usize) -> ([P; D], [P; D]) {
        let (first, second) = (self.slots(2 * pair), self.slots(2 * pair + 1));
        let (mut even, mut odd) = ([P::ZERO; D], [P::ZERO; D]);
        for i in 0..C {
            (even[i], even[i + C]) = split_base(first.0[i], second.0[i], LeafTable::TURN);
            (odd[i], odd[i + C]) = split_base(first.1[i], second.1[i], LeafTable::TURN);
        }
        (even, odd)
    }
}

fn coordinate(value: &EF, k: usize) -> F {
    let slice: &[F] = value.as_basis_coefficients_slice();
    slice.get(k).copied().unwrap_or_default()
}

/// `constant + sum of coefficients * cells`.
#[inline(always)]
fn affine<const N: usize>(constant: &[P; DEGREE], rows: &[[F; N]; DEGREE], cells: &[P; N]) -> V {
    [
        P::mixed_dot_product(cells, &rows[0]) + constant[0],
        P::mixed_dot_product(cells, &rows[1]) + constant[1],
        P::mixed_dot_product(cells, &rows[2]) + constant[2],
        P::mixed_dot_product(cells, &rows[3]) + constant[3],
        P::mixed_dot_product(cells, &rows[4]) + constant[4],
    ]
}

/// `sum over i of base_i * extension_i`, the extension elements by coordinate.
#[inline(always)]
fn mixed<const N: usize>(base: &[P; N], rows: &[[P; N]; DEGREE]) -> V {
    [
        P::dot_product(base, &rows[0]),
        P::dot_product(base, &rows[1]),
        P::dot_product(base, &rows[2]),
        P::dot_product(base, &rows[3]),
        P::dot_product(base, &rows[4]),
    ]
}

/// The layer above.
struct Reduce<'q> {
    start: usize,
    into: &'q mut [Quad<V>],
}

impl Pass for Reduce<'_> {
    type Output = ();

    fn run<const C: usize, const D: usize>(self, view: &View<'_, C>) {
        let rows = view.coefficients(EF::ONE);
        let constant = spread(view.leaf.constant);
        let fraction = |index: usize| {
            let (even, odd) = view.slots(index);
            let d0 = affine(&constant, &rows, &even);
            let d1 = affine(&constant, &rows, &odd);
            let numerator = if view.leaf.whole {
                add(&d0, &d1)
            } else {
                let (a, b) = (&d0, &d1);
                let rows = [
                    [b[0], a[0]],
                    [b[1], a[1]],
                    [b[2], a[2]],
                    [b[3], a[3]],
                    [b[4], a[4]],
                ];
                mixed(&[even[0], odd[0]], &rows)
            };
            (numerator, mul(&d0, &d1))
        };
        for (offset, into) in self.into.iter_mut().enumerate() {
            let index = 2 * (self.start + offset);
            let (first, second) = (fraction(index), fraction(index + 1));
            (into[0], into[2]) = split(&first.0, &second.0, LeafTable::TURN);
            (into[1], into[3]) = split(&first.1, &second.1, LeafTable::TURN);
        }
    }
}

/// The sum of the first round.
struct Leading<'w> {
    start: usize,
    weights: &'w [V],
    lambda: &'w V,
}

impl Pass for Leading<'_> {
    type Output = V;

    fn run<const C: usize, const D: usize>(self, view: &View<'_, C>) -> V {
        // By pair of columns: sum of weight times the product of a step of the even slots and one of
        // the odd slots, both ways.
        let mut sums = [[ZERO; C]; C];
        for (group, weights) in self.weights.chunks(GROUP).enumerate() {
            let mut products = [[[P::ZERO; GROUP]; C]; C];
            let mut rows = [[P::ZERO; GROUP]; DEGREE];
            for (at, weight) in weights.iter().enumerate() {
                let (mut even, mut odd) = view.line::<D>(self.start + GROUP * group + at);
                for i in 0..C {
                    even[i] = even[i + C] - even[i];
                    odd[i] = odd[i + C] - odd[i];
                }
                for i in 0..C {
                    products[i][i][at] = even[i] * odd[i];
                    for j in 0..i {
                        products[i][j][at] = P::dot_product(&[even[i], odd[i]], &[odd[j], even[j]]);
                    }
                }
                for (row, value) in rows.iter_mut().zip(weight) {
                    row[at] = *value;
                }
            }
            for i in 0..C {
                for j in 0..=i {
                    accumulate(&mut sums[i][j], &mixed(&products[i][j], &rows));
                }
            }
        }
        let coefficients = &view.leaf.coefficients;
        let (mut denominators, mut numerators) = (ZERO, ZERO);
        for i in 0..C {
            for j in 0..=i {
                let factor = spread(coefficients[i] * coefficients[j]);
                accumulate(&mut denominators, &mul(&sums[i][j], &factor));
            }
            // The numerator is the first column or, at a step of a constant, 0.
            if !view.leaf.whole {
                let both = mul(&sums[i][0], &spread(coefficients[i]));
                accumulate(&mut numerators, &both);
                if i == 0 {
                    accumulate(&mut numerators, &both);
                }
            }
        }
        add(&numerators, &mul(&denominators, self.lambda))
    }
}

/// Binding the variable of the first round.
struct Bind<'q> {
    start: usize,
    into: &'q mut [Quad<V>],
    challenge: EF,
    lambda: EF,
}

impl Pass for Bind<'_> {
    type Output = ();

    fn run<const C: usize, const D: usize>(self, view: &View<'_, C>) {
        let low = view.coefficients(EF::ONE - self.challenge);
        let high = view.coefficients(self.challenge);
        let rows: [[F; D]; DEGREE] = std::array::from_fn(|k| {
            std::array::from_fn(|i| if i < C { low[k][i] } else { high[k][i - C] })
        });
        let constant = spread(view.leaf.constant);
        let at = [EF::ONE - self.challenge, self.challenge];
        let numerators: [[F; 2]; DEGREE] =
            std::array::from_fn(|k| at.map(|value| coordinate(&value, k)));
        let lambda = spread(self.lambda);
        for (offset, into) in self.into.iter_mut().enumerate() {
            let (even, odd) = view.line::<D>(self.start + offset);
            into[1] = affine(&constant, &rows, &even);
            into[3] = affine(&constant, &rows, &odd);
            if view.leaf.whole {
                into[0] = add(&mul(&into[1], &lambda), &ONE);
                into[2] = ONE;
            } else {
                let n0 = affine(&ZERO, &numerators, &[even[0], even[C]]);
                into[0] = add(&n0, &mul(&into[1], &lambda));
                into[2] = affine(&ZERO, &numerators, &[odd[0], odd[C]]);
            }
        }
    }
}

/// The quads of pairs.
fn both(pairs: &[[Quad<V>; 2]]) -> impl Iterator<Item = (&Quad<V>, &Quad<V>)> {
    pairs.iter().map(|[first, second]| (first, second))
}

impl LeafTable {
    /// Computes the quads of the layer above over the used units from number `start` on.
    pub(super) fn reduce(&self, start: usize, mut into: &mut [Quad<V>]) {
        for (part, units) in self.parts(start, into.len()) {
            let (here, rest) = into.split_at_mut(units);
            into = rest;
            match part {
                Part::Block(leaf, start) => leaf.pass(Reduce { start, into: here }),
                Part::Pairs(pairs) => all_above(here, both(pairs), Self::TURN),
            }
        }
    }

    /// Over the used units from number `start` on, one for each weight, the sum of the weight times
    /// the coefficient of `X^2` of the summand.
    pub(super) fn first_leading(&self, start: usize, mut weights: &[V], lambda: &V) -> V {
        let mut total = ZERO;
        for (part, units) in self.parts(start, weights.len()) {
            let (here, rest) = weights.split_at(units);
            weights = rest;
            let sum = match part {
                Part::Block(leaf, start) => leaf.pass(Leading {
                    start,
                    weights: here,
                    lambda,
                }),
                Part::Pairs(pairs) => leading(both(pairs), here, Self::TURN, lambda),
            };
            accumulate(&mut total, &sum);
        }
        total
    }

    /// Binds the lowest variable of the used units from number `start` on; quads `m0, d0, n1, d1`.
    pub(super) fn first_bind(
        &self,
        start: usize,
        mut into: &mut [Quad<V>],
        challenge: EF,
        lambda: EF,
    ) {
        for (part, units) in self.parts(start, into.len()) {
            let (here, rest) = into.split_at_mut(units);
            into = rest;
            match part {
                Part::Block(leaf, start) => leaf.pass(Bind {
                    start,
                    into: here,
                    challenge,
                    lambda,
                }),
                Part::Pairs(pairs) => {
                    bind_first(both(pairs), here, Self::TURN, challenge, lambda);
                }
            }
        }
    }
}
