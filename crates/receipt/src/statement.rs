//! The statement: what was asked, which program answered, what it answered.
//!
//! Spec: spec/v1/receipt.md, section 4.

use std::collections::BTreeMap;

use crate::canonical::{self, Value};
use crate::commitment::{Commitment, Field, digest_of};
use crate::error::Error;
use crate::members::Members;
use crate::text::{from_base64, quoted, shorten};

const VERSION: &str = "veridical-statement/v1";
/// A statement holds digests, never data.
const MAX_BYTES: usize = 64 * 1024;
const MAX_ALIASES: usize = 16;
const MAX_ALIAS: usize = 256;
const MAX_DECODE_PARAMETERS: usize = 64;
const MAX_SEED_PROOF: usize = 512;
/// Modes of a seed.
pub(crate) const SEED_MODES: [&str; 3] = ["none", "vrf", "vrf+beacon"];

/// A decode parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parameter {
    Text(String),
    Integer(i64),
}

/// Decode parameters by name.
pub(crate) type Decode = BTreeMap<String, Parameter>;

/// Where the inference stands in the provider's numbering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) stream: String,
    pub(crate) number: u64,
    pub(crate) previous: String,
    pub(crate) intent: String,
}

/// A parsed statement. Nothing in it is checked.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    /// As it was parsed.
    pub(crate) value: Value,
    pub(crate) receipt_id: String,
    pub(crate) request_id: String,
    pub(crate) model: String,
    pub(crate) received: Commitment,
    pub(crate) forwarded: Commitment,
    pub(crate) input_integers: Commitment,
    pub(crate) saturated: u64,
    pub(crate) decode: Decode,
    pub(crate) template: String,
    pub(crate) tokenizer: String,
    /// Digest under which an intent names all parameters.
    pub(crate) parameters: String,
    pub(crate) seed_mode: String,
    /// Decoded.
    pub(crate) seed_proof: Vec<u8>,
    pub(crate) output_integers: Commitment,
    pub(crate) decoded: Commitment,
    pub(crate) count: u64,
    pub(crate) sequence: Sequence,
}

impl Statement {
    pub(crate) fn commitment(&self, field: Field) -> &Commitment {
        match field {
            Field::InputForwarded => &self.forwarded,
            Field::InputIntegers => &self.input_integers,
            Field::InputReceived => &self.received,
            Field::OutputDecoded => &self.decoded,
            Field::OutputIntegers => &self.output_integers,
        }
    }

    pub(crate) fn read(value: &Value) -> Result<Self, Error> {
        const NAMES: [&str; 8] = [
            "input",
            "model",
            "output",
            "parameters",
            "request_id",
            "seed",
            "sequence",
            "version",
        ];
        let members = Members::new(value, &NAMES, "statement")?;
        members.literal("version", VERSION)?;
        let request_id = members.text("request_id")?.to_owned();
        let model = read_model(members.value("model")?, members.place("model"))?;
        let input = read_input(members.value("input")?, members.place("input"))?;
        let output = read_output(members.value("output")?, members.place("output"))?;
        let parameters = members.value("parameters")?;
        let (decode, template, tokenizer) =
            read_parameters(parameters, members.place("parameters"))?;
        let (seed_mode, seed_proof) = read_seed(members.value("seed")?, members.place("seed"))?;
        let sequence = read_sequence(members.value("sequence")?, members.place("sequence"))?;
        let bytes = canonical::encode(value);
        if bytes.len() > MAX_BYTES {
            return Err(Error::field(
                format!("more than {MAX_BYTES} bytes"),
                "statement",
            ));
        }
        let (received, forwarded, input_integers, saturated) = input;
        let (output_integers, decoded, count) = output;
        Ok(Self {
            receipt_id: digest_of("veridical.statement.v1", &bytes),
            value: value.clone(),
            request_id,
            model,
            received,
            forwarded,
            input_integers,
            saturated,
            decode,
            template,
            tokenizer,
            parameters: digest_of("veridical.parameters.v1", &canonical::encode(parameters)),
            seed_mode,
            seed_proof,
            output_integers,
            decoded,
            count,
            sequence,
        })
    }
}

