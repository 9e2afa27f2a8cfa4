//! `noema demo`: the main job.

use std::path::PathBuf;

use clap::Args;

use crate::arguments::{KernelArgs, LevelArgs};
use crate::demo::{self, DemoOptions, DemoReport};
use crate::{CliError, Context, session};

/// Arguments of `noema demo`.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Keep the chain in this new or empty directory [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Directory of the examples [default: that of the repository this program was built from]
    #[arg(long, value_name = "DIR")]
    examples: Option<PathBuf>,
    /// Transactions in a block
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    block_size: u32,
    /// Kernel level that executes the blocks [default: the fastest of this machine]
    #[arg(long, value_name = "LEVEL")]
    level: Option<noema_tensor::Level>,
    #[command(flatten)]
    replay: LevelArgs,
}

/// Runs the command.
///
/// # Errors
/// A step fails; or something differs, with the first differing block, transaction and field.
pub fn run(context: &Context, arguments: DemoArgs) -> Result<DemoReport, CliError> {
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
    demo::run(context.output, &options, &mut |_| {})
}
