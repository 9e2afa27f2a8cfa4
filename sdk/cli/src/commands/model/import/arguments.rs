//! What an import is told, whatever it imports.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use noema_import::{Precision, Width, Widths};

use crate::CliError;

/// Arguments of `noema model import`.
#[derive(Args, Debug)]
pub struct ImportArgs {
    /// The network as an ONNX file, a sentence encoder or a vision transformer as a Hugging Face folder, the tokenizer of an
    /// encoder as the file `tokenizer.json` in it, or trees as LightGBM (text) or XGBoost (JSON) saves them, or scikit-learn's as ONNX
    pub(super) file: PathBuf,
    /// Where to write the container; an existing file is not overwritten
    #[arg(short, long, value_name = "FILE")]
    pub(super) out: PathBuf,
    /// Rows like those the model will meet (CSV with a header; a column `label` is left out; for an encoder a text file with a
    /// sentence in each line): ranges are taken from them. A network and an encoder need them, trees do not
    #[arg(long, value_name = "FILE")]
    pub(super) calibration: Option<PathBuf>,
    /// Rows with a column `label` that the model has not seen: their accuracy goes into the container
    #[arg(long, value_name = "CSV")]
    pub(super) heldout: Option<PathBuf>,
    /// What the model shall be called [default: the name of the file]
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Its licence, as an SPDX expression
    #[arg(long, value_name = "SPDX", default_value = "NOASSERTION")]
    pub(super) licence: String,
    /// Its version, in your own scheme
    #[arg(long = "model-version", value_name = "TEXT", default_value = "1")]
    pub(super) version: String,
    /// Names of the classes
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(super) labels: Vec<String>,
    /// Fraction bits of the features [default: as many as leave room for four times the calibration rows, or, with trees,
    /// for four times the largest threshold]
    #[arg(long, value_name = "BITS")]
    pub(super) input_bits: Option<u8>,
    /// Element type of the features of trees; those of a network are i32
    #[arg(long, value_enum, default_value_t = InputType::I32)]
    pub(super) input_type: InputType,
    /// Bits of the activations of a network; weights always have 8
    #[arg(long, value_enum, default_value_t = Bits::Auto)]
    pub(super) precision: Bits,
    /// How far off the integer model may be. An encoder: the mean cosine between embeddings from 1 (a single one may be five
    /// times as far) [default: 0.001]. A network: the largest difference of a probability of a calibration row, or of a
    /// score as a share of the largest [default: 0.01]; activations get 16 bits where 8 are not enough
    #[arg(long, value_name = "ERROR")]
    pub(super) max_error: Option<f64>,
    /// The longest sentence of an encoder, or text of a tokenizer, in tokens [default: what the folder of the encoder says;
    /// 256 for a tokenizer]
    #[arg(long, value_name = "TOKENS")]
    pub(super) max_tokens: Option<usize>,
    /// The longest text of a tokenizer, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 4096)]
    pub(super) max_bytes: u32,
    /// Sentences, one in each line, on which the encoder and the integer model are compared when all is done
    #[arg(long, value_name = "FILE")]
    pub(super) compare: Option<PathBuf>,
}

/// Element type of the features of trees.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InputType {
    /// 32 bits, as networks take them
    I32,
    /// 64 bits: for features that need a fine step and a wide range
    I64,
}

/// Bits of the activations.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub(super) enum Bits {
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

/// Refuses options that have no meaning for what is imported: whoever gives one believes that it did something.
pub(super) fn meaningless(arguments: &ImportArgs, what: &str, options: &[&'static str]) -> Result<(), CliError> {
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

pub(super) fn max_error(arguments: &ImportArgs) -> Result<Option<f64>, CliError> {
    match arguments.max_error {
        Some(error) if !(error > 0.0 && error < 1.0) => {
            let problem = format!("an error of {error}");
            Err(CliError::argument("--max-error", problem, "give a number between 0 and 1"))
        }
        given => Ok(given),
    }
}

pub(super) fn name(arguments: &ImportArgs) -> String {
    let stem = || arguments.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    arguments.name.clone().unwrap_or_else(stem)
}
