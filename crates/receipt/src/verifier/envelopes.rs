//! Checks 5 to 10: one envelope, from the key to its evidence.
//!
//! Spec: spec/v1/receipt.md, section 8. The payload is parsed only after its signature was verified, and the first
//! check that fails ends the envelope, never the receipt: others may still stand.

use crate::bundle::{Evidence, Receipt};
use crate::envelope::{Envelope, Predicate};
use crate::error::{Error, Kind};
use crate::keys::PublicKey;
use crate::text::{hex, listed, quoted, shorten};
use crate::verifier::checks::{Check, Status};
use crate::verifier::tiers::Tier;

/// An envelope that passed checks 5 to 10.
pub(super) struct VerifiedEnvelope<'a> {
    pub(super) signer: &'a PublicKey,
    pub(super) predicate: Predicate,
    pub(super) tier: Tier,
}

/// The checks that were made, and the envelope if it passed them all.
pub(super) fn check_envelope<'a>(
    receipt: &Receipt,
    (index, envelope): (usize, &Envelope),
    signers: &[&'a PublicKey],
    evidence: &Evidence<'_>,
) -> (Vec<Check>, Option<VerifiedEnvelope<'a>>) {
    let mut checks = Vec::new();
    let verified = steps(receipt, (index, envelope), signers, evidence, &mut checks);
    let verified = verified.map_err(|stopped| checks.push(*stopped)).ok();
    for check in &mut checks {
        check.envelope = Some(index);
    }
    (checks, verified)
}

fn steps<'a>(
    receipt: &Receipt,
    (index, envelope): (usize, &Envelope),
    signers: &[&'a PublicKey],
    evidence: &Evidence<'_>,
    checks: &mut Vec<Check>,
) -> Result<VerifiedEnvelope<'a>, Box<Check>> {
    let failed = |number: u8| move |error: Error| Box::new(Check::failed(number, error));

    // 5. The key id is that of a key which the policy names.
    let signer = signers.iter().find(|key| key.key_id == envelope.key_id);
    let signer = *signer.ok_or_else(|| {
        let key = shorten(&envelope.key_id, 16);
        let message = format!("key {key} is not one that the policy names");
        let error = Error::new(Kind::Signature, message);
        let error = error.at(format!("envelopes[{index}]")).of("signer");
        Box::new(Check::stopped(5, Status::Skipped, error))
    })?;
    let detail = format!("{} key {}", signer.algorithm(), signer.short_id());
    checks.push(Check::passed(5, detail));

    // 6. The signature over the exact payload bytes is that key's.
    signer
        .verify(&envelope.signature, &envelope.signed_bytes())
        .map_err(failed(6))?;
    let size = envelope.payload.len();
    checks.push(Check::passed(6, format!("{size} payload bytes")));

    // 7. The payload has the members of this version.
    let place = format!("envelopes[{index}].payload");
    let predicate = Predicate::read(&envelope.payload, &place)
        .map_err(|error| failed(7)(error.of("payload")))?;
    let (tier, issued_at) = (quoted(&predicate.tier), predicate.issued_at);
    checks.push(Check::passed(
        7,
        format!("tier {tier}, issued at {issued_at}"),
    ));

    let detail = binding(receipt, &predicate).map_err(failed(8))?;
    checks.push(Check::passed(8, detail));
    critical(&predicate).map_err(failed(9))?;
    checks.push(Check::passed(9, "none"));
    let tier = tier_of(&predicate, evidence).map_err(failed(10))?;
    let (name, blobs) = (quoted(&predicate.tier), predicate.evidence.len());
    checks.push(Check::passed(10, format!("tier {name}, {blobs} blobs")));
    Ok(VerifiedEnvelope {
        signer,
        predicate,
        tier,
    })
}

/// 8. The envelope names this receipt's id and this statement's output.
fn binding(receipt: &Receipt, predicate: &Predicate) -> Result<String, Error> {
    let refused = |message: String| {
        let error = Error::new(Kind::StatementMismatch, message);
        Err(error.of("binding"))
    };
    let (own, stated) = (&receipt.statement.receipt_id, &predicate.receipt_id);
    if stated != own {
        return refused(format!("the envelope is about {stated}, not about {own}"));
    }
    if predicate.output_digest != hex(&receipt.statement.output_integers.digest) {
        return refused("the subject is another output".to_owned());
    }
    Ok(format!("receipt id {own}"))
}

/// 9. Every critical extension is understood; this version has none.
fn critical(predicate: &Predicate) -> Result<(), Error> {
    match predicate.critical.first() {
        None => Ok(()),
        Some(name) => {
            let message = format!("critical extension {} is not understood", quoted(name));
            let error = Error::new(Kind::Evidence, message).of("critical");
            Err(error.advise("A newer version of this package may understand it."))
        }
    }
}

/// 10. The tier is known, takes these types, and every blob is there as it was signed.
fn tier_of(predicate: &Predicate, evidence: &Evidence<'_>) -> Result<Tier, Error> {
    let refused = |message: String| Error::new(Kind::Evidence, message).of("evidence");
    let tier = Tier::named(&predicate.tier).ok_or_else(|| {
        let (tier, known) = (quoted(&predicate.tier), listed(Tier::ALL.map(Tier::name)));
        refused(format!(
            "tier {tier} is not known; this version knows {known}"
        ))
    })?;
    let kinds = predicate.evidence.iter().map(|item| item.kind.as_str());
    for kind in kinds.clone() {
        let count = kinds.clone().filter(|other| *other == kind).count();
        if count > tier.most_of(kind) {
            let (tier, kind) = (quoted(&predicate.tier), quoted(kind));
            return Err(refused(format!(
                "tier {tier} does not take {count} of type {kind}"
            )));
        }
    }
    for item in &predicate.evidence {
        let digest = &item.digest;
        let blob = evidence
            .get(digest)
            .ok_or_else(|| refused(format!("evidence {digest} is not in the bundle")))?;
        let (found, stated) = (blob.len(), item.size);
        if u64::try_from(found) != Ok(stated) {
            return Err(refused(format!(
                "evidence {digest} has {found} bytes, not {stated}"
            )));
        }
    }
    Ok(tier)
}
