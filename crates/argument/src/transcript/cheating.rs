//! What a cheating prover changes in its messages, and what it learns from its transcript.

use std::borrow::Cow;

use crate::field::EF;

/// Adds to an element of a message before it is absorbed and sent.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Label of the message.
    pub label: &'static str,
    /// Which of the messages with this label, from 0.
    pub nth: usize,
    /// Position in the message.
    pub element: usize,
    /// The new element from the old one.
    pub change: fn(EF) -> EF,
}

/// A message that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Label of the message.
    pub label: &'static str,
    /// Offset of its first byte in the proof.
    pub offset: usize,
    /// Elements as they were sent.
    pub values: Vec<EF>,
    /// The challenges drawn before the next message.
    pub challenges: Vec<EF>,
}

/// Edits to come and messages that went.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) persists: bool,
    pub(super) edits: Vec<Edit>,
    pub(super) sent: Vec<Sent>,
}

impl Record {
    /// Notes a message; the elements that are sent in place of `values`.
    pub(super) fn sent<'v>(
        &mut self,
        label: &'static str,
        offset: usize,
        values: &'v [EF],
    ) -> Cow<'v, [EF]> {
        let nth = self.sent.iter().filter(|sent| sent.label == label).count();
        let mut values = Cow::Borrowed(values);
        for edit in &self.edits {
            if edit.label == label
                && edit.nth == nth
                && let Some(value) = values.to_mut().get_mut(edit.element)
            {
                *value = (edit.change)(*value);
            }
        }
        self.sent.push(Sent {
            label,
            offset,
            values: values.to_vec(),
            challenges: Vec::new(),
        });
        values
    }

    /// Notes challenges.
    pub(super) fn drawn(&mut self, challenges: &[EF]) {
        if let Some(last) = self.sent.last_mut() {
            last.challenges.extend_from_slice(challenges);
        }
    }
}
