//! `noema-conformance`: the checks of this crate on the command line, and the way to accept a change that is meant.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use noema_conformance::{ConformanceError, Report, golden, lock, reference, vectors};

/// Compares this build with the expected bytes in the repository. The exit status is 0 where nothing differs, 1 where
/// something does, 2 where the check could not be made.
#[derive(Parser)]
#[command(version, after_help = "Example:\n  noema-conformance vectors\n  noema-conformance abi --bless")]
struct Arguments {
    /// Prints one JSON object instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    check: Check,
}

#[derive(Subcommand)]
enum Check {
    /// Runs the vectors on every kernel level of this machine, with one and with two threads.
    Vectors {
        /// Where they are, if not in the repository.
        directory: Option<PathBuf>,
    },
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

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments.check) {
        Ok(report) => {
            if arguments.json {
                println!("{}", serde_json::json!(report));
            } else {
                println!("{report}");
            }
            ExitCode::from(u8::from(!report.is_clean()))
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

fn run(check: &Check) -> Result<Report, ConformanceError> {
    match check {
        Check::Vectors { directory } => vectors::check(&directory.clone().unwrap_or_else(vectors::directory)),
        Check::Abi { bless } => {
            let path = lock::path();
            if *bless {
                lock::bless(&path)?;
            }
            lock::check(&path)
        }
        Check::Reference { bless } => {
            let path = reference::path();
            if *bless {
                reference::bless(&path)?;
            }
            reference::check(&path)
        }
        Check::Golden { bless } => {
            let directory = golden::directory();
            if *bless {
                golden::bless(&directory)?;
            }
            golden::check(&directory)
        }
    }
}
