//! Errors of one opening, term by term, along its schedule.
//!
//! All terms are at the radius `1 - (1 + 1/(2m)) sqrt(rate)`, `m = 10`, of the Johnson bound.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use super::Term;
use super::bound::{Bound, half_power};
use crate::pcs::schedule::{Phase, Schedule};
use crate::profile::Profile;

/// Which theorem bounds the exceptional challenges of a fold at the Johnson radius.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Ben-Sasson, Carmon, Haböck, Kopparty, Saraf, eprint 2025/2055:
    /// `(2 (m + 1/2)^5 + 3 (m + 1/2) d rate) / (3 rate^(3/2)) n + (m + 1/2) / sqrt(rate)`.
    Bchks25,
    /// Dao, Kominers, Thaler, eprint 2026/2056, theorem 5.12: `8 n (m + 1/2)^3 / (3 rate_minus)`.
    Dkt26,
}

impl Gap {
    /// The theorem on which the bits of a profile rest: the older and weaker one, or, for 128 bits,
    /// the newer one, with which the commitment scheme computes its grinding.
    pub fn of(profile: Profile) -> Self {
        if profile == Profile::STRONG {
            Self::Dkt26
        } else {
            Self::Bchks25
        }
    }
}

/// Twice the list size's numerator: `2 (m + 1/2)`.
const TWICE_LIST: u128 = 21;

/// `ceil(2 (m + 1/2)^5 / 3)` and the second summand, which is below 6 at every rate.
const BCHKS_LINE: u128 = 85_086 + 6;

/// `8 (m + 1/2)^3 / 3`.
const DKT_LINE: u128 = 3_087;

/// Words of the code within the radius: `(m + 1/2) / sqrt(rate)`, rounded up.
pub fn list_size(log_inv_rate: usize) -> u128 {
    half_power(TWICE_LIST, log_inv_rate).div_ceil(2)
}

/// Challenges of a fold for which a word far from the code may come close to it.
pub fn exceptional(variables: usize, log_inv_rate: usize, gap: Gap) -> u128 {
    match gap {
        Gap::Bchks25 => {
            // n / rate^(3/2) = 2^(variables + 5/2 rate)
            half_power(BCHKS_LINE, 2 * variables + 5 * log_inv_rate)
                .saturating_add(list_size(log_inv_rate))
        }
        // n / rate_minus = 2^(variables + 2 rate) (1 + 1/(2^variables - 1)), the last at most doubled.
        Gap::Dkt26 => half_power(DKT_LINE, 2 * variables + 4 * log_inv_rate)
            .saturating_add(half_power(2 * DKT_LINE, 4 * log_inv_rate)),
    }
}

/// Two words of the list agree at all out-of-domain samples.
pub fn out_of_domain(variables: usize, log_inv_rate: usize, samples: usize) -> Bound {
    let list = list_size(log_inv_rate);
    let once = Bound::challenges(half_power(1, 2 * variables));
    let all = (1..samples).fold(once, |all, _| all.and(once));
    all.times((list * list).div_ceil(2))
}

/// All queries miss a word beyond the radius.
pub fn queries(log_inv_rate: usize, count: usize) -> Bound {
    Bound::margin(count, count * log_inv_rate)
}

/// The terms of an opening of `claims` claims.
pub fn terms(schedule: &Schedule, claims: usize, gap: Gap) -> Vec<Term> {
    let mut terms = Vec::new();
    let mut before: Option<&Phase> = None;
    for (index, phase) in schedule.phases.iter().enumerate() {
        let list = list_size(phase.log_inv_rate);
        let name = |what: &str| format!("codeword {index}: {what}");
        let samples = out_of_domain(phase.variables, phase.log_inv_rate, phase.samples);
        terms.push(Term::once(name("out-of-domain samples"), samples));
        let combined = match before {
            None => (claims + phase.samples).saturating_sub(1),
            Some(before) => phase.samples + before.queries,
        };
        let combined = Bound::challenges(list.saturating_mul(2 * combined as u128));
        match before {
            None => terms.push(Term::once(name("combination of claims"), combined)),
            Some(before) => {
                let missed = queries(before.log_inv_rate, before.queries).ground(before.query_work);
                let combined = combined.ground(before.query_work);
                let name = format!("codeword {}: queries", index.saturating_sub(1));
                terms.push(Term::once(name, [missed, combined].into_iter().sum()));
            }
        }
        let fold = [
            Bound::challenges(exceptional(phase.variables, phase.log_inv_rate, gap)),
            Bound::challenges(2 * list),
        ]
        .into_iter()
        .sum::<Bound>()
        .ground(phase.fold_work);
        terms.push(Term::repeated(name("folds"), fold, phase.fold));
        before = Some(phase);
    }
    if let Some(phase) = before {
        let missed = queries(phase.log_inv_rate, phase.queries).ground(phase.query_work);
        let name = format!(
            "codeword {}: queries",
            schedule.phases.len().saturating_sub(1)
        );
        terms.push(Term::once(name, missed));
    }
    let last = Bound::challenges(2);
    terms.push(Term::repeated(
        "final sumcheck".to_owned(),
        last,
        schedule.final_variables,
    ));
    terms
}
