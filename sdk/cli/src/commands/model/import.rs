//! `noema model import`: an ONNX file, a folder of Hugging Face (an encoder or a vision transformer), or trees of LightGBM or XGBoost, to a container.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use noema_import::{
    Accuracy, EncoderOptions, EncoderReport, FileKind, FolderKind, ImportError, ImportOptions, ImportReport, Imported,
    ImportedEncoder, ImportedTokenizer, ImportedTrees, LayerError, Nearness, Precision, SameIntegers, Table,
    TokenizerOptions, TreeOptions, TreeReport, Width, Widths, compare_encoder, import_encoder, import_lightgbm,
    import_onnx, import_onnx_trees, import_tokenizer, import_vision, import_xgboost,
};
use noema_tensor::{DType, Kernels, Level};
use serde::Serialize;

use crate::output::{self, Report};
use crate::{CliError, Context};

/// Arguments of `noema model import`.
#[derive(Args, Debug)]
pub struct ImportArgs {
    /// The network as an ONNX file, a sentence encoder or a vision transformer as a Hugging Face folder, the tokenizer of an
    /// encoder as the file `tokenizer.json` in it, or trees as LightGBM (text) or XGBoost (JSON) saves them, or scikit-learn's as ONNX
    file: PathBuf,
    /// Where to write the container; an existing file is not overwritten
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// Rows like those the model will meet (CSV with a header; a column `label` is left out; for an encoder a text file with a
    /// sentence in each line): ranges are taken from them. A network and an encoder need them, trees do not
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Rows with a column `label` that the model has not seen: their accuracy goes into the container
    #[arg(long, value_name = "CSV")]
    heldout: Option<PathBuf>,
    /// What the model shall be called [default: the name of the file]
    #[arg(long)]
    name: Option<String>,
    /// Its licence, as an SPDX expression
    #[arg(long, value_name = "SPDX", default_value = "NOASSERTION")]
    licence: String,
    /// Its version, in your own scheme
    #[arg(long = "model-version", value_name = "TEXT", default_value = "1")]
    version: String,
    /// Names of the classes
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    labels: Vec<String>,
    /// Fraction bits of the features [default: as many as leave room for four times the calibration rows, or, with trees,
    /// for four times the largest threshold]
    #[arg(long, value_name = "BITS")]
    input_bits: Option<u8>,
    /// Element type of the features of trees; those of a network are i32
    #[arg(long, value_enum, default_value_t = InputType::I32)]
    input_type: InputType,
    /// Bits of the activations of a network; weights always have 8
    #[arg(long, value_enum, default_value_t = Bits::Auto)]
    precision: Bits,
    /// How far off the integer model may be. An encoder: the mean cosine between embeddings from 1 (a single one may be five
    /// times as far) [default: 0.001]. A network: the largest difference of a probability of a calibration row, or of a
    /// score as a share of the largest [default: 0.01]; activations get 16 bits where 8 are not enough
    #[arg(long, value_name = "ERROR")]
    max_error: Option<f64>,
    /// The longest sentence of an encoder, or text of a tokenizer, in tokens [default: what the folder of the encoder says;
    /// 256 for a tokenizer]
    #[arg(long, value_name = "TOKENS")]
    max_tokens: Option<usize>,
    /// The longest text of a tokenizer, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 4096)]
    max_bytes: u32,
    /// Sentences, one in each line, on which the encoder and the integer model are compared when all is done
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
}

/// Element type of the features of trees.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum InputType {
    /// 32 bits, as networks take them
    I32,
    /// 64 bits: for features that need a fine step and a wide range
    I64,
}

/// Bits of the activations.
#[derive(ValueEnum, Clone, Copy, Debug)]
enum Bits {
    /// The fewest that keep the calibration rows within --max-error
    Auto,
    /// 8 everywhere
    #[value(name = "8")]
    Eight,
    /// 16 for the features, 8 between layers
    #[value(name = "16-8")]
    Mixed,
    /// 16 everywhere
    #[value(name = "16")]
    Sixteen,
}

impl From<Bits> for Precision {
    fn from(bits: Bits) -> Precision {
        let fixed = |features, hidden| Precision::Fixed(Widths { features, hidden });
        match bits {
            Bits::Auto => Precision::Auto { tolerance: 0.01 },
            Bits::Eight => fixed(Width::Eight, Width::Eight),
            Bits::Mixed => fixed(Width::Sixteen, Width::Eight),
            Bits::Sixteen => fixed(Width::Sixteen, Width::Sixteen),
        }
    }
}

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
    text: String,
}

/// The integers of a quantised file beside those of the model, through the whole network.
#[derive(Serialize, Debug)]
pub struct IntegersLine {
    all: usize,
    equal: usize,
    largest_difference: f64,
}

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
    text: String,
}

