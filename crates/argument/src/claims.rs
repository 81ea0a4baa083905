//! Claims about wires and the ledger that keeps them until they are discharged.
//!
//! Spec: spec/v1/zk.md, section 8.1.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use thiserror::Error;

use crate::field::EF;
use crate::plan::WireId;

/// The zero extension of a wire has this value at this point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Which wire.
    pub wire: WireId,
    /// One coordinate per variable of the wire, highest first.
    pub point: Vec<EF>,
    /// Value.
    pub value: EF,
}

/// What is wrong with a set of claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ClaimError {
    /// Two claims on a wire at one point have different values.
    #[error("wire {} is claimed to have two values at one point", .wire.0)]
    Unequal {
        /// Which wire.
        wire: WireId,
    },
    /// A claim was never discharged.
    #[error("a claim on wire {} is left", .wire.0)]
    Left {
        /// Which wire.
        wire: WireId,
    },
}

/// Claims that are not discharged yet, by wire and in order of arrival.
#[derive(Debug, Default)]
#[must_use = "claims that are not discharged prove nothing"]
pub struct Ledger {
    /// Order of arrival, point and value.
    open: BTreeMap<WireId, Vec<(usize, Vec<EF>, EF)>>,
    arrived: usize,
    #[cfg(feature = "cheating")]
    credulous: bool,
}

impl Ledger {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    /// A ledger of a cheating prover: of two values at one point it keeps the first.
    #[cfg(feature = "cheating")]
    pub fn credulous() -> Self {
        Self {
            credulous: true,
            ..Self::default()
        }
    }

    /// Adds a claim, unless it is there already.
    ///
    /// # Errors
    /// The wire is already claimed to have another value at this point.
    pub fn add(&mut self, claim: Claim) -> Result<(), ClaimError> {
        let Claim { wire, point, value } = claim;
        let open = self.open.entry(wire).or_default();
        if let Some((_, _, earlier)) = open.iter().find(|(_, at, _)| *at == point) {
            #[cfg(feature = "cheating")]
            if self.credulous {
                return Ok(());
            }
            return if *earlier == value {
                Ok(())
            } else {
                Err(ClaimError::Unequal { wire })
            };
        }
        open.push((self.arrived, point, value));
        self.arrived = self.arrived.saturating_add(1);
        Ok(())
    }

    /// The value that a wire is already claimed to have at a point.
    pub fn known(&self, wire: WireId, point: &[EF]) -> Option<EF> {
        let open = self.open.get(&wire)?;
        let claim = open.iter().find(|(_, at, _)| at == point);
        claim.map(|(_, _, value)| *value)
    }

    /// Removes the claims on a wire, in order of arrival.
    pub fn take(&mut self, wire: WireId) -> Vec<Claim> {
        let open = self.open.remove(&wire).unwrap_or_default();
        let claim = |(_, point, value)| Claim { wire, point, value };
        open.into_iter().map(claim).collect()
    }

    /// Removes the claims on all wires of a kind, in order of arrival.
    pub fn take_all(&mut self, of_kind: impl Fn(WireId) -> bool) -> Vec<Claim> {
        let mut taken: Vec<(usize, Claim)> = Vec::new();
        self.open.retain(|&wire, open| {
            if of_kind(wire) {
                taken.extend(
                    std::mem::take(open)
                        .into_iter()
                        .map(|(arrived, point, value)| (arrived, Claim { wire, point, value })),
                );
            }
            !open.is_empty()
        });
        taken.sort_unstable_by_key(|(arrived, _)| *arrived);
        taken.into_iter().map(|(_, claim)| claim).collect()
    }

    /// Asserts that every claim has been discharged.
    ///
    /// # Errors
    /// One has not.
    pub fn assert_empty(self) -> Result<(), ClaimError> {
        match self.open.into_iter().find(|(_, open)| !open.is_empty()) {
            None => Ok(()),
            Some((wire, _)) => Err(ClaimError::Left { wire }),
        }
    }
}

#[cfg(test)]
mod tests {
    use p3_field::PrimeCharacteristicRing;

    use super::*;

    fn claim(wire: usize, at: u32, value: u32) -> Claim {
        Claim {
            wire: WireId(wire),
            point: vec![EF::from_u32(at)],
            value: EF::from_u32(value),
        }
    }

    #[test]
    fn equal_claims_become_one_and_unequal_ones_are_refused() {
        let mut ledger = Ledger::new();
        ledger.add(claim(3, 1, 7)).unwrap();
        ledger.add(claim(3, 1, 7)).unwrap();
        ledger.add(claim(3, 2, 8)).unwrap();
        assert_eq!(
            ledger.add(claim(3, 1, 8)),
            Err(ClaimError::Unequal { wire: WireId(3) })
        );
        let at = |at: u32| ledger.known(WireId(3), &[EF::from_u32(at)]);
        assert_eq!(at(2), Some(EF::from_u32(8)));
        assert_eq!(at(3), None);
        assert_eq!(ledger.known(WireId(4), &[EF::from_u32(2)]), None);
        assert_eq!(ledger.take(WireId(3)), [claim(3, 1, 7), claim(3, 2, 8)]);
        assert_eq!(ledger.take(WireId(3)), []);
        assert_eq!(ledger.assert_empty(), Ok(()));
    }

    #[test]
    fn claims_of_a_kind_come_in_order_of_arrival() {
        let mut ledger = Ledger::new();
        for (wire, at) in [(5, 1), (2, 1), (4, 1), (5, 2), (2, 2)] {
            ledger.add(claim(wire, at, 0)).unwrap();
        }
        let taken = ledger.take_all(|wire| wire != WireId(4));
        assert_eq!(
            taken,
            [
                claim(5, 1, 0),
                claim(2, 1, 0),
                claim(5, 2, 0),
                claim(2, 2, 0)
            ]
        );
        assert_eq!(
            ledger.assert_empty(),
            Err(ClaimError::Left { wire: WireId(4) })
        );
    }
}
