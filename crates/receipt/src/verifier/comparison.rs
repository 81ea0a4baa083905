//! Checks 4 and 11 to 13: the statement against its reveals and against the caller's own values.
//!
//! Spec: spec/v1/receipt.md, section 8.

use crate::bundle::Receipt;
use crate::commitment::{Field, SALT_BYTES, Tensors, tensors_from_bytes, tensors_to_bytes};
use crate::error::{Error, Kind};
use crate::text::hex;
use crate::verifier::checks::{Check, Status};
use crate::verifier::given::Arguments;

/// Checks 4, 11, 12 and 13.
pub(super) fn compare(receipt: &Receipt, given: &Arguments) -> Result<Vec<Check>, Error> {
    let (input, output) = (given.input.as_ref(), given.output.as_ref());
    Ok(vec![
        reveals(receipt),
        model(receipt, given),
        value(12, receipt, input, Field::InputReceived)?,
        value(13, receipt, output, Field::OutputDecoded)?,
    ])
}

fn reveals(receipt: &Receipt) -> Check {
    let (mut opened, mut salts) = (0_usize, 0_usize);
    for (field, reveal) in &receipt.reveals {
        let commitment = receipt.statement.commitment(*field);
        let place = format!("reveals.{}", field.name());
        let problem = if commitment.is_salted == reveal.salt.is_empty() {
            Some("a salt belongs to a salted commitment, and to no other".to_owned())
        } else if reveal.content.is_empty() {
            salts = salts.saturating_add(1);
            None
        } else {
            opened = opened.saturating_add(1);
            match tensors_from_bytes(&reveal.content, &place) {
                Err(error) => Some(error.message),
                Ok(_) if commitment.opens_to(*field, &reveal.content, &reveal.salt) => None,
                Ok(_) => Some("the reveal does not open its commitment".to_owned()),
            }
        };
        if let Some(problem) = problem {
            let error = Error::new(Kind::StatementMismatch, problem);
            return Check::failed(4, error.at(place).of("reveals"));
        }
    }
    let detail = if receipt.reveals.is_empty() {
        "none".to_owned()
    } else {
        format!("{opened} values opened, {salts} salts carried")
    };
    Check::passed(4, detail)
}

fn model(receipt: &Receipt, given: &Arguments) -> Check {
    let stated = &receipt.statement.model;
    let Some(program) = &given.program else {
        return Check::skipped(11, format!("no program given; stated: {stated}"));
    };
    let actual = format!("sha256:{}", hex(program.digest()));
    if actual == *stated {
        return Check::passed(11, stated);
    }
    let message = format!("the statement is about {stated}, the program is {actual}");
    let error = Error::new(Kind::StatementMismatch, message);
    Check::failed(11, error.at("statement.model.digest").of("model"))
}

fn value(
    number: u8,
    receipt: &Receipt,
    tensors: Option<&Tensors>,
    field: Field,
) -> Result<Check, Error> {
    let Some(tensors) = tensors else {
        return Ok(Check::skipped(number, "nothing given to compare with"));
    };
    let check = if number == 12 { "input" } else { "output" };
    let commitment = receipt.statement.commitment(field);
    let salt = receipt.salt(field);
    if commitment.is_salted && salt.len() != SALT_BYTES {
        let message = "the commitment is salted and its salt was not revealed";
        let error = Error::new(Kind::RevealMissing, message);
        let error = error.at(field.name()).of(check);
        return Ok(Check::stopped(number, Status::Undecided, error));
    }
    if commitment.opens_to(field, &tensors_to_bytes(tensors)?, salt) {
        return Ok(Check::passed(number, "equal to what was given"));
    }
    let message = "the statement is about another value than the one given";
    let error = Error::new(Kind::StatementMismatch, message)
        .at(format!("statement.{}", field.name()))
        .of(check)
        .advise(
            "Names, dtypes, shapes and every bit must be those that were sent and received; if they \
             are, the receipt is for another question or answer.",
        );
    Ok(Check::failed(number, error))
}
