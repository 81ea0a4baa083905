//! Tier `zk`: check a succinct proof; nothing is run again.
//!
//! Spec: spec/v1/receipt.md, section 7 and check 14; spec/v1/zk.md.

use std::collections::BTreeMap;

use veridical_argument::field::F;
use veridical_argument::pcs::{Committed, MIN_VARIABLES};
use veridical_argument::profile::{Profile, Stack};
use veridical_argument::stack::weight_stack;
use veridical_argument::statement::{Registration, Statement, Tensors as RunTensors};
use veridical_argument::transcript::Root;
use veridical_program::{ConstKind, Program};
use veridical_verifier::Request;

use crate::bundle::{Evidence, Receipt};
use crate::commitment::{Dtype, Tensors, tensors_from_bytes};
use crate::envelope::Predicate;
use crate::error::{Error, Kind};
use crate::policy::Soundness;
use crate::text::{from_hex, hex, listed, quoted};
use crate::verifier::frames::{Member, ProofEvidence};
use crate::verifier::given::{Arguments, PROFILES};
use crate::verifier::opening::{Integers, Opening, integer_inputs, integer_outputs};
use crate::verifier::report::{Properties, Shown, Standing};

const PROPERTIES: Properties = Properties {
    model: Standing::Proven,
    // Unless it is the caller's own, which check 12 says.
    input: Standing::Revealed,
    output: Standing::Proven,
};
/// With a verification key alone, nobody but the signer has compared the weights.
const OF_KEY: Properties = Properties {
    model: Standing::CommittedOnly,
    ..PROPERTIES
};
/// What the stronger profile rests on beyond well-known results.
const THEOREM: &str =
    "theorem: 128 bits rest on eprint 2026/2056; with eprint 2025/2055 alone they are 121";
const ALWAYS: [&str; 2] = [
    "log: none; answers that the signer withheld cannot be seen",
    "time of issue: the signer's word",
];

/// Checks the proof of one receipt against the caller's program or verification key.
pub(super) struct Succinct<'a> {
    opening: Opening<'a>,
    evidence: &'a Evidence<'a>,
    outcomes: BTreeMap<String, Result<Shown, Error>>,
}

impl<'a> Succinct<'a> {
    pub(super) fn new(
        receipt: &'a Receipt,
        evidence: &'a Evidence<'a>,
        given: &'a Arguments,
    ) -> Self {
        let opening = Opening {
            receipt,
            given,
            action: "the proof",
            error: Kind::Proof,
        };
        Self {
            opening,
            evidence,
            outcomes: BTreeMap::new(),
        }
    }

    /// What was shown.
    ///
    /// # Errors
    /// The evidence does not support the statement, or something was not given.
    pub(super) fn verify(&mut self, predicate: &Predicate) -> Result<Shown, Error> {
        let [item] = predicate.evidence.as_slice() else {
            let message = format!("{} proofs; this tier takes one", predicate.evidence.len());
            return Err(self.opening.refuse(message).at("evidence"));
        };
        let (opening, evidence) = (self.opening, self.evidence);
        let outcome = self.outcomes.entry(item.digest.clone()).or_insert_with(|| {
            let blob = evidence.get(&item.digest).copied().unwrap_or_default();
            check(&opening, &ProofEvidence::read(blob)?)
        });
        outcome.clone()
    }
}

