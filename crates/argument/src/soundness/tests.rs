use super::*;
use crate::pcs::schedule::Phase;
use crate::pcs::{MAX_VARIABLES, MIN_VARIABLES};

/// Whether `bits` is within 0.2 of `expected`, both in hundredths.
fn near(bits: Bits, expected: u32) -> bool {
    bits.0.abs_diff(expected) <= 20
}

/// One row of the worked table: variables and rate of a codeword, queries, and their grinding.
fn phases(rows: &[(usize, usize, usize)]) -> Vec<Phase> {
    rows.iter()
        .enumerate()
        .map(|(index, (variables, log_inv_rate, queries))| Phase {
            variables: *variables,
            log_inv_rate: *log_inv_rate,
            fold: if index < 5 { 4 } else { 0 },
            fold_work: 0,
            samples: 1,
            queries: *queries,
            query_work: 20,
        })
        .collect()
}

/// The worked example: two stacks of 2^25, folded by 4, the domain halved per round.
fn weights() -> Vec<Phase> {
    phases(&[
        (25, 2, 93),
        (21, 5, 36),
        (17, 8, 22),
        (13, 11, 16),
        (9, 14, 13),
        (5, 17, 11),
    ])
}

fn witness() -> Vec<Phase> {
    phases(&[
        (25, 1, 201),
        (21, 4, 45),
        (17, 7, 26),
        (13, 10, 18),
        (9, 13, 14),
        (5, 16, 11),
    ])
}

fn gap_bits(phase: &Phase) -> Bits {
    let count = opening::exceptional(phase.variables, phase.log_inv_rate, Gap::Bchks25);
    Bound::challenges(count).bits()
}

#[test]
fn worked_table_outer_terms() {
    // N = 2^26 fractions, tuples of 3; every list is 1: bound at commitment.
    let opened = Opened {
        variables: 25,
        claims: 1 << 12,
    };
    let mut description = Description::new(Profile::STANDARD, 26, 3, opened);
    description.sumchecks(3, 1900, 1);
    description.sumchecks(17, 1, 200);
    for terms in [1 << 12, 26, 25, 25, 30] {
        description.combination(terms);
    }
    let parts = description.outer(1);
    let bits: Vec<Bits> = parts.iter().map(Part::bits).collect();
    for (bits, expected) in bits.iter().zip([12_660, 14_490, 14_180, 14_290]) {
        assert!(near(*bits, expected), "{bits} against {expected}");
    }
    // Lists of at most 2^6: batching of 2^12 claims, and 25 rounds for each of two stacks, whose
    // 2 * 50 * 2^6 exceptional challenges are 142.3 bits.
    let batching = batching(opened, 1 << 6);
    assert!(near(batching[0].total.bits(), 13_690));
    let rounds = batching[1].total.times(2).bits();
    assert!(near(rounds, 14_230), "{rounds}");
}

#[test]
fn worked_table_openings() {
    let ood = opening::out_of_domain(25, 2, 1).bits();
    assert!(near(ood, 12_220), "{ood}");
    let gaps: Vec<Bits> = weights().iter().take(5).map(gap_bits).collect();
    for (bits, expected) in gaps.iter().zip([10_860, 10_510, 10_160, 9_810, 9_460]) {
        assert!(near(*bits, expected), "{bits} against {expected}");
    }
    let gaps: Vec<Bits> = witness().iter().take(5).map(gap_bits).collect();
    for (bits, expected) in gaps.iter().zip([11_110, 10_760, 10_410, 10_060, 9_710]) {
        assert!(near(*bits, expected), "{bits} against {expected}");
    }
    let queried = |phase: &Phase| {
        opening::queries(phase.log_inv_rate, phase.queries)
            .ground(phase.query_work)
            .bits()
    };
    assert!(near(weights().iter().map(queried).min().unwrap(), 10_650));
    assert!(near(witness().iter().map(queried).min().unwrap(), 10_640));
}

#[test]
fn worked_table_sums() {
    // Folds are lifted to 106 bits by fractions of a bit there; here the fraction is the bound.
    let target = Bound::challenges(482 << 40);
    assert!(near(target.bits(), 10_600), "{}", target.bits());
    let sum = |phases: &[Phase]| -> Bound {
        let folds = phases.iter().take(5).map(|phase| {
            let count = opening::exceptional(phase.variables, phase.log_inv_rate, Gap::Bchks25);
            Bound::challenges(count).min(target).times(4)
        });
        let queries = phases.iter().map(|phase| {
            opening::queries(phase.log_inv_rate, phase.queries).ground(phase.query_work)
        });
        folds.chain(queries).sum()
    };
    let (w, a) = (sum(&weights()), sum(&witness()));
    assert!(near(w.bits(), 10_180), "{}", w.bits());
    assert!(near(a.bits(), 10_210), "{}", a.bits());
    let both = [w, a].into_iter().sum::<Bound>().bits();
    assert!(near(both, 10_090), "{both}");
}

