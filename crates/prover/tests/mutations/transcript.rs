//! Every message is absorbed before the next challenge, so that none can be chosen after it.
//!
//! The verifier draws the prover's challenges, or it would refuse honest proofs; so it is enough to look at the prover.

use std::collections::BTreeMap;

use p3_field::{Field, PrimeCharacteristicRing};
use veridical_argument::field::EF;
use veridical_argument::labels::ROUND;
use veridical_argument::stream::write_extension;
use veridical_argument::transcript::cheating::{Edit, Sent};
use veridical_prover::cheat::{Cheat, Forged};

use crate::bytes::{attention, dense};
use crate::case::{ACCEPTED, Case};

fn sent(case: &Case, edits: &[Edit]) -> Forged {
    let cheat = Cheat {
        edits,
        ..case.cheat()
    };
    cheat.prove(&mut |_, _| {}).unwrap()
}

/// The first challenges at or behind a message.
fn next(messages: &[Sent], at: usize) -> Option<&[EF]> {
    let behind = messages[at..].iter().map(|sent| sent.challenges.as_slice());
    behind.into_iter().find(|challenges| !challenges.is_empty())
}

#[test]
fn every_element_moves_the_next_challenge() {
    for case in [dense(), attention()] {
        let honest = sent(&case, &[]).messages;
        let mut count: BTreeMap<&'static str, usize> = BTreeMap::new();
        for (at, message) in honest.iter().enumerate() {
            let nth = *count.get(message.label).unwrap_or(&0);
            *count.entry(message.label).or_default() += 1;
            let last = message.values.len().saturating_sub(1);
            for element in [0, last] {
                let edit = Edit {
                    label: message.label,
                    nth,
                    element,
                    change: |value| value + EF::ONE,
                };
                let forged = sent(&case, &[edit]);
                let (before, after) = (next(&honest, at), next(&forged.messages, at));
                // The last opening draws its challenges itself.
                let is_last = before.is_none();
                assert!(is_last || before != after, "{} {nth}", message.label);
                let name = case.judge_forged(&forged);
                assert_ne!(name, ACCEPTED, "{} {nth}", message.label);
            }
        }
        assert!(count[ROUND] > 50, "{count:?}");
    }
}

/// Adds to the polynomial of every round one that is 0 at its challenge and leaves its claim as it is.
#[test]
fn no_round_follows_its_challenge() {
    for case in [dense(), attention()] {
        let honest = sent(&case, &[]);
        assert_eq!(case.judge_forged(&honest), ACCEPTED);
        let rounds = honest.messages.iter().filter(|sent| sent.label == ROUND);
        for sent in rounds {
            let r = sent.challenges[0];
            // (x - r)(a x + 1), of which the values at 0 and 1 cancel.
            let a = r * (EF::ONE - r).inverse() - EF::ONE;
            let nodes = std::iter::once(0).chain(2..);
            let values = sent.values.iter().zip(nodes).map(|(&value, x)| {
                let x = EF::from_u8(x);
                value + (x - r) * (a * x + EF::ONE)
            });
            let values: Vec<EF> = values.collect();
            let mut message = Vec::new();
            write_extension(&mut message, &values);
            let mut proof = honest.bytes.clone();
            proof[sent.offset..][..message.len()].copy_from_slice(&message);
            assert_ne!(
                case.judge(&proof),
                ACCEPTED,
                "round at byte {}",
                sent.offset
            );
        }
    }
}