fn check(opening: &Opening<'_>, evidence: &ProofEvidence<'_>) -> Result<Shown, Error> {
    let named = PROFILES.contains(&evidence.profile.as_str());
    let profile = Profile::from_name(&evidence.profile).filter(|_| named);
    let profile = profile.ok_or_else(|| {
        let (profile, known) = (quoted(&evidence.profile), listed(PROFILES));
        let message = format!("profile {profile} is none of {known}");
        opening.refuse(message).at("evidence.profile")
    })?;
    let program = opening.program()?;
    let own = own_member(opening, evidence)?;
    let (_, inputs) = opening.encoded_input()?;
    let stated = evidence.members.get(own).map_or(&[][..], |one| one.inputs);
    if !stated.is_empty() && stated != inputs {
        let message = "the proof is about another input";
        return Err(opening.refuse(message).at("evidence.inputs"));
    }
    let outputs = evidence.members.iter();
    let outputs = outputs
        .map(|member| integers(opening, member.outputs, "evidence.outputs"))
        .collect::<Result<Vec<_>, _>>()?;
    let count = match outputs.get(own) {
        Some(outputs) => opening.require_outputs(outputs)?,
        None => 0,
    };
    let assumption = weights(opening, program, evidence, profile)?;
    let given = evidence.members.iter().map(|member| {
        let bytes = if member.inputs.is_empty() {
            &inputs
        } else {
            member.inputs
        };
        integers(opening, bytes, "evidence.inputs")
    });
    let given = given.collect::<Result<Vec<_>, _>>()?;
    let bits = verified(program, evidence, profile, (&given, &outputs));
    let bits = opening.guarded("checking the proof", bits)?;
    let claimed = evidence.soundness_bits;
    if u64::from(bits) != claimed {
        let message = format!("the evidence claims {claimed} bits of soundness, it has {bits}");
        return Err(opening.refuse(message).at("evidence.soundness_bits"));
    }
    let mut assumptions = vec![format!(
        "proof: {bits} bits of soundness by the union bound, in the random oracle model"
    )];
    if evidence.profile == "strong" {
        assumptions.push(THEOREM.to_owned());
    }
    assumptions.push(assumption);
    assumptions.extend(ALWAYS.map(str::to_owned));
    let registered = opening.given.registrations.get(&evidence.profile);
    let total = match registered.filter(|_| program.is_vkey()) {
        None => bits,
        // Either may be false, so their errors add up to at most twice the larger one.
        Some((_, registered)) => bits.min(*registered).saturating_sub(1),
    };
    Ok(Shown {
        detail: format!("a succinct proof over {count} output integers, {bits} bits"),
        properties: if program.is_vkey() {
            OF_KEY
        } else {
            PROPERTIES
        },
        assumptions,
        soundness: Soundness::Bits(total),
    })
}

/// Position of the run that is this receipt's.
fn own_member(opening: &Opening<'_>, evidence: &ProofEvidence<'_>) -> Result<usize, Error> {
    let digest = opening.receipt.statement.receipt_id.strip_prefix("sha256:");
    let digest: Option<[u8; 32]> = digest.and_then(from_hex);
    let is_own = |one: &Member<'_>| Some(one.statement) == digest;
    evidence.members.iter().position(is_own).ok_or_else(|| {
        let message = "the proof is about other statements";
        opening.refuse(message).at("evidence.statement")
    })
}

fn integers(opening: &Opening<'_>, content: &[u8], place: &str) -> Result<Tensors, Error> {
    let tensors = tensors_from_bytes(content, place)
        .map_err(|error| opening.refuse(error.message).at(place))?;
    if tensors.values().any(|tensor| tensor.dtype != Dtype::I32) {
        return Err(opening.refuse("a program's integers are i32").at(place));
    }
    Ok(tensors)
}

/// Compares the weight commitment with the weights, or with their registration, where one of them is given.
fn weights(
    opening: &Opening<'_>,
    program: &Program,
    evidence: &ProofEvidence<'_>,
    profile: Profile,
) -> Result<String, Error> {
    let shown = hex(evidence.weight_root.split_at(8).0);
    let registrations = &opening.given.registrations;
    let place = "evidence.weight_root";
    if program.is_vkey() && registrations.is_empty() {
        return Ok(format!(
            "weights: that commitment {shown} is to the weights of this model, and that these keep \
             the declared ranges, is the signer's word; a registration proof shows the ranges, the \
             program both"
        ));
    }
    if program.is_vkey() {
        let Some((root, bits)) = registrations.get(&evidence.profile) else {
            let known = listed(registrations.keys().map(String::as_str));
            let message = format!(
                "the proof is under profile {}, and the registration of its weights under {known}",
                evidence.profile
            );
            return Err(Error::new(Kind::Undecided, message)
                .at("evidence.profile")
                .of("tier")
                .advise("Give the registration of this profile, or the program."));
        };
        if *root != evidence.weight_root {
            let message = "the proof is about other weights than those registered";
            return Err(opening.refuse(message).at(place));
        }
        return Ok(format!(
            "weights: those behind {shown} keep every declared range, by a registration proof of \
             {bits} bits; that they are the weights of this model is the word of the signer and of \
             who registered them"
        ));
    }
    let root = opening.guarded("committing to the weights", commit(program, profile))?;
    if root != evidence.weight_root {
        let message = "the proof is about other weights than those of the program";
        return Err(opening.refuse(message).at(place));
    }
    Ok("weights: committed to again by this verifier, from the program".to_owned())
}

