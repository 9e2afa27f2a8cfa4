//! Trees of LightGBM, XGBoost and ONNX files.

use std::path::{Path, PathBuf};

use noema_import::{
    FileKind, ImportedTrees, TreeOptions, TreeReport, import_lightgbm, import_onnx_trees, import_xgboost,
};
use noema_tensor::DType;
use serde::Serialize;

use super::arguments::{ImportArgs, InputType, meaningless, name};
use super::files::{read_table, write_new};
use super::{HeldoutLine, rows_named};
use crate::output;
use crate::{CliError, Context};

/// Trees that were just imported.
#[derive(Serialize, Debug)]
pub struct TreesReport {
    /// Where the container is.
    #[serde(serialize_with = "output::path")]
    pub file: PathBuf,
    /// Its id.
    pub model: String,
    /// Bytes of the container.
    pub bytes: usize,
    /// The library that wrote the file.
    pub library: &'static str,
    /// What the trees were trained for.
    pub objective: String,
    /// Features of a row.
    pub features: usize,
    /// Element type of the features.
    pub input_type: &'static str,
    /// Fraction bits of the features.
    pub input_fraction_bits: u8,
    /// Trees.
    pub trees: u32,
    /// Decisions of all trees.
    pub decisions: u32,
    /// Leaves of all trees.
    pub leaves: u32,
    /// The most decisions on a way through a tree.
    pub depth: u32,
    /// How far a score can be from the exact sum of the library's leaves.
    pub rounding: f64,
    /// Accuracy on rows that neither model has seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heldout: Option<HeldoutLine>,
    #[serde(skip)]
    pub(super) text: String,
}

impl TreesReport {
    fn new(file: PathBuf, report: &TreeReport) -> TreesReport {
        TreesReport {
            file,
            model: report.id.to_string(),
            bytes: report.container_bytes,
            library: report.library,
            objective: report.objective.clone(),
            features: report.features,
            input_type: report.input_type.name(),
            input_fraction_bits: report.input_fraction_bits,
            trees: report.trees,
            decisions: report.decisions,
            leaves: report.leaves,
            depth: report.depth,
            rounding: report.rounding,
            heldout: report.heldout.map(HeldoutLine::from),
            text: report.to_string(),
        }
    }
}

pub(super) fn trees(context: &Context, arguments: &ImportArgs, bytes: &[u8]) -> Result<TreesReport, CliError> {
    meaningless(arguments, "trees", &["--calibration", "--precision", "--max-error", "--max-tokens", "--compare"])?;
    let bar = context.output.spinner("importing");
    let imported = import_trees(&arguments.file, bytes, &tree_options(arguments)?);
    bar.finish_and_clear();
    let ImportedTrees { container, report } = imported.map_err(|error| rows_named(arguments, error))?;
    write_new(&arguments.out, &container)?;
    Ok(TreesReport::new(arguments.out.clone(), &report))
}

fn tree_options(arguments: &ImportArgs) -> Result<TreeOptions, CliError> {
    Ok(TreeOptions {
        version: arguments.version.clone(),
        labels: arguments.labels.clone(),
        heldout: arguments.heldout.as_deref().map(read_table).transpose()?,
        input_type: if arguments.input_type == InputType::I64 { DType::I64 } else { DType::I32 },
        input_fraction_bits: arguments.input_bits,
        ..TreeOptions::new(&name(arguments), &arguments.licence)
    })
}

/// Imports the bytes of a file of LightGBM or XGBoost.
///
/// # Errors
/// It cannot be imported.
pub fn import_trees(file: &Path, bytes: &[u8], options: &TreeOptions) -> Result<ImportedTrees, CliError> {
    let imported = match FileKind::of(bytes) {
        FileKind::LightGbm => import_lightgbm(bytes, options),
        FileKind::OnnxTrees => import_onnx_trees(bytes, options),
        _ => import_xgboost(bytes, options),
    };
    imported.map_err(|error| CliError::import(file, error))
}
