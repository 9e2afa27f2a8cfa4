//! The network of the screening example.

use noema_import::{ImportError, ImportOptions, Table, import_onnx};
use noema_model::Model;

/// Imports it.
///
/// # Errors
/// The importer's, which would be a defect of this repository.
///
/// # Panics
/// Where its files do not lie beside the examples.
pub fn model() -> Result<Model, ImportError> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/screening/model");
    let read = |name: &str| std::fs::read(format!("{folder}/{name}")).expect("it lies beside the examples");
    let calibration = Table::read_csv(&read("calibration.csv")[..])?.rows;
    let options = ImportOptions { calibration, ..ImportOptions::new("screening", "CC-BY-4.0") };
    let imported = import_onnx(&read("screening.onnx"), &options)?;
    Ok(Model::from_bytes(imported.container).expect("the importer makes models"))
}
