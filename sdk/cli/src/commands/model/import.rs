//! `noema model import`: an ONNX file, a folder of Hugging Face (an encoder or a vision transformer), or trees of LightGBM or XGBoost, to a container.

mod arguments;
mod encoder;
mod files;
mod network;
mod tokenizer;
mod trees;

use std::io::{self, Write};

use noema_import::{Accuracy, FileKind, FolderKind, ImportError, import_onnx, import_vision};
use serde::Serialize;

use self::encoder::{EncoderLine, encoder};
use self::network::{ModelReport, network};
use self::tokenizer::{TokenizerLine, tokenizer};
use self::trees::{TreesReport, trees};
use crate::output::Report;
use crate::{CliError, Context};

pub use self::arguments::ImportArgs;
pub(super) use self::files::sentences;
pub use self::files::{read_table, write_new};
pub use self::network::import;
pub use self::trees::import_trees;

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

/// Accuracy on rows with known classes.
#[derive(Serialize, Debug)]
pub struct HeldoutLine {
    rows: usize,
    float_right: usize,
    model_right: usize,
    different: usize,
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
        return trees(context, arguments, &bytes).map(ImportedReport::Trees);
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
