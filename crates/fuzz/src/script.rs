//! Reads small numbers from the bytes of a fuzzer; behind the end there are zeros.

pub(crate) struct Script<'a>(pub(crate) &'a [u8]);

impl Script<'_> {
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let (&first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        first
    }

    pub(crate) fn word(&mut self) -> u32 {
        u32::from_le_bytes([(); 4].map(|()| self.byte()))
    }

    /// Below `end`, from two or three bytes.
    pub(crate) fn index(&mut self, end: usize) -> usize {
        let wide = end > 1 << 16;
        let [a, b] = [self.byte(), self.byte()];
        let c = if wide { self.byte() } else { 0 };
        let number = u32::from_le_bytes([a, b, c, 0]);
        usize::try_from(number).unwrap() % end.max(1)
    }
}
