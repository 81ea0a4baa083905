//! Questions: each with an id, and so a nonce, of its own, and numbers of its own.

use std::fmt::Write as _;

/// How questions are made.
pub(crate) struct Question {
    /// Name of the model's one input.
    pub(crate) input: String,
    /// Elements of one item.
    pub(crate) width: usize,
    /// Decides numbers and ids, together with the index of the question.
    pub(crate) seed: u64,
}

impl Question {
    /// Returns the body of a request.
    pub(crate) fn body(&self, index: u64) -> Vec<u8> {
        let mut state = (self.seed ^ index.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1;
        let mut data = String::with_capacity(self.width * 8);
        for element in 0..self.width {
            // xorshift64* (Vigna, 2016); 20 bits of it as a number between -2 and 2.
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            let bits = state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 44;
            let milli = i64::try_from(bits % 4000).unwrap_or_default() - 2000;
            let sign = if milli < 0 { "-" } else { "" };
            let comma = if element == 0 { "" } else { "," };
            // Writing into a string does not fail.
            let _ = write!(
                data,
                "{comma}{sign}{}.{:03}",
                milli.abs() / 1000,
                milli.abs() % 1000
            );
        }
        format!(
            "{{\"id\":\"load-{:x}-{index}\",\"inputs\":[{{\"name\":\"{}\",\"shape\":[1,{}],\
             \"datatype\":\"FP32\",\"data\":[{data}]}}]}}",
            self.seed, self.input, self.width
        )
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Question;

    #[test]
    fn every_question_is_another_one() {
        let question = Question {
            input: "x".to_owned(),
            width: 4,
            seed: 7,
        };
        let bodies: BTreeSet<_> = (0..1000).map(|index| question.body(index)).collect();
        assert_eq!(bodies.len(), 1000);
        let text = String::from_utf8(question.body(3)).unwrap_or_default();
        assert!(
            text.starts_with("{\"id\":\"load-7-3\",\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],")
        );
    }
}
