use std::borrow::Cow;

use p3_field::{PackedValue, PrimeCharacteristicRing};
use proptest::prelude::*;
use veridical_argument::field::{EF, F};
use veridical_argument::labels::ROUND;
use veridical_argument::multilinear::{eq, eq_table};
use veridical_argument::rounds::next_claim;
use veridical_argument::transcript::{ProverTranscript, Transcript, VerifierTranscript};

use super::*;
use crate::testing::Random;

/// What the engine is checked against: every table in full, in `EF`.
struct Naive {
    variables: usize,
    tables: Vec<Vec<Vec<EF>>>,
}

impl Naive {
    fn new(sumcheck: &Sumcheck<'_>) -> Self {
        let tables = sumcheck.parts.iter().map(|part| {
            let table = |table: &Table<'_>| expand(part.shape, &single(table));
            part.tables.iter().map(table).collect()
        });
        Self {
            variables: sumcheck.variables(),
            tables: tables.collect(),
        }
    }

    /// The summand from the values of the tables, without `eq`.
    fn summand(sumcheck: &Sumcheck<'_>, value: impl Fn(usize, usize) -> EF) -> EF {
        let mut sum = EF::ZERO;
        for (number, part) in sumcheck.parts.iter().enumerate() {
            for group in &part.groups {
                for term in &group.terms {
                    let factors = term.factors.iter().map(|table| value(number, *table));
                    sum += group.weight * term.coeff * factors.product::<EF>();
                }
            }
        }
        sum
    }

    fn sum(&self, sumcheck: &Sumcheck<'_>) -> EF {
        let outer = sumcheck.equality.as_deref().map(eq_table);
        (0..1 << self.variables)
            .map(|x| {
                let weight = outer.as_ref().map_or(EF::ONE, |table| table[x]);
                weight * Self::summand(sumcheck, |part, table| self.tables[part][table][x])
            })
            .sum()
    }

    fn values(&self, point: &[EF]) -> Vec<EF> {
        let weights = eq_table(point);
        let tables = self.tables.iter().flatten();
        tables
            .map(|table| table.iter().zip(&weights).map(|(a, b)| *a * *b).sum())
            .collect()
    }
}

fn single(table: &Table<'_>) -> Vec<EF> {
    match table {
        Table::Base(cells) => cells.iter().copied().map(EF::from).collect(),
        Table::Extension(cells) => cells.to_vec(),
        Table::Packed(vectors) => <PackedEF as p3_field::PackedFieldExtension<F, EF>>::to_ext_iter(
            vectors.iter().copied(),
        )
        .collect(),
    }
}

/// All cells of a domain from the stored ones.
fn expand(shape: Shape, stored: &[EF]) -> Vec<EF> {
    let row = 1 << shape.inner;
    (0..row << shape.outer)
        .map(|x| {
            let (number, column) = (x / row, x % row);
            if column < shape.stride {
                let at = number * shape.stride + column;
                stored.get(at).copied().unwrap_or_default()
            } else {
                EF::ZERO
            }
        })
        .collect()
}

/// The verifier of the page: reads the rounds, gives the point and the final value.
fn verify(proof: &[u8], variables: usize, degree: usize, claim: EF) -> (Vec<EF>, EF) {
    let mut transcript = VerifierTranscript::new("test", proof);
    let mut claim = claim;
    let mut point = Vec::new();
    for _ in 0..variables {
        let message = transcript.receive(ROUND, degree).unwrap();
        let challenge = transcript.challenge(ROUND);
        claim = next_claim(claim, &message, challenge);
        point.push(challenge);
    }
    transcript.finish().unwrap();
    (point, claim)
}

fn check(sumcheck: &Sumcheck<'_>) {
    let naive = Naive::new(sumcheck);
    let claim = naive.sum(sumcheck);
    let variables = sumcheck.variables();
    let mut transcript = ProverTranscript::new("test");
    let outcome = sumcheck.clone().prove(claim, &mut transcript).unwrap();
    let proof = transcript.finish();
    let (point, end) = verify(&proof, variables, sumcheck.degree(), claim);
    assert_eq!(outcome.point, point);
    assert_eq!(outcome.claim, end);
    assert_eq!(outcome.values, naive.values(&point));
    let mut starts = vec![0];
    for part in &sumcheck.parts {
        starts.push(starts.last().unwrap() + part.tables.len());
    }
    let inner = Naive::summand(sumcheck, |part, table| outcome.values[starts[part] + table]);
    let outer = sumcheck
        .equality
        .as_ref()
        .map_or(EF::ONE, |tau| eq(tau, &point));
    assert_eq!(end, outer * inner);
}

fn table(random: &mut Random, length: usize, kind: usize) -> Table<'static> {
    match kind % 3 {
        0 => Table::Base(Cow::Owned(random.base_vec(length))),
        1 => Table::Extension(Cow::Owned(random.extension_vec(length))),
        _ => {
            let mut cells = random.extension_vec(length);
            cells.resize(length.next_multiple_of(PackedF::WIDTH), EF::ZERO);
            Table::Packed(first::pack(&cells))
        }
    }
}

/// A sum with terms of up to `factors` factors over tables of all kinds and lengths.
fn random_part(random: &mut Random, shape: Shape, factors: usize) -> Part<'static> {
    let count = 1 + random.below(5);
    let tables: Vec<_> = (0..count)
        .map(|_| {
            let length = match random.below(3) {
                0 => random.below(shape.cells() + 1),
                _ => shape.cells(),
            };
            let kind = random.below(3);
            table(random, length, kind)
        })
        .collect();
    let groups = (0..=random.below(3)).map(|_| Group {
        weight: random.extension(),
        terms: (0..=random.below(3))
            .map(|_| Term {
                coeff: [F::ONE, F::NEG_ONE, random.base()][random.below(3)],
                factors: (0..=random.below(factors))
                    .map(|_| random.below(count))
                    .collect(),
            })
            .collect(),
    });
    Part {
        shape,
        groups: groups.collect(),
        tables,
    }
}

