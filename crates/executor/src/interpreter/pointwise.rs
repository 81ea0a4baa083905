//! Operations whose elements depend on few elements of the operands.

use super::index::{ravel, ravel_broadcast, unravel};
use super::{Site, half};
use veridical_program::Op;

impl Site<'_> {
    pub(super) fn pointwise(&self, op: &Op, k: usize) -> i64 {
        match op {
            Op::Table {
                shift,
                first,
                round,
            } => {
                let rounding = if *round { half(*shift) } else { 0 };
                let index = ((self.at(0, k) + rounding) >> shift) - first;
                // The loader has checked that the range of `x` stays inside the table.
                usize::try_from(index).map_or(0, |index| self.constant(0, index))
            }
            Op::Shift { shift } => (self.at(0, k) + half(*shift)) >> shift,
            &Op::Clamp { lo, hi } => self.at(0, k).max(lo.into()).min(hi.into()),
            Op::Add { coeff } => (0..coeff.len())
                .map(|i| i64::from(coeff[i]) * self.broadcast(i, k))
                .sum(),
            Op::Affine => self.affine(k),
            Op::Mul => self.broadcast(0, k) * self.broadcast(1, k),
            Op::ReduceSum { axes } => self.reduced(k, axes).sum(),
            Op::ReduceMax { axes } => self.reduced(k, axes).max().unwrap_or(0),
            Op::Gather => self.gather(k),
            Op::Transpose { perm } => self.transpose(k, perm),
            Op::Expand { .. } => self.broadcast(0, k),
            Op::Concat { axis } => self.concat(k, *axis),
            Op::Slice {
                axis, start, step, ..
            } => self.slice(k, *axis, *start, *step),
            Op::Pad { before, value, .. } => self.pad(k, before, *value),
            // `reshape`, the only operation left: same elements in the same order.
            _ => self.at(0, k),
        }
    }

    /// Element of operand `i` that meets element `k` of the result.
    fn broadcast(&self, i: usize, k: usize) -> i64 {
        let index = unravel(k, &self.result_shape());
        self.at(i, ravel_broadcast(&index, &self.shape(i)))
    }

    fn affine(&self, k: usize) -> i64 {
        let index = unravel(k, &self.result_shape());
        // Constants have no batch axis.
        let [gain, bias] =
            [0, 1].map(|c| self.constant(c, ravel_broadcast(&index[1..], self.constant_shape(c))));
        gain * self.at(0, k) + bias
    }

    /// Elements of the operand that are reduced into element `k`.
    fn reduced(&self, k: usize, axes: &[usize]) -> impl Iterator<Item = i64> {
        let shape = self.shape(0);
        let start = unravel(k, &self.result_shape());
        let sizes: Vec<usize> = axes.iter().map(|&axis| shape[axis + 1]).collect();
        (0..sizes.iter().product()).map(move |part| {
            let mut index = start.clone();
            for (&axis, i) in axes.iter().zip(unravel(part, &sizes)) {
                index[axis + 1] = i;
            }
            self.at(0, ravel(&index, &shape))
        })
    }

    fn gather(&self, k: usize) -> i64 {
        let width: usize = self.constant_shape(0)[1..].iter().product();
        // The loader has checked that ids are in `[0, V - 1]`.
        usize::try_from(self.at(0, k / width))
            .map_or(0, |id| self.constant(0, id * width + k % width))
    }

    fn transpose(&self, k: usize, perm: &[usize]) -> i64 {
        let index = unravel(k, &self.result_shape());
        let mut source = index.clone();
        for (i, &axis) in perm.iter().enumerate() {
            source[axis + 1] = index[i + 1];
        }
        self.at(0, ravel(&source, &self.shape(0)))
    }

    fn concat(&self, k: usize, axis: usize) -> i64 {
        let mut index = unravel(k, &self.result_shape());
        for operand in 0..self.operands.len() {
            let shape = self.shape(operand);
            if index[axis + 1] < shape[axis + 1] {
                return self.at(operand, ravel(&index, &shape));
            }
            index[axis + 1] -= shape[axis + 1];
        }
        0
    }

    fn slice(&self, k: usize, axis: usize, start: usize, step: usize) -> i64 {
        let mut index = unravel(k, &self.result_shape());
        index[axis + 1] = start + step * index[axis + 1];
        self.at(0, ravel(&index, &self.shape(0)))
    }

    fn pad(&self, k: usize, before: &[usize], value: i32) -> i64 {
        let shape = self.shape(0);
        let mut index = unravel(k, &self.result_shape());
        for (axis, &count) in before.iter().enumerate() {
            match index[axis + 1].checked_sub(count) {
                Some(i) if i < shape[axis + 1] => index[axis + 1] = i,
                _ => return value.into(),
            }
        }
        self.at(0, ravel(&index, &shape))
    }
}
