//! One verification: the numbered steps of the specification in order, and the verdict over them.
//!
//! Spec: spec/v1/receipt.md, section 8. The verdict is built from the least and the greatest over the chain
//! rejected < undecided < accepted, so an envelope that is dropped can only lower it.

mod checks;
mod comparison;
mod envelopes;
mod frames;
mod given;
mod opening;
mod reexecution;
mod report;
mod succinct;
mod tiers;

pub use checks::{Check, Status};
pub(crate) use given::Arguments;
pub use given::Given;
pub use report::{Report, Verdict, Verified};

use core::cell::RefCell;

use crate::bundle::{Evidence, Receipt};
use crate::envelope::Predicate;
use crate::error::{Error, Kind};
use crate::log::{LogTrust, Logged, verify_logged};
use crate::policy::{Answer, EnvelopeFacts, Facts, Outcome, Rule, distinct, read as read_policy};
use crate::seed::{Drawn, drawn_of};
use checks::CHECKS;
use comparison::compare;
use envelopes::{VerifiedEnvelope, check_envelope};
use reexecution::Reexecution;
use report::{Properties, Shown, Standing};
use succinct::Succinct;
use tiers::Tier;

/// Judges one receipt by a policy document.
pub fn verify(receipt: &[u8], policy: &str, given: &Given<'_>) -> Verdict {
    match explain(receipt, policy, given) {
        Ok(report) => report.verdict,
        Err(error) => Verdict::Unusable(error),
    }
}

/// Makes every check of a receipt, whatever is wrong with it.
///
/// # Errors
/// An argument cannot be used; nothing was verified.
pub fn explain(receipt: &[u8], policy: &str, given: &Given<'_>) -> Result<Report, Error> {
    let policy = read_policy(policy)?;
    let given = Arguments::read(given)?;
    let receipt = match Receipt::read(receipt) {
        Ok(receipt) => receipt,
        Err(error) => return Ok(unreadable(error)),
    };
    report_of(&receipt, &policy, &given)
}

/// Makes every check of a parsed receipt.
pub(crate) fn report_of(
    receipt: &Receipt,
    policy: &Rule,
    given: &Arguments,
) -> Result<Report, Error> {
    let evidence = receipt.evidence_by_digest();
    Verification::new(receipt, &evidence, policy, given)?.report()
}

fn meaning(number: u8) -> &'static str {
    let found = CHECKS.iter().find(|(known, ..)| *known == number);
    found.map_or("", |(_, _, meaning)| meaning)
}

/// What becomes of bytes that are no receipt.
pub(crate) fn unreadable(error: Error) -> Report {
    let failed = match error.check {
        Some("size") => 1,
        Some("encoding") => 2,
        _ => 3,
    };
    let checks = CHECKS.map(|(number, _, meaning)| match number.cmp(&failed) {
        core::cmp::Ordering::Less => Check::passed(number, meaning),
        core::cmp::Ordering::Equal => Check::failed(number, error.clone()),
        core::cmp::Ordering::Greater => Check::skipped(number, "an earlier check stopped it"),
    });
    Report {
        checks: checks.to_vec(),
        verdict: Verdict::Rejected(error),
    }
}

/// Why an envelope of tier `tee` is not accepted here.
fn unchecked_quotes(predicate: &Predicate) -> Error {
    match predicate.evidence.len() {
        1 => Error::new(
            Kind::Collateral,
            "this verifier does not check quotes of hardware",
        )
        .of("tier")
        .advise("Check the receipt with `veridical verify`."),
        blobs => {
            let message = format!("{blobs} blobs; this tier takes one");
            Error::new(Kind::Quote, message).of("tee.format")
        }
    }
}

/// One way to accept the receipt.
struct Candidate<'a> {
    envelope: Option<VerifiedEnvelope<'a>>,
    /// What its evidence showed, if check 14 passed.
    shown: Option<Shown>,
    /// What the policy answered, if it was asked.
    answer: Option<Answer>,
    checks: Vec<Check>,
}

impl Candidate<'_> {
    /// Whether its signer is one that the policy names.
    fn counts(&self) -> bool {
        let mut checks = self.checks.iter();
        checks.all(|check| check.status != Status::Skipped)
    }

    /// How far it came; the furthest candidate speaks for the receipt.
    fn progress(&self) -> (Outcome, u8) {
        let last = self.checks.last().map_or(0, |check| check.number);
        (least(&self.checks), last)
    }
}

/// The least outcome of some checks.
fn least<'a>(checks: impl IntoIterator<Item = &'a Check>) -> Outcome {
    let outcomes = checks.into_iter().map(|check| check.status.outcome());
    outcomes.min().unwrap_or(Outcome::Accepted)
}

/// What check 16 showed for each set of logs and cosigners that a rule named, in the order of asking.
type Asked = Vec<(LogTrust, Result<Vec<Logged>, Error>)>;

