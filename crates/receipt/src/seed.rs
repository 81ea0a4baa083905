//! The steps of check `seed`, and what a seed draws from logits.
//!
//! Spec: spec/v1/seeds.md, sections 2 to 7.

use veridical_program::{Graph, Program};
use veridical_seeds::beacon::{ChainKey, SIGNATURE_BYTES};
use veridical_seeds::sample::{Weight, sample};
use veridical_seeds::vrf;

use crate::canonical::MAX_INTEGER;
use crate::commitment::{Dtype, Framed, Tensor, Tensors};
use crate::error::{Error, Kind};
use crate::keys::require_prime_order;
use crate::statement::{Decode, Parameter, Statement};
use crate::text::{from_hex, hex, quoted};

const PLACE: &str = "statement.seed.proof";
const DECODE_PLACE: &str = "statement.parameters.decode";
const GUMBEL_MAX: &str = "gumbel-max/v1";
const TEMPERATURE_LIMIT: i64 = 65536;
const KEY_BYTES: usize = 32;
const CHAIN_BYTES: usize = 32;
const MAX_SIGNATURE_BYTES: usize = 128;
const PLAIN_BYTES: usize = KEY_BYTES + vrf::PROOF_BYTES;
const ROUND_BYTES: usize = PLAIN_BYTES + CHAIN_BYTES + 8;

/// Name of the one chain that is pinned, as policies give it.
pub(crate) const QUICKNET: &str = "quicknet";
const QUICKNET_CHAIN: &str = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971";
const QUICKNET_KEY: &str = "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c\
    8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb\
    5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a";
const GENESIS: u64 = 1_692_803_367;
const PERIOD: u64 = 3;
/// Between the time of an intent and its round: what logging and cosigning take, and the slack.
pub(crate) const MARGIN_SECONDS: u64 = 6;
/// By how much a clock may be behind.
pub(crate) const CLOCK_SLACK_SECONDS: u64 = 2;

/// Time at which a round is due.
pub(crate) fn due(round: u64) -> u64 {
    let periods = round.saturating_sub(1).saturating_mul(PERIOD);
    GENESIS.saturating_add(periods)
}

/// The first round that is due strictly after a time.
pub(crate) fn first_after(time: u64) -> u64 {
    let Some(since) = time.checked_sub(GENESIS) else {
        return 1;
    };
    since.checked_div(PERIOD).unwrap_or(0).saturating_add(2)
}

/// A seed that follows from the question, and the key that it follows from.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    pub(crate) mode: String,
    pub(crate) key: [u8; KEY_BYTES],
    pub(crate) value: [u8; 32],
    /// Number of the round, if the mode has one.
    pub(crate) round: Option<u64>,
}

impl Drawn {
    /// What was shown, in one line.
    pub(crate) fn detail(&self) -> String {
        let end = self.round.map_or_else(String::new, |round| {
            format!(" and round {round} of {QUICKNET}")
        });
        let key = self.short_key();
        format!(
            "mode {}: the one output of key {key}{end}",
            quoted(&self.mode)
        )
    }

    /// The first digits of the key.
    pub(crate) fn short_key(&self) -> String {
        hex(self.key.split_at(8).0)
    }
}

