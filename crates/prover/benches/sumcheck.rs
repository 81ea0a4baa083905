//! Time of sumchecks per cell.
//!
//! `cargo bench -p veridical-prover --bench sumcheck -- [threads] [name [log2 cells ..]]`; build with
//! `RUSTFLAGS="-C target-cpu=native"` for the vector units of the machine.

#![expect(clippy::print_stdout, reason = "a benchmark reports on stdout")]
#![expect(clippy::expect_used, reason = "a benchmark may stop")]
#![expect(clippy::disallowed_types, reason = "a benchmark reads the clock")]
#![expect(clippy::cast_precision_loss, reason = "rates are rounded when printed")]

use std::borrow::Cow;
use std::time::Instant;

use p3_field::{BasedVectorSpace, PrimeCharacteristicRing};
use veridical_argument::claims::Claim;
use veridical_argument::field::{EF, F};
use veridical_argument::multilinear::shape_variables;
use veridical_argument::plan::WireId;
use veridical_argument::stack::Stack;
use veridical_argument::transcript::ProverTranscript;
use veridical_prover::merge::merge;
use veridical_prover::opening::fold;
use veridical_prover::sumcheck::{Group, PackedEF, Part, Shape, Sumcheck, Table, Term};
use veridical_prover::values::Integers;

/// Seconds after which a case is not repeated.
const LIMIT: f64 = 2.0;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^ (x >> 31)
    }

    fn base(&mut self, count: usize) -> Vec<F> {
        (0..count).map(|_| F::from_u64(self.next() >> 33)).collect()
    }

    fn extension(&mut self, count: usize) -> Vec<EF> {
        let mut element = || EF::from_basis_coefficients_fn(|_| F::from_u64(self.next() >> 33));
        (0..count).map(|_| element()).collect()
    }

    fn packed(&mut self, cells: usize) -> Vec<PackedEF> {
        let lanes = <F as p3_field::Field>::Packing::ONE;
        let some = self.extension(64);
        let some: Vec<PackedEF> = some.into_iter().map(PackedEF::from).collect();
        let width = p3_field::PackedValue::as_slice(&lanes).len();
        (0..cells.div_ceil(width))
            .map(|at| some[at % 64] + some[at / 64 % 64] * some[1])
            .collect()
    }
}

/// Seconds that the threads of the process have run, which load on the machine does not lengthen.
fn processor_time() -> Option<f64> {
    let mut nanoseconds = 0;
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        let status = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += status.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(nanoseconds as f64 / 1e9)
}

/// Runs a case on fresh inputs and prints the least and the median time per cell.
fn measure<T>(name: &str, variables: usize, cells: usize, inputs: impl Fn() -> T, run: impl Fn(T)) {
    let mut times: Vec<(f64, f64)> = Vec::new();
    let mut total = 0.0;
    while times.len() < 3 || (total < LIMIT && times.len() < 200) {
        let fresh = inputs();
        let (start, busy) = (Instant::now(), processor_time());
        run(fresh);
        let elapsed = start.elapsed().as_secs_f64();
        let busy = processor_time()
            .zip(busy)
            .map_or(elapsed, |(end, start)| end - start);
        total += elapsed;
        times.push((elapsed, busy));
    }
    let least = times
        .iter()
        .map(|(elapsed, _)| *elapsed)
        .fold(f64::MAX, f64::min);
    let busy = times.iter().map(|(_, busy)| *busy).fold(f64::MAX, f64::min);
    println!(
        "{name:22} 2^{variables:<2} least {:10.3} ms, processor {:10.3} ms, {:7.2} ns per cell",
        least * 1e3,
        busy * 1e3,
        busy * 1e9 / cells as f64,
    );
}

fn prove(sumcheck: Sumcheck<'_>) {
    let mut transcript = ProverTranscript::new("bench");
    let outcome = sumcheck.prove(EF::ZERO, &mut transcript);
    std::hint::black_box(outcome.expect("a valid sumcheck"));
}

/// `h * (m - x) = 0`, `h * h - h = 0`, `z - q * m + q * x = 0` over rows of 384 cells.
fn identities(random: &mut Random, outer: usize) -> Sumcheck<'static> {
    let shape = Shape::rows(outer, 384);
    let term = |coeff: F, factors: &[usize]| Term {
        coeff,
        factors: factors.to_vec(),
    };
    let weights = random.extension(3);
    let terms = [
        vec![term(F::ONE, &[0, 1]), term(F::NEG_ONE, &[0, 2])],
        vec![term(F::ONE, &[0, 0]), term(F::NEG_ONE, &[0])],
        vec![
            term(F::ONE, &[3]),
            term(F::NEG_ONE, &[4, 1]),
            term(F::ONE, &[4, 2]),
        ],
    ];
    let groups = weights.into_iter().zip(terms);
    let table = |random: &mut Random| Table::Base(Cow::Owned(random.base(shape.cells())));
    Sumcheck {
        equality: Some(random.extension(shape.variables())),
        parts: vec![Part {
            shape,
            tables: (0..5).map(|_| table(random)).collect(),
            groups: groups
                .map(|(weight, terms)| Group { weight, terms })
                .collect(),
        }],
    }
}

