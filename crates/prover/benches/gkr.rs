//! Time of the lookup argument per fraction.
//!
//! `cargo bench -p veridical-prover --bench gkr -- [threads] [log2 slots ..]`; build with
//! `RUSTFLAGS="-C target-cpu=native"` for the vector units of the machine.

#![expect(clippy::print_stdout, reason = "a benchmark reports on stdout")]
#![expect(clippy::expect_used, reason = "a benchmark may stop")]
#![expect(clippy::disallowed_types, reason = "a benchmark reads the clock")]

use std::time::{Duration, Instant};

use veridical_argument::plan::{
    Combination, Definition, Fill, Plan, Role, Scaled, Site, Table, TableUse, Wire, WireId,
};
use veridical_argument::transcript::ProverTranscript;
use veridical_program::ConstData;
use veridical_prover::gkr::{Witness, prove};
use veridical_prover::values::Integers;

const ROLE: Role = Role {
    node: 0,
    what: "bench",
};

/// Repetitions are stopped after this time.
const LIMIT: Duration = Duration::from_secs(4);

struct Lookups {
    plan: Plan,
    integers: Vec<Vec<i32>>,
    constant: ConstData,
}

impl Witness for Lookups {
    fn integers(&self, wire: WireId) -> Option<Integers<'_>> {
        self.integers.get(wire.0).map(|cells| Integers::I32(cells))
    }

    fn constant(&self, _: usize) -> Option<&ConstData> {
        Some(&self.constant)
    }
}

fn column(terms: Vec<(i64, WireId)>, constant: i64) -> Scaled {
    Scaled {
        combination: Combination { terms, constant },
        shift: 0,
    }
}

/// What is looked up.
#[derive(Debug, Clone, Copy)]
enum Mix {
    /// Columns of a range table; all sizes are powers of two.
    Range,
    /// Columns of a range table and rows of a table of two columns, all of 7/8 of a power of two.
    Padded,
}

impl Lookups {
    /// Sites of a little less than `2^variables` slots in one or two tables.
    fn new(variables: usize, mix: Mix) -> Self {
        let table_bits = (variables - 3).min(16);
        let rows = 1 << table_bits;
        let mut lookups = Self {
            plan: Plan {
                batch: 1,
                wires: Vec::new(),
                tables: Vec::new(),
                sites: Vec::new(),
                identities: Vec::new(),
                outputs: Vec::new(),
            },
            integers: Vec::new(),
            constant: ConstData::I32((0..rows).collect()),
        };
        let mut hits = vec![vec![0; 1 << table_bits]; 2];
        // Blocks of 1/2, 1/4, 1/8 of the slots.
        for (at, bits) in (variables - 3..variables).rev().enumerate() {
            let half = 1 << (bits / 2);
            let other = 1 << (bits - bits / 2);
            let shape = match mix {
                Mix::Range => vec![half, other],
                Mix::Padded => vec![half, other - other / 8],
            };
            let table = match mix {
                Mix::Range => 0,
                Mix::Padded => at % 2,
            };
            let cells: usize = shape.iter().product();
            let mut state = 88_172_645_463_325_252_u64;
            let draw = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                i32::try_from(state >> 40).unwrap_or_default() & (rows - 1)
            };
            let integers: Vec<i32> = std::iter::repeat_with(draw).take(cells).collect();
            for &index in &integers {
                hits[table][usize::try_from(index).unwrap_or_default()] += 1;
            }
            let wire = lookups.wire(&shape, integers);
            let mut tuple = vec![
                column(Vec::new(), if table == 0 { 1 } else { 2 }),
                column(vec![(1, wire)], 0),
            ];
            if table == 1 {
                tuple.push(column(vec![(1, wire)], 0));
            }
            lookups.plan.sites.push(Site {
                shape,
                tuple,
                vanishing: Vec::new(),
                role: ROLE,
            });
        }
        let bits = u32::try_from(table_bits).unwrap_or_default();
        let tables = [Table::Range { bits }, Table::Constant { constant: 0 }];
        for (table, hits) in tables.into_iter().zip(hits) {
            if hits.iter().all(|&count| count == 0) {
                continue;
            }
            let rows = hits.len();
            let multiplicity = lookups.wire(&[rows], hits);
            lookups.plan.tables.push(TableUse {
                table,
                rows,
                multiplicity,
            });
        }
        lookups
    }

    fn wire(&mut self, shape: &[usize], integers: Vec<i32>) -> WireId {
        self.plan.wires.push(Wire {
            shape: shape.to_vec(),
            definition: Definition::Witness {
                fill: Fill::Tensor(0),
            },
            tensor: None,
            role: ROLE,
        });
        self.integers.push(integers);
        WireId(self.plan.wires.len() - 1)
    }
}

/// Time that this thread has been on a processor, where the system tells.
fn on_processor() -> Option<Duration> {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = statistics.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter_map(|word| word.parse().ok());
    let threads = arguments.next().unwrap_or(2);
    let sizes: Vec<usize> = arguments.collect();
    let sizes = if sizes.is_empty() {
        vec![10, 14, 16, 18, 20, 22]
    } else {
        sizes
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.expect("a pool of threads");
    for size in sizes {
        for mix in [Mix::Range, Mix::Padded] {
            let lookups = Lookups::new(size, mix);
            let begin = Instant::now();
            let mut best = Duration::MAX;
            let mut runs = 0;
            let busy = pool.install(on_processor);
            while runs < 3 || (runs < 200 && begin.elapsed() < LIMIT) {
                let mut transcript = ProverTranscript::new("bench");
                let start = Instant::now();
                pool.install(|| prove(&lookups.plan, &lookups, &mut transcript))
                    .expect("lookups that are satisfied");
                best = best.min(start.elapsed());
                runs += 1;
            }
            // On one thread also the mean time on the processor, which other processes do not count in.
            let busy = pool.install(on_processor).zip(busy);
            let mean = busy
                .filter(|_| threads == 1)
                .map(|(after, before)| after.saturating_sub(before) / runs);
            let slots = f64::from(1_u32 << size);
            println!(
                "2^{size} slots, {mix:?}, {threads} threads: {:.3} ms, {:.2} ns per slot (best of {runs}; on the processor {mean:?})",
                best.as_secs_f64() * 1e3,
                best.as_secs_f64() * 1e9 / slots,
            );
        }
    }
}
