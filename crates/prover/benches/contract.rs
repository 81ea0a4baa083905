//! Time of contractions per element: `cargo bench -p veridical-prover --bench contract`.
//!
//! One thread, tensors with the shapes of real models. Prints the median and the least time of each
//! case; on a machine that does other work the least time is the better measure of the code.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run has failed")]
#![expect(clippy::disallowed_types, reason = "a benchmark reads the clock")]
#![expect(clippy::cast_precision_loss, reason = "rates are rounded when printed")]

use std::time::Instant;

use p3_field::PrimeCharacteristicRing;
use veridical_argument::field::EF;
use veridical_argument::multilinear::{segments, shape_variables};
use veridical_executor::Isa;
use veridical_prover::contract::{Axis, Cell, Contractor, Layout};

/// Name, axes, which of them are kept (none: an evaluation), repetitions of the tensor.
type Case = (&'static str, &'static [usize], &'static [usize], usize);

const CASES: [Case; 14] = [
    ("weight by rows", &[1536, 384], &[1], 1),
    ("weight by columns", &[1536, 384], &[0], 1),
    ("weight by rows", &[384, 1536], &[1], 1),
    ("22M weights by rows", &[384, 1536], &[1], 37),
    ("embedding", &[30522, 384], &[0], 1),
    ("activations", &[1, 128, 1536], &[2], 1),
    ("scores", &[1, 12, 128, 128], &[1, 3], 1),
    ("values", &[1, 12, 128, 32], &[1, 2], 1),
    ("patches", &[1, 64, 56, 3, 56, 3], &[1, 3, 5], 1),
    ("patches", &[1, 512, 7, 3, 7, 3], &[1, 3, 5], 1),
    ("patches of 8", &[8, 512, 7, 3, 7, 3], &[1, 3, 5], 1),
    ("evaluation", &[1, 128, 1536], &[], 1),
    ("evaluation", &[1, 64, 112, 112], &[], 1),
    ("evaluation", &[1, 128, 30], &[], 1),
];

fn main() {
    let filter = std::env::args()
        .nth(1)
        .filter(|arg| !arg.starts_with('-'))
        .unwrap_or_default();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1);
    let pool = pool.build().expect("a pool of one thread");
    pool.install(|| {
        for isa in [Isa::Avx512, Isa::Avx2, Isa::Portable] {
            let Some(contractor) = Contractor::new(isa) else {
                continue;
            };
            for case in CASES.iter().filter(|case| case.0.contains(&filter)) {
                let cells = case.1.iter().product::<usize>() * case.3;
                let byte = |at: usize| ((at * 7919) >> 3).to_le_bytes()[0].cast_signed();
                let bytes: Vec<i8> = (0..cells).map(byte).collect();
                measure(isa, contractor, case, "i8", &bytes);
                let small: Vec<i32> = bytes.iter().map(|&x| x.into()).collect();
                measure(isa, contractor, case, "i32 of 8 bits", &small);
                let middle: Vec<i32> = small.iter().map(|&x| x * 257 + 99).collect();
                measure(isa, contractor, case, "i32 of 16 bits", &middle);
                let large: Vec<i32> = small.iter().map(|&x| x * 8_000_003 + 99).collect();
                measure(isa, contractor, case, "i32 of 30 bits", &large);
            }
        }
    });
}

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn measure<T: Cell>(isa: Isa, contractor: Contractor, case: &Case, width: &str, values: &[T]) {
    let (name, shape, kept, _) = *case;
    let point: Vec<EF> = (0..shape_variables(shape))
        .map(|at| EF::from_usize(at + 2).exp_u64(1 << 60))
        .collect();
    let segments = segments(shape, &point);
    let axes: Vec<Axis<'_>> = shape
        .iter()
        .zip(&segments)
        .enumerate()
        .map(|(axis, (&size, segment))| {
            if kept.contains(&axis) {
                Axis::Kept(size)
            } else {
                Axis::Summed(size, segment)
            }
        })
        .collect();
    let layout = Layout {
        order: kept,
        stride: kept.last().map_or(1, |&axis| shape[axis]),
    };
    let cells = shape.iter().product();
    let mut times: Vec<f64> = Vec::new();
    let begin = Instant::now();
    while times.len() < 5 || begin.elapsed().as_secs_f64() < 0.05 {
        let start = Instant::now();
        for tensor in values.chunks(cells) {
            if kept.is_empty() {
                let result = contractor.evaluate(tensor, shape, &point);
                let _ = std::hint::black_box(result.expect("fits"));
            } else {
                let result = contractor.contract(tensor, &axes, &layout);
                std::hint::black_box(result.expect("fits"));
            }
        }
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    let per_cell = |time: f64| time * 1e9 / values.len() as f64;
    println!(
        "{:8} {name:20} {shape:?} {width:14} {:9.1} us, {:6.3} ns per element, least {:6.3}",
        isa.name(),
        median * 1e6,
        per_cell(median),
        per_cell(times[0]),
    );
}
