//! Every definition and shape against integers that are computed cell by cell.

mod cases;
mod model;
mod verifier;

use p3_field::PrimeCharacteristicRing;
use veridical_argument::claims::{Claim, Ledger};
use veridical_argument::field::EF;
use veridical_argument::multilinear::{evaluate_integers, shape_variables};
use veridical_argument::plan::{Definition, WireId};
use veridical_argument::transcript::{ProverTranscript, VerifierTranscript};
use veridical_executor::Isa;

use self::model::Model;
use super::*;
use crate::testing::Random;

const PROTOCOL: &str = "test of reductions";

/// Claims on wires at random points; the last of them and its like are off by `error`.
fn claims(model: &Model, on: &[WireId], error: EF) -> Vec<Claim> {
    let mut random = Random::new(99);
    let mut claims: Vec<Claim> = on
        .iter()
        .map(|&wire| {
            let shape = &model.plan.wire(wire).unwrap().shape;
            let point = random.extension_vec(shape_variables(shape));
            let value = evaluate_integers(&model.integers[wire.0], shape, &point);
            Claim { wire, point, value }
        })
        .collect();
    let last = claims.last().cloned().unwrap();
    for claim in &mut claims {
        if *claim == last {
            claim.value += error;
        }
    }
    claims
}

fn ledger(claims: &[Claim]) -> Ledger {
    let mut ledger = Ledger::new();
    for claim in claims {
        ledger.add(claim.clone()).unwrap();
    }
    ledger
}

fn is_committed(model: &Model) -> impl Fn(WireId) -> bool {
    |wire| {
        matches!(
            model.plan.wire(wire).unwrap().definition,
            Definition::Witness { .. } | Definition::Weight { .. }
        )
    }
}

fn prove(model: &Model, claims: &[Claim], contractor: Contractor) -> (Vec<u8>, Vec<Claim>) {
    let mut ledger = ledger(claims);
    let mut transcript = ProverTranscript::new(PROTOCOL);
    run_with(contractor, &model.plan, model, &mut ledger, &mut transcript).unwrap();
    let left = ledger.take_all(is_committed(model));
    ledger.assert_empty().unwrap();
    (transcript.finish(), left)
}

/// Claims on these wires are reduced to true claims, with the same messages however they are computed, and wrong
/// claims are refused or reduced to wrong ones.
fn check(model: &Model, on: &[WireId]) {
    let honest = claims(model, on, EF::ZERO);
    let (proof, left) = prove(model, &honest, Contractor::default());
    for claim in &left {
        let shape = &model.plan.wire(claim.wire).unwrap().shape;
        let value = evaluate_integers(&model.integers[claim.wire.0], shape, &claim.point);
        assert_eq!(claim.value, value, "{:?}", claim.wire);
    }
    let mut transcript = VerifierTranscript::new(PROTOCOL, &proof);
    let mut ledger = ledger(&honest);
    verifier::verify(model, &mut ledger, &mut transcript).unwrap();
    transcript.finish().unwrap();
    assert_eq!(ledger.take_all(is_committed(model)), left);
    ledger.assert_empty().unwrap();

    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        for isa in [Isa::Portable, Isa::Avx2, Isa::Avx512] {
            if let Some(contractor) = Contractor::new(isa) {
                let again = pool.install(|| prove(model, &honest, contractor));
                assert!(again == (proof.clone(), left.clone()), "{isa:?} {threads}");
            }
        }
    }

    let wrong = claims(model, on, EF::ONE);
    let (proof, _) = prove(model, &wrong, Contractor::default());
    let mut transcript = VerifierTranscript::new(PROTOCOL, &proof);
    let mut ledger = self::ledger(&wrong);
    if verifier::verify(model, &mut ledger, &mut transcript).is_ok() {
        let left = ledger.take_all(is_committed(model));
        let is_wrong = |claim: &Claim| {
            let shape = &model.plan.wire(claim.wire).unwrap().shape;
            claim.value != evaluate_integers(&model.integers[claim.wire.0], shape, &claim.point)
        };
        assert!(left.iter().any(is_wrong), "a wrong claim was lost");
    }
}