/// Checks 4 to 17 of one parsed receipt, and the verdict over them.
struct Verification<'a> {
    receipt: &'a Receipt,
    evidence: &'a Evidence<'a>,
    policy: &'a Rule,
    given: &'a Arguments,
    reexecution: Reexecution<'a>,
    succinct: Succinct<'a>,
    seed: Result<Option<Drawn>, Error>,
    comparisons: Vec<Check>,
    asked: RefCell<Asked>,
}

impl<'a> Verification<'a> {
    fn new(
        receipt: &'a Receipt,
        evidence: &'a Evidence<'a>,
        policy: &'a Rule,
        given: &'a Arguments,
    ) -> Result<Self, Error> {
        let seed = drawn_of(&receipt.statement);
        let mut comparisons = compare(receipt, given)?;
        comparisons.push(match &seed {
            Ok(None) => Check::skipped(17, "the statement has no seed"),
            Ok(Some(drawn)) => Check::passed(17, drawn.detail()),
            Err(error) => Check::failed(17, error.clone()),
        });
        Ok(Self {
            receipt,
            evidence,
            policy,
            given,
            reexecution: Reexecution::new(receipt, evidence, given),
            succinct: Succinct::new(receipt, evidence, given),
            seed,
            comparisons,
            asked: RefCell::default(),
        })
    }

    fn report(mut self) -> Result<Report, Error> {
        let candidates = self.candidates()?;
        let mut made: Vec<Check> = [1, 2, 3]
            .map(|number| Check::passed(number, meaning(number)))
            .to_vec();
        made.extend(self.comparisons.iter().cloned());
        made.extend(candidates.iter().flat_map(|one| one.checks.iter().cloned()));
        made.extend(self.log_checks());
        for (number, ..) in CHECKS {
            if !made.iter().any(|check| check.number == number) {
                made.push(Check::skipped(number, "an earlier check stopped it"));
            }
        }
        made.sort_by_key(|check| (check.number, check.envelope));
        Ok(Report {
            checks: made,
            verdict: self.verdict(&candidates),
        })
    }

    /// 16. Made when a rule asks, once for the logs and cosigners that it names.
    fn logged(&self, trust: &LogTrust) -> Result<Vec<Logged>, Error> {
        let mut asked = self.asked.borrow_mut();
        if let Some((_, shown)) = asked.iter().find(|(known, _)| known == trust) {
            return shown.clone();
        }
        let shown = verify_logged(self.receipt, trust);
        asked.push((trust.clone(), shown.clone()));
        shown
    }

    fn log_checks(&self) -> Vec<Check> {
        let asked = self.asked.borrow();
        let checks = asked.iter().map(|(_, shown)| match shown {
            Ok(shown) => {
                let detail = shown.first().map(Logged::detail);
                Check::passed(16, detail.unwrap_or_default())
            }
            Err(error) => {
                let detail = format!("{}: {}", error.check.unwrap_or("None"), error.message);
                let mut check = Check::failed(16, error.clone());
                check.detail = detail;
                check
            }
        });
        let checks: Vec<Check> = checks.collect();
        if checks.is_empty() {
            return vec![Check::skipped(16, "no rule that was asked names a log")];
        }
        checks
    }