/// A sentence encoder that was just imported.
#[derive(Serialize, Debug)]
pub struct EncoderLine {
    /// Where the container is.
    #[serde(serialize_with = "output::path")]
    pub file: PathBuf,
    /// Its id.
    pub model: String,
    /// Bytes of the container.
    pub bytes: usize,
    /// The longest sentence, in tokens.
    pub max_tokens: usize,
    /// Elements of an embedding.
    pub width: usize,
    /// Whether it is as near to the original as was asked for.
    pub is_within: bool,
    /// On the sentences that chose it.
    pub calibration: NearnessLine,
    /// On the sentences of `--compare`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared: Option<NearnessLine>,
    /// Layer by layer: the length of the difference as a share of that of the original.
    pub layers: Vec<ErrorLine>,
    #[serde(skip)]
    text: String,
}

/// How near the embeddings are to those of the original.
#[derive(Serialize, Debug)]
pub struct NearnessLine {
    sentences: usize,
    mean_cosine: f64,
    worst_cosine: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    same_nearest: Option<usize>,
}

/// The error of a layer.
#[derive(Serialize, Debug)]
pub struct ErrorLine {
    name: String,
    relative: f64,
}

impl From<Nearness> for NearnessLine {
    fn from(nearness: Nearness) -> NearnessLine {
        NearnessLine {
            sentences: nearness.sentences,
            mean_cosine: nearness.mean,
            worst_cosine: nearness.worst,
            same_nearest: nearness.same_nearest,
        }
    }
}

impl EncoderLine {
    fn new(file: PathBuf, report: &EncoderReport, compared: Option<Nearness>) -> EncoderLine {
        let error = |layer: &LayerError| ErrorLine { name: layer.name.clone(), relative: layer.relative };
        let more = compared.map_or(String::new(), |compared| format!("\nafterwards: {compared}"));
        EncoderLine {
            file,
            model: report.id.to_string(),
            bytes: report.container_bytes,
            max_tokens: report.longest,
            width: report.width,
            is_within: report.is_within,
            calibration: report.nearness.into(),
            compared: compared.map(NearnessLine::from),
            layers: report.layers.iter().map(error).collect(),
            text: format!("{report}{more}"),
        }
    }
}

/// What was imported.
#[derive(Serialize, Debug)]
#[serde(untagged)]
pub enum ImportedReport {
    /// A network.
    Network(ModelReport),
    /// Trees.
    Trees(TreesReport),
    /// A sentence encoder.
    Encoder(EncoderLine),
    /// A tokenizer.
    Tokenizer(TokenizerLine),
}

