//! Splits a result into runs along which every operand is contiguous or constant.

/// Places of all operands in the runs of an item.
#[derive(Debug)]
pub(crate) struct Runs {
    /// Elements of a run.
    pub(crate) len: usize,
    /// Number of runs of an item.
    pub(crate) count: usize,
    /// By operand.
    pub(crate) operands: Vec<Lane>,
}

/// Place of one operand.
#[derive(Debug)]
pub(crate) struct Lane {
    /// First element of every run, or `None` if the runs simply follow each other.
    starts: Option<Vec<usize>>,
    /// Whether one element stands for a whole run.
    pub(crate) constant: bool,
    len: usize,
}

impl Lane {
    /// First element of run `i` of an item.
    pub(crate) fn start(&self, i: usize) -> usize {
        self.starts
            .as_ref()
            .map_or(i * self.len, |starts| starts[i])
    }
}

impl Runs {
    /// Operand shapes have the rank of `shape`; their axes are those of `shape` or 1.
    pub(crate) fn new(shape: &[usize], operands: &[&[usize]]) -> Self {
        let plain = operands.iter().all(|operand| *operand == shape);
        let mut first = shape.len();
        while first > 0
            && (plain
                || operands
                    .iter()
                    .all(|o| uniform(&o[first - 1..], &shape[first - 1..])))
        {
            first -= 1;
        }
        let len = shape[first..].iter().product();
        let outer = &shape[..first];
        let lanes = operands.iter().map(|operand| Lane {
            starts: (*operand != shape).then(|| starts(outer, operand)),
            constant: operand[first..].iter().all(|&n| n == 1),
            len,
        });
        Self {
            len,
            count: outer.iter().product(),
            operands: lanes.collect(),
        }
    }
}

/// Whether an operand is contiguous or constant along the given axes.
fn uniform(operand: &[usize], shape: &[usize]) -> bool {
    operand == shape || operand.iter().all(|&n| n == 1)
}

/// First element of every run: flat positions in `operand` for all indices of the outer axes.
pub(crate) fn starts(outer: &[usize], operand: &[usize]) -> Vec<usize> {
    let mut stride: usize = operand[outer.len()..].iter().product();
    let mut strides = vec![0; outer.len()];
    for (axis, &size) in operand[..outer.len()].iter().enumerate().rev() {
        strides[axis] = if size == 1 { 0 } else { stride };
        stride *= size;
    }
    let mut starts = vec![0];
    for (&size, stride) in outer.iter().zip(strides) {
        starts = starts
            .iter()
            .flat_map(|&s| (0..size).map(move |i| s + i * stride))
            .collect();
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_equal_shapes_are_one_run() {
        let runs = Runs::new(&[2, 3, 4], &[&[2, 3, 4], &[2, 3, 4]]);
        assert_eq!((runs.len, runs.count), (24, 1));
    }

    #[test]
    fn test_a_channel_scale_is_constant_along_the_plane() {
        let runs = Runs::new(&[2, 3, 4], &[&[2, 3, 4], &[2, 1, 1]]);
        assert_eq!((runs.len, runs.count), (12, 2));
        assert!(runs.operands[1].constant);
        assert_eq!([0, 1].map(|i| runs.operands[1].start(i)), [0, 1]);
        assert_eq!([0, 1].map(|i| runs.operands[0].start(i)), [0, 12]);
    }

    #[test]
    fn test_a_row_bias_is_contiguous_along_rows() {
        let runs = Runs::new(&[2, 3, 4], &[&[2, 3, 4], &[1, 1, 4]]);
        assert_eq!((runs.len, runs.count), (4, 6));
        assert!(!runs.operands[1].constant);
        assert_eq!((0..6).map(|i| runs.operands[1].start(i)).max(), Some(0));
    }
}