fn commitment(members: &Members<'_>, name: &str) -> Result<Commitment, Error> {
    Commitment::read(members.text(name)?, members.place(name))
}

fn read_model(value: &Value, place: String) -> Result<String, Error> {
    let members = Members::new(value, &["aliases", "digest"], place)?;
    for (key, alias) in members.mapping("aliases", MAX_ALIASES)? {
        if !matches!(alias, Value::Text(text) if text.contains(':') && text.len() <= MAX_ALIAS) {
            let message = format!("alias {} is not a digest 'algorithm:hex'", quoted(key));
            return Err(members.refuse("aliases", message));
        }
    }
    Ok(members.digest("digest")?.to_owned())
}

fn read_input(
    value: &Value,
    place: String,
) -> Result<(Commitment, Commitment, Commitment, u64), Error> {
    const NAMES: [&str; 4] = ["forwarded", "integers", "received", "saturated"];
    let members = Members::new(value, &NAMES, place)?;
    Ok((
        commitment(&members, "received")?,
        commitment(&members, "forwarded")?,
        commitment(&members, "integers")?,
        members.count("saturated")?,
    ))
}

fn read_output(value: &Value, place: String) -> Result<(Commitment, Commitment, u64), Error> {
    const NAMES: [&str; 4] = ["count", "decoded", "finish", "integers"];
    let members = Members::new(value, &NAMES, place)?;
    let read = (
        commitment(&members, "integers")?,
        commitment(&members, "decoded")?,
        members.count("count")?,
    );
    members.literal("finish", "complete")?;
    Ok(read)
}

fn read_parameters(value: &Value, place: String) -> Result<(Decode, String, String), Error> {
    let members = Members::new(value, &["decode", "template", "tokenizer"], place)?;
    let mut decode = Decode::new();
    for (key, item) in members.mapping("decode", MAX_DECODE_PARAMETERS)? {
        let parameter = match item {
            Value::Text(text) => Parameter::Text(text.clone()),
            Value::Integer(integer) => Parameter::Integer(*integer),
            Value::List(_) | Value::Object(_) => {
                let message = format!("parameter {} is not a string or an integer", quoted(key));
                return Err(members.refuse("decode", message));
            }
        };
        decode.insert(key.clone(), parameter);
    }
    Ok((
        decode,
        members.optional_digest("template")?.to_owned(),
        members.optional_digest("tokenizer")?.to_owned(),
    ))
}

fn read_seed(value: &Value, place: String) -> Result<(String, Vec<u8>), Error> {
    let members = Members::new(value, &["mode", "proof"], place)?;
    let mode = members.text("mode")?;
    let proof = members.long_text("proof", MAX_SEED_PROOF)?;
    if !SEED_MODES.contains(&mode) {
        let message = format!("no mode of a seed: {}", quoted(&shorten(mode, 40)));
        return Err(members.refuse("mode", message));
    }
    if (mode == "none") != proof.is_empty() {
        let message = "a proof is empty if and only if the mode is 'none'";
        return Err(members.refuse("proof", message));
    }
    let proof = from_base64(proof, "").map_err(|_| members.refuse("proof", "not base64"))?;
    Ok((mode.to_owned(), proof))
}

fn read_sequence(value: &Value, place: String) -> Result<Sequence, Error> {
    const NAMES: [&str; 4] = ["intent", "number", "previous", "stream"];
    let members = Members::new(value, &NAMES, place)?;
    let sequence = Sequence {
        stream: members.text("stream")?.to_owned(),
        number: members.count("number")?,
        previous: members.optional_digest("previous")?.to_owned(),
        intent: members.optional_digest("intent")?.to_owned(),
    };
    let is_empty =
        sequence.number == 0 && sequence.previous.is_empty() && sequence.intent.is_empty();
    if sequence.stream.is_empty() && !is_empty {
        let message = "a number, previous or intent needs a stream";
        return Err(members.refuse("stream", message));
    }
    if (sequence.number == 0) != sequence.previous.is_empty() {
        let message = "previous is empty if and only if number is 0";
        return Err(members.refuse("previous", message));
    }
    Ok(sequence)
}
