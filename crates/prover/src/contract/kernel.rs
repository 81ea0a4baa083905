//! The two sums that contractions are made of, for any width of vectors.
//!
//! `columns` sums the rows of a matrix with weights, `rows` sums each row. An integer is cut into
//! digits of at most 12 bits, by the greatest integer of a block; a lane of 32 bits then holds the
//! sum of at least 16 products of a digit and a limb, and is added to 64 bits in time.

#![expect(
    clippy::inline_always,
    reason = "a kernel is compiled once per instruction set, inside its entry"
)]

use std::ops::Range;

use p3_field::PrimeField32;
use veridical_argument::field::{DEGREE, F};

use super::cell::Cell;
use super::lanes::{Digit, Lanes};
use super::table::LIMBS;

/// Coordinates of an extension element, below the modulus.
pub(super) type Coordinates = [u32; DEGREE];

/// Digits of an integer at most.
const DIGITS: usize = 3;

/// Bits of all digits but the highest.
const DIGIT_BITS: u32 = 11;

/// Bits of a digit at most.
const MOST_BITS: u32 = 12;

/// Inverse of the modulus modulo `2^32`.
const INVERSE: u32 = 0x8100_0001;
const _: () = assert!(INVERSE.wrapping_mul(F::ORDER_U32) == 1);

/// Weights of one sum at most: a product of a digit and a weight is at most `2^42`.
pub(super) const MOST_TERMS: usize = 1 << 19;

/// Bytes of a matrix between two looks at its greatest integer: what the second level cache holds.
const BLOCK_BYTES: usize = 1 << 18;

/// Bytes of rows between two looks at their greatest integer.
const ROWS_BYTES: usize = 1 << 14;

/// Some columns of some rows of a matrix.
#[derive(Clone, Debug)]
pub(super) struct Panel<'a, T> {
    /// The matrix, row by row.
    pub cells: &'a [T],
    /// Cells of a row.
    pub stride: usize,
    /// Rows; the first is even.
    pub rows: Range<usize>,
    /// Columns.
    pub columns: Range<usize>,
}

/// How integers of a block are cut.
struct Cut {
    digits: [Digit; DIGITS],
    count: usize,
    /// Multiplications that a lane of 32 bits holds.
    steps: usize,
}

impl Cut {
    /// `bits` is the or of all integers, negative ones complemented: `-2^n <= x < 2^n`.
    fn new(bits: i32) -> Self {
        let bits = u32::BITS - bits.leading_zeros();
        let count = if bits <= MOST_BITS {
            1
        } else if bits <= DIGIT_BITS + MOST_BITS {
            2
        } else {
            3
        };
        let mut digits = [Digit { shift: 0, mask: -1 }; DIGITS];
        let shifts = (0..).step_by(DIGIT_BITS as usize);
        for (shift, slot) in shifts.zip(&mut digits).take(count) {
            slot.shift = shift;
            slot.mask = (1 << DIGIT_BITS) - 1;
        }
        let mut widest = DIGIT_BITS * u32::from(count > 1);
        if let Some(last) = digits.get_mut(count - 1) {
            last.mask = -1;
            widest = widest.max(bits - last.shift);
        }
        // A step adds two products below 2^15 * 2^widest.
        Self {
            digits,
            count,
            steps: 1 << (15 - widest),
        }
    }
}

/// The or of all integers, negative ones complemented.
#[inline(always)]
fn bits_of<T: Cell>(cells: &[T]) -> i32 {
    let mut bits = 0;
    for cell in cells {
        let integer = cell.integer();
        bits |= integer ^ (integer >> 31);
    }
    bits
}

/// `sum / 2^32` modulo the modulus, within twice the modulus, for sums below `2^62` in magnitude.
///
/// The limbs of weights are those of `2^32` times the weight, so that this is all there is to do.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the low half of the sum is what is wanted"
)]
#[inline(always)]
fn montgomery(sum: i64) -> i64 {
    let multiple = (sum as u32).wrapping_mul(INVERSE);
    let product = u64::from(multiple) * u64::from(F::ORDER_U32);
    // Both have the same low half.
    (sum >> 32) - (product >> 32).cast_signed()
}

/// The residue of the sum of the digits' sums.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a residue is below the modulus"
)]
#[inline(always)]
fn combine(sums: [i64; DIGITS]) -> u32 {
    let [low, middle, high] = sums.map(montgomery);
    let order = i64::from(F::ORDER_U32);
    if sums[1] == 0 && sums[2] == 0 {
        // Above -2 and below 1 times the modulus.
        let once = low + (order & (low >> 63));
        return (once + (order & (once >> 63))) as u32;
    }
    let sum = low + (middle << DIGIT_BITS) + (high << (2 * DIGIT_BITS));
    sum.rem_euclid(order) as u32
}

/// The cells from `at`, followed by 0 where the matrix ends.
fn last_cells<T: Cell, const N: usize>(cells: &[T], at: usize) -> [T; N] {
    let mut lanes = [T::default(); N];
    for (lane, &cell) in lanes.iter_mut().zip(cells.get(at..).unwrap_or(&[])) {
        *lane = cell;
    }
    lanes
}