/// A large proof: `sumchecks` of degree 4 over 30 variables, as many combinations, 2^12 claims.
fn large(profile: Profile, weights: usize, witness: usize, sumchecks: usize) -> Description {
    let opened = |variables| Opened {
        variables,
        claims: 1 << 12,
    };
    let mut description = Description::new(profile, (witness + 2).min(30), 3, opened(witness));
    description.weights = Some(opened(weights));
    description.sumchecks(4, 30, sumchecks);
    for _ in 0..sumchecks {
        description.combination(64);
    }
    description
}

#[test]
fn profiles_reach_their_bits_at_every_size() {
    for variables in MIN_VARIABLES..=MAX_VARIABLES {
        for other in [MIN_VARIABLES, variables, MAX_VARIABLES] {
            for (weights, witness) in [(variables, other), (other, variables)] {
                let standard = large(Profile::STANDARD, weights, witness, 2_000);
                for gap in [Gap::Bchks25, Gap::Dkt26] {
                    let report = standard.report(gap).unwrap();
                    let bits = report.enforce(Profile::STANDARD).unwrap();
                    assert!(report.weakest_round() > bits);
                }
                let strong = large(Profile::STRONG, weights, witness, 100);
                let report = strong.report(Gap::of(Profile::STRONG)).unwrap();
                report.enforce(Profile::STRONG).unwrap();
            }
        }
    }
}

#[test]
fn lists_count_against_every_outer_term() {
    let description = large(Profile::STANDARD, 20, 20, 200);
    let report = description.report(Gap::Bchks25).unwrap();
    let alone = description.outer(1);
    // 10.5 sqrt(8) and 10.5 sqrt(4), rounded up: 30 and 21.
    for (part, alone) in report.parts.iter().zip(&alone) {
        let lost = alone.bits().0 - part.bits().0;
        assert!(lost.abs_diff(930) <= 3, "{}: {lost}", part.name);
    }
}

#[test]
fn a_weak_proof_is_refused() {
    let mut description = large(Profile::STANDARD, 20, 20, 200);
    description.sumchecks(1 << 20, 1 << 20, 1 << 10);
    let report = description.report(Gap::Bchks25).unwrap();
    let error = report.enforce(Profile::STANDARD).unwrap_err();
    assert_eq!(error.needed, 100);
    assert!(error.found < Bits(10_000));
    description.witness.variables = 5;
    assert!(description.report(Gap::Bchks25).is_err());
}

#[test]
fn grinding_and_queries_are_what_the_schedule_says() {
    let description = large(Profile::STANDARD, 22, 22, 200);
    let honest = Schedule::new(Profile::STANDARD, Stack::Witness, 22).unwrap();
    let sum = |schedule: &Schedule| -> Bound {
        let terms = opening::terms(schedule, 1, Gap::Bchks25);
        terms.iter().map(|term| term.total).sum()
    };
    let union = description.report(Gap::Bchks25).unwrap().union();
    assert!(sum(&honest).bits() > union);
    for index in 0..honest.phases.len() {
        let mut weaker = honest.clone();
        weaker.phases[index].queries /= 2;
        assert!(sum(&weaker).bits() < Bits(10_000));
        let mut weaker = honest.clone();
        weaker.phases[index].query_work = 0;
        assert!(sum(&weaker).bits() < Bits(10_000));
    }
}

#[test]
fn figures_of_the_specification() {
    for (weights, witness, union, round, strong) in [
        (10, 10, 1054, 1064, 1290),
        (18, 14, 1042, 1063, 1290),
        (18, 18, 1040, 1063, 1289),
        (22, 20, 1035, 1060, 1288),
        (25, 24, 1030, 1060, 1286),
        (27, 27, 1021, 1060, 1285),
    ] {
        let report = |profile, gap| large(profile, weights, witness, 100).report(gap).unwrap();
        let standard = report(Profile::STANDARD, Gap::Bchks25);
        assert_eq!(standard.union().0 / 10, union);
        assert_eq!(standard.weakest_round().0 / 10, round);
        let newer = report(Profile::STRONG, Gap::Dkt26);
        assert!(newer.union().0 / 10 == strong, "{}", newer.union());
        let older = report(Profile::STRONG, Gap::Bchks25).union();
        assert!(older > Bits(12_100), "{older}");
    }
}
