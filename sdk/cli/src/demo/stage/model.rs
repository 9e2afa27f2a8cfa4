//! Models of the stories: imported as `noema model import` does, and run beside the chain as anybody can.

use noema_import::{ImportOptions, Table, TreeOptions, input_tensor, quantise_input};
use noema_model::{Model, Port};
use noema_tensor::Kernels;

use super::Stage;
use crate::CliError;
use crate::commands::model::{import, run};

/// A model that was imported for a story.
#[derive(Debug)]
pub struct Imported {
    /// The container, ready to upload.
    pub model: Model,
}

impl Imported {
    /// A row of features in the fixed point of the model's input, as contracts take it.
    ///
    /// # Errors
    /// It does not fit the input.
    pub fn row(&self, features: &[f64]) -> Result<Vec<i32>, CliError> {
        quantise_input(self.input()?, features).map_err(unfit)
    }

    /// What the model says about one row, output by output: the same bits as on the chain, at any level.
    ///
    /// # Errors
    /// The row does not fit, or this machine cannot run it.
    pub fn infer(&self, features: &[f64]) -> Result<Vec<Vec<i64>>, CliError> {
        let tensor = input_tensor(self.input()?, &[features.to_vec()]).map_err(unfit)?;
        let kernels = Kernels::new(noema_tensor::Level::best(), 1)?;
        let outputs = self.model.run(&kernels, &[&tensor]).map_err(unfit)?;
        outputs.iter().map(|tensor| run::integers(tensor).map_err(unfit)).collect()
    }

    fn input(&self) -> Result<&Port, CliError> {
        self.model.manifest().inputs.first().ok_or_else(|| unfit("a model without an input"))
    }
}

fn unfit(problem: impl std::fmt::Display) -> CliError {
    CliError::argument("a row of features", problem, "")
}

impl Stage<'_> {
    /// A table (CSV) of an example.
    ///
    /// # Errors
    /// It is not there, or is no table.
    pub fn table(&self, path: &str) -> Result<Table, CliError> {
        import::read_table(&self.file(path)?)
    }

    /// Imports a network (ONNX) of an example; `options` need no calibration if `calibration` names the table.
    ///
    /// # Errors
    /// It is not there, or cannot be imported.
    pub fn network(&self, path: &str, calibration: &str, options: ImportOptions) -> Result<Imported, CliError> {
        let file = self.file(path)?;
        let options = ImportOptions { calibration: self.table(calibration)?.rows, ..options };
        let bar = self.output.spinner("importing the network");
        let imported = import::import(&file, &options)?;
        bar.finish_and_clear();
        Ok(Imported { model: super::super::open(&file, imported.container)? })
    }

    /// Imports trees (LightGBM, XGBoost, ONNX) of an example.
    ///
    /// # Errors
    /// It is not there, or cannot be imported.
    pub fn trees(&self, path: &str, options: &TreeOptions) -> Result<Imported, CliError> {
        let file = self.file(path)?;
        let bytes = std::fs::read(&file).map_err(|error| CliError::io("read", &file, error))?;
        let imported = import::import_trees(&file, &bytes, options)?;
        Ok(Imported { model: super::super::open(&file, imported.container)? })
    }
}