/// The seed of a statement, or `None` if it has none and needs none.
///
/// # Errors
/// It is not the one that follows; the check names the step.
pub(crate) fn drawn_of(statement: &Statement) -> Result<Option<Drawn>, Error> {
    let sampler = Sampler::of(&statement.decode)?;
    if statement.seed_mode == "none" {
        if sampler.is_some() {
            let message = "a sampler needs a seed, and the mode is 'none'";
            return Err(Error::new(Kind::Seed, message)
                .at("statement.seed.mode")
                .of("seed.format"));
        }
        return Ok(None);
    }
    let proof = SeedProof::read(statement)?;
    let refused = |message: String, check| Error::new(Kind::Seed, message).at(PLACE).of(check);
    require_prime_order(&proof.key).map_err(|error| refused(error.message, "seed.key"))?;
    let alpha = alpha(statement);
    let beta = vrf::PublicKey::from_bytes(proof.key)
        .and_then(|key| key.verify(&alpha, &proof.pi))
        .map_err(|error| refused(format!("{}: {error}", error.name()), "seed.vrf"))?;
    let Some(round) = proof.round else {
        let value = Framed::default()
            .frame(b"veridical.seed.vrf.v1")
            .frame(&beta);
        return Ok(Some(Drawn {
            mode: statement.seed_mode.clone(),
            key: proof.key,
            value: value.finish(),
            round: None,
        }));
    };
    let refused = |message: String| refused(message, "seed.beacon");
    if Some(round.chain) != from_hex(QUICKNET_CHAIN) {
        let chain = hex(round.chain.split_at(8).0);
        return Err(refused(format!("the beacon {chain} is unknown")));
    }
    let signature = <&[u8; SIGNATURE_BYTES]>::try_from(round.signature.as_slice());
    let signature = signature.map_err(|_| {
        let found = round.signature.len();
        refused(format!(
            "a round's signature has {SIGNATURE_BYTES} bytes, not {found}"
        ))
    })?;
    let key = from_hex(QUICKNET_KEY).ok_or_else(|| refused("no key is pinned".to_owned()))?;
    let randomness = ChainKey::from_bytes(&key)
        .and_then(|key| key.verify(round.number, signature))
        .map_err(|error| refused(format!("{}: {error}", error.name())))?;
    let value = Framed::default()
        .frame(b"veridical.seed.vrf+beacon.v1")
        .frame(&beta)
        .frame(&round.chain)
        .frame(&round.number.to_le_bytes())
        .frame(&randomness);
    Ok(Some(Drawn {
        mode: statement.seed_mode.clone(),
        key: proof.key,
        value: value.finish(),
        round: Some(round.number),
    }))
}

/// The input of the verifiable random function.
fn alpha(statement: &Statement) -> Vec<u8> {
    let received = statement.received.to_string();
    let fields = [
        "veridical.seed.alpha.v1",
        &statement.model,
        &received,
        &statement.parameters,
        &statement.request_id,
    ];
    let mut alpha = Vec::new();
    for field in fields {
        let length = u64::try_from(field.len()).unwrap_or(u64::MAX);
        alpha.extend(length.to_le_bytes());
        alpha.extend(field.bytes());
    }
    alpha
}

/// What stands behind a seed.
struct SeedProof {
    key: [u8; KEY_BYTES],
    pi: [u8; vrf::PROOF_BYTES],
    round: Option<Round>,
}

struct Round {
    chain: [u8; CHAIN_BYTES],
    number: u64,
    signature: Vec<u8>,
}

impl SeedProof {
    fn read(statement: &Statement) -> Result<Self, Error> {
        let refused = |message: String| Error::new(Kind::Seed, message).at(PLACE).of("seed.format");
        let content = statement.seed_proof.as_slice();
        let has_round = statement.seed_mode == "vrf+beacon";
        let (shortest, longest) = if has_round {
            (
                ROUND_BYTES.saturating_add(1),
                ROUND_BYTES.saturating_add(MAX_SIGNATURE_BYTES),
            )
        } else {
            (PLAIN_BYTES, PLAIN_BYTES)
        };
        let parts = split(content).filter(|_| (shortest..=longest).contains(&content.len()));
        let (key, pi, rest) = parts.ok_or_else(|| {
            let (mode, found) = (quoted(&statement.seed_mode), content.len());
            refused(format!(
                "a proof of mode {mode} has {shortest} to {longest} bytes, not {found}"
            ))
        })?;
        let round = rest.split_first_chunk().and_then(|(chain, rest)| {
            let (number, signature) = rest.split_first_chunk()?;
            Some(Round {
                chain: *chain,
                number: u64::from_le_bytes(*number),
                signature: signature.to_vec(),
            })
        });
        if let Some(round) = &round
            && !(1..=MAX_INTEGER.unsigned_abs()).contains(&round.number)
        {
            return Err(refused(format!("{} is no round", round.number)));
        }
        Ok(Self {
            key: *key,
            pi: *pi,
            round,
        })
    }
}

type Parts<'a> = (&'a [u8; KEY_BYTES], &'a [u8; vrf::PROOF_BYTES], &'a [u8]);

