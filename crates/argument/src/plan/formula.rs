//! Functions of one weight, as tables.
//!
//! Spec: spec/v1/zk.md, section 12.3.

/// A function of a signed integer of 8 or 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Formula {
    /// `max(v, 0)`.
    Positive,
    /// `floor(v^2 / 2^15)`.
    Square,
}

impl Formula {
    /// The function at an integer of at most 16 bits.
    pub const fn of(self, v: i32) -> i32 {
        match self {
            Self::Positive => {
                if v > 0 {
                    v
                } else {
                    0
                }
            }
            Self::Square => v.saturating_mul(v) >> 15,
        }
    }

    /// Its values at all integers of `bits` signed bits in ascending order; none for more than 16 bits.
    pub fn column(self, bits: u32) -> Vec<i32> {
        let half = match bits {
            1..=16 => 1_i32 << bits.saturating_sub(1),
            _ => 0,
        };
        (half.saturating_neg()..half).map(|v| self.of(v)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_hold_every_integer_of_the_width() {
        for bits in [8, 16] {
            let half = 1_i64 << (bits - 1);
            let positive = Formula::Positive.column(bits);
            let square = Formula::Square.column(bits);
            assert_eq!((positive.len(), square.len()), (1 << bits, 1 << bits));
            for (v, (&p, &q)) in (-half..half).zip(positive.iter().zip(&square)) {
                assert_eq!(i64::from(p), v.max(0));
                let rest = v * v - (i64::from(q) << 15);
                assert!((0..1 << 15).contains(&rest), "{v}");
            }
        }
        assert!(Formula::Square.column(17).is_empty());
    }
}