/// A vector of the cells from `at`, all of which exist.
///
/// Without a call, even to panic: every register would have to be saved for it.
#[inline(always)]
fn load<L: Lanes<N>, T: Cell, const N: usize>(lanes: L, cells: &[T], at: usize) -> L::Vector {
    match cells.get(at..).and_then(<[T]>::first_chunk) {
        Some(cells) => lanes.load(cells),
        None => lanes.zero(),
    }
}

/// For every column of the panel, the sum of its cells times the weights of their rows.
///
/// Row `i` has the weight of half `i % 2` of `table[i / 2]`; a row that is not there has weight 0.
#[inline(always)]
pub(super) fn columns<L: Lanes<N>, T: Cell, const N: usize, const C: usize>(
    lanes: L,
    panel: &Panel<'_, T>,
    table: &[[i32; LIMBS]],
) -> Vec<Coordinates> {
    let width = panel.columns.len();
    let vectors = width.div_ceil(N);
    let mut wide: [Vec<[i64; N]>; DIGITS] = [Vec::new(), Vec::new(), Vec::new()];
    let row_bytes = (width * size_of::<T>()).max(1);
    let block = (BLOCK_BYTES / row_bytes).max(2) & !1;
    let mut row = panel.rows.start;
    while row < panel.rows.end {
        let end = (row + block).min(panel.rows.end);
        let mut bits = 0;
        for row in row..end {
            let start = row * panel.stride;
            bits |= bits_of(&panel.cells[start + panel.columns.start..start + panel.columns.end]);
        }
        let cut = Cut::new(bits);
        let pairs = row / 2..end.div_ceil(2);
        for (digit, wide) in cut.digits.iter().zip(&mut wide).take(cut.count) {
            if wide.is_empty() {
                wide.resize(vectors * DEGREE, [0; N]);
            }
            let digit = (cut.count > 1).then_some(*digit);
            let mut vector = 0;
            while vector < vectors {
                let column = panel.columns.start + vector * N;
                let wide = &mut wide[vector * DEGREE..];
                let pairs = pairs.clone();
                vector += if vector + C <= vectors {
                    tile::<L, T, N, C>(lanes, panel, column, pairs, digit, cut.steps, table, wide);
                    C
                } else {
                    tile::<L, T, N, 1>(lanes, panel, column, pairs, digit, cut.steps, table, wide);
                    1
                };
            }
        }
        row = end;
    }
    let sum = |column: usize, coordinate: usize| {
        let mut sums = [0; DIGITS];
        for (sum, wide) in sums.iter_mut().zip(&wide) {
            if let Some(lanes) = wide.get(column / N * DEGREE + coordinate) {
                *sum = lanes[column % N];
            }
        }
        combine(sums)
    };
    (0..width)
        .map(|column| std::array::from_fn(|coordinate| sum(column, coordinate)))
        .collect()
}

/// `C` vectors of columns, one digit.
#[expect(
    clippy::too_many_arguments,
    reason = "the state of the loops around it"
)]
#[inline(always)]
fn tile<L: Lanes<N>, T: Cell, const N: usize, const C: usize>(
    lanes: L,
    panel: &Panel<'_, T>,
    column: usize,
    pairs: Range<usize>,
    digit: Option<Digit>,
    steps: usize,
    table: &[[i32; LIMBS]],
    wide: &mut [[i64; N]],
) {
    let (cells, stride) = (panel.cells, panel.stride);
    // Vectors of the last rows may reach behind the end of the matrix.
    let inside = match cells.len().checked_sub(stride + column + C * N) {
        Some(rest) => rest / (2 * stride) + 1,
        None => 0,
    };
    let middle = inside.clamp(pairs.start, pairs.end);
    let mut start = pairs.start;
    while start < middle {
        let end = (start + steps).min(middle);
        let mut sums = [[lanes.zero(); LIMBS]; C];
        for (pair, weights) in (start..end).zip(&table[start..end]) {
            let mut both = [lanes.zero(); C];
            for (c, both) in both.iter_mut().enumerate() {
                let at = 2 * pair * stride + column + c * N;
                let low = load(lanes, cells, at);
                let high = load(lanes, cells, at + stride);
                *both = join(lanes, low, high, digit);
            }
            add_products(lanes, &mut sums, both, weights);
        }
        flush(lanes, &sums, wide);
        start = end;
    }
    for (pair, weights) in (middle..pairs.end).zip(&table[middle..pairs.end]) {
        let mut sums = [[lanes.zero(); LIMBS]; C];
        let mut both = [lanes.zero(); C];
        for (c, both) in both.iter_mut().enumerate() {
            let at = 2 * pair * stride + column + c * N;
            let low = lanes.load(&last_cells(cells, at));
            let high = lanes.load(&last_cells(cells, at + stride));
            *both = join(lanes, low, high, digit);
        }
        add_products(lanes, &mut sums, both, weights);
        flush(lanes, &sums, wide);
    }
}

