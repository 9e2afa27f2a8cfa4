//! `noema demo`: the main job, and the economies.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::arguments::{KernelArgs, LevelArgs};
use crate::demo::economies::{Economy, EconomyReport};
use crate::demo::{self, AllReport, DemoOptions, DemoReport, List};
use crate::{CliError, Context, Report, session};

/// Arguments of `noema demo`.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// An economy of `examples/` (`--list` shows them) [default: screening, the main job]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Screening and every economy, one after the other, a screen for each
    #[arg(long, conflicts_with = "name")]
    all: bool,
    /// Say which there are
    #[arg(long, conflicts_with_all = ["name", "all"])]
    list: bool,
    /// Keep the chain in this new or empty directory (with --all each in a folder of its name) [default: a temporary one,
    /// removed at the end]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Directory of the examples [default: that of the repository this program was built from]
    #[arg(long, value_name = "DIR")]
    examples: Option<PathBuf>,
    /// Transactions in a block, of screening
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    block_size: u32,
    /// Kernel level that executes the blocks [default: the fastest of this machine]
    #[arg(long, value_name = "LEVEL")]
    level: Option<noema_tensor::Level>,
    #[command(flatten)]
    replay: LevelArgs,
}

/// What a demo found out.
#[derive(Serialize, Debug)]
#[serde(untagged)]
pub enum DemoOutcome {
    /// The main job.
    Screening(Box<DemoReport>),
    /// One economy.
    Economy(Box<EconomyReport>),
    /// All of them.
    All(Box<AllReport>),
    /// Which there are.
    List(List),
}

impl Report for DemoOutcome {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            DemoOutcome::Screening(report) => report.write(out),
            DemoOutcome::Economy(report) => report.write(out),
            DemoOutcome::All(report) => report.write(out),
            DemoOutcome::List(list) => list.write(out),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// There is no such economy; a step fails; or something differs, with the first differing block, transaction and field.
pub fn run(context: &Context, arguments: DemoArgs) -> Result<DemoOutcome, CliError> {
    if arguments.list {
        return Ok(DemoOutcome::List(demo::list()));
    }
    let economy = match arguments.name.as_deref() {
        None | Some("screening") => None,
        Some(name) => Some(Economy::find(name)?),
    };
    let options = DemoOptions {
        dir: arguments.dir,
        store: session::store(context.store)?,
        examples: arguments.examples,
        block_size: usize::try_from(arguments.block_size).unwrap_or(usize::MAX),
        kernels: KernelArgs { level: arguments.level, ..KernelArgs::default() },
        compiler: context.compiler.clone(),
        levels: arguments.replay.levels()?,
        threads: arguments.replay.threads()?,
    };
    let output = context.output;
    Ok(match economy {
        _ if arguments.all => DemoOutcome::All(Box::new(demo::all(output, &options)?)),
        Some(economy) => DemoOutcome::Economy(Box::new(economy.run(output, &options, &mut |_| {})?)),
        None => DemoOutcome::Screening(Box::new(demo::run(output, &options, &mut |_| {})?)),
    })
}
