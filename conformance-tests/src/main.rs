//! `noema-conformance`: the checks of this crate on the command line, and the way to accept a change that is meant.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use noema_conformance::{ConformanceError, engines, golden, lock, random, reference, vectors};
use noema_tensor::Level;
use serde::Serialize;

/// Compares this build with the expected bytes in the repository. The exit status is 0 where nothing differs, 1 where
/// something does, 2 where the check could not be made.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  noema-conformance vectors\n  noema-conformance ops --cases 100000 --levels all\n  noema-conformance diff --seconds 60\n  noema-conformance abi --bless"
)]
struct Arguments {
    /// Prints one JSON object instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    check: Check,
}

#[derive(Subcommand)]
enum Check {
    /// Runs a directory of vector files on every kernel level of this machine, with one and with two threads.
    ///
    /// The format is described in conformance-tests/vectors/README.md.
    #[command(after_help = "Example:\n  noema-conformance vectors my-vectors")]
    Vectors {
        /// Where they are, if not in the repository.
        directory: Option<PathBuf>,
    },
    /// Draws random arguments for every opcode and compares the levels with the reference level.
    #[command(
        after_help = "Example:\n  noema-conformance ops --cases 100000 --seed 7 --levels avx2,portable --save differing\n  \
                            noema-conformance vectors differing"
    )]
    Ops(OpsArguments),
    /// Runs random contracts on every engine, and compares receipts, writes, reads, logs and memory.
    #[command(after_help = "Example:\n  noema-conformance diff --seconds 600 --seed 7 --save differing\n\n\
                      Each program is deployed, called with much gas, and called with about as much as that took.")]
    Diff(DiffArguments),
    /// Compares the table of host functions with the ABI lock.
    Abi {
        /// Accepts the table as it is.
        #[arg(long)]
        bless: bool,
    },
    /// Compares the reference page of the host functions with the table.
    Reference {
        /// Writes the page.
        #[arg(long)]
        bless: bool,
    },
    /// Compares receipts with the golden ones, on every kernel level of this machine.
    Golden {
        /// Accepts the receipts as they are.
        #[arg(long)]
        bless: bool,
    },
}

#[derive(Args)]
struct OpsArguments {
    /// How many cases, over all opcodes; every opcode and element type has 16 at least.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    cases: u64,
    /// What they are drawn from: the same seed gives the same cases.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Levels to compare with the reference: `all` of this machine, or a list such as `avx2,portable`.
    #[arg(long, value_name = "LIST", default_value = "all")]
    levels: String,
    /// Numbers of threads, each with every level.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,2")]
    threads: Vec<usize>,
    /// Writes the first differing cases of every opcode as vector files into this directory.
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
}

#[derive(Args)]
struct DiffArguments {
    /// How long.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// At most this many programs.
    #[arg(long, value_name = "N")]
    cases: Option<u64>,
    /// What they are drawn from: the same seed gives the same programs in the same order.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where modules with different outcomes are written.
    #[arg(long, value_name = "DIR", default_value = "differing")]
    save: PathBuf,
}

impl OpsArguments {
    fn machines(&self) -> Result<Vec<(Level, usize)>, ConformanceError> {
        let levels = match self.levels.as_str() {
            "all" => Level::available(),
            list => {
                let level =
                    |name: &str| name.trim().parse().map_err(|error| ConformanceError::Node(format!("{error}")));
                list.split(',').map(level).collect::<Result<Vec<Level>, _>>()?
            }
        };
        Ok(levels.iter().flat_map(|level| self.threads.iter().map(|threads| (*level, *threads))).collect())
    }
}

/// What a check found, as it is printed.
struct Findings {
    clean: bool,
    text: String,
    json: serde_json::Value,
}

impl Findings {
    fn new(clean: bool, text: impl ToString, json: impl Serialize) -> Findings {
        Findings { clean, text: text.to_string(), json: serde_json::json!(json) }
    }
}

impl From<noema_conformance::Report> for Findings {
    fn from(report: noema_conformance::Report) -> Findings {
        Findings::new(report.is_clean(), &report, &report)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments.check, arguments.json) {
        Ok(findings) => {
            if arguments.json {
                println!("{}", findings.json);
            } else {
                println!("{}", findings.text);
            }
            ExitCode::from(u8::from(!findings.clean))
        }
        Err(error) => {
            if arguments.json {
                println!("{}", serde_json::json!({ "error": error.to_string() }));
            } else {
                eprintln!("error: {error}");
            }
            ExitCode::from(2)
        }
    }
}

fn run(check: &Check, quiet: bool) -> Result<Findings, ConformanceError> {
    let report = match check {
        Check::Vectors { directory } => {
            let checked = vectors::check(&directory.clone().unwrap_or_else(vectors::directory))?;
            return Ok(Findings::new(checked.report.is_clean(), &checked, &checked));
        }
        Check::Ops(arguments) => return ops(arguments, quiet),
        Check::Diff(arguments) => return diff(arguments),
        Check::Abi { bless } => {
            let path = lock::path();
            if *bless {
                lock::bless(&path)?;
            }
            lock::check(&path)?
        }
        Check::Reference { bless } => {
            let path = reference::path();
            if *bless {
                reference::bless(&path)?;
            }
            reference::check(&path)?
        }
        Check::Golden { bless } => {
            if *bless {
                golden::bless()?;
            }
            golden::check()?
        }
    };
    Ok(report.into())
}

#[allow(clippy::disallowed_types, reason = "how long to go on is for the user to say; no result depends on it")]
fn diff(arguments: &DiffArguments) -> Result<Findings, ConformanceError> {
    let plan = engines::Plan { seed: arguments.seed, save: Some(arguments.save.clone()) };
    let (start, length) = (std::time::Instant::now(), Duration::from_secs(arguments.seconds));
    let found =
        engines::run(&plan, &mut |cases| start.elapsed() < length && arguments.cases.is_none_or(|most| cases < most))?;
    Ok(Findings::new(found.report.is_clean(), &found, &found))
}

fn ops(arguments: &OpsArguments, quiet: bool) -> Result<Findings, ConformanceError> {
    let plan = random::Plan { cases: arguments.cases, seed: arguments.seed, machines: arguments.machines()? };
    let found = random::run(&plan, &mut |opcode| {
        if !quiet {
            eprintln!("{opcode}");
        }
    })?;
    if let Some(directory) = &arguments.save {
        found.save(directory)?;
    }
    Ok(Findings::new(found.report.is_clean(), found.text(), &found))
}
