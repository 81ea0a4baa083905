//! No single witness wire can be changed, whatever an honest prover computes from the changed one.

use veridical_argument::plan::{Definition, Plan, WireId};
use veridical_prover::values::Values;

use crate::oracle::Oracle;
use crate::support::Random;
use crate::{load, programs, run};

/// Changes one cell of a wire and says whether lookups and identities notice.
fn is_noticed(
    plan: &Plan,
    program: &veridical_program::Program,
    trace: &veridical_executor::Trace,
    (target, position, delta): (WireId, usize, i32),
) -> bool {
    let values = Values::compute_with(plan, program, trace, &mut |wire, integers| {
        if wire == target {
            integers[position] = integers[position].wrapping_add(delta);
        }
    });
    let oracle = Oracle::of(plan, program, values.unwrap());
    oracle
        .check_lookups()
        .and_then(|()| oracle.check_identities())
        .is_err()
}

#[test]
fn a_changed_witness_breaks_a_lookup_or_an_identity() {
    let folder = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors/program");
    let mut random = Random(3);
    let mut num_changes = 0;
    for path in programs(&folder) {
        let program = load(&path);
        let plan = Plan::build(&program, 2).unwrap();
        let Some(trace) = run(&program, 2, 7) else {
            continue;
        };
        for (id, wire) in plan.wires.iter().enumerate() {
            if !matches!(wire.definition, Definition::Witness { .. }) {
                continue;
            }
            let position = random.index(wire.shape.iter().product());
            // Steps by one, by a multiple of every power in use, and by what is 1 / 2 and 1 / 4 in the field.
            for delta in [1, -1, 1 << 16, 1_065_353_217, 532_676_609] {
                let change = (WireId(id), position, delta);
                let is_noticed = is_noticed(&plan, &program, &trace, change);
                assert!(is_noticed, "{}: {:?} {change:?}", path.display(), wire);
                num_changes += 1;
            }
        }
    }
    assert!(num_changes > 3000, "{num_changes}");
}
