//! Vision transformers that classify images, from Hugging Face folders (`config.json`, `model.safetensors`,
//! `preprocessor_config.json`).
//!
//! ```text
//!   folder --folder--> weights, what pixels mean --float--> the original in f32, by candle
//!                                                             |  what calibration images reach
//!                                                             v
//!                                            build: integers, of the widths that are asked for
//! ```

use std::path::Path;

use crate::{ImportError, ImportOptions, Imported, float::finite, import::Import, transformer::ranges::LayerRanges};

mod build;
mod float;
mod folder;
#[cfg(test)]
mod tests;

use float::Ranges;
pub(crate) use float::VisionModel;

/// Imports a vision transformer: one input `features` (`u8`, channels, rows, columns: pixels as the image processor of the
/// folder takes them, resized to what the model takes), outputs as those of [`import_onnx`](crate::import_onnx).
///
/// # Errors
/// [`ImportError`]: a file is missing, hostile or of a model that cannot be imported, and says which; any folder may be
/// passed.
pub fn import_vision(path: &Path, options: &ImportOptions) -> Result<Imported, ImportError> {
    let float = &VisionModel::read(path)?;
    if options.input_fraction_bits.is_some_and(|bits| bits != 0) {
        return Err(ImportError::Options("pixels are integers: they have no fraction bits".into()));
    }
    let labels = if options.labels.is_empty() { float.labels.clone() } else { options.labels.clone() };
    let options = &ImportOptions { labels, ..options.clone() };
    let mut ranges = Ranges { layers: vec![LayerRanges::default(); float.layers.len()], ..Ranges::default() };
    for image in finite(&options.calibration, float.features())? {
        ranges.include(&float.run(&image)?)?;
    }
    Import {
        options,
        classes: float.classes(),
        features: float.features(),
        layers: build::layer_names(float.layers.len()),
        input_bits: 0,
        predict: &|rows| float.predict(rows),
        quantise: &|widths| build::build(float, &ranges, widths.into()),
    }
    .run()
}