/// The root of the weights of a program; zeros if it has none.
fn commit(program: &Program, profile: Profile) -> Result<[u8; 32], Error> {
    let refused = |message: String| Error::new(Kind::Input, message).of("proof");
    let stack = weight_stack(program.graph(), MIN_VARIABLES);
    let (stack, consts) =
        stack.ok_or_else(|| refused("the weights are more than a stack holds".to_owned()))?;
    if consts.is_empty() {
        return Ok([0; 32]);
    }
    let length = u32::try_from(stack.variables())
        .ok()
        .and_then(|variables| 1_usize.checked_shl(variables));
    let length = length.ok_or_else(|| refused("the stack is too large".to_owned()))?;
    let mut values = vec![F::default(); length];
    for (tensor, &constant) in consts.iter().enumerate() {
        let data = program.constant(constant).ok_or_else(|| {
            let message = format!("constant {constant} has no data");
            Error::new(Kind::ProgramMissing, message).of("program")
        })?;
        let integers: Vec<i32> = (0..data.len()).filter_map(|i| data.get(i)).collect();
        stack.scatter(tensor, &integers, &mut values);
    }
    let committed = Committed::new(profile, Stack::Weights, values);
    let committed = committed.map_err(|error| refused(error.to_string()))?;
    Ok(committed.root().0)
}

/// Bits of soundness of a proof that holds.
fn verified(
    program: &Program,
    evidence: &ProofEvidence<'_>,
    profile: Profile,
    (given, answered): (&[Tensors], &[Tensors]),
) -> Result<u32, Error> {
    let mut digests = Vec::new();
    let mut inputs: Vec<RunTensors> = Vec::new();
    for (member, tensors) in evidence.members.iter().zip(given) {
        let runs = integer_inputs(program, tensors)?;
        digests.extend((0..runs.batch).map(|_| member.statement));
        inputs.extend(items(&runs));
    }
    let mut answers = Vec::new();
    let mut outputs: Vec<RunTensors> = Vec::new();
    for (member, tensors) in evidence.members.iter().zip(answered) {
        let runs = integer_outputs(program, tensors)?;
        answers.extend((0..runs.batch).map(|_| member.statement));
        outputs.extend(items(&runs));
    }
    let consts = &program.graph().consts;
    let has_weights = consts.iter().any(|info| info.kind == ConstKind::Weight);
    if digests != answers || (!has_weights && evidence.weight_root != [0; 32]) {
        let message = "statements, inputs and outputs of a proof do not belong together";
        return Err(Error::new(Kind::Input, message).of("argument"));
    }
    let registration = Registration {
        model_digest: *program.digest(),
        profile,
        weight_root: has_weights.then_some(Root(evidence.weight_root)),
    };
    let request = Request {
        program,
        statement: Statement {
            profile,
            registration: &registration,
            digests: &digests,
            inputs: &inputs,
            outputs: &outputs,
        },
    };
    match veridical_verifier::verify(&request, evidence.proof) {
        Ok(verdict) => Ok(verdict.soundness.whole()),
        Err(error) => {
            let message = format!("{}: {error}", error.name());
            Err(Error::new(Kind::Proof, message).at("proof").of("tier"))
        }
    }
}

/// The tensors of every item of a batch.
fn items(runs: &Integers) -> impl Iterator<Item = RunTensors> {
    (0..runs.batch).map(|item| {
        let part = |tensor: &Vec<i32>| {
            let length = tensor.len().checked_div(runs.batch).unwrap_or(0);
            let start = item.saturating_mul(length);
            let elements = tensor.get(start..start.saturating_add(length));
            elements.unwrap_or_default().to_vec()
        };
        runs.values.iter().map(part).collect()
    })
}
