//! `noema-bench prices`: a search for opcodes whose price is wrong. Arguments of every opcode and element type are drawn at random,
//! as in the comparison of levels, in four sizes; each case is timed and divided by what the row of the table charges for it.
//!
//! `gas` measures what was chosen by hand, inside a contract; this finds the shapes and types that nobody thought of.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use noema_conformance::{ops::Argument, random};
use noema_tensor::ops::{self, Arg};
use noema_tensor::{DType, Kernels, Level, OpError, Shape, Tensor};

use crate::clock::Clock;
use crate::measure::Spread;
use crate::report::{Report, Row, Sense};

/// Tensors of so many elements at most, and how many cases of them for each that was asked for.
const SIZES: [(u64, u32); 4] = [(64, 1), (4096, 2), (65_536, 2), (1 << 20, 1)];
/// What counts as large: bytes of the largest tensor.
const LARGE: u64 = 4096;
/// The price of the longest case that is timed: a tenth of a second.
const MOST_GAS: u64 = 100_000_000_000;
/// How long a case is repeated, and how often that is done.
const SAMPLE_NS: u64 = 300_000;
const SAMPLES: usize = 5;
/// A first call that takes longer than this does so for what it computes, and not for what comes into the caches of the processor.
const COLD_NS: u64 = 100_000;
/// Above this a price is too low for a program that was written for it.
const HOSTILE: f64 = 1.5;

/// Arguments of `noema-bench prices`.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Only opcodes whose name contains this.
    #[arg(long, default_value = "")]
    pub only: String,
    /// Cases of the smallest and the largest size for each opcode and element type; twice as many of those between.
    #[arg(long, default_value_t = 6)]
    pub cases: u32,
    /// What they are drawn from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Kernel level; the best one of this machine unless given.
    #[arg(long)]
    pub level: Option<Level>,
    /// What counts: `wall` or `processor` time.
    #[arg(long, default_value_t = Clock::Processor)]
    pub clock: Clock,
    /// A file for every case that was timed, a line each: opcode, element type, nanoseconds, bytes, work, result and arguments,
    /// with tabs between. Prices are fitted to it.
    #[arg(long)]
    pub dump: Option<PathBuf>,
}

/// A case that was timed.
struct Timed {
    /// Picoseconds for each unit of gas.
    ratio: f64,
    large: bool,
    arguments: String,
    /// As it stands in the dump.
    line: String,
}

/// Searches.
///
/// # Errors
/// A level that this machine does not have, or a fault of the node in a case.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let level = options.level.unwrap_or_else(Level::best);
    let kernels = Kernels::new(level, 1)?;
    let mut report = Report::new("prices");
    report.note(format!("level {level}, {} time; tensors above 4 KiB: median (least .. most)", options.clock));
    let mut rows = Vec::new();
    let mut dump = options.dump.as_ref().map(std::fs::File::create).transpose().context("the dump")?;
    for row in noema_abi::ROWS.iter().filter(|row| row.group == "op" && row.name.contains(&options.only)) {
        eprintln!("prices: {}", row.name);
        for dtype in random::dtypes(row.name) {
            let timed = cases(options, &kernels, row, *dtype).with_context(|| format!("{} {dtype}", row.name))?;
            if let Some(dump) = &mut dump {
                timed.iter().try_for_each(|timed| writeln!(dump, "{}\t{dtype}\t{}", row.name, timed.line))?;
            }
            if let Some(worst) = timed.iter().max_by(|a, b| a.ratio.total_cmp(&b.ratio))
                && worst.ratio > HOSTILE
            {
                report.note(format!("{:.2}: {} of {}", worst.ratio, row.name, worst.arguments));
            }
            let mut ratios: Vec<f64> = timed.iter().filter(|timed| timed.large).map(|timed| timed.ratio).collect();
            ratios.sort_by(f64::total_cmp);
            if let (Some(low), Some(high)) = (ratios.first(), ratios.last()) {
                let ratio = Spread { low: *low, median: ratios[ratios.len() / 2], high: *high };
                rows.push(Row {
                    case: format!("{} {dtype}", row.name),
                    peer: "tensor".to_owned(),
                    threads: 1,
                    sense: Sense::Gas,
                    ratio,
                });
            }
        }
    }
    ensure!(!rows.is_empty(), "no opcode is called like that");
    report.extend(rows);
    Ok(report)
}

fn cases(
    options: &Options,
    kernels: &Kernels,
    row: &noema_abi::HostFunction,
    dtype: DType,
) -> anyhow::Result<Vec<Timed>> {
    let mut timed = Vec::new();
    for (elements, times) in SIZES {
        for number in 0..options.cases * times {
            let seed = options.seed.wrapping_mul(1 << 32).wrapping_add(number.into());
            let arguments = random::sized(row.name, dtype, seed, elements).context("no generator")?;
            timed.extend(case(options.clock, kernels, row, &arguments)?);
        }
    }
    if row.name == "softmax" && dtype == DType::I32 {
        timed.extend(case(options.clock, kernels, row, &undecided()?)?);
    }
    Ok(timed)
}

