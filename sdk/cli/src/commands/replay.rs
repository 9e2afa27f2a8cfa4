//! `noema replay`: the whole chain again, on every kernel level.

use std::io::{self, Write};
use std::time::Instant;

use clap::Args;
use noema_chain::{Chain, Difference};
use noema_tensor::Level;
use serde::Serialize;
use serde_json::json;

use crate::arguments::{self, KernelArgs, LevelArgs};
use crate::output::{Output, Report, table};
use crate::{CliError, Context, session};

/// Arguments of `noema replay`.
#[derive(Args, Debug)]
pub struct ReplayArgs {
    #[command(flatten)]
    levels: LevelArgs,
}

/// What a replay found: every level with every number of threads.
#[derive(Serialize, Debug)]
pub struct ReplaySummary {
    /// Whether every configuration got every bit of the chain.
    pub identical: bool,
    /// The newest block.
    pub height: u64,
    /// The state root after it.
    pub state_root: String,
    /// One for each configuration.
    pub results: Vec<ConfigurationResult>,
}

/// What one configuration found.
#[derive(Serialize, Debug)]
pub struct ConfigurationResult {
    /// Its kernels.
    pub level: String,
    /// Their threads.
    pub threads: usize,
    /// Blocks found to be the same, block 0 included.
    pub blocks: u64,
    /// Receipts in them.
    pub receipts: u64,
    /// State root after the last of them.
    pub state_root: String,
    /// How long it took.
    pub milliseconds: u64,
    /// Where it stopped, if it did not reach the end.
    pub difference: Option<DifferenceReport>,
}

/// The first difference.
#[derive(Serialize, Debug)]
pub struct DifferenceReport {
    /// Height of the block.
    pub block: u64,
    /// Place of the transaction in it; none where the block itself differs.
    pub transaction: Option<usize>,
    /// Name of the field.
    pub field: String,
    /// What the chain has.
    pub expected: String,
    /// What the replay got.
    pub got: String,
}

impl From<Difference> for DifferenceReport {
    fn from(difference: Difference) -> DifferenceReport {
        let Difference { height, transaction, field, expected, got } = difference;
        DifferenceReport { block: height, transaction, field, expected, got }
    }
}

impl Report for ReplaySummary {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = table(&["level", "threads", "blocks", "receipts", "state root", "ms", "result"]);
        for result in &self.results {
            table.add_row([
                result.level.clone(),
                result.threads.to_string(),
                result.blocks.to_string(),
                result.receipts.to_string(),
                format!("{}..", &result.state_root[..16]),
                result.milliseconds.to_string(),
                match &result.difference {
                    None => "identical".to_owned(),
                    Some(difference) => format!("differs in block {}", difference.block),
                },
            ]);
        }
        writeln!(out, "{table}")
    }
}

/// Runs the command.
///
/// # Errors
/// A difference; the chain cannot be opened; a level that this machine does not have.
pub fn run(context: &Context, arguments: ReplayArgs) -> Result<ReplaySummary, CliError> {
    let (levels, threads) = (arguments.levels.levels()?, arguments.levels.threads()?);
    let chain = session::open(context, &KernelArgs::default())?;
    replay(context.output, &chain, &levels, &threads)
}

/// Replays a chain with every level and every number of threads, with a progress bar for each.
///
/// # Errors
/// A difference, with the first differing block, transaction and field; this node cannot replay.
pub fn replay(output: Output, chain: &Chain, levels: &[Level], threads: &[usize]) -> Result<ReplaySummary, CliError> {
    let mut summary = ReplaySummary {
        identical: true,
        height: chain.height(),
        state_root: arguments::show(chain.root()),
        results: Vec::new(),
    };
    let mut first = None;
    for &level in levels {
        for &threads in threads {
            let start = Instant::now();
            let bar = output.progress(chain.height().saturating_add(1), &format!("{level}, {threads} threads"));
            let report = chain.replay(&[level], &[threads], &mut |progress| {
                bar.set_position(progress.height.saturating_add(1));
            })?;
            bar.finish_and_clear();
            for result in report.results {
                if let (None, Some(difference)) = (&first, &result.difference) {
                    first = Some(format!("level {level}, {threads} threads: {difference}"));
                }
                summary.identical &= result.difference.is_none();
                summary.results.push(ConfigurationResult {
                    level: result.level.to_string(),
                    threads: result.threads,
                    blocks: result.blocks,
                    receipts: result.transactions,
                    state_root: arguments::show(result.root),
                    milliseconds: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
                    difference: result.difference.map(DifferenceReport::from),
                });
            }
        }
    }
    let Some(message) = first else { return Ok(summary) };
    Err(CliError::Check {
        code: "replay-differs",
        message: format!("the replay is not the chain: {message}"),
        hint: "if every level differs at one place, the stored chain was altered; if one level does, do not use it \
               (`noema selftest`)"
            .to_owned(),
        details: json!(summary),
    })
}
