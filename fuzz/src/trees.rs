//! Files of tree libraries.

use std::sync::OnceLock;

use noema_import::{
    FloatTrees, ImportError, ImportedTrees, TreeOptions, import_lightgbm, import_xgboost, quantise_features,
};
use noema_model::Model;
use noema_tensor::{Kernels, Level};

/// The importer answers, whatever the file holds. What it imports is a model, whose classes on a few rows are those of
/// the float trees wherever scores are apart.
///
/// # Panics
/// Where that does not hold.
pub fn lightgbm(bytes: &[u8]) {
    compare(import_lightgbm(bytes, &options()), || FloatTrees::from_lightgbm(bytes));
}

/// [`lightgbm`] for XGBoost.
///
/// # Panics
/// As [`lightgbm`].
pub fn xgboost(bytes: &[u8]) {
    compare(import_xgboost(bytes, &options()), || FloatTrees::from_xgboost(bytes));
}

fn options() -> TreeOptions {
    TreeOptions::new("fuzz", "none")
}

fn compare(imported: Result<ImportedTrees, ImportError>, float: impl Fn() -> Result<FloatTrees, ImportError>) {
    let Ok(ImportedTrees { container, report }) = imported else { return };
    let model = Model::from_bytes(container).expect("imported trees open");
    let float = float().expect("what was imported can be read");
    // Rows on every grid: small whole numbers, and what is missing.
    let row = |first: i32| (0..report.features).map(|at| value(first, at)).collect::<Vec<_>>();
    let rows: Vec<Vec<f64>> = [0, 1, 5, 11].map(row).into();
    let Ok(x) = quantise_features(&model.manifest().inputs[0], &rows) else { return };
    static KERNELS: OnceLock<Kernels> = OnceLock::new();
    let kernels = KERNELS.get_or_init(|| Kernels::new(Level::best(), 1).expect("the best level is available"));
    let outputs = model.run(kernels, &[&x]).expect("trees run");
    let Some(class) = model.manifest().output("class") else { return };
    let classes = outputs[class].to_vec::<i32>().expect("classes are i32");
    let predictions = float.predict(&rows).expect("rows of the right length");
    for ((class, prediction), scores) in
        classes.into_iter().zip(&predictions).zip(float.scores(&rows).expect("as before"))
    {
        let mut scores = scores;
        if scores.len() == 1 {
            scores.insert(0, 0.0);
        }
        let chosen = scores[usize::try_from(class).expect("a class of the model")];
        let best = scores[prediction.class];
        // Floats add up with errors of their own, the more the larger the leaves are.
        let size = scores.iter().fold(1.0, |size: f64, score| size.max(score.abs()));
        let largest = 0.5_f64.powi(report.sum_fraction_bits.into()) * peak(report.peak);
        assert!(best - chosen <= 2.0 * report.rounding + (size + largest) * 1.0e-12, "class {class} of {scores:?}");
    }
}

#[allow(clippy::cast_precision_loss, reason = "a bound for floats")]
fn peak(peak: u64) -> f64 {
    peak as f64
}

fn value(first: i32, at: usize) -> f64 {
    let at = i32::try_from(at % 97).expect("below 97");
    match (first + at) % 12 {
        0 => 0.0,
        1 => f64::NAN,
        other => f64::from(other - 6) * 0.5,
    }
}
