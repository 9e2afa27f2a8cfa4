//! Files and messages that people send.

use noema_chain::SignedTransaction;
use noema_import::{ImportOptions, import_onnx};
use noema_model::Model;

/// The importer answers, whatever the file holds; what it imports is a model.
///
/// # Panics
/// Where it makes something that is not.
pub fn onnx(bytes: &[u8]) {
    let calibration = vec![vec![1.0; 30], vec![-2.5; 30]];
    if let Ok(imported) = import_onnx(bytes, &ImportOptions { calibration, ..ImportOptions::new("fuzz", "none") }) {
        Model::from_bytes(imported.container).expect("an imported model opens");
    }
}

/// A transaction has one encoding: what decodes encodes to the same bytes.
///
/// # Panics
/// Where it has two.
pub fn transaction(bytes: &[u8]) {
    if let Ok(transaction) = SignedTransaction::from_bytes(bytes) {
        assert_eq!(transaction.to_bytes(), bytes, "two encodings of one transaction");
        let _ = transaction.verify();
    }
}