/// A tokenizer that was just imported.
#[derive(Serialize, Debug)]
pub struct TokenizerLine {
    /// Where the container is.
    #[serde(serialize_with = "output::path")]
    pub file: PathBuf,
    /// Its id.
    pub model: String,
    /// Bytes of the container.
    pub bytes: usize,
    /// Tokens of the vocabulary.
    pub vocabulary: u32,
    /// Most tokens and bytes of a text.
    pub max_tokens: u32,
    /// See `max_tokens`.
    pub max_bytes: u32,
    #[serde(skip)]
    text: String,
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

/// Accuracy on rows with known classes.
#[derive(Serialize, Debug)]
pub struct HeldoutLine {
    rows: usize,
    float_right: usize,
    model_right: usize,
    different: usize,
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

impl From<Accuracy> for HeldoutLine {
    fn from(heldout: Accuracy) -> HeldoutLine {
        HeldoutLine {
            rows: heldout.rows,
            float_right: heldout.float_right,
            model_right: heldout.integer_right,
            different: heldout.different,
        }
    }
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

impl Report for ImportedReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let (text, file) = match self {
            ImportedReport::Network(report) => (&report.text, &report.file),
            ImportedReport::Trees(report) => (&report.text, &report.file),
            ImportedReport::Encoder(report) => (&report.text, &report.file),
            ImportedReport::Tokenizer(report) => (&report.text, &report.file),
        };
        writeln!(out, "{text}")?;
        writeln!(out, "written to {}", file.display())
    }
}

/// Runs the command.
///
/// # Errors
/// A file cannot be read or written, or the model cannot be imported: what is in the way is named.
pub fn run(context: &Context, arguments: &ImportArgs) -> Result<ImportedReport, CliError> {
    // An import can take a minute: what is in the way of its result is said before.
    if arguments.out.symlink_metadata().is_ok() {
        return Err(CliError::io("create", &arguments.out, io::ErrorKind::AlreadyExists.into()));
    }
    if arguments.file.is_dir() {
        return match FolderKind::of(&arguments.file) {
            FolderKind::Vision => network(context, arguments, &|options| import_vision(&arguments.file, options)),
            _ => encoder(context, arguments).map(ImportedReport::Encoder),
        };
    }
    let bytes = std::fs::read(&arguments.file).map_err(|error| CliError::io("read", &arguments.file, error))?;
    if arguments.file.file_name().is_some_and(|name| name == "tokenizer.json") {
        return tokenizer(context, arguments, &bytes).map(ImportedReport::Tokenizer);
    }
    if let Some((what, hint)) = another_format(&bytes) {
        return Err(CliError::file(&arguments.file, format!("this is {what}, which cannot be imported"), hint));
    }
    if FileKind::of(&bytes) != FileKind::Onnx {
        meaningless(arguments, "trees", &["--calibration", "--precision", "--max-error", "--max-tokens", "--compare"])?;
        let bar = context.output.spinner("importing");
        let imported = import_trees(&arguments.file, &bytes, &tree_options(arguments)?);
        bar.finish_and_clear();
        let ImportedTrees { container, report } = imported.map_err(|error| rows_named(arguments, error))?;
        write_new(&arguments.out, &container)?;
        return Ok(ImportedReport::Trees(TreesReport::new(arguments.out.clone(), &report)));
    }
    network(context, arguments, &|options| import_onnx(&bytes, options))
}

/// What a file is that people keep models in, and what to do with it, by its first bytes.
fn another_format(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const EXPORT: &str = "export the network to ONNX";
    let safetensors = bytes.get(8) == Some(&b'{') && bytes.get(6..8) == Some(&[0, 0]);
    Some(match bytes {
        _ if bytes.starts_with(b"GGUF") => ("a GGUF file", "generative models are not imported; networks are, as ONNX"),
        _ if safetensors => (
            "a safetensors file by itself",
            "give the folder that it is in, with its config.json: docs/transformers.md",
        ),
        _ if bytes.starts_with(b"PK\x03\x04") => ("a zip archive, as PyTorch and Keras write them", EXPORT),
        _ if bytes.starts_with(b"\x89HDF") => ("an HDF5 file, as Keras writes them", EXPORT),
        _ if bytes.starts_with(&[0x80]) && bytes.get(1).is_some_and(|version| (2..=5).contains(version)) => {
            ("a pickle of Python", "export the network to ONNX, or save the trees as their library does")
        }
        _ if bytes.get(4..8) == Some(b"TFL3") => ("a TensorFlow Lite file", EXPORT),
        _ => return None,
    })
}

/// Refuses options that have no meaning for what is imported: whoever gives one believes that it did something.
fn meaningless(arguments: &ImportArgs, what: &str, options: &[&'static str]) -> Result<(), CliError> {
    let given = [
        ("--calibration", arguments.calibration.is_some()),
        ("--heldout", arguments.heldout.is_some()),
        ("--labels", !arguments.labels.is_empty()),
        ("--input-bits", arguments.input_bits.is_some()),
        ("--input-type", arguments.input_type != InputType::I32),
        ("--precision", !matches!(arguments.precision, Bits::Auto)),
        ("--max-error", arguments.max_error.is_some()),
        ("--max-tokens", arguments.max_tokens.is_some()),
        ("--compare", arguments.compare.is_some()),
    ];
    match given.into_iter().find(|(option, is_given)| *is_given && options.contains(option)) {
        Some((option, _)) => Err(CliError::argument(option, format!("it has no meaning for {what}"), "leave it out")),
        None => Ok(()),
    }
}

/// An error of an import, with the file that the rows are in where it is about rows.
fn rows_named(arguments: &ImportArgs, error: CliError) -> CliError {
    match error {
        CliError::Import { path, error: ImportError::Heldout(error) } => {
            CliError::import(arguments.heldout.as_deref().unwrap_or(&path), *error)
        }
        CliError::Import { path, error: error @ ImportError::Row { .. } } => {
            CliError::import(arguments.calibration.as_deref().unwrap_or(&path), error)
        }
        error => error,
    }
}

fn encoder(context: &Context, arguments: &ImportArgs) -> Result<EncoderLine, CliError> {
    meaningless(arguments, "an encoder", &["--heldout", "--labels", "--input-bits", "--input-type", "--precision"])?;
    let calibration = arguments.calibration.as_deref().ok_or_else(|| {
        let problem =
            format!("{} is a folder, so an encoder, which needs calibration sentences", arguments.file.display());
        CliError::argument("--calibration", problem, "give a text file with a sentence in each line")
    })?;
    let compare = arguments.compare.as_deref().map(sentences).transpose()?;
    let options = EncoderOptions {
        version: arguments.version.clone(),
        calibration: sentences(calibration)?,
        longest: arguments.max_tokens,
        max_error: max_error(arguments)?.unwrap_or(0.001),
        ..EncoderOptions::new(&name(arguments), &arguments.licence)
    };
    let bar = context.output.spinner("importing");
    let imported = import_encoder(&arguments.file, &options);
    bar.finish_and_clear();
    let failed = |error| CliError::import(&arguments.file, error);
    let ImportedEncoder { container, report } = imported.map_err(failed)?;
    let compared = compare.map(|sentences| {
        let bar = context.output.spinner("comparing");
        let kernels = Kernels::new(Level::best(), 1)?;
        let compared = compare_encoder(&arguments.file, &container, &sentences, &kernels);
        bar.finish_and_clear();
        Ok::<_, CliError>(compared.map_err(failed)?.nearness)
    });
    let compared = compared.transpose()?;
    write_new(&arguments.out, &container)?;
    Ok(EncoderLine::new(arguments.out.clone(), &report, compared))
}

/// A network that `import` reads, in whatever form.
fn network(
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

fn tokenizer(context: &Context, arguments: &ImportArgs, bytes: &[u8]) -> Result<TokenizerLine, CliError> {
    meaningless(
        arguments,
        "a tokenizer",
        &[
            "--calibration",
            "--heldout",
            "--labels",
            "--input-bits",
            "--input-type",
            "--precision",
            "--max-error",
            "--compare",
        ],
    )?;
    let wrong = |count: usize| {
        let problem = format!("a text of {count} tokens");
        CliError::argument("--max-tokens", problem, "give a number from 2 to 65535")
    };
    let options = TokenizerOptions {
        version: arguments.version.clone(),
        ..TokenizerOptions::new(&name(arguments), &arguments.licence)
    };
    let tokens = match arguments.max_tokens {
        None => options.tokens,
        Some(count) => u16::try_from(count).ok().filter(|count| *count >= 2).ok_or_else(|| wrong(count))?.into(),
    };
    let options = TokenizerOptions { tokens, bytes: arguments.max_bytes, ..options };
    let bar = context.output.spinner("importing");
    let imported = import_tokenizer(bytes, &options).map_err(|error| CliError::import(&arguments.file, error));
    bar.finish_and_clear();
    let ImportedTokenizer { container, id, vocabulary, ranges } = imported?;
    write_new(&arguments.out, &container)?;
    let text = format!(
        "model {id}, {} bytes\n{vocabulary} tokens, {ranges} ranges of characters\ntexts of up to {} bytes to up to {tokens} tokens",
        container.len(),
        options.bytes
    );
    Ok(TokenizerLine {
        file: arguments.out.clone(),
        model: id.to_string(),
        bytes: container.len(),
        vocabulary,
        max_tokens: tokens,
        max_bytes: options.bytes,
        text,
    })
}

/// The lines of a text file that are not empty.
pub(super) fn sentences(path: &Path) -> Result<Vec<String>, CliError> {
    let text = std::fs::read_to_string(path).map_err(|error| CliError::io("read", path, error))?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

fn max_error(arguments: &ImportArgs) -> Result<Option<f64>, CliError> {
    match arguments.max_error {
        Some(error) if !(error > 0.0 && error < 1.0) => {
            let problem = format!("an error of {error}");
            Err(CliError::argument("--max-error", problem, "give a number between 0 and 1"))
        }
        given => Ok(given),
    }
}

fn name(arguments: &ImportArgs) -> String {
    let stem = || arguments.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    arguments.name.clone().unwrap_or_else(stem)
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

/// Imports an ONNX file.
///
/// # Errors
/// It cannot be read or imported.
pub fn import(file: &Path, options: &ImportOptions) -> Result<Imported, CliError> {
    let bytes = std::fs::read(file).map_err(|error| CliError::io("read", file, error))?;
    import_onnx(&bytes, options).map_err(|error| CliError::import(file, error))
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

/// Reads rows of features from a CSV file.
///
/// # Errors
/// It cannot be read, or is no such table.
pub fn read_table(path: &Path) -> Result<Table, CliError> {
    let file = std::fs::File::open(path).map_err(|error| CliError::io("read", path, error))?;
    let table = Table::read_csv(file).map_err(|error| CliError::import(path, error))?;
    if table.rows.is_empty() {
        return Err(CliError::import(path, ImportError::Table("it has no rows".to_owned())));
    }
    Ok(table)
}

/// Writes a file that does not exist yet, whole or not at all.
///
/// # Errors
/// It exists, or cannot be written.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(|error| CliError::io("create", path, error))?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| CliError::io("write", path, error))?;
    file.persist_noclobber(path).map_err(|error| CliError::io("create", path, error.error))?;
    Ok(())
}
