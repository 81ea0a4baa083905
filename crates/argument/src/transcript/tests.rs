use p3_field::PrimeCharacteristicRing;

use super::*;

const PROTOCOL: &str = "test/1";

fn element(value: u32) -> EF {
    EF::from(F::from_u32(value))
}

/// One schedule, played by the prover; the challenges that it saw.
fn play(transcript: &mut ProverTranscript) -> Vec<EF> {
    transcript.absorb_bytes("statement", b"public");
    transcript.send_root("witness", &Root([7; DIGEST_BYTES]));
    let mut seen = transcript.challenges("alpha", 2);
    transcript.send("round", &[element(1), element(2)]);
    seen.push(transcript.challenge("r"));
    transcript.send_base("final", &[F::NEG_ONE]);
    transcript.send_work("work", 6);
    seen.push(transcript.challenge("last"));
    seen
}

fn replay(proof: &[u8]) -> Result<Vec<EF>, TranscriptError> {
    let mut transcript = VerifierTranscript::new(PROTOCOL, proof);
    transcript.absorb_bytes("statement", b"public");
    transcript.receive_root("witness")?;
    let mut seen = transcript.challenges("alpha", 2);
    transcript.receive("round", 2)?;
    seen.push(transcript.challenge("r"));
    transcript.receive_base("final", 1)?;
    transcript.receive_work("work", 6)?;
    seen.push(transcript.challenge("last"));
    transcript.finish()?;
    Ok(seen)
}

#[test]
fn both_ends_draw_the_same_challenges() {
    let mut transcript = ProverTranscript::new(PROTOCOL);
    let sent = play(&mut transcript);
    let proof = transcript.finish();
    assert_eq!(proof.len(), 32 + 40 + 4 + 4);
    assert_eq!(replay(&proof), Ok(sent));
}

#[test]
fn every_byte_binds_the_challenges_behind_it() {
    let mut transcript = ProverTranscript::new(PROTOCOL);
    let sent = play(&mut transcript);
    let proof = transcript.finish();
    for position in 0..proof.len() {
        let mut bytes = proof.clone();
        bytes[position] ^= 1;
        match replay(&bytes) {
            Ok(seen) => {
                assert_ne!(seen.last(), sent.last(), "byte {position}");
                let changed_before_alpha = position < 32;
                assert_eq!(seen[0] != sent[0], changed_before_alpha, "byte {position}");
            }
            Err(TranscriptError::Stream(StreamError::NotCanonical { .. })) => {}
            Err(TranscriptError::Work { label, bits }) => assert_eq!((label, bits), ("work", 6)),
            Err(other) => panic!("byte {position}: {other}"),
        }
    }
}

#[test]
fn truncated_and_extended_proofs_are_named() {
    let mut transcript = ProverTranscript::new(PROTOCOL);
    play(&mut transcript);
    let mut proof = transcript.finish();
    for length in 0..proof.len() {
        assert!(matches!(
            replay(&proof[..length]),
            Err(TranscriptError::Stream(StreamError::Truncated { .. }))
        ));
    }
    proof.push(0);
    assert_eq!(
        replay(&proof),
        Err(StreamError::Trailing { at: 80, left: 1 }.into())
    );
}

/// First challenge behind one message.
fn after(send: impl Fn(&mut ProverTranscript)) -> EF {
    let mut transcript = ProverTranscript::new(PROTOCOL);
    send(&mut transcript);
    transcript.challenge("c")
}

#[test]
fn labels_kinds_lengths_and_protocols_are_told_apart() {
    let long = "a label that does not fit into a frame";
    let other = "a label that does not fit into a fram3";
    let two = [element(1), element(2)];
    let seen = [
        after(|_| {}),
        after(|t| t.send("a", &two)),
        after(|t| t.send("b", &two)),
        after(|t| t.absorb_extension("a", &two)),
        after(|t| {
            t.send("a", &two[..1]);
            t.send("a", &two[1..]);
        }),
        after(|t| t.send_base("a", &[F::ONE])),
        after(|t| t.absorb_base("a", &[F::ONE])),
        after(|t| t.absorb_bytes("a", &F::ONE.to_string().into_bytes())),
        after(|t| t.absorb_bytes("a", b"")),
        after(|t| t.send(long, &two)),
        after(|t| t.send(other, &two)),
        after(|t| t.send_work("a", 0)),
        ProverTranscript::new("test/2").challenge("c"),
        ProverTranscript::new(PROTOCOL).challenge("d"),
        ProverTranscript::new(PROTOCOL).challenges("c", 2)[0],
    ];
    for (index, left) in seen.iter().enumerate() {
        for right in &seen[index + 1..] {
            assert_ne!(left, right, "entry {index}");
        }
    }
}

#[test]
fn a_second_challenge_differs_without_a_message_between() {
    let mut transcript = ProverTranscript::new(PROTOCOL);
    assert_ne!(transcript.challenge("c"), transcript.challenge("c"));
}

#[test]
fn bogus_work_is_refused() {
    let mut transcript = ProverTranscript::new(PROTOCOL);
    transcript.send_work("work", 12);
    let proof = transcript.finish();
    VerifierTranscript::new(PROTOCOL, &proof)
        .receive_work("work", 12)
        .unwrap();
    // Another difficulty is another frame.
    assert_eq!(
        VerifierTranscript::new(PROTOCOL, &proof).receive_work("work", 20),
        Err(TranscriptError::Work {
            label: "work",
            bits: 20
        })
    );
}

#[cfg(feature = "cheating")]
#[test]
fn frozen_challenges_are_the_prover_s_alone() {
    let mut transcript = ProverTranscript::new(PROTOCOL);
    transcript.freeze();
    let sent = play(&mut transcript);
    assert!(sent.iter().all(|value| *value == frozen_challenge()));
    let proof = transcript.finish();
    let seen = replay(&proof).unwrap();
    assert!(seen.iter().all(|value| *value != frozen_challenge()));
}
