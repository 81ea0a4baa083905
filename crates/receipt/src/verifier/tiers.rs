//! Which tiers there are, and what each takes as evidence.
//!
//! Spec: spec/v1/receipt.md, section 7.

/// What stands behind a statement. Quotes of hardware (`tee`) are not checked by this implementation: their tier is
/// undecided at best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tier {
    Reexecution,
    Zk,
    Tee,
}

impl Tier {
    pub(super) const ALL: [Self; 3] = [Self::Reexecution, Self::Zk, Self::Tee];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Reexecution => "reexecution",
            Self::Zk => "zk",
            Self::Tee => "tee",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }

    /// How often a type of evidence may occur.
    pub(super) fn most_of(self, kind: &str) -> usize {
        let taken = match self {
            Self::Reexecution => "urn:veridical:evidence:trace-root:v1",
            Self::Zk => "urn:veridical:evidence:succinct-proof:v1",
            Self::Tee => "urn:veridical:evidence:tee:v1",
        };
        usize::from(kind == taken)
    }
}
