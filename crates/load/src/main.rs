//! Asks a gateway many different questions over HTTP, and notes how long each answer took.
//!
//! It is compiled, and has no dependency on an HTTP library, so that it takes little of the
//! processor that it shares with the gateway. With a rate, times count from the moment at which a
//! question was due, whether or not a connection was free: a gateway that falls behind is not
//! spared the questions that it kept waiting.
//!
//! ```text
//! veridical-load ADDRESS MODEL INPUT WIDTH COUNT CONNECTIONS RATE SEED OUTPUT
//! ```
//!
//! `RATE` is in questions a second; 0 asks as fast as answers come. A record of the output file is
//! `u64le nanoseconds || u16le status || u32le n || request || u32le n || response`, where request
//! and response are the bodies.

#![expect(
    clippy::disallowed_types,
    reason = "it measures time, and verifies nothing"
)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command")]

mod client;
mod question;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, ClientError};
use crate::question::Question;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    /// An argument is missing or is no number.
    #[error("argument {0} is missing or malformed")]
    Argument(&'static str),
    /// The output file cannot be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] std::io::Error),
    /// A request failed on the level of the connection.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A thread ended early.
    #[error("a thread of the load panicked")]
    Thread,
}

/// What is asked, of whom, and how fast.
struct Plan {
    address: String,
    path: String,
    question: Question,
    count: u64,
    connections: u64,
    rate: f64,
    output: String,
}

impl Plan {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, LoadError> {
        let mut next = |name| arguments.next().ok_or(LoadError::Argument(name));
        let address = next("ADDRESS")?;
        let path = format!("/v2/models/{}/infer", next("MODEL")?);
        let input = next("INPUT")?;
        let width = number("WIDTH", &next("WIDTH")?)?;
        let count = number("COUNT", &next("COUNT")?)?;
        let connections = number("CONNECTIONS", &next("CONNECTIONS")?)?;
        let rate = number("RATE", &next("RATE")?)?;
        let seed = number("SEED", &next("SEED")?)?;
        Ok(Self {
            address,
            path,
            question: Question { input, width, seed },
            count,
            connections,
            rate,
            output: next("OUTPUT")?,
        })
    }
}

fn number<T: FromStr>(name: &'static str, text: &str) -> Result<T, LoadError> {
    text.parse().map_err(|_| LoadError::Argument(name))
}

fn main() -> ExitCode {
    let done = Plan::from_arguments(std::env::args().skip(1)).and_then(|plan| run(&plan));
    match done {
        Ok(seconds) => {
            println!("{seconds:.6}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("veridical-load: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Asks all questions and returns how many seconds that took.
fn run(plan: &Plan) -> Result<f64, LoadError> {
    let next = AtomicU64::new(0);
    let output = Mutex::new(BufWriter::with_capacity(
        1 << 20,
        File::create(&plan.output)?,
    ));
    let start = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..plan.connections)
            .map(|_| scope.spawn(|| ask(plan, start, &next, &output)))
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| LoadError::Thread)?)
    })?;
    let seconds = start.elapsed().as_secs_f64();
    output
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .flush()?;
    Ok(seconds)
}

/// Asks over one connection until all questions are taken.
fn ask(
    plan: &Plan,
    start: Instant,
    next: &AtomicU64,
    output: &Mutex<BufWriter<File>>,
) -> Result<(), LoadError> {
    let mut client = Client::connect(&plan.address)?;
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= plan.count {
            return Ok(());
        }
        let body = plan.question.body(index);
        let due = if plan.rate > 0.0 {
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
            let due = start + Duration::from_secs_f64(index as f64 / plan.rate);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            due
        } else {
            Instant::now()
        };
        let (status, answer) = client.post(&plan.path, &body)?;
        let nanoseconds = u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut file = output.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&nanoseconds.to_le_bytes())?;
        file.write_all(&status.to_le_bytes())?;
        for part in [&body, &answer] {
            let length = u32::try_from(part.len()).map_err(std::io::Error::other)?;
            file.write_all(&length.to_le_bytes())?;
            file.write_all(part)?;
        }
    }
}
