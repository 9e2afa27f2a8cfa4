//! `noema model`: ONNX files, encoders and tree ensembles to containers, containers onto the chain.

pub mod add;
pub mod bench;
pub mod diff;
pub mod import;
pub mod inputs;
pub mod inspect;
mod picture;
pub mod run;
pub mod verify;
pub mod withdraw;

use std::path::Path;

use clap::{Args, Subcommand};
use noema_model::Model;

use crate::{CliError, Context};

/// Arguments of `noema model`.
#[derive(Args, Debug)]
pub struct ModelArgs {
    #[command(subcommand)]
    action: ModelAction,
}

#[derive(Subcommand, Debug)]
enum ModelAction {
    /// Turn an ONNX network, a sentence encoder, or trees of LightGBM or XGBoost, into a container: integers only, with a
    /// bound proof
    #[command(after_help = "Example:\n  \
        noema model import screening.onnx --calibration calibration.csv -o screening.noema\n  \
        noema model import all-MiniLM-L6-v2/ --calibration sentences.txt -o minilm.noema   # a Hugging Face folder\n  \
        noema model import all-MiniLM-L6-v2/tokenizer.json -o tokenizer.noema\n  \
        noema model import model.lightgbm.txt -o trees.noema   # as Booster.save_model writes it\n  \
        noema model import model.xgboost.json -o trees.noema")]
    Import(import::ImportArgs),
    /// Show what is in a container: graph, bounds, gas, id
    #[command(after_help = "Example:\n  noema model inspect screening.noema")]
    Inspect(inspect::InspectArgs),
    /// Check a container: its bytes, its id, and the proof of its bounds, made again from the weights
    #[command(after_help = "Example:\n  noema model verify screening.noema")]
    Verify(verify::VerifyArgs),
    /// Run a model on rows of a file, and show its outputs and its gas
    #[command(after_help = "Example:\n  \
        noema model run screening.noema --input rows.csv\n  \
        noema model run digits.noema --input images.npy")]
    Run(run::RunArgs),
    /// Time a model on this machine, at every level
    #[command(after_help = "Example:\n  noema model bench screening.noema --threads 1 --batch 1,100")]
    Bench(bench::BenchArgs),
    /// Run the float original beside the integer model: the error of each layer and at the end, as text and as a picture
    #[command(
        after_help = "Example:\n  noema model diff screening.onnx screening.noema --input heldout.csv --svg error.svg"
    )]
    Diff(diff::DiffArgs),
    /// Upload a container to the chain in chunks; an interrupted upload goes on where it stopped
    #[command(after_help = "Example:\n  noema model add screening.noema")]
    Add(add::AddArgs),
    /// Give up a model that one has added, and get its deposit back; without holders it is gone from the chain
    #[command(after_help = "Example:\n  noema model withdraw MODEL")]
    Withdraw(withdraw::WithdrawArgs),
}

/// Runs the command.
///
/// # Errors
/// Those of its actions.
pub fn run(context: &Context, arguments: ModelArgs) -> Result<(), CliError> {
    let output = context.output;
    match arguments.action {
        ModelAction::Import(arguments) => output.report(&import::run(context, &arguments)?),
        ModelAction::Inspect(arguments) => output.report(&inspect::run(&arguments)?),
        ModelAction::Verify(arguments) => output.report(&verify::run(&arguments)?),
        ModelAction::Run(arguments) => output.report(&run::run(&arguments)?),
        ModelAction::Bench(arguments) => output.report(&bench::run(context, &arguments)?),
        ModelAction::Diff(arguments) => output.report(&diff::run(context, &arguments)?),
        ModelAction::Add(arguments) => output.report(&add::run(context, &arguments)?),
        ModelAction::Withdraw(arguments) => output.report(&withdraw::run(context, &arguments)?),
    }
    Ok(())
}

/// Reads a container and checks everything in it.
///
/// # Errors
/// The file cannot be read or is no valid container.
pub fn read(path: &Path) -> Result<Model, CliError> {
    let bytes = std::fs::read(path).map_err(|error| CliError::io("read", path, error))?;
    Model::from_bytes(bytes).map_err(|error| {
        let hint = "containers are made by `noema model import`; copy or import it again if it was damaged on the way";
        CliError::file(path, format!("not a valid model container: {error}"), hint)
    })
}
