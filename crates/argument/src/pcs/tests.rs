use p3_field::PrimeCharacteristicRing;
use p3_multilinear_util::point::Point;
use p3_multilinear_util::poly::Poly;

use p3_sumcheck::PrescribedPointPcs;

use super::*;
use crate::profile::{Profile, Stack};
use crate::soundness::bound::Bound;
use crate::soundness::opening::{self, Gap};
use crate::stream::ByteReader;
use crate::transcript::{ProverTranscript, Root, Transcript, TranscriptError, VerifierTranscript};

const PROTOCOL: &str = "test/1";

/// Values without structure.
fn values(variables: usize) -> Vec<F> {
    (0..1_u64 << variables)
        .map(|index| F::from_u64(index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33))
        .collect()
}

/// `sum_i values[i] prod_b eq(point[b], bit b of i)`, the most significant bit first.
fn evaluate(values: &[F], point: &[EF]) -> EF {
    let mut layer: Vec<EF> = values.iter().map(|value| EF::from(*value)).collect();
    for coordinate in point {
        let half = layer.len() / 2;
        layer = (0..half)
            .map(|index| layer[index] + *coordinate * (layer[index + half] - layer[index]))
            .collect();
    }
    layer[0]
}

struct Proof {
    root: Root,
    bytes: Vec<u8>,
    value: EF,
}

fn prove(profile: Profile, stack: Stack, variables: usize) -> Proof {
    let committed = Committed::new(profile, stack, values(variables)).unwrap();
    open(&committed)
}

fn open(committed: &Committed) -> Proof {
    let root = committed.root();
    let mut transcript = ProverTranscript::new(PROTOCOL);
    transcript.send_root("root", &root);
    let point = transcript.challenges("point", committed.variables());
    let value = evaluate(committed.values(), &point);
    committed.open(&mut transcript, &point, value).unwrap();
    Proof {
        root,
        bytes: transcript.finish(),
        value,
    }
}

/// The verifier with its own root, as for weights, or with that of the proof.
fn check(
    profile: Profile,
    stack: Stack,
    variables: usize,
    bytes: &[u8],
    value: EF,
) -> Result<(), PcsError> {
    let mut transcript = VerifierTranscript::new(PROTOCOL, bytes);
    let root = transcript.receive_root("root").map_err(stream)?;
    let point = transcript.challenges("point", variables);
    verify(
        profile,
        stack,
        variables,
        &root,
        &mut transcript,
        &point,
        value,
    )?;
    transcript.finish().map_err(stream)
}

fn stream(error: TranscriptError) -> PcsError {
    match error {
        TranscriptError::Stream(error) => error.into(),
        TranscriptError::Work { .. } => panic!("no work outside of openings"),
    }
}

#[test]
fn points_are_high_bit_first() {
    let values = values(3);
    let point: Vec<EF> = [1, 1, 0].map(EF::from_u32).to_vec();
    assert_eq!(evaluate(&values, &point), EF::from(values[6]));
    let poly = Poly::new(values.clone());
    assert_eq!(poly.eval_base(&Point::new(point)), EF::from(values[6]));
}

#[test]
fn openings_of_all_small_sizes_verify() {
    for variables in MIN_VARIABLES..=18 {
        let stacks: &[Stack] = if variables <= 15 {
            &[Stack::Witness, Stack::Weights]
        } else {
            &[Stack::Witness]
        };
        for stack in stacks {
            let proof = prove(Profile::STANDARD, *stack, variables);
            check(
                Profile::STANDARD,
                *stack,
                variables,
                &proof.bytes,
                proof.value,
            )
            .unwrap();
        }
    }
    let proof = prove(Profile::STRONG, Stack::Witness, 12);
    check(
        Profile::STRONG,
        Stack::Witness,
        12,
        &proof.bytes,
        proof.value,
    )
    .unwrap();
}

#[test]
fn a_commitment_serves_many_proofs() {
    let committed = Committed::new(Profile::STANDARD, Stack::Weights, values(11)).unwrap();
    let first = open(&committed);
    let second = open(&committed.clone());
    assert_eq!(first.root, second.root);
    for proof in [first, second] {
        check(
            Profile::STANDARD,
            Stack::Weights,
            11,
            &proof.bytes,
            proof.value,
        )
        .unwrap();
    }
}

#[test]
fn schedules_are_those_of_the_scheme() {
    for profile in Profile::ALL {
        for stack in [Stack::Witness, Stack::Weights] {
            for variables in MIN_VARIABLES..=MAX_VARIABLES {
                let schedule = Schedule::new(profile, stack, variables).unwrap();
                config(&schedule).unwrap_or_else(|error| {
                    panic!("{} {stack:?} {variables}: {error}", profile.name)
                });
                let folded: usize = schedule.phases.iter().map(|phase| phase.fold).sum();
                assert_eq!(folded + schedule.final_variables, variables);
            }
        }
    }
    for variables in [0, MIN_VARIABLES - 1, MAX_VARIABLES + 1, usize::MAX] {
        assert_eq!(
            Schedule::new(Profile::STANDARD, Stack::Witness, variables),
            Err(VariablesError { variables })
        );
    }
}

