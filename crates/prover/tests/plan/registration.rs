//! Registration plans: a loaded program keeps them, and a key suffices to build them.

use std::path::Path;

use veridical_argument::plan::{Plan, PlanError};
use veridical_program::Program;
use veridical_prover::values::Values;

use crate::oracle::Oracle;
use crate::{load, programs, random};

/// Whether the program has a registration plan, which its weights then satisfy.
fn check(name: &str, program: &Program) -> bool {
    let key = Program::from_bytes(&program.to_vkey_bytes()).unwrap();
    let plan = Plan::registration(program);
    assert_eq!(Plan::registration(&key), plan, "{name}");
    let plan = match plan {
        Ok(plan) => plan,
        Err(PlanError::NotInjective { condition, .. }) => {
            assert_eq!(condition, "3 * 2^w <= p", "{name}");
            return false;
        }
        Err(error) => panic!("{name}: {error}"),
    };
    assert_eq!(plan.check(), Ok(()), "{name}");
    let values = Values::of_weights(&plan, program).unwrap();
    let oracle = Oracle::of(&plan, program, values);
    let checked = oracle
        .check_lookups()
        .and_then(|()| oracle.check_identities());
    assert_eq!(checked, Ok(()), "{name}");
    true
}

#[test]
fn weights_of_the_vectors_keep_their_registration_plans() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/program");
    for path in programs(&folder) {
        let name = path.display().to_string();
        assert!(check(&name, &load(&path)), "{name}");
    }
}

#[test]
fn weights_of_random_programs_keep_their_registration_plans() {
    let mut count = 0;
    for seed in 0..300 {
        let program = random::program(seed, 1 + usize::try_from(seed % 17).unwrap());
        count += usize::from(check(&format!("seed {seed}"), &program));
    }
    assert!(count > 200, "{count}");
}
