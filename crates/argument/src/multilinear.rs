//! Multilinear extensions of public tensors and of their zero extensions.
//!
//! Spec: spec/v1/zk.md, sections 2.1 and 2.2. Points are high bit first, the segment of the
//! slowest axis first; an index has the highest variable as its highest bit.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use p3_field::{BasedVectorSpace, PrimeCharacteristicRing, PrimeField32};

use crate::field::{DEGREE, EF, F};

/// Variables of an axis of size `n`: `ceil(log2 n)`.
pub const fn variables(n: usize) -> usize {
    if n < 2 {
        return 0;
    }
    let bits = usize::BITS - (n - 1).leading_zeros();
    bits as usize
}

/// Variables of a tensor.
pub fn shape_variables(shape: &[usize]) -> usize {
    shape.iter().map(|&n| variables(n)).sum()
}

/// `eq(point, i)` for every `i`.
pub fn eq_table(point: &[EF]) -> Vec<EF> {
    scaled_eq_table(point, EF::ONE)
}

/// `scale * eq(point, i)` for every `i`.
pub fn scaled_eq_table(point: &[EF], scale: EF) -> Vec<EF> {
    let mut table = Vec::with_capacity(1 << point.len());
    table.push(scale);
    // The lowest variable first: each further one becomes the highest bit of the index.
    for coordinate in point.iter().rev() {
        let half = table.len();
        table.extend_from_within(..);
        let (low, high) = table.split_at_mut(half);
        for (low, high) in low.iter_mut().zip(high) {
            *high *= *coordinate;
            *low -= *high;
        }
    }
    table
}

/// `eq(a, b)` of points of equal length.
pub fn eq(a: &[EF], b: &[EF]) -> EF {
    a.iter().zip(b).fold(EF::ONE, |product, (&a, &b)| {
        let both = a * b;
        product * (EF::ONE - a - b + both.double())
    })
}

/// `eq(index, point)`.
pub fn eq_index(index: usize, point: &[EF]) -> EF {
    let mut rest = index;
    let mut product = EF::ONE;
    for &coordinate in point.iter().rev() {
        product *= if rest & 1 == 1 {
            coordinate
        } else {
            EF::ONE - coordinate
        };
        rest >>= 1;
    }
    product
}

/// The aligned blocks `(start, log2 size)` that make up `0 .. n`, largest first.
pub fn dyadic(n: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    (0..variables(n.saturating_add(1)))
        .rev()
        .filter(move |bit| (n >> bit) & 1 == 1)
        .map(move |bit| ((n >> bit) ^ 1, bit))
        .map(|(high, bit)| (high << bit, bit))
}

/// Extension of `[i < n]` over the variables of the point.
pub fn chi(n: usize, point: &[EF]) -> EF {
    indicator(n, point).0
}

/// Extension of `i [i < n]` over the variables of the point.
pub fn iota(n: usize, point: &[EF]) -> EF {
    indicator(n, point).1
}

/// Extensions of `[i < n]` and of `i [i < n]`.
fn indicator(n: usize, point: &[EF]) -> (EF, EF) {
    let mut count = EF::ZERO;
    let mut sum = EF::ZERO;
    for (start, bits) in dyadic(n) {
        let Some((high, low)) = point
            .len()
            .checked_sub(bits)
            .and_then(|at| point.split_at_checked(at))
        else {
            continue;
        };
        let prefix = eq_index(start >> bits, high);
        // Over an aligned block of 2^bits cells the index is start + sum 2^b r_b.
        let local = low
            .iter()
            .fold(EF::ZERO, |value, &coordinate| value.double() + coordinate);
        count += prefix;
        sum += prefix * (local + F::from_usize(start));
    }
    (count, sum)
}

/// The segments of a point over the axes of a shape.
pub fn segments<'a>(shape: &[usize], point: &'a [EF]) -> Vec<&'a [EF]> {
    let mut rest = point;
    shape
        .iter()
        .map(|&n| {
            let (segment, later) = rest.split_at_checked(variables(n)).unwrap_or((rest, &[]));
            rest = later;
            segment
        })
        .collect()
}

/// Axes of a space with those of a wire in it; leading axes that a wire lacks have size 1.
fn aligned(space: &[usize], wire: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    let missing = space.len().saturating_sub(wire.len());
    let sizes = std::iter::repeat_n(1, missing).chain(wire.iter().copied());
    space.iter().copied().zip(sizes)
}

/// A point of a space as a point of a wire in it, and the product of `chi` over the axes along
/// which the wire is broadcast.
pub fn restrict(space: &[usize], wire: &[usize], point: &[EF]) -> (Vec<EF>, EF) {
    let mut kept = Vec::with_capacity(point.len());
    let mut factor = EF::ONE;
    for ((n, size), segment) in aligned(space, wire).zip(segments(space, point)) {
        if size == n {
            kept.extend_from_slice(segment);
        } else {
            factor *= chi(n, segment);
        }
    }
    (kept, factor)
}

/// Extension of a constant 1 over a space.
pub fn chi_space(space: &[usize], point: &[EF]) -> EF {
    space
        .iter()
        .zip(segments(space, point))
        .fold(EF::ONE, |product, (&n, segment)| product * chi(n, segment))
}

