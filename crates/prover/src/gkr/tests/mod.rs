//! Proofs against a naive prover of the same messages and a verifier of the fractional sums.

mod naive;
mod plans;
mod used;

use p3_field::PrimeCharacteristicRing;
use rayon::ThreadPoolBuilder;
use veridical_argument::field::EF;
use veridical_argument::leaves::Leaves;
use veridical_argument::transcript::ProverTranscript;

use super::{GkrError, prove_sums};
use naive::{leaves_of, multilinear, prove_naively, verify_sums};
use plans::{Build, balanced, odd_shapes, shaped, sized};

const PROTOCOL: &str = "test/gkr";

fn prove(build: &Build) -> Result<(Vec<u8>, Vec<EF>), GkrError> {
    let leaves = Leaves::new(&build.plan)?;
    let mut transcript = ProverTranscript::new(PROTOCOL);
    let point = prove_sums(&build.plan, build, &leaves, &mut transcript)?;
    Ok((transcript.finish(), point))
}

fn check(build: &Build) {
    let (proof, point) = prove(build).unwrap();
    assert_eq!(proof, prove_naively(build), "messages");
    let ((numerator, denominator), at, (alpha, beta)) = verify_sums(build, &proof).unwrap();
    assert_eq!(at, point);
    let fractions = leaves_of(build, alpha, beta);
    let (numerators, denominators): (Vec<EF>, Vec<EF>) = fractions.into_iter().unzip();
    assert_eq!(numerator, multilinear(&numerators, &at));
    assert_eq!(denominator, multilinear(&denominators, &at));
}

#[test]
fn messages_are_those_of_a_naive_prover() {
    for seed in 0..6 {
        check(&balanced(seed));
    }
}

#[test]
fn every_number_of_slots_is_proven() {
    // From two slots on, powers of two, one more, one less: all paths between cells and vectors.
    for cells in [
        1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 255, 256, 257, 700, 1025,
    ] {
        check(&sized(&[cells], 1));
        check(&sized(&[cells], 4));
    }
}

#[test]
fn unused_slots_behind_large_blocks() {
    // 2^11 slots of a site, 2^4 of its table, the rest of 2^12 unused.
    check(&sized(&[2048], 4));
    check(&sized(&[2048, 1], 4));
    check(&sized(&[1024, 512, 3, 40], 6));
}

#[test]
fn padded_axes_in_any_place() {
    for shape in [
        vec![5, 3, 17, 9],
        vec![3, 2, 5, 3, 7],
        vec![33, 3, 20],
        vec![9, 1, 65],
        vec![5, 64, 3],
        vec![3, 192],
        vec![2, 6, 28, 28],
        vec![3, 5, 10, 10],
        vec![129, 33],
    ] {
        check(&shaped(&[shape], 1));
    }
}

#[test]
fn several_blocks_with_padded_axes() {
    for seed in 0..12 {
        let shapes = odd_shapes(1 + usize::try_from(seed).unwrap() % 4, 12, seed);
        check(&shaped(&shapes, seed));
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let build = sized(&[20_000, 5000, 123], 8);
    let with = |threads| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| prove(&build).unwrap())
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(5));
    assert_eq!(one.0, prove_naively(&build));
}

#[test]
fn a_value_outside_the_table_does_not_cancel() {
    let mut build = sized(&[300], 4);
    build.integers[0][17] = 16;
    assert_eq!(prove(&build), Err(GkrError::Unbalanced));
    build.integers[0][17] = -1;
    assert_eq!(prove(&build), Err(GkrError::Unbalanced));
}

#[test]
fn a_wrong_multiplicity_does_not_cancel() {
    let mut build = sized(&[300], 4);
    let multiplicity = build.plan.tables[0].multiplicity;
    build.integers[multiplicity.0][3] += 1;
    assert_eq!(prove(&build), Err(GkrError::Unbalanced));
}

#[test]
fn a_zero_denominator_is_named() {
    // alpha - tid - beta c = 0 for a cell c of the extension cannot be met by integers; put the
    // challenge there instead.
    let build = sized(&[64], 4);
    let leaves = Leaves::new(&build.plan).unwrap();
    let beta = EF::from_u64(77);
    let value = build.integers[0][5];
    let alpha = EF::ONE + beta * EF::from_i32(value);
    let table = super::LeafTable::new(&build.plan, &build, &leaves, alpha, beta).unwrap();
    let mut transcript = ProverTranscript::new(PROTOCOL);
    let refused = super::prove_table(&table, &mut transcript);
    assert_eq!(refused, Err(GkrError::ZeroDenominator));
}

#[test]
fn missing_integers_are_named() {
    let mut build = sized(&[64], 4);
    build.integers[0].pop();
    assert_eq!(
        prove(&build),
        Err(GkrError::Missing {
            wire: veridical_argument::plan::WireId(0)
        })
    );
}

#[test]
fn a_changed_message_is_refused() {
    let build = sized(&[100], 4);
    let (proof, _) = prove(&build).unwrap();
    let rounds = proof.len() / 20;
    for element in 0..rounds {
        let mut changed = proof.clone();
        changed[20 * element] ^= 1;
        let Ok(((numerator, denominator), at, (alpha, beta))) = verify_sums(&build, &changed)
        else {
            continue;
        };
        // What no round refuses, the leaves do.
        let fractions = leaves_of(&build, alpha, beta);
        let (numerators, denominators): (Vec<EF>, Vec<EF>) = fractions.into_iter().unzip();
        assert!(
            numerator != multilinear(&numerators, &at)
                || denominator != multilinear(&denominators, &at),
            "element {element}"
        );
    }
}
