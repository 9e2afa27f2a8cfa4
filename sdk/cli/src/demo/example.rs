//! The files of the example: found in the repository, or named.

use std::path::{Path, PathBuf};

use crate::CliError;

/// Where the repository was when this program was compiled.
const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The directory of examples: the named one, or that of the repository that this program was built from.
pub(super) fn root(examples: Option<&Path>) -> PathBuf {
    examples.map_or_else(|| Path::new(REPOSITORY).join("examples"), Path::to_path_buf)
}

/// The error for a file of an example that is not there.
pub(super) fn missing(path: &Path) -> CliError {
    let hint = "the demo needs the repository's `examples` directory: name it with --examples DIR";
    CliError::file(path, "there is no such file", hint)
}

/// The files of `examples/screening`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExampleFiles {
    /// The crate of the contract.
    pub contract: PathBuf,
    /// The network in float32.
    pub onnx: PathBuf,
    /// Rows from which the importer takes activation ranges.
    pub calibration: PathBuf,
    /// Trees as LightGBM saved them.
    pub trees: PathBuf,
    /// Rows that no model ever saw.
    pub heldout: PathBuf,
}

impl ExampleFiles {
    /// The files under a directory of examples; without one, those of the repository that this program was built from.
    ///
    /// # Errors
    /// A file is not there.
    pub fn find(examples: Option<&Path>) -> Result<ExampleFiles, CliError> {
        let root = root(examples).join("screening");
        // Shorter to read; what cannot be resolved is named as missing below.
        let root = root.canonicalize().unwrap_or(root);
        let files = ExampleFiles {
            contract: root.clone(),
            onnx: root.join("model/screening.onnx"),
            calibration: root.join("model/calibration.csv"),
            trees: root.join("trees/screening.lightgbm.txt"),
            heldout: root.join("model/heldout.csv"),
        };
        for path in [&root.join("Cargo.toml"), &files.onnx, &files.calibration, &files.trees, &files.heldout] {
            if !path.is_file() {
                return Err(missing(path));
            }
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::ExampleFiles;
    use crate::commands::model::import::read_table;

    #[test]
    fn the_committed_rows_are_the_split() {
        let files = ExampleFiles::find(None).expect("the example is in the repository");
        let table = read_table(&files.heldout).expect("it reads");
        assert_eq!((table.rows.len(), table.labels.len(), table.features.len()), (114, 114, 30));
        assert_eq!(table.labels.iter().filter(|class| **class == 1).count(), 42);
    }

    #[test]
    fn missing_examples_are_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let error = ExampleFiles::find(Some(directory.path())).expect_err("nothing is there");
        assert!(error.to_string().contains("screening/Cargo.toml"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("--examples")));
    }
}
