//! `noema model diff`: a float original beside the integer model that was made of it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use noema_import::{
    Accuracy, ComparedEncoder, Comparison, FileKind, FloatModel, FloatTrees, FolderKind, LayerError, Nearness,
    Prediction, Table, compare, compare_encoder, quantise_features,
};
use noema_model::Model;
use noema_tensor::Kernels;
use serde::Serialize;

use super::{import, picture};
use crate::arguments::KernelArgs;
use crate::output::Report;
use crate::{CliError, Context};

/// Arguments of `noema model diff`.
#[derive(Args, Debug)]
pub struct DiffArgs {
    /// The original: an ONNX file, a file of LightGBM or XGBoost, or the folder of a sentence encoder or a vision transformer
    original: PathBuf,
    /// The container that was made of it
    file: PathBuf,
    /// Rows to run (CSV with a header; with a column `label` the accuracy of both is told), or sentences, one in each line
    #[arg(short, long = "input", value_name = "FILE")]
    input: PathBuf,
    /// Where to draw the errors, as SVG; an existing file is not overwritten
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    kernels: KernelArgs,
}

/// How far apart both are.
#[derive(Serialize, Debug)]
pub struct DiffReport {
    /// The id of the container.
    pub model: String,
    /// Rows or sentences.
    pub rows: usize,
    /// Layers: the length of the difference as a share of that of the original.
    pub layers: Vec<LayerLine>,
    /// What counts at the end.
    pub ends: Vec<EndLine>,
    /// For how many rows the class is the same; not there for what has no classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_class: Option<usize>,
    /// Rows with known classes that the original and the model get right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<[usize; 2]>,
    /// Where the picture is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<PathBuf>,
}

/// The error of a layer.
#[derive(Serialize, Debug)]
pub struct LayerLine {
    /// Its node.
    pub name: String,
    /// Its error.
    pub relative: f64,
}

/// A number about the end.
#[derive(Serialize, Debug)]
pub struct EndLine {
    /// What it is.
    pub name: &'static str,
    /// The number.
    pub value: f64,
}

impl Report for DiffReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "model   {}", self.model)?;
        writeln!(out, "rows    {}", self.rows)?;
        let width = self.layers.iter().map(|layer| layer.name.chars().count()).max().unwrap_or(0);
        if !self.layers.is_empty() {
            writeln!(out, "layers  length of the difference, as a share of that of the original")?;
        }
        for LayerLine { name, relative } in &self.layers {
            writeln!(out, "  {name:<width$}  {relative:.5}")?;
        }
        for EndLine { name, value } in &self.ends {
            writeln!(out, "{name}: {value:.6}")?;
        }
        if let Some(same) = self.same_class {
            writeln!(out, "the same class for {same} of {} rows", self.rows)?;
        }
        if let Some([original, model]) = self.right {
            writeln!(out, "right for {model} rows, the original for {original}")?;
        }
        if let Some(picture) = &self.picture {
            writeln!(out, "drawn in {}", picture.display())?;
        }
        Ok(())
    }
}

/// Runs the command.
///
/// # Errors
/// Files that cannot be read, that do not belong together, or rows that do not fit.
pub fn run(context: &Context, arguments: &DiffArgs) -> Result<DiffReport, CliError> {
    let model = super::read(&arguments.file)?;
    let kernels = Kernels::new(arguments.kernels.level(), arguments.kernels.threads)?;
    let bar = context.output.spinner("running both");
    let failed = |error| CliError::import(&arguments.original, error);
    let report = if arguments.original.is_dir() && FolderKind::of(&arguments.original) == FolderKind::Vision {
        let original = FloatModel::from_folder(&arguments.original).map_err(failed)?;
        network(arguments, &original, &model, &kernels, &import::read_table(&arguments.input)?)
    } else if arguments.original.is_dir() {
        encoder(arguments, &model, &kernels)
    } else {
        let original = &arguments.original;
        let bytes = std::fs::read(original).map_err(|error| CliError::io("read", original, error))?;
        let table = import::read_table(&arguments.input)?;
        match FileKind::of(&bytes) {
            FileKind::Onnx => {
                let original = FloatModel::from_onnx(&bytes).map_err(failed)?;
                network(arguments, &original, &model, &kernels, &table)
            }
            kind => trees(arguments, kind, &bytes, &model, &kernels, &table),
        }
    };
    bar.finish_and_clear();
    let mut report = report?;
    if let Some(path) = &arguments.svg {
        import::write_new(path, picture::draw(&report, &title(&arguments.original, &arguments.file)).as_bytes())?;
        report.picture = Some(path.clone());
    }
    Ok(report)
}

fn title(original: &Path, file: &Path) -> String {
    let name = |path: &Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    format!("{} beside {}", name(file), name(original))
}

