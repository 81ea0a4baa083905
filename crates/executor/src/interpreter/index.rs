//! Flat positions in row-major order.

/// Index along every axis of flat position `k`.
pub(super) fn unravel(mut k: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &size) in index.iter_mut().zip(shape).rev() {
        *i = k % size;
        k /= size;
    }
    index
}

/// Flat position of an index.
pub(super) fn ravel(index: &[usize], shape: &[usize]) -> usize {
    index
        .iter()
        .zip(shape)
        .fold(0, |k, (&i, &size)| k * size + i)
}

/// Flat position of an index in a shape whose axes may be 1 where the index goes further.
pub(super) fn ravel_broadcast(index: &[usize], shape: &[usize]) -> usize {
    index
        .iter()
        .zip(shape)
        .fold(0, |k, (&i, &size)| k * size + if size == 1 { 0 } else { i })
}
