//! The bytes of an opening: every length follows from the schedule.
//!
//! The only number in them is the count of digests that authenticate the queries of a codeword: it
//! depends on where the queries collide. It is bounded here and checked exactly by the tree.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use p3_field::PrimeCharacteristicRing;
use p3_merkle_tree::PrunedMerklePaths;
use p3_multilinear_util::poly::Poly;
use p3_sumcheck::{OpeningBatch, SumcheckData};
use p3_symmetric::MerkleCap;
use p3_whir::{PcsProof, QueryOpenings, SharedProofOpening, WhirProof, WhirRoundProof};

use super::merkle::SharedTree;
use super::schedule::{Phase, Schedule};
use crate::field::{EF, F};
use crate::stream::{ByteReader, DIGEST_BYTES, StreamError};

/// An opening of one value at one point.
pub type Opening = PcsProof<F, EF, SharedTree>;

type Paths = PrunedMerklePaths<u8, DIGEST_BYTES>;
type Queries = QueryOpenings<F, EF, Paths>;

/// Reads the opening of `value` along `schedule`.
///
/// # Errors
/// The bytes are no opening of this shape.
pub fn read(
    reader: &mut ByteReader<'_>,
    schedule: &Schedule,
    value: EF,
) -> Result<Opening, StreamError> {
    let mut phases = schedule.phases.iter();
    let first = phases.next().copied().unwrap_or(Phase::NONE);
    let initial_ood_answers = reader.extension("opening: sample", first.samples)?;
    let initial_sumcheck = read_rounds(reader, first.fold, first.fold_work)?;
    let mut previous = first;
    let mut rounds = Vec::new();
    for phase in phases {
        let commitment = MerkleCap::new(vec![reader.digest("opening: root")?]);
        let ood_answers = reader.extension("opening: sample", phase.samples)?;
        let pow_witness = read_work(reader, previous.query_work)?;
        let openings = read_queries(reader, &previous, rounds.is_empty())?;
        let sumcheck = read_rounds(reader, phase.fold, phase.fold_work)?;
        rounds.push(WhirRoundProof {
            commitment: Some(commitment),
            ood_answers,
            pow_witness,
            openings,
            sumcheck,
        });
        previous = *phase;
    }
    let coefficients = 1 << schedule.final_variables;
    let final_poly = Poly::new(reader.extension("opening: final polynomial", coefficients)?);
    let final_pow_witness = read_work(reader, previous.query_work)?;
    let final_openings = read_queries(reader, &previous, rounds.is_empty())?;
    let final_sumcheck = match schedule.final_variables {
        0 => None,
        folds => Some(read_rounds(reader, folds, 0)?),
    };
    Ok(PcsProof {
        whir: WhirProof {
            initial_ood_answers,
            initial_sumcheck,
            rounds,
            final_poly: Some(final_poly),
            final_pow_witness,
            final_openings,
            final_sumcheck,
        },
        evals: vec![OpeningBatch::new(vec![value], vec![])],
    })
}

fn read_work(reader: &mut ByteReader<'_>, work: usize) -> Result<F, StreamError> {
    let witness = reader.base("opening: work", usize::from(work > 0))?;
    Ok(witness.first().copied().unwrap_or(F::ZERO))
}

fn read_rounds(
    reader: &mut ByteReader<'_>,
    folds: usize,
    work: usize,
) -> Result<SumcheckData<F, EF>, StreamError> {
    let mut data = SumcheckData::default();
    for _ in 0..folds {
        let values = reader.extension("opening: round", 2)?;
        data.polynomial_evaluations
            .extend(values.as_chunks::<2>().0);
        if work > 0 {
            data.pow_witnesses.push(read_work(reader, work)?);
        }
    }
    Ok(data)
}

fn read_queries(
    reader: &mut ByteReader<'_>,
    phase: &Phase,
    base: bool,
) -> Result<Queries, StreamError> {
    let width = 1 << phase.fold;
    if base {
        let rows = (0..phase.opened())
            .map(|_| reader.base("opening: row", width))
            .collect::<Result<_, _>>()?;
        let proof = read_paths(reader, phase)?;
        return Ok(QueryOpenings::Base(SharedProofOpening { rows, proof }));
    }
    let rows = (0..phase.opened())
        .map(|_| reader.extension("opening: row", width))
        .collect::<Result<_, _>>()?;
    let proof = read_paths(reader, phase)?;
    Ok(QueryOpenings::Extension(SharedProofOpening { rows, proof }))
}

fn read_paths(reader: &mut ByteReader<'_>, phase: &Phase) -> Result<Paths, StreamError> {
    let count = reader.count("opening: digests", phase.most_digests())?;
    let sibling_hashes = reader.digests("opening: digests", count)?;
    Ok(PrunedMerklePaths { sibling_hashes })
}

/// Appends an opening to a proof, in the order in which [`read`] takes it.
#[cfg(feature = "prover")]
pub fn write(bytes: &mut Vec<u8>, schedule: &Schedule, opening: &Opening) {
    use crate::stream::write_extension;

    let proof = &opening.whir;
    write_extension(bytes, &proof.initial_ood_answers);
    write_rounds(bytes, &proof.initial_sumcheck);
    let works = schedule.phases.iter().map(|phase| phase.query_work);
    for (round, work) in proof.rounds.iter().zip(works) {
        for root in round.commitment.iter().flat_map(MerkleCap::roots) {
            bytes.extend_from_slice(root);
        }
        write_extension(bytes, &round.ood_answers);
        write_work(bytes, work, round.pow_witness);
        write_queries(bytes, &round.openings);
        write_rounds(bytes, &round.sumcheck);
    }
    let coefficients = proof.final_poly.as_ref();
    write_extension(bytes, coefficients.map_or(&[], |poly| poly.as_slice()));
    let work = schedule.phases.last().map_or(0, |phase| phase.query_work);
    write_work(bytes, work, proof.final_pow_witness);
    write_queries(bytes, &proof.final_openings);
    if let Some(rounds) = &proof.final_sumcheck {
        write_rounds(bytes, rounds);
    }
}

#[cfg(feature = "prover")]
fn write_work(bytes: &mut Vec<u8>, work: usize, witness: F) {
    if work > 0 {
        crate::stream::write_base(bytes, &[witness]);
    }
}

#[cfg(feature = "prover")]
fn write_rounds(bytes: &mut Vec<u8>, rounds: &SumcheckData<F, EF>) {
    for (index, values) in rounds.polynomial_evaluations.iter().enumerate() {
        crate::stream::write_extension(bytes, values);
        let witness = rounds.pow_witnesses.get(index);
        crate::stream::write_base(bytes, witness.map_or(&[], std::slice::from_ref));
    }
}

#[cfg(feature = "prover")]
fn write_queries(bytes: &mut Vec<u8>, queries: &Queries) {
    use crate::stream::{write_base, write_extension};

    let paths = match queries {
        QueryOpenings::Base(opening) => {
            opening.rows.iter().for_each(|row| write_base(bytes, row));
            &opening.proof
        }
        QueryOpenings::Extension(opening) => {
            for row in &opening.rows {
                write_extension(bytes, row);
            }
            &opening.proof
        }
    };
    let digests = &paths.sibling_hashes;
    let count = u32::try_from(digests.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(digests.as_flattened());
}
