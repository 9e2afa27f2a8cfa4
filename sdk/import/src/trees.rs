//! Tree ensembles from the files of LightGBM and XGBoost, and from ONNX.
//!
//! ```text
//!   text --lightgbm--\                    /-- FloatTrees: the original, as its library decides
//!                     >-- ensemble: trees
//!   JSON --xgboost---/                    \-- grid: thresholds as integers -- container
//! ```
//!
//! Features enter the container in fixed point, so that a contract can compute with them and hand the same tensor to a
//! network. On that grid the container decides as the library does, always: each threshold becomes the largest grid value
//! that the library sends left, with its own float type (`f64` in LightGBM, `f32` in XGBoost, which rounds the feature
//! first; rounding keeps order, so there is one such value) and its own comparison (`<=` and `<`). The smallest integer
//! stands for a missing value and goes where the file says.
//!
//! Leaves become fixed point with as many bits as the proof of the sums allows, at most 48, and are added up exactly; how
//! far a score can be from the exact sum of the library's leaves stands in the report ([`TreeReport::rounding`]).

mod build;
mod ensemble;
mod grid;
mod lightgbm;
mod onnx;
#[cfg(test)]
mod onnx_tests;
mod report;
#[cfg(test)]
mod tests;
mod wiring;
mod xgboost;

use noema_tensor::DType;

pub use ensemble::FloatTrees;
pub use grid::{MISSING_FEATURE, quantise_features};
pub use report::TreeReport;

use crate::{ImportError, Table};

/// Most bytes of a file. Reading one takes at most some ten times its size, whatever it says.
pub const MAX_TREE_FILE_BYTES: usize = 64 * 1024 * 1024;

/// How to import trees.
#[derive(Clone, Debug)]
pub struct TreeOptions {
    /// What the model shall be called.
    pub name: String,
    /// Its licence, as an SPDX expression where there is one.
    pub licence: String,
    /// Its version.
    pub version: String,
    /// Names of the classes; none, or one for each.
    pub labels: Vec<String>,
    /// Rows with classes that training has not seen: their accuracy goes into the manifest.
    pub heldout: Option<Table>,
    /// Element type of the features: `i32` or `i64`.
    pub input_type: DType,
    /// Fraction bits of the features; where not said, as many as leave room for four times the largest threshold, at most
    /// 30 in `i32` and 40 in `i64`.
    pub input_fraction_bits: Option<u8>,
}

impl TreeOptions {
    /// Options that let the importer choose.
    #[must_use]
    pub fn new(name: &str, licence: &str) -> TreeOptions {
        TreeOptions {
            name: name.into(),
            licence: licence.into(),
            version: "1".into(),
            labels: vec![],
            heldout: None,
            input_type: DType::I32,
            input_fraction_bits: None,
        }
    }
}

/// An imported ensemble.
#[derive(Clone, Debug)]
pub struct ImportedTrees {
    /// The container, ready for a model store.
    pub container: Vec<u8>,
    /// What was done and how well it went.
    pub report: TreeReport,
}

/// Imports a model file of LightGBM (text, as `Booster.save_model` writes it).
///
/// The input is `features` (`i32` or `i64`, fixed point). A classifier has the outputs `logits` (`i32`, fixed point, one
/// for each class: `0` and the raw score where there are two), `probabilities` (`i32`, 16 fraction bits; not for
/// `multiclassova`) and `class` (`i32`: the largest raw score before it is rounded to a logit). Anything else has the
/// output `score` (`i64`, fixed point, one number), the library's raw score.
///
/// # Errors
/// [`ImportError`]; any bytes may be passed.
pub fn import_lightgbm(bytes: &[u8], options: &TreeOptions) -> Result<ImportedTrees, ImportError> {
    build::import(&FloatTrees::from_lightgbm(bytes)?, options)
}

/// Imports a model file of XGBoost (JSON, as `Booster.save_model("model.json")` writes it), with inputs and outputs as
/// [`import_lightgbm`]; objectives that do not predict probabilities (`binary:hinge`, `binary:logitraw`) have none.
///
/// # Errors
/// [`ImportError`]; any bytes may be passed.
pub fn import_xgboost(bytes: &[u8], options: &TreeOptions) -> Result<ImportedTrees, ImportError> {
    build::import(&FloatTrees::from_xgboost(bytes)?, options)
}

/// Imports a tree ensemble in ONNX (`TreeEnsembleClassifier` or `TreeEnsembleRegressor`, as skl2onnx writes scikit-learn's), with inputs
/// and outputs as [`import_lightgbm`]. Features are compared in `f32`. Where the options name no labels, they are those of the file, if these
/// are more than numbers from 0 on.
///
/// Two classes with one score and no post-processing, as of random forests, have the score less one half as their second logit.
///
/// # Errors
/// [`ImportError`]; any bytes may be passed.
pub fn import_onnx_trees(bytes: &[u8], options: &TreeOptions) -> Result<ImportedTrees, ImportError> {
    let (trees, labels) = onnx::read(bytes)?;
    let named = options.labels.is_empty() && !crate::ml::is_counting(&labels);
    let labels = if named { labels } else { options.labels.clone() };
    build::import(&trees, &TreeOptions { labels, ..options.clone() })
}

/// What kind of model file some bytes begin like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A text file of LightGBM.
    LightGbm,
    /// A JSON file of XGBoost.
    XgBoost,
    /// Anything else that has a node of a tree ensemble of ONNX.
    OnnxTrees,
    /// Anything else: only a network in ONNX is left.
    Onnx,
}

impl FileKind {
    /// Looks at the first bytes, and for ONNX for the name of an ensemble. Says nothing about whether the file is whole.
    ///
    /// ```
    /// use noema_import::FileKind;
    /// assert_eq!(FileKind::of(b"tree\nversion=v4\n"), FileKind::LightGbm);
    /// assert_eq!(FileKind::of(b" {\"learner\": {}}"), FileKind::XgBoost);
    /// assert_eq!(FileKind::of(&[8, 8, 18, 0]), FileKind::Onnx);
    /// ```
    #[must_use]
    pub fn of(bytes: &[u8]) -> FileKind {
        let text = bytes.trim_ascii_start();
        if text.starts_with(b"tree") && text.get(4).is_some_and(u8::is_ascii_whitespace) {
            return FileKind::LightGbm;
        }
        // Binary JSON begins like JSON; its reader says what to do about it.
        if text.starts_with(b"{") {
            return FileKind::XgBoost;
        }
        // The operator of a node: field 4, its length, its name.
        let names: [&[u8]; 2] = [b"\x22\x16TreeEnsembleClassifier", b"\x22\x15TreeEnsembleRegressor"];
        let has = |name: &&[u8]| bytes.windows(name.len()).any(|part| part == *name);
        if names.iter().any(has) { FileKind::OnnxTrees } else { FileKind::Onnx }
    }
}
