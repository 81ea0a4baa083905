//! Latency of programs with the shapes of real models: `cargo bench -p veridical-executor`.
//!
//! Prints the median and the least time of each case, and products per second at the median. On a machine
//! that does other work the least time is the better measure of the code.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run has failed")]
#![expect(clippy::disallowed_types, reason = "a benchmark reads the clock")]
#![expect(clippy::cast_precision_loss, reason = "rates are rounded when printed")]

#[path = "../tests/support/mod.rs"]
#[expect(dead_code, reason = "tests use the rest of it")]
mod support;

use std::sync::Arc;
use std::time::Instant;

use support::{Builder, inputs};
use veridical_executor::{Executor, Options};
use veridical_program::{Op, Program, Window};

fn main() {
    let filter = std::env::args()
        .nth(1)
        .filter(|arg| !arg.starts_with('-'))
        .unwrap_or_default();
    for (name, program, batches) in [
        ("mlp", mlp(), &[1, 64][..]),
        ("lenet", lenet(), &[1, 64]),
        ("minilm", minilm(6, 128), &[1]),
        ("project", project(384, 384), &[1]),
        ("expand", project(384, 1536), &[1]),
        ("contract", project(1536, 384), &[1]),
    ] {
        for &batch in batches {
            if name.contains(&filter) {
                measure(name, &program, batch);
            }
        }
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn measure(name: &str, program: &Arc<Program>, batch: usize) {
    for threads in [1, 2] {
        let options = Options { threads, isa: None };
        let executor = Executor::new(Arc::clone(program), options).expect("a valid program");
        let inputs = inputs(program, batch, 1);
        let inputs: Vec<&[i32]> = inputs.iter().map(Vec::as_slice).collect();
        let mut times: Vec<f64> = Vec::new();
        let begin = Instant::now();
        while times.len() < 20 || begin.elapsed().as_secs_f64() < 1.0 {
            let start = Instant::now();
            std::hint::black_box(executor.run(&inputs, batch).expect("a valid run"));
            times.push(start.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let median = times[times.len() / 2];
        let rate = products(program) * batch as f64 / median / 1e9;
        println!(
            "{name:8} batch {batch:3} threads {threads} {}: {:10.1} us, least {:10.1}, {rate:7.1} GMAC/s",
            executor.isa().name(),
            median * 1e6,
            times[0] * 1e6
        );
    }
}

/// Products of an item.
fn products(program: &Program) -> f64 {
    let graph = program.graph();
    let count = |(id, node): (usize, &veridical_program::Node)| {
        let result = graph.tensors[graph.tensor_of_node(id)].len();
        let depth = match node.op {
            Op::Linear | Op::Conv { .. } => graph.consts[node.consts[0]].shape[1..]
                .iter()
                .product::<usize>(),
            Op::Matmul { .. } | Op::WeightedMean => {
                *graph.tensors[node.inputs[0]].shape.last().unwrap_or(&1)
            }
            _ => 0,
        };
        result as f64 * depth as f64
    };
    graph.nodes.iter().enumerate().map(count).sum()
}

fn mlp() -> Arc<Program> {
    let mut b = Builder::new(1);
    let mut x = b.input(&[784], -8192, 8191);
    for width in [1024, 256] {
        x = b.linear(x, width);
        x = b.requantise(x, 0, 8191);
    }
    x = b.linear(x, 10);
    b.output(x);
    b.build()
}

/// A square window without padding.
fn window(kernel: usize, stride: usize) -> Window {
    Window {
        kernel: [kernel; 2],
        stride: [stride; 2],
        pad: [0; 4],
        dilation: [1, 1],
    }
}

fn lenet() -> Arc<Program> {
    let mut b = Builder::new(2);
    let mut x = b.input(&[1, 28, 28], -8192, 8191);
    for channels in [6, 16] {
        x = b.conv(x, channels, window(5, 1), 1);
        x = b.requantise(x, 0, 8191);
        x = b.pool(x, window(2, 2), false);
    }
    x = b.reshape(x, &[256]);
    for width in [120, 84] {
        x = b.linear(x, width);
        x = b.requantise(x, 0, 8191);
    }
    x = b.linear(x, 10);
    b.output(x);
    b.build()
}

/// One product of 128 rows, with a clamp.
fn project(depth: usize, columns: usize) -> Arc<Program> {
    let mut b = Builder::new(4);
    let x = b.input(&[128, depth], -2508, 2508);
    let y = b.linear(x, columns);
    let y = b.requantise(y, -4000, 4000);
    b.output(y);
    b.build()
}

/// Encoder layers of width 384 with 12 heads and a feed-forward width of 1536.
fn minilm(layers: usize, tokens: usize) -> Arc<Program> {
    const WIDTH: usize = 384;
    const HEADS: usize = 12;
    let mut b = Builder::new(3);
    let mut x = b.input(&[tokens, WIDTH], -2508, 2508);
    for _ in 0..layers {
        let [q, k, v] = [0; 3].map(|_| {
            let y = b.linear(x, WIDTH);
            let y = b.requantise(y, -4000, 4000);
            let y = b.reshape(y, &[tokens, HEADS, WIDTH / HEADS]);
            b.transpose(y, &[1, 0, 2])
        });
        let scores = b.matmul(q, k, true);
        let e = b.softmax_numerator(scores, None, 1023);
        let y = b.weighted_mean(e, v);
        let y = b.transpose(y, &[1, 0, 2]);
        let y = b.reshape(y, &[tokens, WIDTH]);
        x = residual(&mut b, y, x);
        let y = b.linear(x, 4 * WIDTH);
        let y = b.table(y, 0, |_, random| random.between(-8192, 8191));
        x = residual(&mut b, y, x);
    }
    b.output(x);
    b.build()
}

/// Projects `y`, adds the scaled skip path `x` at the scale of the sums, normalises.
fn residual(b: &mut Builder, y: usize, x: usize) -> usize {
    let y = b.linear_within(y, 384, 400_000_000);
    let skip = b.affine(x, &[1, 384], &[1, 384], 4000);
    let sum = b.add(&[y, skip], &[1, 1]);
    b.layernorm(sum, 23, 7, true)
}