fn split(content: &[u8]) -> Option<Parts<'_>> {
    let (key, rest) = content.split_first_chunk()?;
    let (pi, rest) = rest.split_first_chunk()?;
    Some((key, pi, rest))
}

/// Which output is sampled, and at which temperature, a reduced fraction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sampler {
    tensor: String,
    temperature: (u32, u32),
}

impl Sampler {
    /// The sampler that decode parameters name, or `None` if there are none.
    ///
    /// # Errors
    /// They are no sampler of this version.
    pub(crate) fn of(decode: &Decode) -> Result<Option<Self>, Error> {
        if decode.is_empty() {
            return Ok(None);
        }
        let refused = |message: String| {
            let error = Error::new(Kind::Seed, message);
            Err(error.at(DECODE_PLACE).of("seed.format"))
        };
        let integer = |name: &str| match decode.get(name) {
            Some(Parameter::Integer(integer)) => Some(*integer),
            Some(Parameter::Text(_)) | None => None,
        };
        let text = |name: &str| match decode.get(name) {
            Some(Parameter::Text(text)) => Some(text.as_str()),
            Some(Parameter::Integer(_)) | None => None,
        };
        let temperature = integer("temperature_numerator").zip(integer("temperature_denominator"));
        let Some((n, d)) = temperature else {
            return refused("no sampler of this version".to_owned());
        };
        let within = |number: i64| {
            u32::try_from(number)
                .ok()
                .filter(|_| (1..=TEMPERATURE_LIMIT).contains(&number))
        };
        let Some(temperature) = within(n).zip(within(d)) else {
            let limit = TEMPERATURE_LIMIT;
            return refused(format!(
                "a temperature is a fraction of 1 to {limit}, not ({n}, {d})"
            ));
        };
        if greatest_common_divisor(temperature.0, temperature.1) != 1 {
            return refused(format!("the temperature {n}/{d} is not reduced"));
        }
        match text("tensor") {
            Some(tensor) if text("sampler") == Some(GUMBEL_MAX) && decode.len() == 4 => {
                Ok(Some(Self {
                    tensor: tensor.to_owned(),
                    temperature,
                }))
            }
            _ => refused("no sampler of this version".to_owned()),
        }
    }

    /// Puts the drawn indices in the place of the sampled logits.
    ///
    /// # Errors
    /// The program has no such output, or its scale cannot be sampled.
    pub(crate) fn apply(
        &self,
        program: &Program,
        integers: &Tensors,
        seed: &[u8; 32],
        decoded: &mut Tensors,
    ) -> Result<(), Error> {
        let refused = |message: String| Error::new(Kind::Input, message);
        let graph: &Graph = program.graph();
        let output = graph.outputs.iter().find(|o| o.name == self.tensor);
        let logits = integers.get(&self.tensor);
        let (output, logits) = output.zip(logits).ok_or_else(|| {
            let name = quoted(&self.tensor);
            refused(format!("the program has no output {name}")).at(DECODE_PLACE)
        })?;
        let (width, rows) = match logits.shape.split_last() {
            Some((width, rows)) if !rows.is_empty() => (usize::try_from(*width), rows.to_vec()),
            _ => {
                let name = quoted(&self.tensor);
                return Err(refused(format!("output {name} has no axis to choose from")));
            }
        };
        let cannot = |problem: String| refused(format!("the output cannot be sampled: {problem}"));
        let width = width.map_err(|error| cannot(error.to_string()))?;
        let scale = output.decode;
        let weight = Weight::new(scale.mul, scale.shift, self.temperature)
            .map_err(|error| cannot(error.to_string()))?;
        let elements = logits.integers().unwrap_or_default();
        let mut chosen = Vec::new();
        for (row, logits) in (0_u64..).zip(elements.chunks_exact(width.max(1))) {
            let index = sample(seed, row, logits, weight);
            let index = index.map_err(|error| cannot(error.to_string()))?;
            chosen.extend(i64::from(index).to_le_bytes());
        }
        decoded.insert(
            self.tensor.clone(),
            Tensor {
                dtype: Dtype::I64,
                shape: rows,
                elements: chosen,
            },
        );
        Ok(())
    }
}

fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while let Some(rest) = a.checked_rem(b) {
        (a, b) = (b, rest);
    }
    a
}
