//! `noema-bench gas`: how long what is priced takes. A unit of gas is a picosecond of the reference machine, so on it the ratio
//! of time to gas is at most 1.5 for a program that was written to be slow for its gas, at least a quarter for an ordinary
//! one, and at least a third for tensors above 4 KiB.
//!
//! Each program is a contract that runs as a message of its own, long enough that what surrounds it does not matter.

mod arithmetic;
mod control;
mod host;
mod kernels;
mod memory;
mod program;
mod tensors;

use anyhow::ensure;
use noema_vm::ReceiptStatus;

use crate::deployed::Deployed;
use crate::measure::{Effort, Spread};
use crate::report::{Report, Row, Sense};

use program::{Class, Program};

/// Arguments of `noema-bench gas`.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Only programs whose name contains this.
    #[arg(long, default_value = "")]
    pub only: String,
    /// How much to measure. Processor time is the better clock here: programs run on one thread.
    #[command(flatten)]
    pub effort: Effort,
}

/// Measures all programs, or those that were named.
///
/// # Errors
/// A program that is refused or fails, or kernels that cannot be compiled.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("gas");
    let mut programs = arithmetic::programs();
    programs.extend(control::programs());
    programs.extend(memory::programs());
    programs.extend(host::programs());
    programs.extend(tensors::programs());
    programs.extend(kernels::programs()?);
    let mut extremes: Vec<(Class, f64, f64)> = Vec::new();
    for program in programs.into_iter().filter(|program| program.name.contains(&options.only)) {
        eprintln!("gas: {}", program.name);
        let ratio = measure(&program, options.effort)?;
        match extremes.iter_mut().find(|extreme| extreme.0 == program.class) {
            Some(extreme) => *extreme = (program.class, extreme.1.min(ratio.median), extreme.2.max(ratio.median)),
            None => extremes.push((program.class, ratio.median, ratio.median)),
        }
        report.extend([Row {
            case: program.name,
            peer: program.class.name().to_owned(),
            threads: 1,
            sense: Sense::Gas,
            ratio,
        }]);
    }
    for class in Class::ALL {
        if let Some((_, least, most)) = extremes.iter().find(|extreme| extreme.0 == class) {
            report.note(format!("{}: {least:.2} to {most:.2} ps a unit", class.name()));
        }
    }
    Ok(report)
}

/// Picoseconds for each unit of gas.
fn measure(program: &Program, effort: Effort) -> anyhow::Result<Spread> {
    let deployed = Deployed::of_code(&program.code).map_err(|why| anyhow::anyhow!("{}: {why}", program.name))?;
    let outcome = deployed.call();
    ensure!(outcome.receipt.status == ReceiptStatus::Success, "{}: {:?}", program.name, outcome.diagnostic);
    let used = &outcome.receipt.gas;
    let gas = if program.with_instance {
        outcome.receipt.gas_used()
    } else {
        used.wasm + used.host + used.tensor + used.state
    };
    let ratios = (0..effort.rounds).map(|_| {
        let took = effort.clock.time(|| drop(std::hint::black_box(deployed.call())));
        #[allow(clippy::as_conversions, clippy::cast_precision_loss, reason = "counts for a ratio")]
        let ratio = took.as_nanos() as f64 * 1000.0 / gas as f64;
        ratio
    });
    Ok(Spread::of(ratios.collect()))
}
