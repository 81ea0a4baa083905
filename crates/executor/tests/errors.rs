//! What a run refuses, each by its name; and small programs whose results were worked out by hand.

#![expect(clippy::expect_used, reason = "what cannot run has failed the test")]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::sync::Arc;

use support::Builder;
use veridical_executor::{Executor, ExecutorError, Isa, Options};
use veridical_program::{ConstData, ConstKind, Op, Program};

fn executor(program: &Arc<Program>) -> Executor {
    Executor::new(Arc::clone(program), Options::default()).expect("a program with weights")
}

/// `y = relu(W x + b)`, the example of the specification with small numbers.
fn relu() -> Arc<Program> {
    let mut b = Builder::new(0);
    let x = b.input(&[3], -8192, 8191);
    let weights = ConstData::I16(vec![1, 2, 3, -1, 0, 5].into());
    let w = b.constant(ConstKind::Weight, &[2, 3], weights);
    let bias = b.constant(
        ConstKind::Weight,
        &[2],
        ConstData::I32(vec![10, -20].into()),
    );
    let y = b.node(Op::Linear, &[x], &[w, bias], &[2], (-60_000, 60_000));
    let y = b.table(y, 2, |i, _| i.clamp(0, 1000));
    b.output(y);
    b.build()
}

#[test]
fn test_the_example_of_the_specification() {
    let executor = executor(&relu());
    // 1 + 4 + 9 + 10 = 24 and -1 + 15 - 20 = -6, then -30 + 10 and 50 - 20 with one item more.
    let outputs = executor.run(&[&[1, 2, 3, 0, -15, 10]], 2).expect("a run");
    let quarter = |x: i32| [x >> 2, (x + 2) >> 2];
    // The builder draws whether the table rounds; both are right for these sums but for 30.
    assert_eq!(outputs[0][..3], [6, 0, 2]);
    assert!(quarter(30).contains(&outputs[0][3]));
}

#[test]
fn test_a_wrong_number_of_inputs_is_refused() {
    let error = executor(&relu()).run(&[], 1).err();
    assert_eq!(
        error,
        Some(ExecutorError::InputCount {
            expected: 1,
            actual: 0
        })
    );
}

#[test]
fn test_a_wrong_length_is_refused() {
    let error = executor(&relu()).run(&[&[1, 2, 3, 4]], 1).err();
    let name = "x0".to_owned();
    assert_eq!(
        error,
        Some(ExecutorError::InputLength {
            input: 0,
            name,
            expected: 3,
            actual: 4
        })
    );
}

#[test]
fn test_a_value_outside_the_declared_range_is_refused_by_position() {
    let executor = executor(&relu());
    for (position, value) in [(1, 8192), (5, -8193), (0, i32::MIN), (3, i32::MAX)] {
        let mut input = [8191, -8192, 0, 0, 0, 0];
        input[position] = value;
        let error = executor.run(&[&input], 2).err();
        let name = "x0".to_owned();
        let (lo, hi) = (-8192, 8191);
        let expected = ExecutorError::InputRange {
            input: 0,
            name,
            position,
            value,
            lo,
            hi,
        };
        assert_eq!(error.as_ref(), Some(&expected));
        assert_eq!(executor.trace(&[&input], 2).err(), error);
    }
}

#[test]
fn test_an_empty_batch_is_refused() {
    assert_eq!(
        executor(&relu()).run(&[&[]], 0).err(),
        Some(ExecutorError::EmptyBatch)
    );
}

#[test]
fn test_no_threads_are_refused() {
    let options = Options {
        threads: 0,
        isa: None,
    };
    assert_eq!(
        Executor::new(relu(), options).err(),
        Some(ExecutorError::NoThreads)
    );
}

#[test]
fn test_a_verification_key_cannot_be_run() {
    let key = Program::from_bytes(&relu().to_vkey_bytes()).expect("its own key");
    let error = Executor::new(Arc::new(key), Options::default()).err();
    assert_eq!(error, Some(ExecutorError::MissingConstant { constant: 0 }));
}

#[test]
fn test_an_instruction_set_that_is_missing_is_refused() {
    for isa in [Isa::Portable, Isa::Avx2, Isa::Avx512] {
        let options = Options {
            threads: 1,
            isa: Some(isa),
        };
        match Executor::new(relu(), options) {
            Ok(executor) => assert!(isa.is_available() && executor.isa() == isa),
            Err(error) => {
                assert!(!isa.is_available());
                assert_eq!(error, ExecutorError::IsaUnavailable { isa });
            }
        }
    }
}