/// The variables of a space that a wire in it keeps, ascending: [`restrict`] without a point.
pub fn kept_variables(space: &[usize], wire: &[usize]) -> Vec<usize> {
    let mut kept = Vec::new();
    let mut start = 0;
    for (n, size) in aligned(space, wire) {
        let end = start + variables(n);
        if size == n {
            kept.extend(start..end);
        }
        start = end;
    }
    kept
}

/// Index in the zero extension of every cell of a tensor, in row-major order.
pub fn padded_indices(shape: &[usize]) -> impl Iterator<Item = usize> {
    let shape = shape.to_vec();
    let cells = if shape.contains(&0) {
        0
    } else {
        shape.iter().fold(1, |n: usize, &d| n.saturating_mul(d))
    };
    let mut position = vec![0_usize; shape.len()];
    (0..cells).map(move |_| {
        let mut index = 0;
        for (&at, &n) in position.iter().zip(&shape) {
            index = (index << variables(n)) | at;
        }
        for (at, &n) in position.iter_mut().zip(&shape).rev() {
            *at += 1;
            if *at < n {
                break;
            }
            *at = 0;
        }
        index
    })
}

/// Extension elements by coordinate, each an integer below the modulus: what integers are
/// multiplied with many times.
#[derive(Debug, Clone)]
pub struct Coordinates([Vec<u32>; DEGREE]);

impl Coordinates {
    /// The coordinates of the elements.
    pub fn new(elements: &[EF]) -> Self {
        Self(std::array::from_fn(|position| {
            elements
                .iter()
                .map(|element| {
                    let coordinates: &[F] = element.as_basis_coefficients_slice();
                    let coordinate = coordinates.get(position);
                    coordinate.map_or(0, PrimeField32::as_canonical_u32)
                })
                .collect()
        }))
    }

    /// `eq(point, i)` for every `i`.
    pub fn eq(point: &[EF]) -> Self {
        Self::new(&eq_table(point))
    }

    /// Sum of the products with the integers, as far as there are both.
    pub fn dot<T: Copy + Into<i32>>(&self, integers: &[T]) -> EF {
        // A product is below 2^62 for 32 bits, and below 2^46 for 16.
        let block = if size_of::<T>() <= 2 { 1 << 16 } else { 2 };
        EF::from_basis_coefficients_fn(|position| {
            let coordinates = self.0.get(position).map_or(&[][..], Vec::as_slice);
            let sum: i128 = integers
                .chunks(block)
                .zip(coordinates.chunks(block))
                .map(|(integers, coordinates)| {
                    let products = integers
                        .iter()
                        .zip(coordinates)
                        .map(|(&x, &c)| i64::from(x.into()) * i64::from(c));
                    i128::from(products.sum::<i64>())
                })
                .sum();
            F::from_i128(sum)
        })
    }
}

/// Binary logarithm of the longest stretch of integers that is weighed at once.
const STRETCH: usize = 12;

/// Extension of a tensor of integers at a point, zero-extended on every axis.
///
/// Integers that are missing count as 0. The memory is that of a few thousand elements, and of an element for as many
/// integers, however long an axis is.
pub fn evaluate_integers(integers: &[i32], shape: &[usize], point: &[EF]) -> EF {
    // Trailing axes are taken together until a row is worth its reduction.
    let mut row = 1_usize;
    let mut split = shape.len();
    while split > 0 && row < 256 {
        split -= 1;
        row = row.saturating_mul(shape.get(split).copied().unwrap_or(1));
    }
    let (outer, inner) = shape.split_at_checked(split).unwrap_or((&[], shape));
    let at = shape_variables(outer);
    let (outer_point, inner_point) = point.split_at_checked(at).unwrap_or((point, &[]));
    // A long axis is one of stretches, and one inside of them.
    let (mut outer, mut inner) = (outer.to_vec(), inner.to_vec());
    let mut stretch = row;
    if let Some(long) = inner.first_mut() {
        let behind = row.checked_div(*long).unwrap_or(1);
        let most = (1_usize << STRETCH).checked_div(behind).unwrap_or(1).max(1);
        let most = 1_usize << most.ilog2();
        if *long > most {
            outer.push(long.div_ceil(most));
            *long = most;
            stretch = most.saturating_mul(behind);
        }
    }
    let high = inner_point.len().saturating_sub(shape_variables(&inner));
    let (high, inner_point) = inner_point.split_at_checked(high).unwrap_or_default();
    let table = eq_table(inner_point);
    let weights: Vec<EF> = padded_indices(&inner)
        .map(|index| table.get(index).copied().unwrap_or_default())
        .collect();
    let weights = Coordinates::new(&weights);
    let outer_eq = eq_table(&[outer_point, high].concat());
    integers
        .chunks(row.max(1))
        .flat_map(|row| row.chunks(stretch.max(1)))
        .zip(padded_indices(&outer))
        .fold(EF::ZERO, |sum, (stretch, index)| {
            let weight = outer_eq.get(index).copied().unwrap_or_default();
            sum + weight * weights.dot(stretch)
        })
}

#[cfg(test)]
pub(crate) mod tests;
