//! Classifier networks from ONNX files, and tree ensembles from ONNX and from the files of LightGBM and XGBoost, to Noema's exact
//! integer containers.
//!
//! ```text
//!   file --wire, proto--> checked messages --network, node--> steps in float   (images/: the same for images)
//!                                                               |          \
//!                                              layers: constants folded     float: the original, by candle
//!                                                               |          /
//!                                     quantise: integers, scales from calibration rows
//!                                                               |
//!                                     noema-model: container with its bound proof
//! ```
//!
//! Floats live in this crate and nowhere near a chain: what leaves it is a container of integers and a report.
//!
//! What can be imported: networks of one input whose rows run through operations with constants (`Add`, `Sub`, `Mul`,
//! `Div`: standardisation, folded), `Gemm` or `MatMul`, `Relu`, and end in scores, with `Softmax` or `ArgMax` behind
//! them or not. Networks of images ([`images`](self), a path of its own) have convolutions, pools, sums and concatenations
//! as well, in float or quantised by the file. Everything else is refused with the node named.
//!
//! Folders of Hugging Face: sentence encoders ([`import_encoder`]) and their tokenizers ([`import_tokenizer`]), and vision transformers
//! that classify images ([`import_vision`]).
//!
//! Trees ([`import_lightgbm`], [`import_xgboost`], [`import_onnx_trees`]) need no calibration: on the grid of their fixed-point features they
//! decide as the library does.
//!
//! ```no_run
//! use noema_import::{FloatModel, ImportOptions, Table, import_onnx};
//! let file = std::fs::read("screening.onnx")?;
//! let calibration = Table::read_csv(std::fs::File::open("calibration.csv")?)?;
//! let options = ImportOptions { calibration: calibration.rows, ..ImportOptions::new("screening", "CC-BY-4.0") };
//! let imported = import_onnx(&file, &options)?;
//! println!("{}", imported.report);
//! std::fs::write("screening.model", imported.container)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod budget;
mod builder;
mod compare;
mod constant;
mod encoder;
mod error;
mod float;
mod images;
mod import;
mod layers;
mod ml;
mod network;
mod node;
mod order;
mod proto;
mod quantise;
mod report;
#[cfg(test)]
mod sample;
mod scale;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod transformer;
mod trees;
mod vision;
mod wire;

pub use compare::{Comparison, compare};
pub use encoder::{
    ComparedEncoder, EncoderOptions, EncoderReport, FloatEncoder, ImportedEncoder, LayerError, Nearness,
    compare_encoder, import_encoder,
};
pub use error::ImportError;
pub use float::{FloatLayer, FloatModel, Prediction};
pub use import::{ImportOptions, Imported, Precision, import_onnx};
pub use quantise::{Width, Widths};
pub use report::{Accuracy, Agreement, ImportReport, LayerReport, SameIntegers};
pub use table::{Table, input_tensor, quantise_input};
pub use text::{ImportedTokenizer, TokenizerOptions, import_tokenizer};
pub use transformer::{Site, Sites, files::FolderKind};
pub use trees::{
    FileKind, FloatTrees, ImportedTrees, MAX_TREE_FILE_BYTES, MISSING_FEATURE, TreeOptions, TreeReport,
    import_lightgbm, import_onnx_trees, import_xgboost, quantise_features,
};
pub use vision::import_vision;
