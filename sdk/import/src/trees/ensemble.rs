//! Trees as their library means them, in float.

use crate::{ImportError, Prediction};

/// Most decisions and most trees; the container has no more.
pub(super) const MAX_DECISIONS: usize = noema_model::ops::MAX_DECISIONS as usize;
pub(super) const MAX_TREES: usize = noema_model::ops::MAX_TREES as usize;
pub(super) const MAX_FEATURES: usize = noema_model::ops::MAX_TREE_WIDTH as usize;
/// Most classes: a header may claim any number without anything behind it.
pub(super) const MAX_CLASSES: usize = 1 << 16;

/// An ensemble as its file means it, deciding in the float type of its library.
///
/// Leaves are added up in `f64`; LightGBM does that too, XGBoost adds in `f32` and is a little less exact.
#[derive(Clone, Debug)]
pub struct FloatTrees {
    pub(super) library: Library,
    /// The objective as the file names it.
    pub(super) objective: String,
    pub(super) task: Task,
    pub(super) features: usize,
    /// How many raw scores the file has.
    pub(super) outputs: usize,
    /// How many times the raw scores leaves and base are: the trees of a forest, whose leaves the file has divided by it in `f32`. So
    /// undivided, equal votes are equal.
    pub(super) votes: f64,
    pub(super) base: Vec<f64>,
    pub(super) trees: Vec<FloatTree>,
}

/// Where a file comes from, which decides how it compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Library {
    /// `f64`, left where `x <= threshold`.
    LightGbm,
    /// `f32`, left where `x < threshold`.
    XgBoost,
    /// `f32`, left where `x <= threshold`, or `x < threshold`.
    Onnx { or_equal: bool },
}

/// What raw scores mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Task {
    /// One score: above 0 is class 1. The probability of class 1, where there is one, is the sigmoid of `slope` times it.
    Binary { slope: Option<f64> },
    /// A score for each class; their softmax, where there is one, is the probabilities.
    Classes { softmax: bool },
    /// One score, which is the answer.
    Number,
}

#[derive(Clone, Debug)]
pub(super) struct FloatTree {
    /// The raw score that it adds to.
    pub(super) output: usize,
    pub(super) decisions: Vec<FloatDecision>,
    pub(super) leaves: Vec<f64>,
}

/// Ways lead to a later decision of the tree, or to `!leaf`.
#[derive(Clone, Copy, Debug)]
pub(super) struct FloatDecision {
    pub(super) feature: usize,
    pub(super) threshold: f64,
    pub(super) missing_left: bool,
    pub(super) zero_is_missing: bool,
    pub(super) left: i32,
    pub(super) right: i32,
}

impl Library {
    pub(super) fn name(self) -> &'static str {
        match self {
            Library::LightGbm => "LightGBM",
            Library::XgBoost => "XGBoost",
            Library::Onnx { .. } => "ONNX",
        }
    }

    /// Whether a feature that is there goes left.
    #[allow(clippy::cast_possible_truncation, reason = "XGBoost rounds features to f32")]
    pub(super) fn goes_left(self, x: f64, threshold: f64) -> bool {
        match self {
            Library::LightGbm => x <= threshold,
            Library::Onnx { or_equal: true } => f64::from(x as f32) <= threshold,
            Library::XgBoost | Library::Onnx { .. } => f64::from(x as f32) < threshold,
        }
    }
}

impl FloatTree {
    pub(super) fn depth(&self) -> usize {
        let mut passed = vec![1; self.decisions.len()];
        for (at, decision) in self.decisions.iter().enumerate() {
            for child in [decision.left, decision.right] {
                if let Ok(child) = usize::try_from(child) {
                    passed[child] = passed[at] + 1;
                }
            }
        }
        passed.into_iter().max().unwrap_or(0)
    }

    fn leaf(&self, library: Library, row: &[f64]) -> f64 {
        let mut way = if self.decisions.is_empty() { -1 } else { 0 };
        while let Ok(at) = usize::try_from(way) {
            let FloatDecision { feature, threshold, missing_left, zero_is_missing, left, right } = self.decisions[at];
            let x = row[feature];
            // LightGBM's own idea of zero.
            let missing = x.is_nan() || (zero_is_missing && x.abs() <= f64::from(1.0e-35_f32));
            let goes_left = if missing { missing_left } else { library.goes_left(x, threshold) };
            way = if goes_left { left } else { right };
        }
        self.leaves[usize::try_from(!way).unwrap_or(usize::MAX)]
    }
}

impl FloatTrees {
    /// Reads a text file of LightGBM.
    ///
    /// # Errors
    /// [`ImportError`]; any bytes may be passed.
    pub fn from_lightgbm(bytes: &[u8]) -> Result<FloatTrees, ImportError> {
        super::lightgbm::read(bytes)
    }

    /// Reads a JSON file of XGBoost.
    ///
    /// # Errors
    /// [`ImportError`]; any bytes may be passed.
    pub fn from_xgboost(bytes: &[u8]) -> Result<FloatTrees, ImportError> {
        super::xgboost::read(bytes)
    }

    /// Reads an ensemble in ONNX.
    ///
    /// # Errors
    /// [`ImportError`]; any bytes may be passed.
    pub fn from_onnx(bytes: &[u8]) -> Result<FloatTrees, ImportError> {
        super::onnx::read(bytes).map(|(trees, _)| trees)
    }

    /// How many features a row has.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// The raw scores of each row; a feature that is not a number is missing.
    ///
    /// # Errors
    /// [`ImportError::Row`] for a row of another length.
    pub fn scores(&self, rows: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, ImportError> {
        rows.iter().enumerate().map(|(row, features)| self.score(row, features)).collect()
    }

    fn score(&self, row: usize, features: &[f64]) -> Result<Vec<f64>, ImportError> {
        if features.len() != self.features {
            let reason = format!("{} features, the trees take {}", features.len(), self.features);
            return Err(ImportError::Row { row, reason });
        }
        let mut scores = self.base.clone();
        for tree in &self.trees {
            scores[tree.output] += tree.leaf(self.library, features);
        }
        scores.iter_mut().for_each(|score| *score /= self.votes);
        Ok(scores)
    }

    /// Class, scores and probabilities of each row.
    ///
    /// # Errors
    /// [`ImportError::Row`] for a row of another length; [`ImportError::Options`] where the model is no classifier.
    #[allow(clippy::cast_possible_truncation, reason = "predictions are f32")]
    pub fn predict(&self, rows: &[Vec<f64>]) -> Result<Vec<Prediction>, ImportError> {
        let predict = |scores: Vec<f64>| {
            let logits = match self.task {
                Task::Binary { .. } => vec![0.0, scores[0]],
                Task::Classes { .. } => scores,
                Task::Number => {
                    let reason = format!("a model with the objective `{}` knows no classes", self.objective);
                    return Err(ImportError::Options(reason));
                }
            };
            let slope = match self.task {
                Task::Binary { slope } => slope,
                Task::Classes { softmax } => softmax.then_some(1.0),
                Task::Number => None,
            };
            let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let probabilities = slope.map(|slope| {
                let powers: Vec<f64> = logits.iter().map(|logit| (slope * (logit - largest)).exp()).collect();
                let sum: f64 = powers.iter().sum();
                powers.into_iter().map(|power| (power / sum) as f32).collect()
            });
            let class = logits.iter().position(|logit| *logit == largest).unwrap_or(0);
            Ok(Prediction { logits: logits.into_iter().map(|logit| logit as f32).collect(), probabilities, class })
        };
        self.scores(rows)?.into_iter().map(predict).collect()
    }
}
