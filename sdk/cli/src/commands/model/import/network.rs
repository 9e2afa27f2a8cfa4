//! Networks: ONNX files and vision transformers.

use std::path::{Path, PathBuf};

use noema_import::{ImportError, ImportOptions, ImportReport, Imported, Precision, SameIntegers, import_onnx};
use serde::Serialize;

use super::arguments::{Bits, ImportArgs, InputType, max_error, meaningless, name};
use super::files::{read_table, write_new};
use super::{HeldoutLine, ImportedReport, rows_named};
use crate::output;
use crate::{CliError, Context};

/// A network that was just imported.
#[derive(Serialize, Debug)]
pub struct ModelReport {
    /// Where the container is.
    #[serde(serialize_with = "output::path")]
    pub file: PathBuf,
    /// Its id.
    pub model: String,
    /// Bytes of the container.
    pub bytes: usize,
    /// Features of a row.
    pub features: usize,
    /// Fraction bits of the features.
    pub input_fraction_bits: u8,
    /// Rows of calibration, and in how many of them the class is that of the float original.
    pub calibration_rows: usize,
    /// See `calibration_rows`.
    pub calibration_same_class: usize,
    /// Whether it is as near to the original as was asked for, where the importer chose the precision.
    pub is_within: bool,
    /// Layers of weights.
    pub layers: Vec<LayerLine>,
    /// Accuracy on rows that neither model has seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heldout: Option<HeldoutLine>,
    /// Of a file that is quantised: how many of its integers the model computes too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integers: Option<IntegersLine>,
    #[serde(skip)]
    pub(super) text: String,
}

/// The integers of a quantised file beside those of the model, through the whole network.
#[derive(Serialize, Debug)]
pub struct IntegersLine {
    all: usize,
    equal: usize,
    largest_difference: f64,
}

/// A layer of weights.
#[derive(Serialize, Debug)]
pub struct LayerLine {
    name: String,
    inputs: u32,
    outputs: u32,
    accumulator: &'static str,
    proven_peak: u64,
}

impl ModelReport {
    /// Shows what an import did.
    #[must_use]
    pub fn new(file: PathBuf, report: &ImportReport) -> ModelReport {
        ModelReport {
            file,
            model: report.id.to_string(),
            bytes: report.container_bytes,
            features: report.features,
            input_fraction_bits: report.input_fraction_bits,
            calibration_rows: report.calibration.rows,
            calibration_same_class: report.calibration.same_class,
            is_within: true,
            layers: report
                .layers
                .iter()
                .map(|layer| LayerLine {
                    name: layer.name.clone(),
                    inputs: layer.inputs,
                    outputs: layer.outputs,
                    accumulator: layer.accumulator.name(),
                    proven_peak: layer.peak,
                })
                .collect(),
            heldout: report.heldout.map(HeldoutLine::from),
            integers: report.integers.map(|SameIntegers { all, equal, largest }| IntegersLine {
                all,
                equal,
                largest_difference: largest,
            }),
            text: report.to_string(),
        }
    }
}

/// A network that `import` reads, in whatever form.
pub(super) fn network(
    context: &Context,
    arguments: &ImportArgs,
    import: &dyn Fn(&ImportOptions) -> Result<Imported, ImportError>,
) -> Result<ImportedReport, CliError> {
    meaningless(arguments, "a network", &["--input-type", "--max-tokens", "--compare"])?;
    let options = network_options(arguments)?;
    let bar = context.output.spinner("importing");
    let imported = import(&options).map_err(|error| CliError::import(&arguments.file, error));
    bar.finish_and_clear();
    let Imported { container, report } = imported.map_err(|error| rows_named(arguments, error))?;
    write_new(&arguments.out, &container)?;
    let mut shown = ModelReport::new(arguments.out.clone(), &report);
    if let Precision::Auto { tolerance } = options.precision
        && report.calibration.largest_difference > tolerance
    {
        shown.is_within = false;
        shown.text += &format!("\nnot as near as asked for ({tolerance}): the nearest that was found");
    }
    Ok(ImportedReport::Network(shown))
}

fn network_options(arguments: &ImportArgs) -> Result<ImportOptions, CliError> {
    if arguments.input_type != InputType::I32 {
        return Err(CliError::argument("--input-type", "the features of a network are i32", "leave it out"));
    }
    let calibration = arguments.calibration.as_deref().ok_or_else(|| {
        let problem = format!("{} is taken for a network, which needs calibration rows", arguments.file.display());
        let hint = "give rows like those the model will meet; trees of LightGBM or XGBoost need none, as text or JSON";
        CliError::argument("--calibration", problem, hint)
    })?;
    Ok(ImportOptions {
        version: arguments.version.clone(),
        labels: arguments.labels.clone(),
        calibration: read_table(calibration)?.rows,
        heldout: arguments.heldout.as_deref().map(read_table).transpose()?,
        input_fraction_bits: arguments.input_bits,
        precision: match (arguments.precision, max_error(arguments)?) {
            (Bits::Auto, Some(tolerance)) => Precision::Auto { tolerance },
            (bits, _) => bits.into(),
        },
        ..ImportOptions::new(&name(arguments), &arguments.licence)
    })
}

/// Imports an ONNX file.
///
/// # Errors
/// It cannot be read or imported.
pub fn import(file: &Path, options: &ImportOptions) -> Result<Imported, CliError> {
    let bytes = std::fs::read(file).map_err(|error| CliError::io("read", file, error))?;
    import_onnx(&bytes, options).map_err(|error| CliError::import(file, error))
}
