//! Which tiers there are, and what each takes as evidence.
//!
//! Spec: spec/v1/receipt.md, section 7.

/// What stands behind a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tier {
    Reexecution,
    Zk,
}

impl Tier {
    pub(super) const ALL: [Self; 2] = [Self::Reexecution, Self::Zk];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Reexecution => "reexecution",
            Self::Zk => "zk",
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
        };
        usize::from(kind == taken)
    }
}