#[test]
fn test_a_batch_beyond_all_memory_is_refused_before_it_is_allocated() {
    let mut b = Builder::new(0);
    let x = b.input(&[1], 0, 1);
    let y = b.node(
        Op::Expand {
            shape: vec![1 << 24],
        },
        &[x],
        &[],
        &[1 << 24],
        (0, 1),
    );
    let y = b.reshape(y, &[1 << 12, 1 << 12]);
    b.output(y);
    let executor = executor(&b.build());
    let input = vec![1; 1 << 10];
    let error = executor.run(&[&input], 1 << 10).err();
    assert!(
        matches!(error, Some(ExecutorError::TooLarge { batch: 1024, .. })),
        "{error:?}"
    );
}

#[test]
fn test_an_empty_row_is_named_with_its_node_whatever_the_chunks() {
    let mut b = Builder::new(0);
    let x = b.input(&[2, 3], 0, 50);
    let mask = b.input(&[2, 3], 0, 1);
    let e = b.softmax_numerator(x, Some(mask), 100);
    b.output(e);
    let program = b.build();
    let x = vec![7; 6 * 300];
    let mut mask = vec![1; 6 * 300];
    mask[6 * 280 + 3..6 * 281].fill(0);
    mask[6 * 290..6 * 291].fill(0);
    for threads in [1, 2] {
        let options = Options { threads, isa: None };
        let executor = Executor::new(Arc::clone(&program), options).expect("valid");
        let expected = Some(ExecutorError::EmptyRow { node: 0, row: 561 });
        assert_eq!(executor.run(&[&x, &mask], 300).err(), expected);
        assert_eq!(executor.trace(&[&x, &mask], 300).err(), expected);
    }
}

#[test]
fn test_a_trace_refuses_what_it_does_not_hold() {
    let trace = executor(&relu()).trace(&[&[1, 2, 3]], 1).expect("a run");
    assert_eq!(trace.len(), 3);
    let missing = ExecutorError::NoSuchTensor {
        tensor: 3,
        count: 3,
    };
    assert_eq!(trace.tensor(3), Err(missing.clone()));
    assert_eq!(trace.step(3, 0), Err(missing.clone()));
    assert_eq!(trace.tensor_root(3), Err(missing));
    let missing = ExecutorError::NoSuchElement {
        tensor: 1,
        element: 2,
        count: 2,
    };
    assert_eq!(trace.step(1, 2), Err(missing));
}

#[test]
fn test_the_root_depends_on_every_element() {
    let executor = executor(&relu());
    let root = |x: [i32; 3]| executor.trace(&[&x], 1).expect("a run").root();
    assert_eq!(root([1, 2, 3]), root([1, 2, 3]));
    assert_ne!(root([1, 2, 3]), root([1, 2, 4]));
    let trace = executor.trace(&[&[1, 2, 3]], 1).expect("a run");
    let roots = [0, 1, 2].map(|t| trace.tensor_root(t).expect("inside"));
    assert!(roots[0] != roots[1] && roots[1] != roots[2]);
}

/// Two-item attention by hand: weights 1 and 3 over values 10 and 21 give floor((73 + 2) / 4) = 18.
#[test]
fn test_a_weighted_mean_rounds_half_up() {
    let mut b = Builder::new(0);
    let e = b.input(&[1, 2], 0, 100);
    let v = b.input(&[2, 2], -50, 50);
    let y = b.weighted_mean(e, v);
    b.output(y);
    let executor = executor(&b.build());
    let outputs = executor
        .run(&[&[1, 3], &[10, -10, 21, -21]], 1)
        .expect("a run");
    // -73 + 2 = -71, and floor(-71 / 4) = -18.
    assert_eq!(outputs, [[18, -18]]);
    let empty = executor.run(&[&[0, 0], &[10, -10, 21, -21]], 1).err();
    assert_eq!(empty, Some(ExecutorError::EmptyRow { node: 0, row: 0 }));
}

/// The first of equal maxima wins, and equal values are ordered by index.
#[test]
fn test_ties_go_to_the_lowest_index() {
    let mut b = Builder::new(0);
    let x = b.input(&[5], -9, 9);
    let first = b.node(Op::Argmax, &[x], &[], &[1], (0, 4));
    let order = b.node(
        Op::TopK {
            k: 3,
            values: false,
        },
        &[x],
        &[],
        &[3],
        (0, 4),
    );
    let values = b.node(Op::TopK { k: 3, values: true }, &[x], &[], &[3], (-9, 9));
    for t in [first, order, values] {
        b.output(t);
    }
    let outputs = executor(&b.build())
        .run(&[&[3, 7, -9, 7, 7]], 1)
        .expect("a run");
    assert_eq!(outputs, [vec![1], vec![1, 3, 4], vec![7, 7, 7]]);
}
