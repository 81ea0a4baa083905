//! What the caller gave to compare with, in the form that the checks use.
//!
//! A mistake here is the caller's: it is never a verdict.

use std::collections::BTreeMap;
use std::sync::Arc;

use veridical_argument::profile::Profile;
use veridical_argument::statement::Registration;
use veridical_argument::transcript::Root;
use veridical_program::Program;

use crate::commitment::{Tensors, tensors_from_bytes};
use crate::error::{Error, Kind};
use crate::text::{hex, listed};
use crate::verifier::frames::{Frames, MAX_BITS, MAX_PROFILE};

/// As far as other implementations count seconds one by one.
const MAX_SECONDS: u64 = 1 << 53;
/// Names of the profiles.
pub(crate) const PROFILES: [&str; 2] = ["standard", "strong"];
const REGISTRATION_TAG: &[u8] = b"veridical.registration.v1";

/// The caller's own question, answer and program, as far as there are such, and the time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    /// Seconds since 1970.
    pub now: Option<i64>,
    /// The question that was asked: canonical tensor bytes.
    pub input: Option<&'a [u8]>,
    /// The answer that was got, likewise.
    pub output: Option<&'a [u8]>,
    /// Bytes of a program or of a verification key.
    pub program: Option<&'a [u8]>,
    /// Registration proofs of its weights.
    pub registrations: &'a [&'a [u8]],
}

/// The same, read and checked.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) now: Option<i64>,
    pub(crate) input: Option<Tensors>,
    pub(crate) output: Option<Tensors>,
    pub(crate) program: Option<Arc<Program>>,
    /// Root and bits of soundness of each profile, in the order in which they were given.
    pub(crate) registrations: BTreeMap<String, ([u8; 32], u32)>,
}

impl Arguments {
    pub(crate) fn read(given: &Given<'_>) -> Result<Self, Error> {
        let program = given.program.map(|bytes| {
            Program::from_bytes(bytes).map_err(|error| {
                Error::new(Kind::Program, error.to_string())
                    .at(error.location())
                    .of(error.check())
            })
        });
        let program = program.transpose()?.map(Arc::new);
        let mut registrations = BTreeMap::new();
        for bytes in given.registrations {
            let Some(program) = &program else {
                return Err(Error::new(Kind::Input, "a registration is of a program")
                    .advise("Give --program M.vkey."));
            };
            let (profile, root, bits) = read_registration(program, bytes)?;
            registrations.insert(profile, (root, bits));
        }
        if given
            .now
            .is_some_and(|now| now.unsigned_abs() > MAX_SECONDS)
        {
            let now = given.now.unwrap_or_default();
            let message = format!("`now` is seconds since 1970, not {now}");
            return Err(Error::new(Kind::Input, message));
        }
        Ok(Self {
            now: given.now,
            input: read_tensors("input", given.input)?,
            output: read_tensors("output", given.output)?,
            program,
            registrations,
        })
    }
}

fn read_tensors(argument: &str, bytes: Option<&[u8]>) -> Result<Option<Tensors>, Error> {
    let read = bytes.map(|bytes| tensors_from_bytes(bytes, &format!("`{argument}`")));
    read.transpose().map_err(|error| {
        let message = format!("not canonical tensor bytes: {}", error.message);
        let refused = Error::new(Kind::Input, message);
        match error.place {
            Some(place) => refused.at(place),
            None => refused,
        }
    })
}

/// Checks the proof that the weights behind a root keep what the program declares.
fn read_registration(
    program: &Program,
    untrusted: &[u8],
) -> Result<(String, [u8; 32], u32), Error> {
    const MAX_BYTES: usize = 64 << 20;
    let proof_error = |message: String| Error::new(Kind::Proof, message).of("tier");
    let refused = |problem: String| {
        proof_error(format!("malformed registration: {problem}")).at("registration")
    };
    if untrusted.len() > MAX_BYTES {
        return Err(refused(format!("at most {MAX_BYTES} bytes are read")));
    }
    let mut frames = Frames::new(untrusted);
    if frames.frame(REGISTRATION_TAG.len())? != REGISTRATION_TAG {
        let problem = "it does not begin as a registration proof of this version";
        return Err(refused(problem.to_owned()));
    }
    let name = frames.frame(MAX_PROFILE)?;
    let name = PROFILES.into_iter().find(|known| known.as_bytes() == name);
    let named = name.and_then(|name| Some((name, Profile::from_name(name)?)));
    let Some((name, profile)) = named else {
        return Err(refused(format!(
            "the profile is none of {}",
            listed(PROFILES)
        )));
    };
    let (model_digest, weight_root) = (frames.digest()?, frames.digest()?);
    let stated = frames.count(MAX_BITS, "bits of soundness")?;
    let proof = frames.frame(untrusted.len())?;
    frames.require_end()?;
    if model_digest != *program.digest() {
        let digits = |digest: &[u8; 32]| hex(digest.split_at(8).0);
        let (stated, own) = (digits(&model_digest), digits(program.digest()));
        let message = format!("the registration is of model {stated}, the key of {own}");
        return Err(proof_error(message).at("registration.model_digest"));
    }
    let registration = Registration {
        model_digest,
        profile,
        weight_root: Some(Root(weight_root)),
    };
    let verdict = veridical_verifier::verify_registration(program, &registration, proof);
    let verdict =
        verdict.map_err(|error| proof_error(format!("{}: {error}", error.name())).at("proof"))?;
    let bits = verdict.soundness.whole();
    if u64::from(bits) != stated {
        let message = format!("the registration claims {stated} bits of soundness, it has {bits}");
        return Err(proof_error(message).at("registration.soundness_bits"));
    }
    Ok((name.to_owned(), weight_root, bits))
}
