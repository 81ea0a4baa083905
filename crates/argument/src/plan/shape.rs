//! Sizes of shapes, saturating.

/// Variables of an axis: `ceil(log2 n)`.
pub(crate) fn variables(n: usize) -> u32 {
    n.checked_sub(1)
        .map_or(0, |last| usize::BITS.saturating_sub(last.leading_zeros()))
}

/// Variables of all axes.
pub(crate) fn all_variables(shape: &[usize]) -> u32 {
    shape.iter().map(|&n| variables(n)).sum()
}

/// Number of cells.
pub(crate) fn cells(shape: &[usize]) -> usize {
    shape.iter().fold(1, |n, &d| n.saturating_mul(d))
}

/// Slots of a zero-extended tensor.
pub(crate) fn slots(shape: &[usize]) -> usize {
    1_usize
        .checked_shl(all_variables(shape))
        .filter(|&n| n > 0)
        .unwrap_or(usize::MAX)
}

/// Whether a wire of shape `from` can be read in a space of shape `to`.
pub(crate) fn broadcasts(from: &[usize], to: &[usize]) -> bool {
    from.len() == to.len() && from.iter().zip(to).all(|(&m, &n)| m == n || m == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_the_least_that_address_every_cell() {
        for n in 1..2000_usize {
            let k = variables(n);
            assert!(1 << k >= n && (k == 0 || 1 << (k - 1) < n), "{n} {k}");
        }
    }

    #[test]
    fn slots_saturate() {
        assert_eq!(slots(&[3, 5]), 32);
        assert_eq!(slots(&[1 << 40, 1 << 40]), usize::MAX);
    }
}
