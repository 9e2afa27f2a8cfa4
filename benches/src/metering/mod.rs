//! `noema-bench metering`: what gas, the limit of the stack and canonical NaN cost together.
//!
//! Kernels compiled from Rust ([`crate::metering::kernels`]) run on plain wasmtime with nothing of that, and beside it in
//! every way to have it: ours, our oracle that charges every metering block for itself, wasmtime's fuel with its NaN
//! flag, and the points where finite-wasm charges with that flag (which both limit no stack). The same code can vary by a sixth with its address alone, so everything is measured at
//! several layouts of the code, and the ratio of a row is the geometric mean over them.

mod finite;
pub mod kernels;
mod layout;
mod schemes;

use anyhow::{Context, ensure};
use noema_abi::ProtocolVersion;

use crate::measure::{Contender, Effort, Spread, compare};
use crate::report::{Report, Row, Sense};
use kernels::KERNELS;
use schemes::{Prepared, Scheme};

/// Arguments of `noema-bench metering`.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Layouts of the code over which a ratio is averaged.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub layouts: u32,
    /// Kernels by name, separated by commas; all of them, if none is named.
    #[arg(long, value_delimiter = ',')]
    pub kernels: Vec<String>,
    /// How much to measure, for each layout.
    #[command(flatten)]
    pub effort: Effort,
}

/// Measures all kernels under all schemes.
///
/// # Errors
/// Kernels that do not compile (which says what to install), that are not admitted, or that do not compute the same
/// under every scheme.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let chosen: Vec<usize> = if options.kernels.is_empty() {
        (0..KERNELS.len()).collect()
    } else {
        let position = |name: &String| KERNELS.iter().position(|kernel| kernel == name);
        let find = |name| position(name).with_context(|| format!("there is no kernel `{name}`, only {KERNELS:?}"));
        options.kernels.iter().map(find).collect::<anyhow::Result<_>>()?
    };
    let wasm = kernels::module()?;
    let mut report = Report::new("metering");
    // By kernel and scheme, the ratio at each layout.
    let mut ratios = vec![vec![Vec::new(); Scheme::METERED.len()]; chosen.len()];
    for layout in 0..options.layouts {
        eprintln!("metering: layout {} of {}", layout + 1, options.layouts);
        let shifted = layout::shift(&wasm, layout)?;
        let prepared = std::iter::once(Scheme::Plain)
            .chain(Scheme::METERED)
            .map(|scheme| Prepared::new(scheme, &shifted))
            .collect::<anyhow::Result<Vec<_>>>()?;
        for (place, kernel) in chosen.iter().enumerate() {
            let spreads = kernel_ratios(&prepared, *kernel, options.effort)?;
            for (ratios, spread) in ratios[place].iter_mut().zip(spreads) {
                ratios.push(spread.median);
            }
        }
    }
    for (kernel, ratios) in chosen.iter().zip(ratios) {
        for (scheme, ratios) in Scheme::METERED.into_iter().zip(ratios) {
            report.extend([Row {
                case: KERNELS[*kernel].to_owned(),
                peer: format!("plain wasmtime, {}", scheme.name()),
                threads: 1,
                sense: Sense::Overhead,
                ratio: mean(ratios),
            }]);
        }
    }
    size_and_time(&mut report, &wasm, options.effort)?;
    report.note(format!("{} layouts of the code, {} time", options.layouts, options.effort.clock));
    Ok(report)
}

/// How many times as long each metered scheme takes as plain wasmtime.
fn kernel_ratios(prepared: &[Prepared], kernel: usize, effort: Effort) -> anyhow::Result<Vec<Spread>> {
    let number = u32::try_from(kernel)?;
    let expected = prepared[0].run(number)?;
    for other in &prepared[1..] {
        ensure!(other.run(number)? == expected, "{} computes something else with {}", KERNELS[kernel], other.name());
    }
    let mut contenders: Vec<Contender<'_>> = prepared
        .iter()
        .map(|prepared| Contender::new(prepared.name(), move || prepared.run(number).expect("it did so before")))
        .collect();
    Ok(compare(effort, &mut contenders))
}

/// What the instrumented module weighs, and how long admission takes beside the compiler.
fn size_and_time(report: &mut Report, wasm: &[u8], effort: Effort) -> anyhow::Result<()> {
    let admit = || noema_vm::admit(ProtocolVersion::LATEST, wasm);
    let instrumented = admit()?.instrumented;
    let engine = schemes::engine(Scheme::Noema)?;
    let compile = |code: &[u8]| wasmtime::Module::new(&engine, code).map(|_| ());
    let code = ratio_of(schemes::code_bytes(&engine, &instrumented)?, schemes::code_bytes(&engine, wasm)?)?;
    report.note(format!(
        "size of the module {:.3}, of its machine code {code:.3}",
        ratio_of(instrumented.len(), wasm.len())?
    ));
    let mut contenders = [
        Contender::new("plain", || compile(wasm).expect("kernels compile")),
        Contender::new("instrumented", || compile(&instrumented).expect("kernels compile")),
        Contender::new("admission", || admit().expect("kernels are admitted")),
    ];
    let spreads = compare(effort, &mut contenders);
    report.note(format!(
        "time of compiling what is instrumented {:.3}, of admission and instrumentation {:.3}, by that of compiling the module",
        spreads[0].median, spreads[1].median
    ));
    report.extend([Row {
        case: "machine code bytes".to_owned(),
        peer: "plain wasmtime".to_owned(),
        threads: 1,
        sense: Sense::Overhead,
        ratio: Spread { low: code, median: code, high: code },
    }]);
    Ok(())
}

#[allow(clippy::as_conversions, clippy::cast_precision_loss, reason = "sizes for a ratio")]
fn ratio_of(one: usize, other: usize) -> anyhow::Result<f64> {
    ensure!(other > 0, "nothing to compare with");
    Ok(one as f64 / other as f64)
}

/// wasmtime as every scheme here has it, with nothing that meters.
pub(crate) fn plain_engine() -> anyhow::Result<wasmtime::Engine> {
    schemes::engine(Scheme::Plain)
}

/// The geometric mean, with the quartiles.
fn mean(ratios: Vec<f64>) -> Spread {
    #[allow(clippy::as_conversions, clippy::cast_precision_loss, reason = "a handful of layouts")]
    let count = ratios.len() as f64;
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / count).exp();
    Spread { median: mean, ..Spread::of(ratios) }
}
