//! `noema selftest`: the known-answer tests of the kernels.

use std::io::{self, Write};
use std::time::Instant;

use clap::Args;
use noema_tensor::selftest;
use serde::Serialize;

use crate::arguments::LevelArgs;
use crate::output::{Report, table};
use crate::{CliError, Context};

/// Arguments of `noema selftest`.
#[derive(Args, Debug)]
pub struct SelftestArgs {
    #[command(flatten)]
    levels: LevelArgs,
}

/// What the tests found.
#[derive(Serialize, Debug)]
pub struct SelftestReport {
    identical: bool,
    results: Vec<LevelResult>,
}

#[derive(Serialize, Debug)]
struct LevelResult {
    level: String,
    threads: usize,
    cases: usize,
    milliseconds: u64,
    difference: Option<String>,
}

impl Report for SelftestReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = table(&["level", "threads", "cases", "ms", "result"]);
        for result in &self.results {
            table.add_row([
                result.level.clone(),
                result.threads.to_string(),
                result.cases.to_string(),
                result.milliseconds.to_string(),
                result.difference.clone().unwrap_or_else(|| "every answer right".to_owned()),
            ]);
        }
        writeln!(out, "{table}")
    }
}

/// Runs the command.
///
/// # Errors
/// A wrong answer; a level or number of threads that this machine cannot have.
pub fn run(context: &Context, arguments: SelftestArgs) -> Result<SelftestReport, CliError> {
    let levels = arguments.levels.levels()?;
    let threads = arguments.levels.threads()?;
    let bar = context.output.spinner("known answers");
    let mut report = SelftestReport { identical: true, results: Vec::new() };
    for level in levels {
        for &threads in &threads {
            bar.set_message(format!("known answers: {level}, {threads} threads"));
            let start = Instant::now();
            let result = selftest(level, threads)?;
            report.identical &= result.difference.is_none();
            report.results.push(LevelResult {
                level: level.to_string(),
                threads,
                cases: result.cases,
                milliseconds: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
                difference: result.difference.map(|difference| difference.to_string()),
            });
        }
    }
    bar.finish_and_clear();
    match report.results.iter().find_map(|result| Some((result, result.difference.as_ref()?))) {
        None => Ok(report),
        Some((result, difference)) => Err(CliError::Check {
            code: "selftest-failed",
            message: format!("kernels of level {} with {} threads: {difference}", result.level, result.threads),
            hint: "this machine or build computes wrong bits at this level: do not use it for a chain".to_owned(),
            details: serde_json::to_value(&report).unwrap_or_default(),
        }),
    }
}