/// Softmax of rows whose exponentials, all different, lie so near to the middle between two numbers that an estimate does not decide
/// any of them: the slowest values that there are.
#[allow(clippy::as_conversions, clippy::cast_possible_truncation, reason = "numbers below 2^31 in floats")]
fn undecided() -> anyhow::Result<Vec<Argument>> {
    const ROW: u32 = 4096;
    let scale = f64::from(1 << 22);
    let near = |distance: &i32| {
        let exponential = (-f64::from(*distance) / scale).exp() * f64::from(1 << 30);
        (exponential.fract() - 0.5).abs() < 0.000_5
    };
    let row = std::iter::once(0).chain((1..40_000_000).filter(near)).take(ROW as usize);
    let row: Vec<i32> = row.map(|distance| -distance).collect();
    ensure!(row.len() == ROW as usize, "fewer numbers than a row has");
    let x = Tensor::from_vec(Shape::new(&[16, ROW])?, row.repeat(16))?;
    Ok(vec![Argument::Tensor(x), Argument::I32(1 << 30), Argument::U32(52), Argument::U32(15)])
}

/// Nothing where the arguments are refused before anything is charged for them, or take too long.
fn case(
    clock: Clock,
    kernels: &Kernels,
    row: &noema_abi::HostFunction,
    arguments: &[Argument],
) -> anyhow::Result<Option<Timed>> {
    let args: Vec<Arg<'_>> = arguments.iter().map(Argument::lend).collect();
    let plan = match ops::plan(row.name, &args) {
        Ok(plan) if plan.bytes() <= noema_abi::limits::MAX_TENSOR_BYTES => plan,
        Ok(_) | Err(OpError::Status(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let bytes = arguments.iter().map(|argument| match argument {
        Argument::Bytes(bytes) => bytes.len() as u64,
        _ => 0,
    });
    let bytes: u64 = bytes.sum();
    let gas = row.price.gas(bytes, plan.work);
    if gas > MOST_GAS {
        return Ok(None);
    }
    // What an opcode answers after it was paid for, a status too, is part of its time.
    let call = |times: u64| {
        clock.time(|| {
            for _ in 0..times {
                drop(std::hint::black_box(ops::call(kernels, row.name, &args)));
            }
        })
    };
    let nanoseconds = |times: u64| u64::try_from(call(times).as_nanos()).unwrap_or(u64::MAX) / times;
    // Values of functions that were computed once are kept for a while: whoever asks for others each time has this one.
    let first = nanoseconds(1);
    let times = (SAMPLE_NS / nanoseconds(1).max(1)).clamp(1, 2000);
    let mut samples: Vec<u64> = (0..SAMPLES).map(|_| nanoseconds(times)).collect();
    samples.sort_unstable();
    let operands = arguments.iter().map(|argument| match argument {
        Argument::Tensor(tensor) => tensor.elements().saturating_mul(tensor.dtype().size() as u64),
        _ => 0,
    });
    let largest = operands.chain([plan.bytes()]).max().unwrap_or(0);
    let is_function = row.doc.contains("2^in_bits");
    let cold = if is_function && largest > LARGE && first >= COLD_NS { first } else { 0 };
    let time = samples[SAMPLES / 2].max(cold);
    #[allow(clippy::as_conversions, clippy::cast_precision_loss, reason = "counts for a ratio")]
    let ratio = time as f64 * 1000.0 / gas as f64;
    let words: Vec<String> = arguments.iter().map(Argument::to_string).collect();
    let arguments = words.join(", ");
    let line = format!("{time}\t{bytes}\t{}\t{} {:?}\t{arguments}", plan.work, plan.dtype, plan.shape.dims());
    Ok(Some(Timed { ratio, large: largest > LARGE, arguments, line }))
}

#[cfg(test)]
mod tests {
    use super::{Options, run};
    use crate::clock::Clock;

    #[test]
    fn every_element_type_of_an_opcode_has_a_row() {
        let options =
            Options { only: "bit_xor".to_owned(), cases: 4, seed: 3, level: None, clock: Clock::Processor, dump: None };
        let report = run(&options).unwrap();
        assert_eq!(report.rows().len(), noema_tensor::DType::ALL.len());
        assert!(report.rows().iter().all(|row| row.ratio.low > 0.0 && row.ratio.low <= row.ratio.high));
        assert!(run(&Options { only: "no such opcode".to_owned(), ..options }).is_err());
    }
}
