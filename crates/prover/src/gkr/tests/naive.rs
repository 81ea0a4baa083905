//! A prover without any idea, and a verifier of section 6.3.

use p3_field::PrimeCharacteristicRing;
use veridical_argument::field::{EF, F};
use veridical_argument::labels;
use veridical_argument::leaves::{Leaves, Of};
use veridical_argument::multilinear::{eq, eq_table, padded_indices, variables};
use veridical_argument::plan::{Scaled, Table, WireId};
use veridical_argument::rounds::next_claim;
use veridical_argument::transcript::{ProverTranscript, Transcript, VerifierTranscript};
use veridical_program::ConstData;

use super::PROTOCOL;
use super::plans::Build;

/// Numerator and denominator.
type Fraction = (EF, EF);

pub(super) fn multilinear(values: &[EF], point: &[EF]) -> EF {
    let table = eq_table(point);
    assert_eq!(table.len(), values.len());
    table.iter().zip(values).map(|(&a, &b)| a * b).sum()
}

/// An expression at the cell with these coordinates.
fn expression(build: &Build, scaled: &Scaled, position: &[usize]) -> EF {
    let mut sum = F::from_i64(scaled.combination.constant);
    for &(coeff, wire) in &scaled.combination.terms {
        sum += F::from_i64(coeff) * F::from_i32(cell(build, wire, position));
    }
    EF::from(sum.div_2exp_u64(u64::from(scaled.shift)))
}

fn cell(build: &Build, wire: WireId, position: &[usize]) -> i32 {
    let shape = &build.plan.wires[wire.0].shape;
    let mut index = 0;
    for (&at, &size) in position.iter().zip(shape) {
        index = index * size + if size == 1 { 0 } else { at };
    }
    build.integers[wire.0][index]
}

/// All slots.
pub(super) fn leaves_of(build: &Build, alpha: EF, beta: EF) -> Vec<Fraction> {
    let leaves = Leaves::new(&build.plan).unwrap();
    let mut slots = vec![(EF::ZERO, EF::ONE); 1 << leaves.variables];
    for block in &leaves.blocks {
        match block.of {
            Of::Site(at) => {
                let site = &build.plan.sites[at];
                for (number, slot) in padded_indices(&site.shape).enumerate() {
                    let mut rest = number;
                    let mut position = vec![0; site.shape.len()];
                    for (at, size) in position.iter_mut().zip(&site.shape).rev() {
                        (*at, rest) = (rest % size, rest / size);
                    }
                    let tuple = site.tuple.iter().enumerate().map(|(power, scaled)| {
                        beta.exp_u64(power as u64) * expression(build, scaled, &position)
                    });
                    slots[block.start + slot] = (EF::ONE, alpha - tuple.sum::<EF>());
                }
            }
            Of::Table(at) => {
                let table = &build.plan.tables[at];
                for row in 0..table.rows {
                    let second = match table.table {
                        Table::Range { .. } | Table::Zero | Table::Below { .. } => 0,
                        Table::Formula { formula, bits } => formula.column(bits)[row],
                        Table::Constant { constant } => match &build.constants[constant] {
                            ConstData::I16(elements) => i32::from(elements[row]),
                            ConstData::I8(_) | ConstData::I32(_) => panic!("another type"),
                        },
                        Table::Weight { wire, .. } => build.integers[wire.0][row],
                    };
                    let tuple = EF::from_usize(at + 1)
                        + beta * EF::from_usize(row)
                        + beta.square() * EF::from_i32(second);
                    let count = build.integers[table.multiplicity.0][row];
                    slots[block.start + row] = (-EF::from_i32(count), alpha - tuple);
                }
            }
        }
    }
    slots
}

fn sum(pair: &[Fraction]) -> Fraction {
    let [(n0, d0), (n1, d1)] = *pair else {
        panic!("no pair")
    };
    (n0 * d1 + n1 * d0, d0 * d1)
}

