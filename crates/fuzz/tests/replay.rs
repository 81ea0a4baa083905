//! Every target on its seeds, and on every input that once found something.

use std::path::Path;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 5] = [
    ("proof", veridical_fuzz::proof::run),
    ("witness", veridical_fuzz::witness::run),
    ("graph", veridical_fuzz::graph::run),
    ("file", veridical_fuzz::file::run),
    ("receipt", veridical_fuzz::receipt::run),
];

#[test]
fn seeds_and_regressions_find_nothing() {
    for (name, run) in TARGETS {
        let mut count = 0;
        for kind in ["seeds", "regressions"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(name);
            let Ok(entries) = std::fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries {
                run(&std::fs::read(entry.unwrap().path()).unwrap());
                count += 1;
            }
        }
        assert!(count > 0, "{name} has no seed");
    }
}

#[test]
fn nothing_is_an_honest_proof() {
    // No change: each case, its true statement, its true outputs.
    for case in 0..4 {
        veridical_fuzz::proof::run(&[case, 0]);
        veridical_fuzz::witness::run(&[case, 0, 0]);
        veridical_fuzz::graph::run(&[case, 0, 1, 0, 0, 0]);
    }
    for case in veridical_fuzz::case::CASES.iter() {
        veridical_fuzz::file::run(&case.program.to_bytes());
        veridical_fuzz::file::run(&case.program.to_vkey_bytes());
    }
}

#[test]
fn changed_receipts_are_not_accepted() {
    for seed in veridical_fuzz::receipt::seeds() {
        veridical_fuzz::receipt::run(&seed);
        for at in (0..seed.len()).step_by(53) {
            let mut changed = seed.clone();
            changed[at] ^= 4;
            veridical_fuzz::receipt::run(&changed);
        }
    }
}

#[test]
fn every_kind_of_change_is_refused() {
    let mut state = 1_u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    };
    for round in 0..120 {
        let data: Vec<u8> = (0..=(round % 40)).map(|_| byte()).collect();
        veridical_fuzz::proof::run(&data);
        veridical_fuzz::graph::run(&data);
        if round % 8 == 0 {
            veridical_fuzz::witness::run(&data);
        }
    }
}