fn random_shape(random: &mut Random, variables: usize) -> Shape {
    let outer = random.below(variables + 1);
    let inner = variables - outer;
    let length = (1 << inner) / 2 + 1 + random.below((1 << inner) / 2 + 1);
    let shape = Shape::rows(outer, length.min(1 << inner));
    assert_eq!(shape.variables(), variables);
    shape
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn agrees_with_the_definition(
        seed: u64,
        variables in 0_usize..12,
        factors in 1_usize..=MAX_FACTORS,
        outer: bool,
        parts in 1_usize..3,
    ) {
        let mut random = Random::new(seed);
        let parts = (0..parts)
            .map(|_| {
                let shape = random_shape(&mut random, variables);
                random_part(&mut random, shape, factors)
            })
            .collect();
        check(&Sumcheck {
            equality: outer.then(|| random.extension_vec(variables)),
            parts,
        });
    }

    #[test]
    fn equality_tables_agree(seed: u64, variables in 0_usize..11) {
        let mut random = Random::new(seed);
        let point = random.extension_vec(variables);
        let scale = random.extension();
        let expected: Vec<EF> = eq_table(&point).into_iter().map(|value| scale * value).collect();
        prop_assert_eq!(&equality_table(&point, scale), &expected);
        let packed = Table::Packed(packed_equality_table(&point, scale));
        let mut cells = single(&packed);
        prop_assert!(cells.drain(expected.len()..).all(|cell| cell == EF::ZERO));
        prop_assert_eq!(cells, expected);
    }
}

#[test]
fn outer_points_of_bits_are_no_exception() {
    let mut random = Random::new(7);
    for bits in 0..8_usize {
        for variables in [3, 8] {
            let mut point = random.extension_vec(variables);
            for (at, coordinate) in point.iter_mut().enumerate().take(3) {
                *coordinate = EF::from_bool(bits >> at & 1 == 1);
            }
            for factors in 1..=MAX_FACTORS {
                check(&Sumcheck {
                    equality: Some(point.clone()),
                    parts: vec![random_part(&mut random, Shape::dense(variables), factors)],
                });
            }
        }
    }
}

#[test]
fn larger_domains_agree() {
    let mut random = Random::new(11);
    for shape in [Shape::dense(15), Shape::rows(4, 1536), Shape::rows(9, 48)] {
        for outer in [false, true] {
            check(&Sumcheck {
                equality: outer.then(|| random.extension_vec(shape.variables())),
                parts: vec![random_part(&mut random, shape, 3)],
            });
        }
    }
}

#[test]
fn products_agree() {
    let mut random = Random::new(3);
    for variables in [0, 1, 4, 5, 9, 13] {
        for kind in 0..3 {
            let a = table(&mut random, 1 << variables, kind);
            let b = table(&mut random, 1 << variables, 1);
            check(&Sumcheck::product(variables, a.clone(), b.clone()));
            let point = random.extension_vec(variables);
            check(&Sumcheck::weighted_product(point, a, b));
        }
    }
}

#[test]
fn messages_do_not_depend_on_the_number_of_threads() {
    let mut random = Random::new(5);
    let shape = Shape::rows(3, 1000);
    let sumcheck = Sumcheck {
        equality: Some(random.extension_vec(shape.variables())),
        parts: vec![random_part(&mut random, shape, 3)],
    };
    let proof = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let mut transcript = ProverTranscript::new("test");
            let claim = EF::from_u32(9);
            sumcheck.clone().prove(claim, &mut transcript).unwrap();
            transcript.finish()
        })
    };
    assert_eq!(proof(1), proof(2));
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let tables = || vec![Table::Base(Cow::Owned(vec![F::ONE; 9]))];
    let prove = |shape, factors: Vec<usize>, outer: usize| {
        let groups = vec![Group {
            weight: EF::ONE,
            terms: vec![Term {
                coeff: F::ONE,
                factors,
            }],
        }];
        let sumcheck = Sumcheck {
            equality: Some(vec![EF::ONE; outer]),
            parts: vec![Part {
                shape,
                tables: tables(),
                groups,
            }],
        };
        sumcheck
            .prove(EF::ZERO, &mut ProverTranscript::new("test"))
            .unwrap_err()
    };
    assert_eq!(
        prove(Shape::dense(3), vec![0], 3),
        SumcheckError::TableTooLong {
            table: 0,
            length: 9,
            cells: 8
        }
    );
    assert_eq!(
        prove(Shape::dense(4), vec![0, 1], 4),
        SumcheckError::NoSuchTable {
            group: 0,
            table: 1,
            tables: 1
        }
    );
    assert!(matches!(
        prove(Shape::dense(4), vec![0; 4], 4),
        SumcheckError::Factors {
            group: 0,
            factors: 4
        }
    ));
    assert!(matches!(
        prove(Shape::dense(4), vec![0], 5),
        SumcheckError::Point {
            found: 5,
            expected: 4
        }
    ));
    let odd = Shape {
        outer: 1,
        inner: 5,
        stride: 17,
    };
    assert!(matches!(
        prove(odd, vec![0], 6),
        SumcheckError::Stride {
            inner: 5,
            stride: 17
        }
    ));
}
