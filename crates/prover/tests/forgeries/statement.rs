//! What a proof is about, its transcript and its bytes.

use std::sync::Arc;

use p3_field::{Field, PrimeCharacteristicRing};
use veridical_argument::field::EF;
use veridical_argument::labels::ROUND;
use veridical_argument::profile::Profile;
use veridical_argument::statement::{Registration, Statement};
use veridical_argument::stream::write_extension;
use veridical_argument::transcript::Root;
use veridical_argument::transcript::cheating::Sent;
use veridical_prover::WeightCommitment;
use veridical_prover::cheat::{Cheat, Claimed};

use crate::Forgery;
use crate::case::{ACCEPTED, Case, runs};
use crate::support::{self, Builder};

/// Everything public is absorbed before the first challenge, so the first check that depends on one fails.
const ABSORBED: &str = "LookupLayer";

pub const FORGERIES: &[Forgery] = &[
    Forgery {
        number: "1a",
        lie: "one public output off by one, claimed and absorbed",
        check: "StackClaim",
        tell: || false_output(true),
    },
    Forgery {
        number: "1b",
        lie: "one public output off by one, absorbed only",
        check: "StackClaim",
        tell: || false_output(false),
    },
    Forgery {
        number: "1c",
        lie: "output changed after proving",
        check: ABSORBED,
        tell: || after_proving(|case| flip(&mut case.outputs[0][0][0])),
    },
    Forgery {
        number: "2a",
        lie: "input changed after proving",
        check: ABSORBED,
        tell: || after_proving(|case| case.inputs[1][0][0] ^= 1),
    },
    Forgery {
        number: "2b",
        lie: "input absorbed, another one used",
        check: "PublicClaim",
        tell: unbound_input,
    },
    Forgery {
        number: "3a",
        lie: "proof for another statement digest (nonce, request)",
        check: ABSORBED,
        tell: || after_proving(|case| case.digests[0][31] ^= 1),
    },
    Forgery {
        number: "3b",
        lie: "runs of a batch in another order",
        check: ABSORBED,
        tell: || {
            after_proving(|case| {
                case.inputs.swap(0, 1);
                case.outputs.swap(0, 1);
            })
        },
    },
    Forgery {
        number: "3c",
        lie: "statement digests of a batch in another order",
        check: ABSORBED,
        tell: || after_proving(|case| case.digests.swap(0, 1)),
    },
    Forgery {
        number: "3d",
        lie: "registration of another program",
        check: "ModelDigest",
        tell: || other_registration(|registration| registration.model_digest[0] ^= 1),
    },
    Forgery {
        number: "3e",
        lie: "another root of weights than the registered one",
        check: ABSORBED,
        tell: || {
            other_registration(|registration| {
                registration.weight_root = registration.weight_root.map(|Root(mut root)| {
                    root[7] ^= 1;
                    Root(root)
                });
            })
        },
    },
    Forgery {
        number: "3f",
        lie: "run left out of a batch",
        check: "Batch",
        tell: || after_proving(|case| drop(case.outputs.pop())),
    },
    Forgery {
        number: "4a",
        lie: "input outside its declared range",
        check: "Range",
        tell: || after_proving(|case| case.inputs[0][0][0] = 1 << 20),
    },
    Forgery {
        number: "4b",
        lie: "output outside its declared range",
        check: "Range",
        tell: || after_proving(|case| case.outputs[0][0][0] = 1 << 20),
    },
    Forgery {
        number: "5a",
        lie: "constant challenges",
        check: ABSORBED,
        tell: frozen,
    },
    Forgery {
        number: "5b",
        lie: "proof replayed for another run",
        check: ABSORBED,
        tell: replayed,
    },
    Forgery {
        number: "5c",
        lie: "round polynomial of the lookup argument chosen after its challenge",
        check: ABSORBED,
        tell: || unbound_round(3),
    },
    Forgery {
        number: "5d",
        lie: "round polynomial of the opening chosen after its challenge",
        check: "StackClaim",
        tell: || unbound_round(2),
    },
    Forgery {
        number: "6a",
        lie: "byte behind the end",
        check: "TrailingBytes",
        tell: || bytes(|proof| proof.push(0)),
    },
    Forgery {
        number: "6b",
        lie: "last byte missing",
        check: "Truncated",
        tell: || bytes(|proof| proof.truncate(proof.len() - 1)),
    },
    Forgery {
        number: "6c",
        lie: "coordinate plus the modulus",
        check: "NotCanonical",
        tell: || bytes(|proof| not_canonical(proof)),
    },
    Forgery {
        number: "59",
        lie: "batch: a run with the witness of another run",
        check: "PublicClaim",
        tell: other_run,
    },
    Forgery {
        number: "60a",
        lie: "proof of a weaker profile under a registration of the stronger one",
        check: "Profile",
        tell: || {
            let case = case();
            let statement = Statement {
                profile: Profile::STRONG,
                ..case.statement()
            };
            case.judge_as(&statement, &case.proof)
        },
    },
    Forgery {
        number: "60b",
        lie: "proof without the work of its profile",
        check: "ProofOfWork",
        tell: weaker_profile,
    },
];

