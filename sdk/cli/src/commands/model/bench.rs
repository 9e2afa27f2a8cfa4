//! `noema model bench`: how long a model takes on this machine, at every level.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use noema_abi::ProtocolVersion;
use noema_model::graph::SEQUENCE;
use noema_model::{Model, Port};
use noema_tensor::{DType, Kernels, Shape, Tensor};
use serde::Serialize;

use super::inputs::{self, InputFile};
use crate::arguments::LevelArgs;
use crate::output::{Report, table};
use crate::{CliError, Context};

/// Arguments of `noema model bench`.
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// The container, as `noema model import` wrote it
    file: PathBuf,
    /// Rows to run, as for `noema model run` [default: made up]
    #[arg(short, long = "input", value_name = "[NAME=]FILE")]
    inputs: Vec<InputFile>,
    /// Made-up rows that are run together
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,32", conflicts_with = "inputs")]
    batch: Vec<u32>,
    /// Milliseconds for each line
    #[arg(long, value_name = "MS", default_value_t = 300)]
    ms: u64,
    #[command(flatten)]
    levels: LevelArgs,
}

/// Times on this machine.
#[derive(Serialize, Debug)]
pub struct BenchReport {
    /// The id of the model.
    pub model: String,
    /// One for each level, number of threads and batch.
    pub lines: Vec<BenchLine>,
}

/// A time.
#[derive(Serialize, Debug)]
pub struct BenchLine {
    level: &'static str,
    threads: usize,
    rows: u32,
    runs: usize,
    /// The median of the runs.
    microseconds: f64,
    microseconds_per_row: f64,
    /// Picoseconds of this machine for a unit of gas, which is one of the reference machine.
    picoseconds_per_gas: f64,
}

impl Report for BenchReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = table(&["level", "threads", "rows", "us a run", "us a row", "ps a gas", "runs"]);
        for line in &self.lines {
            table.add_row([
                line.level.to_owned(),
                line.threads.to_string(),
                line.rows.to_string(),
                format!("{:.2}", line.microseconds),
                format!("{:.3}", line.microseconds_per_row),
                format!("{:.2}", line.picoseconds_per_gas),
                line.runs.to_string(),
            ]);
        }
        writeln!(out, "{table}")?;
        writeln!(out, "medians on this machine, as it is now; to compare with other software: noema-bench")
    }
}

/// Runs the command.
///
/// # Errors
/// A file that cannot be read, inputs that do not fit, a level that this machine does not have.
pub fn run(context: &Context, arguments: &BenchArgs) -> Result<BenchReport, CliError> {
    let model = super::read(&arguments.file)?;
    let (levels, threads) = (arguments.levels.levels()?, arguments.levels.threads()?);
    let refused = |problem: String| {
        let hint = "give rows that it takes with --input; `noema model inspect` shows the inputs";
        CliError::file(&arguments.file, problem, hint)
    };
    let batches: Vec<Vec<Tensor>> = if arguments.inputs.is_empty() {
        let made = arguments.batch.iter().map(|rows| made_up(&model, *rows).map_err(refused));
        made.collect::<Result<_, _>>()?
    } else {
        vec![inputs::read(&model, &arguments.inputs, false)?]
    };
    let mut report = BenchReport { model: model.id().to_string(), lines: vec![] };
    let bar = context.output.spinner("running");
    for level in levels {
        for &threads in &threads {
            let kernels = Kernels::new(level, threads)?;
            for batch in &batches {
                bar.set_message(format!("running: {level}, {threads} threads"));
                report.lines.push(line(&model, &kernels, batch, arguments.ms).map_err(refused)?);
            }
        }
    }
    bar.finish_and_clear();
    Ok(report)
}

#[allow(clippy::cast_precision_loss, reason = "times for people")]
fn line(model: &Model, kernels: &Kernels, batch: &[Tensor], ms: u64) -> Result<BenchLine, String> {
    let given: Vec<&Tensor> = batch.iter().collect();
    let extent = model.extent_of(&given).map_err(|status| status.to_string())?;
    let gas = model.cost_of(ProtocolVersion::LATEST, extent).map_err(|status| status.to_string())?;
    let run = || model.run(kernels, &given).map_err(|error| error.to_string());
    // Weights are packed by the first run.
    run()?;
    let (begin, limit) = (Instant::now(), Duration::from_millis(ms));
    let mut times = vec![];
    while times.is_empty() || (begin.elapsed() < limit && times.len() < 1_000_000) {
        let start = Instant::now();
        run()?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    let microseconds = times[times.len() / 2];
    Ok(BenchLine {
        level: kernels.requested().name(),
        threads: kernels.threads(),
        rows: extent.batch,
        runs: times.len(),
        microseconds,
        microseconds_per_row: microseconds / f64::from(extent.batch),
        picoseconds_per_gas: microseconds * 1e6 / gas as f64,
    })
}

/// Numbers between -1 and 1 in fixed point; for whole numbers what any model should take: tokens and counts of 1, or, where
/// there are sequences, all of their length.
fn made_up(model: &Model, rows: u32) -> Result<Vec<Tensor>, String> {
    if rows == 0 {
        return Err("0 rows".into());
    }
    let mut state = 1_u64;
    let longest = model.longest();
    let mut number = move |port: &Port| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bits = u32::from(port.fraction_bits).min(port.dtype.size() as u32 * 8 - 2);
        let drawn = i64::try_from(state >> 33).unwrap_or(0);
        match port.fraction_bits {
            0 if port.dtype.size() == 1 => drawn % 100,
            0 if port.shape.is_empty() => i64::from(longest),
            0 => 1,
            _ => drawn % (2 << bits) - (1 << bits),
        }
    };
    let ports = &model.manifest().inputs;
    let made = ports.iter().map(|port| {
        let mut dims = vec![rows];
        dims.extend(port.shape.iter().map(|dim| if dim & SEQUENCE == 0 { *dim } else { longest }));
        let shape = Shape::new(&dims).map_err(|status| status.to_string())?;
        let count = shape.elements().map_err(|status| status.to_string())?;
        let mut draw = || number(port);
        let made = match port.dtype {
            DType::I8 => Tensor::from_vec(shape, (0..count).map(|_| i8::try_from(draw()).unwrap_or(0)).collect()),
            DType::U8 => Tensor::from_vec(shape, (0..count).map(|_| u8::try_from(draw()).unwrap_or(0)).collect()),
            DType::I16 => Tensor::from_vec(shape, (0..count).map(|_| i16::try_from(draw()).unwrap_or(0)).collect()),
            DType::I32 => Tensor::from_vec(shape, (0..count).map(|_| i32::try_from(draw()).unwrap_or(0)).collect()),
            DType::I64 => Tensor::from_vec(shape, (0..count).map(|_| draw()).collect()),
        };
        made.map_err(|error| error.to_string())
    });
    made.collect()
}
