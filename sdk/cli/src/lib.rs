//! The `noema` command line: contracts, models and a local chain.
//!
//! ```text
//!   main.rs -> Cli (clap) -> commands/<name>.rs -> a Report -> Output: text, or one JSON object
//!                                  |        \
//!                                  v         +-> CliError: what went wrong, what to do, exit status
//!                    session.rs: chain directory, key, next nonce, blocks
//! ```
//!
//! Exit status: 0 all well; 1 something that was checked is not as it should be (a replay or self-test that differs,
//! a transaction that the chain refused or that failed on it, a proof that does not hold); 2 wrong command line, wrong input, or an
//! environment that does not allow the work.
#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "outside consensus: keys need randomness, the blocks of single commands take their time from the clock"
)]

pub mod arguments;
pub mod commands;
pub mod contract_code;
pub mod demo;
pub mod dry_run;
mod error;
pub mod interface;
pub mod keys;
pub mod method;
mod output;
pub mod receipts;
pub mod session;
pub mod symbols;
pub mod templates;

use std::backtrace::Backtrace;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use clap::Parser;
use noema_chain::{CompilerProcess, StoreKind};

pub use error::{CliError, EXIT_DIFFERENCE, EXIT_OK, EXIT_USAGE};
pub use output::{Output, Report};

const EXIT_HELP: &str = "\
Exit status:
  0  all well
  1  something that was checked is not as it should be: a replay or self-test that differs,
     a transaction that the chain refused or that failed on it, a proof that does not hold
  2  wrong command line, wrong input, or an environment that does not allow the work

Example:
  noema init && noema deploy examples/screening ...   # noema COMMAND --help has the details
  noema demo                                          # the whole story in one go";

/// Deterministic smart contracts that run neural networks, bit for bit the same on every machine.
#[derive(Parser, Debug)]
#[command(name = "noema", version, about, after_help = EXIT_HELP, arg_required_else_help = true)]
pub struct Cli {
    /// Directory of the chain
    #[arg(long, global = true, value_name = "DIR", default_value = "noema-chain", env = "NOEMA_CHAIN")]
    pub chain: PathBuf,
    /// Store of the chain: redb or rocksdb; `init` and `demo` create with it [default: redb], other commands check it
    #[arg(long, global = true, value_name = "STORE", env = "NOEMA_STORE")]
    pub store: Option<StoreKind>,
    /// One JSON object on standard output instead of text, errors too: {"error": {...}}
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: commands::Command,
}

/// What every command is given.
#[derive(Clone, Debug)]
pub struct Context {
    /// Directory of the chain.
    pub chain: PathBuf,
    /// The store of a new chain, or the one that the chain must have.
    pub store: Option<StoreKind>,
    /// Where its words go.
    pub output: Output,
    /// What compiles contracts.
    pub compiler: Option<CompilerProcess>,
}

/// Runs the program with a command line that starts with the name of the program. `compiler` compiles contracts, this process
/// where there is none.
pub fn main(arguments: impl IntoIterator<Item = OsString>, compiler: Option<CompilerProcess>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    start_log();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error, arguments.iter().any(|argument| argument == "--json")),
    };
    let output = Output::new(cli.json);
    let context = Context { chain: cli.chain, store: cli.store, output, compiler };
    tell_panics_as_errors();
    let run = AssertUnwindSafe(|| cli.command.run(&context));
    let done = catch_unwind(run).unwrap_or_else(|_| Err(CliError::Bug { message: last_panic() }));
    match done {
        Ok(()) => ExitCode::from(EXIT_OK),
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.exit())
        }
    }
}

/// What the last panic said.
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

fn last_panic() -> String {
    LAST_PANIC.lock().map_or_else(|broken| broken.into_inner().clone(), |text| text.clone())
}

/// A panic ends in an error like any other, in text or JSON: what is caught on the way (a damaged store, a host function)
/// is told by whoever caught it, the rest by [`main`]. The log has all of them.
fn tell_panics_as_errors() {
    std::panic::set_hook(Box::new(|info| {
        let words = info.payload_as_str().unwrap_or("a panic without words");
        let place = info.location().map(|place| format!(" ({}:{})", place.file(), place.line())).unwrap_or_default();
        tracing::debug!("panic: {words}{place}\n{}", Backtrace::capture());
        if let Ok(mut last) = LAST_PANIC.lock() {
            *last = format!("{words}{place}");
        }
    }));
}

/// Help and version are no errors; everything else that clap refuses is one, in the form that was asked for.
fn refuse(error: &clap::Error, json: bool) -> ExitCode {
    if !error.use_stderr() || !json {
        let _ = error.print();
    } else {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Output::new(true).error(&CliError::Usage { message });
    }
    ExitCode::from(if error.use_stderr() { EXIT_USAGE } else { EXIT_OK })
}

/// What the node has to say goes to standard error; `NOEMA_LOG` chooses how much (`NOEMA_LOG=info`).
fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("NOEMA_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().try_init();
}