/// Two runs of a classifier of three rows.
fn case() -> Case {
    let mut b = Builder::new(11);
    let x = b.input(&[3, 4], -90, 100);
    let hidden = b.linear(x, 6);
    b.requantise(hidden, 0, 120);
    Case::random(b, 2, 17)
}

/// The next integer, inside the range.
fn flip(cell: &mut i32) {
    *cell += if *cell > 0 { -1 } else { 1 };
}

fn false_output(is_claimed: bool) -> &'static str {
    let case = case();
    let mut outputs = case.outputs.clone();
    flip(&mut outputs[1][0][2]);
    let claimed = if is_claimed {
        Claimed::Absorbed
    } else {
        Claimed::Given(&case.outputs)
    };
    let mut cheat = case.cheat();
    cheat.statement.outputs = &outputs;
    cheat.claimed = claimed;
    case.judge_forged(&cheat.prove(&mut |_, _| {}).unwrap())
}

fn after_proving(edit: impl FnOnce(&mut Case)) -> &'static str {
    let mut case = case();
    let proof = case.proof.clone();
    edit(&mut case);
    case.judge(&proof)
}

fn unbound_input() -> &'static str {
    let case = case();
    let mut inputs = case.inputs.clone();
    inputs[0][0][5] ^= 1;
    let other = Case::of(Arc::clone(&case.program), inputs);
    let mut cheat = other.cheat();
    cheat.statement.inputs = &case.inputs;
    case.judge_forged(&cheat.prove(&mut |_, _| {}).unwrap())
}

fn other_registration(edit: impl FnOnce(&mut Registration)) -> &'static str {
    let case = case();
    let mut registration = case.registration();
    edit(&mut registration);
    let statement = Statement {
        registration: &registration,
        ..case.statement()
    };
    case.judge_as(&statement, &case.proof)
}

fn frozen() -> &'static str {
    let case = case();
    let cheat = Cheat {
        frozen: true,
        ..case.cheat()
    };
    case.judge_forged(&cheat.prove(&mut |_, _| {}).unwrap())
}

fn replayed() -> &'static str {
    let case = case();
    let inputs = runs(&support::inputs(&case.program, 2, 99), 2);
    let other = Case::of(Arc::clone(&case.program), inputs);
    case.judge(&other.proof)
}

fn bytes(edit: impl FnOnce(&mut Vec<u8>)) -> &'static str {
    let case = case();
    let mut proof = case.proof.clone();
    edit(&mut proof);
    case.judge(&proof)
}

/// The first coordinate behind the root of the witness, as another integer of the same residue.
fn not_canonical(proof: &mut [u8]) {
    let coordinate: &mut [u8; 4] = (&mut proof[32..36]).try_into().unwrap();
    let value = u32::from_le_bytes(*coordinate);
    *coordinate = value.checked_add(2_130_706_433).unwrap().to_le_bytes();
}

/// Both runs are the first one; only the inputs that are absorbed say otherwise.
fn other_run() -> &'static str {
    let case = case();
    let inputs = vec![case.inputs[0].clone(), case.inputs[0].clone()];
    let other = Case::of(Arc::clone(&case.program), inputs);
    let mut cheat = other.cheat();
    cheat.statement.inputs = &case.inputs;
    case.judge_forged(&cheat.prove(&mut |_, _| {}).unwrap())
}

/// Adds to the polynomial of a round one that is 0 at the challenge and leaves the claim as it is: whoever does not
/// absorb the message does not notice.
fn unbound_round(elements: usize) -> &'static str {
    let case = case();
    let forged = case.cheat().prove(&mut |_, _| {}).unwrap();
    assert_eq!(
        case.judge_forged(&forged),
        ACCEPTED,
        "a prover that only looks on"
    );
    let is_round = |sent: &&Sent| sent.label == ROUND && sent.values.len() == elements;
    let mut rounds = forged.messages.iter().filter(is_round);
    let sent = rounds.nth(3).unwrap();
    let r = sent.challenges[0];
    // (x - r)(a x + 1), of which the values at 0 and 1 cancel.
    let a = r * (EF::ONE - r).inverse() - EF::ONE;
    let added = [0, 2, 3].map(|x| {
        let x = EF::from_u8(x);
        (x - r) * (a * x + EF::ONE)
    });
    let values = sent.values.iter().zip(added);
    let values: Vec<EF> = values.map(|(&value, added)| value + added).collect();
    let mut message = Vec::new();
    write_extension(&mut message, &values);
    let mut proof = forged.bytes.clone();
    proof[sent.offset..][..message.len()].copy_from_slice(&message);
    case.judge(&proof)
}

/// Everything is as the stronger profile asks for, but for its work.
fn weaker_profile() -> &'static str {
    let case = case();
    let weights = WeightCommitment::new(&case.program, Profile::STRONG).unwrap();
    let statement = Statement {
        profile: Profile::STRONG,
        registration: weights.registration(),
        ..case.statement()
    };
    case.judge_as(&statement, &case.proof)
}
