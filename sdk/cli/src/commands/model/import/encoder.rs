//! Sentence encoders in folders of Hugging Face.

use std::path::PathBuf;

use noema_import::{
    EncoderOptions, EncoderReport, ImportedEncoder, LayerError, Nearness, compare_encoder, import_encoder,
};
use noema_tensor::{Kernels, Level};
use serde::Serialize;

use super::arguments::{ImportArgs, max_error, meaningless, name};
use super::files::{sentences, write_new};
use crate::output;
use crate::{CliError, Context};

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
    pub(super) text: String,
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

pub(super) fn encoder(context: &Context, arguments: &ImportArgs) -> Result<EncoderLine, CliError> {
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
