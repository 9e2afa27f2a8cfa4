//! `noema-bench calls`: what a call and a compilation cost here, beside plain wasmtime on the same module.
//!
//! Plain wasmtime meters nothing, limits no stack, keeps no journal, makes no receipt and leaves NaNs as they come, so the
//! ratios are overheads: 1 would be free. And what a contract pays for asking a small network, beside the network alone.

mod contracts;
mod models;
mod raw;
mod shared;

use std::path::PathBuf;

use anyhow::{Context, ensure};

use noema_vm::{ArtifactCache, VmConfig};

use crate::deployed::Deployed;
use crate::measure::{Contender, Effort, compare};
use crate::report::{Report, Row, Sense};
use raw::Raw;

pub(crate) use contracts::ordinary;
pub use contracts::{EMPTY, STORAGE};
pub(crate) use models::deployed as with_model;

/// Arguments of `noema-bench calls`.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The module to compile, instead of a generated one: a contract, as `noema build` makes it.
    #[arg(long)]
    pub module: Option<PathBuf>,
    /// How much to measure.
    #[command(flatten)]
    pub effort: Effort,
}

/// Measures hot calls and cold compilation.
///
/// # Errors
/// A module that is no contract, or that wasmtime refuses.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("calls");
    for (case, text) in [("hot empty call", EMPTY), ("hot storage call", STORAGE)] {
        report.extend([hot_call(case, text, options.effort)?]);
    }
    models::add(&mut report, options.effort)?;
    report.extend(shared::rows(options.effort)?);
    report.extend([cold_call(options.effort)?]);
    let code = match &options.module {
        Some(path) => {
            let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            wat::parse_bytes(&bytes).with_context(|| format!("{} is no module", path.display()))?.into_owned()
        }
        None => wat::parse_str(contracts::ordinary(80)).context("the generated module")?,
    };
    report.note(format!("compiled module: {} bytes; {} time", code.len(), options.effort.clock));
    report.extend([cold_compile(&code, options.effort)?]);
    Ok(report)
}

/// A call of code that is compiled already. For us that is a whole message: balances, journal, receipt, write set.
/// For wasmtime it is a new store, an instance from the pool, the call, and the same entries of a map.
fn hot_call(case: &str, text: &str, effort: Effort) -> anyhow::Result<Row> {
    eprintln!("calls: {case}");
    let deployed = Deployed::new(text);
    let raw = Raw::new(&wat::parse_str(text)?)?;
    let written = deployed.stored();
    ensure!(raw.call()?.into_values().collect::<Vec<_>>() == written, "{case}: plain wasmtime does something else");
    let mut contenders = [
        Contender::new("noema", || deployed.call()),
        Contender::new("wasmtime", || raw.call().expect("it did so before")),
    ];
    Ok(overhead(case, effort, &mut contenders))
}

/// A call of code that was compiled before this process began, and is on disk. For wasmtime that is a file, which it trusts.
fn cold_call(effort: Effort) -> anyhow::Result<Row> {
    eprintln!("calls: cold call from disk");
    let text = contracts::ordinary(80);
    let folder = tempfile::tempdir()?;
    let kept = ArtifactCache::new(folder.path().join("ours"));
    let deployed = Deployed::with(&text, |config| VmConfig { artifacts: Some(kept), ..config });
    let theirs = folder.path().join("theirs");
    let raw = Raw::new(&wat::parse_str(&text)?)?;
    raw.keep(&theirs)?;
    ensure!(deployed.call_cold() == deployed.call(), "a call from disk is another one");
    let mut contenders = [
        Contender::new("noema", || deployed.call_cold()),
        Contender::new("wasmtime", || raw.call_kept(&theirs).expect("it was kept")),
    ];
    Ok(overhead("cold call from disk", effort, &mut contenders))
}

/// Deploying code that this machine has never seen, beside compiling it.
fn cold_compile(code: &[u8], effort: Effort) -> anyhow::Result<Row> {
    eprintln!("calls: cold compile");
    let deployed = Deployed::of_code(code).map_err(|why| anyhow::anyhow!("the module cannot be deployed: {why}"))?;
    let engine = raw::engine()?;
    raw::compile(&engine, code)?;
    let mut contenders = [
        Contender::new("noema", || deployed.deploy_cold()),
        Contender::new("wasmtime", || raw::compile(&engine, code).expect("it did so before")),
    ];
    Ok(overhead("cold compile", effort, &mut contenders))
}

fn overhead(case: &str, effort: Effort, contenders: &mut [Contender<'_>; 2]) -> Row {
    let ratio = compare(effort, contenders)[0].inverse();
    Row { case: case.to_owned(), peer: contenders[1].name().to_owned(), threads: 1, sense: Sense::Overhead, ratio }
}