    /// Checks 5 to 10, 14 and 15 for every envelope.
    fn candidates(&mut self) -> Result<Vec<Candidate<'a>>, Error> {
        let signers = self.policy.signers();
        let mut candidates = Vec::new();
        for numbered in self.receipt.envelopes.iter().enumerate() {
            let (mut checks, envelope) =
                check_envelope(self.receipt, numbered, &signers, self.evidence);
            let (mut shown, mut answer) = (None, None);
            if let Some(envelope) = &envelope {
                let (check, found) = self.check_tier(envelope)?;
                checks.push(check.of_envelope(numbered.0));
                let (check, answered) = self.check_policy(envelope, found.as_ref());
                checks.push(check.of_envelope(numbered.0));
                answer = Some(answered);
                shown = found;
            }
            candidates.push(Candidate {
                envelope,
                shown,
                answer,
                checks,
            });
        }
        Ok(candidates)
    }

    /// 14. The evidence supports the statement.
    fn check_tier(
        &mut self,
        envelope: &VerifiedEnvelope<'_>,
    ) -> Result<(Check, Option<Shown>), Error> {
        let shown = match envelope.tier {
            Tier::Reexecution => self.reexecution.verify(&envelope.predicate),
            Tier::Zk => self.succinct.verify(&envelope.predicate),
            Tier::Tee => Err(unchecked_quotes(&envelope.predicate)),
        };
        match shown {
            Ok(shown) => Ok((Check::passed(14, shown.detail.clone()), Some(shown))),
            Err(error) if error.kind.is_undecided() => {
                Ok((Check::stopped(14, Status::Undecided, error), None))
            }
            Err(error) if error.kind.is_evidence() => Ok((Check::failed(14, error), None)),
            // A defect of this package is no verdict.
            Err(error) => Err(error),
        }
    }

    /// 15. The policy accepts this envelope.
    fn check_policy(
        &self,
        envelope: &VerifiedEnvelope<'_>,
        shown: Option<&Shown>,
    ) -> (Check, Answer) {
        let logged = |trust: &LogTrust| self.logged(trust);
        let facts = Facts {
            statement: &self.receipt.statement,
            envelope: EnvelopeFacts {
                signer: envelope.signer,
                tier: &envelope.predicate.tier,
                issued_at: envelope.predicate.issued_at,
                soundness: shown.map(|shown| shown.soundness),
            },
            input_match: self.match_of(12),
            output_match: self.match_of(13),
            now: self.given.now,
            logged: &logged,
            seed: &self.seed,
        };
        let mut answer = self.policy.evaluate(&facts);
        // A policy accepts what hardware says only where a rule has judged the hardware.
        if envelope.tier == Tier::Tee && answer.outcome == Outcome::Accepted {
            answer = Rule::RequireTee.evaluate(&facts);
        }
        let detail = format!("{}: {}", answer.rule, answer.detail);
        let error = |kind: Kind| Error::new(kind, detail.clone()).of("policy");
        let (status, error) = match answer.outcome {
            Outcome::Accepted => (Status::Passed, None),
            Outcome::Undecided => (Status::Undecided, Some(error(answer.undecided))),
            Outcome::Rejected => {
                let exact = answer.rejected.clone();
                let error = exact.unwrap_or_else(|| error(Kind::Policy));
                (Status::Failed, Some(error))
            }
        };
        let mut check = Check::new(15, status, detail);
        check.error = error;
        (check, answer)
    }

    fn status_of(&self, number: u8) -> Status {
        let mut comparisons = self.comparisons.iter();
        let found = comparisons.find(|check| check.number == number);
        found.map_or(Status::Failed, |check| check.status)
    }

    /// A comparison that was not made matches nothing yet.
    fn match_of(&self, number: u8) -> Outcome {
        match self.status_of(number) {
            Status::Skipped => Outcome::Undecided,
            status => status.outcome(),
        }
    }

    /// The least of what concerns the receipt and of its best envelope.
    fn verdict(&self, candidates: &[Candidate<'_>]) -> Verdict {
        let counted = candidates.iter().filter(|one| one.counts());
        // Of equals the first.
        let best = counted.reduce(|best, one| {
            if one.progress() > best.progress() {
                one
            } else {
                best
            }
        });
        let no_signer;
        let own = if let Some(best) = best {
            best.checks.as_slice()
        } else {
            no_signer = [self.no_signer()];
            &no_signer
        };
        let mut decisive: Vec<&Check> = self.comparisons.iter().chain(own).collect();
        decisive.sort_by_key(|check| check.number);
        let outcome = least(decisive.iter().copied());
        let accepted = best.filter(|_| outcome == Outcome::Accepted);
        let accepted = accepted.and_then(|best| self.accepted(best));
        if let Some(verified) = accepted {
            return Verdict::Accepted(Box::new(verified));
        }
        let mut decisive = decisive.into_iter();
        let deciding = decisive.find(|check| check.status.outcome() == outcome);
        Verdict::refused(outcome, deciding.and_then(|check| check.error.clone()))
    }

    fn no_signer(&self) -> Check {
        let message = format!(
            "no envelope is signed by a key that the policy names; envelopes in the receipt: {}",
            self.receipt.envelopes.len()
        );
        let error = Error::new(Kind::Signature, message);
        Check::failed(5, error.at("receipt.envelopes").of("signer"))
    }

    fn accepted(&self, best: &Candidate<'_>) -> Option<Verified> {
        let (envelope, shown) = best.envelope.as_ref().zip(best.shown.as_ref())?;
        // Only what the rules that accepted rest on: another branch may have asked other logs.
        let answer = best.answer.as_ref()?;
        let logged = answer.logged.first();
        let mut assumptions = shown.assumptions.clone();
        if logged.is_some() {
            // What tiers say of receipts that nothing shows to be logged.
            assumptions.retain(|one| !one.starts_with("log: none"));
        }
        assumptions.extend(answer.logged.iter().flat_map(Logged::assumptions));
        assumptions.extend(answer.assumptions.iter().cloned());
        let assumptions = distinct(assumptions.iter());
        let standing = |established: Standing, number: u8| {
            established.with_match(self.status_of(number) == Status::Passed)
        };
        Some(Verified {
            statement: self.receipt.statement.value.to_json(),
            receipt_id: self.receipt.statement.receipt_id.clone(),
            tier: envelope.predicate.tier.clone(),
            signer: envelope.signer.key_id.clone(),
            issued_at: envelope.predicate.issued_at,
            properties: Properties {
                model: standing(shown.properties.model, 11),
                input: standing(shown.properties.input, 12),
                output: standing(shown.properties.output, 13),
            },
            soundness: shown.soundness,
            assumptions,
            logged: logged.cloned(),
        })
    }
}