/// A digit of two vectors as the halves of one.
#[inline(always)]
fn join<L: Lanes<N>, const N: usize>(
    lanes: L,
    low: L::Vector,
    high: L::Vector,
    digit: Option<Digit>,
) -> L::Vector {
    match digit {
        Some(digit) => lanes.pair(lanes.digit(low, digit), lanes.digit(high, digit)),
        None => lanes.pair(low, high),
    }
}

/// Adds the products of pairs of cells with one weight.
#[inline(always)]
fn add_products<L: Lanes<N>, const N: usize, const C: usize>(
    lanes: L,
    sums: &mut [[L::Vector; LIMBS]; C],
    cells: [L::Vector; C],
    weights: &[i32; LIMBS],
) {
    for limb in 0..LIMBS {
        let weight = lanes.splat(weights[limb]);
        for c in 0..C {
            sums[c][limb] = lanes.multiply_add(sums[c][limb], cells[c], weight);
        }
    }
}

/// Adds the sums of limbs to those of coordinates.
#[inline(always)]
fn flush<L: Lanes<N>, const N: usize, const C: usize>(
    lanes: L,
    sums: &[[L::Vector; LIMBS]; C],
    wide: &mut [[i64; N]],
) {
    for c in 0..C {
        for coordinate in 0..DEGREE {
            let (low, high) = (sums[c][2 * coordinate], sums[c][2 * coordinate + 1]);
            lanes.flush(low, high, &mut wide[c * DEGREE + coordinate]);
        }
    }
}

/// For every row, the sum of its cells times their weights; the last row may be shorter.
#[inline(always)]
pub(super) fn rows<L: Lanes<N>, T: Cell, const N: usize, const R: usize>(
    lanes: L,
    cells: &[T],
    length: usize,
    rows: Range<usize>,
    table: &[[[i32; N]; LIMBS]],
) -> Vec<Coordinates> {
    let mut result = Vec::with_capacity(rows.len());
    let padded = table.len() * 2 * N;
    let block = (ROWS_BYTES / (length * size_of::<T>()).max(1)).max(R);
    let mut row = rows.start;
    while row < rows.end {
        let end = (row + block).min(rows.end);
        let last = (end * length).min(cells.len());
        let cut = Cut::new(bits_of(&cells[row * length..last]));
        while row < end {
            // Vectors of the last rows may reach behind the end.
            if (row + R - 1) * length + padded > cells.len() {
                let mut alone = vec![T::default(); padded];
                for (slot, &cell) in alone.iter_mut().zip(&cells[row * length..]) {
                    *slot = cell;
                }
                let sums = group::<L, T, N, 1>(lanes, &alone, length, 0, &cut, table);
                result.extend(sums.map(|sums| sums.map(combine)));
                row += 1;
            } else if row + R <= end {
                let sums = group::<L, T, N, R>(lanes, cells, length, row, &cut, table);
                result.extend(sums.map(|sums| sums.map(combine)));
                row += R;
            } else {
                let sums = group::<L, T, N, 1>(lanes, cells, length, row, &cut, table);
                result.extend(sums.map(|sums| sums.map(combine)));
                row += 1;
            }
        }
    }
    result
}

/// `R` neighbouring rows, all digits.
#[inline(always)]
fn group<L: Lanes<N>, T: Cell, const N: usize, const R: usize>(
    lanes: L,
    cells: &[T],
    length: usize,
    row: usize,
    cut: &Cut,
    table: &[[[i32; N]; LIMBS]],
) -> [[[i64; DIGITS]; DEGREE]; R] {
    let mut totals = [[[0; DIGITS]; DEGREE]; R];
    for (position, &digit) in cut.digits.iter().enumerate().take(cut.count) {
        let digit = (cut.count > 1).then_some(digit);
        let mut wide = [[[0; N]; DEGREE]; R];
        let mut start = 0;
        while start < table.len() {
            let end = (start + cut.steps).min(table.len());
            let mut sums = [[lanes.zero(); LIMBS]; R];
            for (chunk, weights) in (start..end).zip(&table[start..end]) {
                let mut pairs = [lanes.zero(); R];
                for (r, pair) in pairs.iter_mut().enumerate() {
                    let at = (row + r) * length + chunk * 2 * N;
                    let low = load(lanes, cells, at);
                    let high = load(lanes, cells, at + N);
                    *pair = join(lanes, low, high, digit);
                }
                for limb in 0..LIMBS {
                    let weight = lanes.get(&weights[limb]);
                    for r in 0..R {
                        sums[r][limb] = lanes.multiply_add(sums[r][limb], pairs[r], weight);
                    }
                }
            }
            for r in 0..R {
                for coordinate in 0..DEGREE {
                    let (low, high) = (sums[r][2 * coordinate], sums[r][2 * coordinate + 1]);
                    lanes.flush(low, high, &mut wide[r][coordinate]);
                }
            }
            start = end;
        }
        for r in 0..R {
            for coordinate in 0..DEGREE {
                totals[r][coordinate][position] = wide[r][coordinate].iter().sum();
            }
        }
    }
    totals
}
