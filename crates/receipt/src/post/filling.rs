//! A template and an output into a text, in integer arithmetic.
//!
//! Spec: spec/v1/post.md, section 5.

use crate::commitment::{Dtype, Tensor, Tensors};
use crate::error::{Error, Kind};
use crate::post::template::{Field, Piece, Place, Template};
use crate::text::{quoted, shorten, tuple};

/// A filled text, and which of its bytes came from the output.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) text: String,
    /// Byte ranges of the values, in order.
    pub(super) values: Vec<(usize, usize)>,
}

fn refuse(message: impl Into<String>, place: impl Into<String>) -> Error {
    Error::new(Kind::Post, message).at(place).of("post.fill")
}

/// Fills a template.
///
/// # Errors
/// A field does not fit the output.
pub(super) fn fill(
    template: &Template,
    outputs: &Tensors,
    receipt_id: &str,
    model: &str,
) -> Result<Filled, Error> {
    let (mut text, mut values) = (String::new(), Vec::new());
    for piece in &template.pieces {
        match piece {
            Piece::Words(words) => text.push_str(words),
            Piece::Field(field) => {
                let start = text.len();
                match field {
                    Field::Receipt => text.push_str(receipt_id),
                    Field::Model => text.push_str(model),
                    Field::Number { .. } | Field::Label { .. } | Field::Largest { .. } => {
                        text.push_str(&value(field, template, outputs)?);
                    }
                }
                values.push((start, text.len()));
            }
        }
    }
    if text.is_empty() {
        return Err(refuse("the text is empty", "template"));
    }
    Ok(Filled { text, values })
}

fn value(field: &Field, template: &Template, outputs: &Tensors) -> Result<String, Error> {
    let (kind, place) = match field {
        Field::Receipt | Field::Model => return Ok(String::new()),
        Field::Number {
            place, factor: 1, ..
        } => ("number", place),
        Field::Number { place, .. } => ("percent", place),
        Field::Label { place, .. } => ("label", place),
        Field::Largest { place, .. } => ("largest", place),
    };
    let tensor = quoted(&shorten(&place.tensor, 80));
    let named = format!("field {} of {tensor}", quoted(kind));
    let (row, last) = row(place, outputs, &named)?;
    let labels = |name: &String| template.labels.get(name).map_or(&[][..], Vec::as_slice);
    match field {
        Field::Receipt | Field::Model => Ok(String::new()),
        Field::Largest { labels: name, .. } => {
            let labels = labels(name);
            let label = labels.get(last).filter(|_| labels.len() == row.len());
            label.cloned().ok_or_else(|| {
                let (labels, places) = (labels.len(), row.len());
                refuse(format!("{labels} labels for {places} places"), &named)
            })
        }
        Field::Number {
            factor, decimals, ..
        } => {
            let element = row.get(last).copied().flatten();
            let exact = element.ok_or_else(|| refuse("the element is not a number", &named))?;
            let number = exact.in_range(&named)?;
            Ok(number.decimal(*factor, *decimals))
        }
        Field::Label { labels: name, .. } => {
            let element = row.get(last).copied().flatten();
            let exact = element.ok_or_else(|| refuse("the element is not a number", &named))?;
            let labels = labels(name);
            let label = exact.in_range(&named)?.index().and_then(|i| labels.get(i));
            label.cloned().ok_or_else(|| {
                let count = labels.len();
                let message = format!("the element is not the number of one of {count} labels");
                refuse(message, &named)
            })
        }
    }
}

/// The row along the last axis that a field reads, and the place in it. What is no number is none.
fn row(
    place: &Place,
    outputs: &Tensors,
    named: &str,
) -> Result<(Vec<Option<Exact>>, usize), Error> {
    let tensor = outputs
        .get(&place.tensor)
        .ok_or_else(|| refuse("there is no such output", named))?;
    let shape = &tensor.shape;
    let given = place.index.len().saturating_add(place.is_of_largest.into());
    if given != shape.len() {
        let (axes, shape) = (shape.len(), tuple(shape));
        return Err(refuse(
            format!("{axes} indices are needed for shape {shape}"),
            named,
        ));
    }
    if place
        .index
        .iter()
        .zip(shape)
        .any(|(index, size)| index >= size)
    {
        let (index, shape) = (tuple(&place.index), tuple(shape));
        return Err(refuse(
            format!("index {index} is outside shape {shape}"),
            named,
        ));
    }
    let before = shape.len().saturating_sub(1);
    let outer = place.index.iter().zip(shape).take(before);
    let outer = outer.fold(0_u64, |position, (index, size)| {
        position.saturating_mul(*size).saturating_add(*index)
    });
    let width = shape.last().copied().unwrap_or(1);
    let row = elements(tensor, outer.saturating_mul(width), width);
    if !place.is_of_largest {
        let last = place.index.last().copied().unwrap_or(0);
        return Ok((row, usize::try_from(last).unwrap_or(usize::MAX)));
    }
    let mut largest: Option<(usize, Exact)> = None;
    for (i, element) in row.iter().enumerate() {
        let element = element.ok_or_else(|| refuse("an element is not a number", named))?;
        // The lowest place, if several are equal.
        if largest.is_none_or(|(_, best)| element.order > best.order) {
            largest = Some((i, element));
        }
    }
    Ok((row, largest.map_or(0, |(i, _)| i)))
}