fn network(
    arguments: &DiffArgs,
    original: &FloatModel,
    model: &Model,
    kernels: &Kernels,
    table: &Table,
) -> Result<DiffReport, CliError> {
    let compared = compare(original, model.container(), &table.rows, kernels);
    let compared = compared.map_err(|error| CliError::import(&arguments.original, error))?;
    let Comparison { layers, scores, agreement, accuracy, .. } = compared.with_labels(&table.labels);
    let last = if agreement.probabilities {
        "largest difference of a probability"
    } else {
        "largest difference of a score, as a share of the largest"
    };
    Ok(DiffReport {
        model: model.id().to_string(),
        rows: agreement.rows,
        layers: lines(layers),
        ends: vec![
            EndLine { name: "error of the scores", value: scores },
            EndLine { name: last, value: agreement.largest_difference },
        ],
        same_class: Some(agreement.same_class),
        right: accuracy.map(right),
        picture: None,
    })
}

fn right(accuracy: Accuracy) -> [usize; 2] {
    [accuracy.float_right, accuracy.integer_right]
}

/// Trees have no layers: their scores are compared.
fn trees(
    arguments: &DiffArgs,
    kind: FileKind,
    bytes: &[u8],
    model: &Model,
    kernels: &Kernels,
    table: &Table,
) -> Result<DiffReport, CliError> {
    let failed = |error| CliError::import(&arguments.original, error);
    let original = match kind {
        FileKind::LightGbm => FloatTrees::from_lightgbm(bytes),
        FileKind::OnnxTrees => FloatTrees::from_onnx(bytes),
        _ => FloatTrees::from_xgboost(bytes),
    };
    let theirs: Vec<Prediction> = original.and_then(|original| original.predict(&table.rows)).map_err(failed)?;
    let other = |what: &str| {
        let problem = format!("not made of {}: {what}", arguments.original.display());
        CliError::file(&arguments.file, problem, "import the original again, and compare with what comes out")
    };
    let port = model.manifest().inputs.first().ok_or_else(|| other("it has no input"))?;
    let input = quantise_features(port, &table.rows).map_err(|error| other(&error.to_string()))?;
    let outputs = model.run(kernels, &[&input]).map_err(|error| other(&error.to_string()))?;
    let (port, output) =
        model.manifest().outputs.iter().zip(&outputs).next().ok_or_else(|| other("it has no output"))?;
    let integers = super::run::integers(output).map_err(|error| other(&error.to_string()))?;
    let unit = 0.5_f64.powi(port.fraction_bits.into());
    let width = integers.len() / table.rows.len();
    let (mut worst, mut largest, mut ours) = (0.0_f64, 0.0_f64, vec![]);
    for (row, theirs) in integers.chunks(width.max(1)).zip(&theirs) {
        if row.len() != theirs.logits.len() {
            return Err(other("it has other scores"));
        }
        #[allow(clippy::cast_precision_loss, reason = "measured")]
        let scores: Vec<f64> = row.iter().map(|q| *q as f64 * unit).collect();
        for (score, theirs) in scores.iter().zip(&theirs.logits) {
            worst = worst.max((score - f64::from(*theirs)).abs());
            largest = largest.max(f64::from(theirs.abs()));
        }
        let class = (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best });
        ours.push(Prediction { logits: vec![], probabilities: None, class });
    }
    let has_classes = width > 1;
    let same = theirs.iter().zip(&ours).filter(|(theirs, ours)| theirs.class == ours.class).count();
    let count = |predictions: &[Prediction]| {
        predictions.iter().zip(&table.labels).filter(|(prediction, label)| prediction.class == **label).count()
    };
    let right = (has_classes && !table.labels.is_empty()).then(|| [count(&theirs), count(&ours)]);
    Ok(DiffReport {
        model: model.id().to_string(),
        rows: table.rows.len(),
        layers: vec![],
        ends: vec![
            EndLine { name: "largest difference of a score (f32)", value: worst },
            EndLine { name: "largest score", value: largest },
        ],
        same_class: has_classes.then_some(same),
        right,
        picture: None,
    })
}

fn lines(layers: Vec<LayerError>) -> Vec<LayerLine> {
    layers.into_iter().map(|layer| LayerLine { name: layer.name, relative: layer.relative }).collect()
}

/// Embeddings are compared by their cosines.
fn encoder(arguments: &DiffArgs, model: &Model, kernels: &Kernels) -> Result<DiffReport, CliError> {
    let sentences = import::sentences(&arguments.input)?;
    let compared = compare_encoder(&arguments.original, model.container(), &sentences, kernels);
    let ComparedEncoder { nearness, layers } =
        compared.map_err(|error| CliError::import(&arguments.original, error))?;
    let Nearness { sentences, mean, worst, .. } = nearness;
    Ok(DiffReport {
        model: model.id().to_string(),
        rows: sentences,
        layers: lines(layers),
        ends: vec![
            EndLine { name: "1 - mean cosine of the embeddings", value: 1.0 - mean },
            EndLine { name: "1 - worst cosine", value: 1.0 - worst },
        ],
        same_class: None,
        right: None,
        picture: None,
    })
}
