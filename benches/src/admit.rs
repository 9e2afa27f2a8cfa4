//! `noema-bench admit`: admission, instrumentation and compilation, beside compiling the same module without any of that.
//!
//! Both sides use Cranelift with the same settings. An overhead of 1 would be free: the part above it is validation, the
//! counting of what compilers find hard, the rewriting, and the compiler's work on what was added.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use noema_abi::ProtocolVersion;
use wasmtime::Module;

use crate::calls::ordinary;
use crate::measure::{Contender, Effort, compare};
use crate::metering::{kernels, plain_engine};
use crate::report::{Report, Row, Sense};

/// Arguments of `noema-bench admit`.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// More modules to compile: contracts, as `noema build` makes them.
    #[arg(long = "module")]
    pub modules: Vec<PathBuf>,
    /// How much to measure.
    #[command(flatten)]
    pub effort: Effort,
}

/// Measures generated code, the kernels of `metering`, and the modules that are named.
///
/// # Errors
/// A module that is not admitted, or kernels that cannot be compiled to WebAssembly.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("admit");
    let mut cases = vec![
        ("generated code".to_owned(), wat::parse_str(ordinary(80)).context("the generated module")?),
        ("kernels from Rust".to_owned(), kernels::module()?),
    ];
    for path in &options.modules {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        cases.push((name, wat::parse_bytes(&bytes)?.into_owned()));
    }
    for (case, wasm) in &cases {
        eprintln!("admit: {case}");
        report.note(format!("{case}: {} bytes", wasm.len()));
        report.extend(rows(case, wasm, options.effort)?);
    }
    Ok(report)
}

fn rows(case: &str, wasm: &[u8], effort: Effort) -> anyhow::Result<[Row; 2]> {
    let engine = plain_engine()?;
    let admit = || noema_vm::admit(ProtocolVersion::LATEST, wasm);
    let instrumented = admit().with_context(|| format!("{case} is not admitted"))?.instrumented;
    for code in [wasm, instrumented.as_slice()] {
        let compiled = Module::new(&engine, code);
        ensure!(
            compiled.is_ok(),
            "{case}: {:#}",
            compiled.err().map_or_else(String::new, |error| format!("{error:#}"))
        );
    }
    let compile = |code: &[u8]| Module::new(&engine, code).map(|_| ()).expect("it did so before");
    let mut contenders = [
        Contender::new("plain wasmtime", || compile(wasm)),
        Contender::new("noema", || compile(&admit().expect("it did so before").instrumented)),
        Contender::new("admission", || admit().expect("it did so before")),
    ];
    let spreads = compare(effort, &mut contenders);
    let row = |what: &str, ratio| Row {
        case: format!("{case}, {what}"),
        peer: format!("plain wasmtime, {what}"),
        threads: 1,
        sense: Sense::Overhead,
        ratio,
    };
    Ok([row("admission and compilation", spreads[0]), row("admission alone", spreads[1])])
}
