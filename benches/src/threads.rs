//! A process for each thread count.
//!
//! Libraries take their thread counts from the environment when they start, each in its own way, and keep the threads
//! for ever. So that a row with one thread is one thread for all, the program runs itself again for each count, with
//! every such variable set. All parties of a row still run in one process, in turn.
#![allow(clippy::disallowed_methods, reason = "a program reads its environment")]

use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::report::Row;

/// Tells a process that it is one of those, and for how many threads.
const MARK: &str = "NOEMA_BENCH_THREADS";

/// What rayon, candle, OpenMP and the BLAS libraries read.
const VARIABLES: [&str; 5] =
    ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"];

/// Calls `run` with each thread count, in a process in which everybody has so many threads, and returns all rows.
///
/// The process is this program with the same arguments: it comes here too, and ends here.
///
/// # Errors
/// What `run` says in the other process (on standard error), or that it could not be started.
pub fn for_each(counts: &[usize], run: impl FnOnce(usize) -> anyhow::Result<Vec<Row>>) -> anyhow::Result<Vec<Row>> {
    if let Ok(threads) = std::env::var(MARK) {
        let threads = threads.parse().with_context(|| format!("{MARK} is set by this program"))?;
        println!("{}", serde_json::to_string(&run(threads)?)?);
        std::process::exit(0);
    }
    let mut rows = Vec::new();
    for count in counts {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        command.args(std::env::args_os().skip(1)).env(MARK, count.to_string()).stderr(Stdio::inherit());
        for variable in VARIABLES {
            command.env(variable, count.to_string());
        }
        let output = command.output().context("cannot run this program again")?;
        if !output.status.success() {
            bail!("the measurement with {count} threads ended with {}", output.status);
        }
        let measured: Vec<Row> = serde_json::from_slice(&output.stdout).context("rows of another process")?;
        rows.extend(measured);
    }
    Ok(rows)
}