#[test]
fn bits_of_openings_agree_with_those_of_the_scheme() {
    // The scheme counts the field one bit smaller and the folds two: up to 2.5 bits below ours, which
    // are rounded down to hundredths.
    for profile in Profile::ALL {
        for stack in [Stack::Witness, Stack::Weights] {
            for variables in MIN_VARIABLES..=MAX_VARIABLES {
                let schedule = Schedule::new(profile, stack, variables).unwrap();
                let ours: Bound = opening::terms(&schedule, 1, Gap::Dkt26)
                    .iter()
                    .map(|term| term.total)
                    .sum();
                let ours = f64::from(ours.bits().0) / 100.0;
                let tree = SharedTree::default();
                let scheme = Scheme::new(config(&schedule).unwrap(), Domain::default(), tree);
                let security = scheme.prescribed_security(&protocol(variables)).unwrap();
                let theirs = security.error().bits();
                let label = format!("{} {stack:?} {variables}: {ours} {theirs}", profile.name);
                assert!(ours > theirs - 0.01 && ours < theirs + 2.5, "{label}");
            }
        }
    }
}

/// `(fold, rate, queries, work before them)` of every codeword.
type Rows<'a> = &'a [(usize, usize, usize, usize)];

#[test]
fn schedules_are_part_of_the_format() {
    let expected: [(Profile, Stack, usize, Rows); 6] = [
        (Profile::STANDARD, Stack::Witness, 10, &[(4, 4, 50, 10)]),
        (
            Profile::STANDARD,
            Stack::Witness,
            16,
            &[(5, 3, 66, 12), (5, 5, 39, 12)],
        ),
        (
            Profile::STANDARD,
            Stack::Weights,
            16,
            &[(5, 4, 49, 12), (5, 5, 39, 12)],
        ),
        (
            Profile::STANDARD,
            Stack::Witness,
            20,
            &[(6, 2, 99, 14), (4, 4, 48, 14), (4, 6, 32, 13)],
        ),
        (
            Profile::STANDARD,
            Stack::Weights,
            25,
            &[
                (7, 2, 97, 16),
                (4, 3, 63, 16),
                (4, 5, 38, 14),
                (4, 6, 31, 16),
            ],
        ),
        (
            Profile::STRONG,
            Stack::Witness,
            20,
            &[(6, 2, 123, 20), (4, 4, 60, 19), (4, 6, 39, 20)],
        ),
    ];
    for (profile, stack, variables, rows) in expected {
        let schedule = Schedule::new(profile, stack, variables).unwrap();
        let found: Vec<_> = schedule
            .phases
            .iter()
            .map(|phase| {
                (
                    phase.fold,
                    phase.log_inv_rate,
                    phase.queries,
                    phase.query_work,
                )
            })
            .collect();
        assert_eq!(found, rows, "{} {stack:?} {variables}", profile.name);
    }
    let strong = Schedule::new(Profile::STRONG, Stack::Witness, 20).unwrap();
    let folds: Vec<_> = strong
        .phases
        .iter()
        .map(|p| (p.fold_work, p.samples))
        .collect();
    assert_eq!(folds, [(15, 2), (13, 2), (13, 2)]);
}

#[test]
fn a_schedule_that_differs_from_the_scheme_s_is_named() {
    let mut schedule = Schedule::new(Profile::STANDARD, Stack::Witness, 16).unwrap();
    schedule.phases[1].queries -= 1;
    let error = config(&schedule).unwrap_err();
    assert!(error.to_string().contains("queries"), "{error}");
}

#[test]
fn prover_refuses_what_it_cannot_open() {
    let committed = Committed::new(Profile::STANDARD, Stack::Witness, values(10)).unwrap();
    let mut transcript = ProverTranscript::new(PROTOCOL);
    let point = transcript.challenges("point", 10);
    assert_eq!(
        committed.open(&mut transcript, &point, EF::ZERO),
        Err(PcsError::Value)
    );
    assert_eq!(
        committed.open(&mut transcript, &point[1..], EF::ZERO),
        Err(PcsError::Point {
            variables: 10,
            found: 9
        })
    );
    assert_eq!(
        Committed::new(Profile::STANDARD, Stack::Witness, vec![F::ONE; 1000]).unwrap_err(),
        PcsError::Length { values: 1000 }
    );
    assert_eq!(
        Committed::new(Profile::STANDARD, Stack::Witness, vec![F::ONE; 512]).unwrap_err(),
        PcsError::Variables(VariablesError { variables: 9 })
    );
}

mod rejection;