/// Matrices of a transformer until the stack is full, with so many claims.
fn stack(random: &mut Random, variables: usize, count: usize) -> (Stack, Vec<F>, Vec<Claim>) {
    let mut shapes = Vec::new();
    let mut cells = 0;
    let width = if variables < 20 { 24 } else { 384 };
    loop {
        for shape in [
            vec![width, width],
            vec![width, 4 * width],
            vec![4 * width],
            vec![width],
        ] {
            cells += shape.iter().product::<usize>();
            if cells > 1 << variables {
                let stack = Stack::new(shapes, variables).expect("a stack");
                let claims = (0..count)
                    .map(|at| {
                        let tensor = at % stack.shapes().len();
                        Claim {
                            wire: WireId(tensor),
                            point: random.extension(shape_variables(&stack.shapes()[tensor])),
                            value: EF::ZERO,
                        }
                    })
                    .collect();
                return (stack, random.base(1 << variables), claims);
            }
            shapes.push(shape);
        }
    }
}

fn case(name: &str, variables: usize) {
    let mut random = Random(1);
    let cells = 1 << variables;
    match name {
        "product" => {
            let (a, b) = (random.packed(cells), random.packed(cells));
            let inputs = || (a.clone(), b.clone());
            measure(name, variables, cells, inputs, |(a, b)| {
                prove(Sumcheck::product(
                    variables,
                    Table::Packed(a),
                    Table::Packed(b),
                ));
            });
        }
        "weighted product" => {
            let (a, b) = (random.packed(cells), random.packed(cells));
            let point = random.extension(variables);
            let inputs = || (a.clone(), b.clone());
            measure(name, variables, cells, inputs, |(a, b)| {
                let (a, b) = (Table::Packed(a), Table::Packed(b));
                prove(Sumcheck::weighted_product(point.clone(), a, b));
            });
        }
        "base times extension" => {
            let (a, b) = (random.base(cells), random.packed(cells));
            measure(
                name,
                variables,
                cells,
                || b.clone(),
                |b| {
                    let a = Table::Base(Cow::Borrowed(&a));
                    prove(Sumcheck::product(variables, a, Table::Packed(b)));
                },
            );
        }
        "identities" => {
            let sumcheck = identities(&mut random, variables - 9);
            let cells = sumcheck.parts[0].shape.cells();
            measure(name, variables, cells, || sumcheck.clone(), prove);
        }
        "merge" => {
            let shape = [cells >> 9, 384];
            let count = shape.iter().product::<usize>();
            let integers: Vec<i32> = (0..count)
                .map(|_| i32::try_from(random.next() >> 48).unwrap_or(0))
                .collect();
            let claim = |random: &mut Random| Claim {
                wire: WireId(0),
                point: random.extension(variables),
                value: EF::ZERO,
            };
            let claims = vec![claim(&mut random), claim(&mut random)];
            measure(
                name,
                variables,
                count,
                || claims.clone(),
                |claims| {
                    let mut transcript = ProverTranscript::new("bench");
                    let merged = merge(&shape, Integers::I32(&integers), claims, &mut transcript);
                    std::hint::black_box(merged.expect("claims of the wire"));
                },
            );
        }
        _ => {
            let (stack, elements, claims) = stack(&mut random, variables, 100);
            measure(
                name,
                variables,
                cells,
                || claims.clone(),
                |claims| {
                    let mut transcript = ProverTranscript::new("bench");
                    let tensor = |wire: WireId| Some(wire.0);
                    let opened = fold(&stack, &elements, claims, tensor, &mut transcript);
                    let (_, value) = opened.expect("claims of the stack");
                    let _ = std::hint::black_box(value);
                },
            );
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let threads = arguments
        .first()
        .and_then(|threads| threads.parse().ok())
        .unwrap_or(1);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let filter = arguments.get(1).map_or("", String::as_str);
    let sizes: Vec<usize> = arguments
        .iter()
        .skip(2)
        .filter_map(|size| size.parse().ok())
        .collect();
    println!("{threads} threads");
    pool.expect("a pool of threads").install(|| {
        for (name, defaults) in [
            ("product", [10, 16, 20]),
            ("weighted product", [10, 16, 20]),
            ("base times extension", [10, 16, 20]),
            ("identities", [12, 16, 20]),
            ("merge", [12, 16, 20]),
            ("stack", [18, 22, 25]),
        ] {
            if name.contains(filter) {
                for variables in if sizes.is_empty() {
                    &defaults[..]
                } else {
                    &sizes
                } {
                    case(name, *variables);
                }
            }
        }
    });
}