/// Elements of a tensor from a position on; what is no number is none.
fn elements(tensor: &Tensor, start: u64, count: u64) -> Vec<Option<Exact>> {
    let size = usize::try_from(tensor.dtype.bytes()).unwrap_or(1);
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let elements = tensor.elements.chunks_exact(size).skip(start).take(count);
    elements.map(|bytes| exact(tensor.dtype, bytes)).collect()
}

/// The rational `± magnitude * 2^exponent`.
#[derive(Debug, Clone, Copy)]
struct Exact {
    is_negative: bool,
    magnitude: u64,
    exponent: i32,
    /// Greater for greater elements of the same type, and equal for equal ones.
    order: i128,
}

/// What the bits of an element denote.
fn exact(dtype: Dtype, bytes: &[u8]) -> Option<Exact> {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    let bits = u64::from_le_bytes(word);
    let signed = |width: u32| {
        // Sign extension of the lowest bits.
        let unused = u64::BITS.saturating_sub(width);
        i128::from(bits.wrapping_shl(unused).cast_signed().wrapping_shr(unused))
    };
    let integer = match dtype {
        Dtype::Bool | Dtype::U8 | Dtype::U16 | Dtype::U32 | Dtype::U64 => i128::from(bits),
        Dtype::I8 => signed(8),
        Dtype::I16 => signed(16),
        Dtype::I32 => signed(32),
        Dtype::I64 => signed(64),
        Dtype::F32 => return float(bits, 23, 8),
        Dtype::F64 => return float(bits, 52, 11),
    };
    Some(Exact {
        is_negative: integer < 0,
        magnitude: u64::try_from(integer.unsigned_abs()).unwrap_or(u64::MAX),
        exponent: 0,
        order: integer,
    })
}

/// A binary float with so many bits of fraction and exponent.
fn float(bits: u64, fraction_bits: u32, exponent_bits: u32) -> Option<Exact> {
    let mask = |width: u32| 1_u64.wrapping_shl(width).wrapping_sub(1);
    let biased = bits.wrapping_shr(fraction_bits) & mask(exponent_bits);
    if biased == mask(exponent_bits) {
        return None;
    }
    let sign = fraction_bits.saturating_add(exponent_bits);
    let is_negative = bits.wrapping_shr(sign) & 1 == 1;
    let implicit = u64::from(biased != 0).wrapping_shl(fraction_bits);
    let magnitude = bits & mask(fraction_bits) | implicit;
    let bias = mask(exponent_bits.saturating_sub(1)).saturating_add(fraction_bits.into());
    let exponent = i32::try_from(biased.max(1)).ok()?;
    let exponent = exponent.checked_sub(i32::try_from(bias).ok()?)?;
    let size = i128::from(bits & mask(sign));
    Some(Exact {
        is_negative,
        magnitude,
        exponent,
        order: if is_negative {
            size.saturating_neg()
        } else {
            size
        },
    })
}

impl Exact {
    /// The same in lowest terms: an integer has exponent 0.
    fn in_range(self, named: &str) -> Result<Self, Error> {
        let mut lowest = self;
        if self.magnitude == 0 {
            lowest.exponent = 0;
        } else if self.exponent < 0 {
            let shift = self.magnitude.trailing_zeros();
            let shift = shift.min(self.exponent.unsigned_abs());
            lowest.magnitude = self.magnitude.wrapping_shr(shift);
            lowest.exponent = self.exponent.saturating_add_unsigned(shift);
        } else {
            let spare = self.magnitude.leading_zeros();
            let shift = self.exponent.unsigned_abs();
            if shift >= spare {
                return Err(refuse("the number is out of range", named));
            }
            lowest.magnitude = self.magnitude.wrapping_shl(shift);
            lowest.exponent = 0;
        }
        if lowest.exponent == 0 && lowest.magnitude > u64::MAX >> 1 {
            return Err(refuse("the number is out of range", named));
        }
        Ok(lowest)
    }

    /// This as a place, if it is one; in lowest terms.
    fn index(self) -> Option<usize> {
        let is_one = self.exponent == 0 && (!self.is_negative || self.magnitude == 0);
        usize::try_from(self.magnitude).ok().filter(|_| is_one)
    }

    /// This times a factor, rounded half to even.
    fn decimal(self, factor: u8, decimals: u8) -> String {
        let scale = 10_u128.saturating_pow(decimals.into());
        let product = u128::from(self.magnitude)
            .saturating_mul(factor.into())
            .saturating_mul(scale);
        let shift = self.exponent.unsigned_abs();
        // The product has at most 101 bits, and at most half of them are left of a longer shift.
        let (mut whole, rest, half) = if shift == 0 {
            (product, 0, 1)
        } else if shift < 127 {
            let one = 1_u128.wrapping_shl(shift);
            (
                product.wrapping_shr(shift),
                product & one.wrapping_sub(1),
                one.wrapping_shr(1),
            )
        } else {
            (0, 0, 1)
        };
        if rest > half || (rest == half && whole & 1 == 1) {
            whole = whole.saturating_add(1);
        }
        let sign = if self.is_negative && whole > 0 {
            "-"
        } else {
            ""
        };
        let width = usize::from(decimals).saturating_add(1);
        let digits = format!("{whole:0>width$}");
        let point = digits.len().saturating_sub(decimals.into());
        let (whole, fraction) = digits.split_at_checked(point).unwrap_or_default();
        if decimals == 0 {
            return format!("{sign}{whole}");
        }
        format!("{sign}{whole}.{fraction}")
    }
}
