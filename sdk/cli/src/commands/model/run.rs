//! `noema model run`: a model on rows of a file, as a contract would run it.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use noema_abi::ProtocolVersion;
use noema_model::Model;
use noema_tensor::{DType, Kernels, Tensor};
use serde::Serialize;

use super::inputs::{self, InputFile};
use crate::CliError;
use crate::arguments::KernelArgs;
use crate::output::Report;
use crate::receipts::amount;

/// Rows that are shown to people; scripts get all.
const SHOWN: usize = 20;
/// Numbers of a row and output that are shown to people.
const SHOWN_NUMBERS: usize = 12;

/// Arguments of `noema model run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The container, as `noema model import` wrote it
    file: PathBuf,
    /// Rows: a JSON array (`null` is a missing number), a JSON object with an array for each input, a NumPy array (.npy) or a
    /// CSV file with a header; NAME=FILE where the model has several inputs
    #[arg(short, long = "input", value_name = "[NAME=]FILE", required = true)]
    inputs: Vec<InputFile>,
    /// The numbers are the integers of the inputs, and not real numbers that become these
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    kernels: KernelArgs,
}

/// What a model says.
#[derive(Serialize, Debug)]
pub struct RunReport {
    /// Its id.
    pub model: String,
    /// Rows.
    pub rows: u32,
    /// Gas that a contract pays for this run.
    pub gas: u64,
    /// Memory that it is charged for, in bytes.
    pub arena_bytes: u64,
    /// What executed it.
    pub level: &'static str,
    /// Every output, in order.
    pub outputs: Vec<OutputReport>,
    #[serde(skip)]
    labels: Vec<String>,
}

/// An output.
#[derive(Serialize, Debug)]
pub struct OutputReport {
    name: String,
    dtype: &'static str,
    shape: Vec<u32>,
    fraction_bits: u8,
    /// As a contract sees them.
    integers: Vec<Vec<i64>>,
    /// What they stand for.
    values: Vec<Vec<f64>>,
    /// Names of the classes, of an output called `class`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<String>,
}

impl Report for RunReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "model     {}", self.model)?;
        let (gas, memory) = (amount(self.gas), amount(self.arena_bytes));
        writeln!(out, "{:<8}  {} rows, {gas} gas, {memory} bytes of memory", self.level, self.rows)?;
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        for row in 0..rows.min(SHOWN) {
            writeln!(out, "row {row}")?;
            for output in &self.outputs {
                write!(out, "  {:<14}", output.name)?;
                if let Some(label) = output.labels.get(row) {
                    writeln!(out, " {label}")?;
                    continue;
                }
                let values = &output.values[row];
                let named = values.len() == self.labels.len();
                for (at, value) in values.iter().take(SHOWN_NUMBERS).enumerate() {
                    let shown = if output.fraction_bits == 0 { value.to_string() } else { format!("{value:.6}") };
                    if named { write!(out, " {}: {shown}", self.labels[at])? } else { write!(out, " {shown}")? }
                }
                if values.len() > SHOWN_NUMBERS {
                    write!(out, " ... {} numbers", values.len())?;
                }
                writeln!(out)?;
            }
        }
        if rows > SHOWN {
            writeln!(out, "... {rows} rows (--json has all)")?;
        }
        Ok(())
    }
}

/// Runs the command.
///
/// # Errors
/// Files that cannot be read or do not fit the model; what a contract would get as a status.
pub fn run(arguments: &RunArgs) -> Result<RunReport, CliError> {
    let model = super::read(&arguments.file)?;
    let tensors = inputs::read(&model, &arguments.inputs, arguments.raw)?;
    let level = arguments.kernels.level();
    let kernels = Kernels::new(level, arguments.kernels.threads)?;
    report(&model, &kernels, &tensors).map_err(|problem| {
        let hint = "`noema model inspect` shows what it takes; a contract would get this status";
        CliError::file(&arguments.file, problem, hint)
    })
}

fn report(model: &Model, kernels: &Kernels, tensors: &[Tensor]) -> Result<RunReport, String> {
    let given: Vec<&Tensor> = tensors.iter().collect();
    let refused = |status: noema_abi::Status| format!("it does not take these inputs: {status}");
    let extent = model.extent_of(&given).map_err(refused)?;
    let gas = model.cost_of(ProtocolVersion::LATEST, extent).map_err(refused)?;
    let arena_bytes = model.arena_bytes(extent.batch).map_err(refused)?;
    let outputs = model.run(kernels, &given).map_err(|error| error.to_string())?;
    let manifest = model.manifest();
    let outputs = manifest.outputs.iter().zip(&outputs).map(|(port, tensor)| {
        let integers = integers(tensor).map_err(|error| error.to_string())?;
        let row = integers.len() / usize::try_from(extent.batch).unwrap_or(usize::MAX).max(1);
        let integers: Vec<Vec<i64>> = integers.chunks(row.max(1)).map(<[i64]>::to_vec).collect();
        let unit = 0.5_f64.powi(port.fraction_bits.into());
        #[allow(clippy::cast_precision_loss, reason = "shown to people")]
        let values = integers.iter().map(|row| row.iter().map(|q| *q as f64 * unit).collect()).collect();
        let label = |row: &Vec<i64>| {
            let name =
                row.first().and_then(|class| usize::try_from(*class).ok()).and_then(|at| manifest.labels.get(at));
            name.cloned().unwrap_or_default()
        };
        let named = port.name == "class" && !manifest.labels.is_empty();
        Ok(OutputReport {
            name: port.name.clone(),
            dtype: port.dtype.name(),
            shape: tensor.shape().dims().to_vec(),
            fraction_bits: port.fraction_bits,
            labels: if named { integers.iter().map(label).collect() } else { vec![] },
            integers,
            values,
        })
    });
    Ok(RunReport {
        model: model.id().to_string(),
        rows: extent.batch,
        gas,
        arena_bytes,
        level: kernels.requested().name(),
        outputs: outputs.collect::<Result<_, String>>()?,
        labels: manifest.labels.clone(),
    })
}

/// The numbers of a tensor of any type.
pub(crate) fn integers(tensor: &Tensor) -> Result<Vec<i64>, noema_tensor::OpError> {
    Ok(match tensor.dtype() {
        DType::I8 => tensor.to_vec::<i8>()?.into_iter().map(i64::from).collect(),
        DType::U8 => tensor.to_vec::<u8>()?.into_iter().map(i64::from).collect(),
        DType::I16 => tensor.to_vec::<i16>()?.into_iter().map(i64::from).collect(),
        DType::I32 => tensor.to_vec::<i32>()?.into_iter().map(i64::from).collect(),
        DType::I64 => tensor.to_vec::<i64>()?,
    })
}