pub(super) fn prove_naively(build: &Build) -> Vec<u8> {
    let mut transcript = ProverTranscript::new(PROTOCOL);
    let challenges = transcript.challenges(labels::LOOKUP, 2);
    let mut layers = vec![leaves_of(build, challenges[0], challenges[1])];
    while layers.last().unwrap().len() > 1 {
        let above = layers.last().unwrap().chunks(2).map(sum).collect();
        layers.push(above);
    }
    let root = layers.pop().unwrap();
    transcript.send(labels::LOOKUP_ROOT, &[root[0].1]);
    let mut point: Vec<EF> = Vec::new();
    while let Some(layer) = layers.pop() {
        let lambda = transcript.challenge(labels::LAYER);
        // Tables eq, n0, n1, d0, d1, all over the pairs.
        let pairs = layer.chunks(2);
        let mut tables: Vec<[EF; 5]> = pairs
            .zip(eq_table(&point))
            .map(|(pair, eq)| [eq, pair[0].0, pair[1].0, pair[0].1, pair[1].1])
            .collect();
        let mut bound = Vec::new();
        while tables.len() > 1 {
            let line = |pair: &[[EF; 5]], x: EF| -> [EF; 5] {
                std::array::from_fn(|i| pair[0][i] + x * (pair[1][i] - pair[0][i]))
            };
            let at = |x: u64| -> EF {
                let values = tables.chunks(2).map(|pair| {
                    let [eq, n0, n1, d0, d1] = line(pair, EF::from_u64(x));
                    eq * (n0 * d1 + n1 * d0 + lambda * d0 * d1)
                });
                values.sum()
            };
            transcript.send(labels::ROUND, &[at(0), at(2), at(3)]);
            let challenge = transcript.challenge(labels::ROUND);
            tables = tables.chunks(2).map(|pair| line(pair, challenge)).collect();
            bound.push(challenge);
        }
        transcript.send(labels::LAYER_VALUES, &tables[0][1..]);
        bound.reverse();
        point = bound;
        point.push(transcript.challenge(labels::BRANCH));
    }
    transcript.finish()
}

/// Numerator and denominator at the last point, the point, `alpha` and `beta`.
type Reached = (Fraction, Vec<EF>, (EF, EF));

pub(super) fn verify_sums(build: &Build, proof: &[u8]) -> Result<Reached, String> {
    let leaves = Leaves::new(&build.plan).unwrap();
    let mut transcript = VerifierTranscript::new(PROTOCOL, proof);
    let challenges = transcript.challenges(labels::LOOKUP, 2);
    let receive = |transcript: &mut VerifierTranscript<'_>, label, count| {
        let received = transcript.receive(label, count);
        received.map_err(|error| error.to_string())
    };
    let root = receive(&mut transcript, labels::LOOKUP_ROOT, 1)?;
    let (mut numerator, mut denominator) = (EF::ZERO, root[0]);
    if denominator == EF::ZERO {
        return Err("root".into());
    }
    let mut point: Vec<EF> = Vec::new();
    for layer in 0..leaves.variables {
        let lambda = transcript.challenge(labels::LAYER);
        let mut claim = numerator + lambda * denominator;
        let mut next = Vec::new();
        for _ in 0..layer {
            let message = receive(&mut transcript, labels::ROUND, 3)?;
            let challenge = transcript.challenge(labels::ROUND);
            claim = next_claim(claim, &message, challenge);
            next.push(challenge);
        }
        next.reverse();
        let values = receive(&mut transcript, labels::LAYER_VALUES, 4)?;
        let [n0, n1, d0, d1] = values[..] else {
            return Err("values".into());
        };
        if claim != eq(&point, &next) * (n0 * d1 + n1 * d0 + lambda * d0 * d1) {
            return Err(format!("layer {layer}"));
        }
        let branch = transcript.challenge(labels::BRANCH);
        numerator = n0 + branch * (n1 - n0);
        denominator = d0 + branch * (d1 - d0);
        point = next;
        point.push(branch);
    }
    transcript.finish().map_err(|error| error.to_string())?;
    assert_eq!(variables(1 << leaves.variables), point.len());
    Ok((
        (numerator, denominator),
        point,
        (challenges[0], challenges[1]),
    ))
}
