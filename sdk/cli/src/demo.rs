//! The demos: the main job in one go, a contract that screens patients with a neural network and trees, on a chain that
//! lasts; and the [`economies`], each a story on a [`stage`].
//!
//! ```text
//!  examples/screening --build--> wasm -----------------------------+
//!  screening.onnx, calibration.csv --import--> container --chunks--+--> chain directory: deploy
//!  screening.lightgbm.txt -----------import--> container --chunks--+
//!  heldout.csv --114 signed transactions, 10 a block--------------------> decisions, events, receipts
//!                                                                             |
//!  close, open again, replay from the genesis: every level x every number of threads, every bit equal
//! ```
//!
//! Key, block times and order are fixed: the same code and the same container give the same chain.

mod all;
mod decisions;
pub mod economies;
mod example;
mod report;
pub mod stage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use noema_chain::{
    Address, Chain, ChainConfig, CompilerProcess, DEFAULT_DEPOSIT_PER_BYTE, Genesis, KeyPair, StoreKind,
};
use noema_import::{FloatModel, FloatTrees, ImportOptions, Prediction, Table, TreeOptions};
use noema_model::Model;
use noema_tensor::Level;
use serde_json::json;

pub use all::{AllReport, Closing, List, all, list};
pub use decisions::Decision;
pub use example::ExampleFiles;
pub use report::{Accuracy, DemoReport, DifferentRow, GasLine};
pub use stage::Totals;

use crate::arguments::{self, KernelArgs, SenderArgs};
use crate::commands::init::refuse_other_files;
use crate::commands::model::{add, import};
use crate::commands::{build, deploy, replay};
use crate::interface::Interface;
use crate::session::{self, Clock, Sender};
use crate::{CliError, Output};

/// The secret of the clinic's key. It is none, so that everybody's demo is the same chain.
pub const CLINIC: [u8; 32] = [42; 32];
/// Time of block 0, milliseconds since 1970: 1 January 2026.
const START_MS: u64 = 1_767_225_600_000;
/// Time between blocks.
const BLOCK_MS: u64 = 1_000;
/// What the clinic has, and what it pays for a unit of gas.
const BALANCE: u128 = 1_000_000_000_000_000_000_000_000;
const GAS_PRICE: u64 = 1;
/// Most gas of a transaction: a second of the reference machine.
const GAS_LIMIT: u64 = 1_000_000_000_000;
/// Chunks of the model in a block.
const CHUNKS_PER_BLOCK: usize = 16;
/// Where the data come from, for the manifest.
const LICENCE: &str = "CC-BY-4.0";

/// What the demo is to do.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Where the chain shall be kept; without it, in a temporary directory that goes at the end.
    pub dir: Option<PathBuf>,
    /// What the chain is stored in.
    pub store: StoreKind,
    /// Where the examples are; without it, in the repository.
    pub examples: Option<PathBuf>,
    /// Transactions in a block.
    pub block_size: usize,
    /// What executes the blocks.
    pub kernels: KernelArgs,
    /// What compiles contracts.
    pub compiler: Option<CompilerProcess>,
    /// What replays them: each level ..
    pub levels: Vec<Level>,
    /// .. with each number of threads.
    pub threads: Vec<usize>,
}

/// Runs the demo. `closed` is called with the directory of the chain after it was closed and before it is opened again.
///
/// # Errors
/// A step fails; or something differs, with the first differing block, transaction and field.
pub fn run(output: Output, options: &DemoOptions, closed: &mut dyn FnMut(&Path)) -> Result<DemoReport, CliError> {
    let mut report = in_directory(options, &mut |dir| run_in(dir, output, options, closed))?;
    report.chain.clone_from(&options.dir);
    Ok(report)
}

/// Runs a demo in the directory that was asked for, which must be new or empty, or in a temporary one.
fn in_directory<T>(options: &DemoOptions, run: &mut dyn FnMut(&Path) -> Result<T, CliError>) -> Result<T, CliError> {
    if let Some(dir) = &options.dir {
        refuse_other_files(dir)?;
        return run(dir);
    }
    let temporary = tempfile::Builder::new().prefix("noema-demo-").tempdir();
    let temporary = temporary.map_err(|error| CliError::io("create", &std::env::temp_dir(), error))?;
    match run(&temporary.path().join("chain")) {
        Err(CliError::Check { code, message, hint, details }) => {
            // Whoever looks for the reason needs the chain.
            let hint = format!("{hint}; the chain is kept in {}", temporary.keep().display());
            Err(CliError::Check { code, message, hint, details })
        }
        result => result,
    }
}

fn run_in(
    dir: &Path,
    output: Output,
    options: &DemoOptions,
    closed: &mut dyn FnMut(&Path),
) -> Result<DemoReport, CliError> {
    let files = ExampleFiles::find(options.examples.as_deref())?;
    let built = build::compile(output, &files.contract, None)?;
    output.say(&format!("contract  {} bytes of wasm, built from {}", built.wasm.len(), files.contract.display()));

    let heldout = import::read_table(&files.heldout)?;
    let network = network(output, &files, &heldout)?;
    let trees = trees(output, &files, &heldout, &network.model)?;
    let mut chain = begin(dir, options, "noema-demo", [(KeyPair::from_seed(CLINIC).address(), BALANCE)].into())?;
    output.say(&format!(
        "chain     {} in {}, opened ({})",
        chain.genesis().chain_id,
        dir.display(),
        chain.store_kind()
    ));

    let mut clinic = sender(&chain, KeyPair::from_seed(CLINIC))?;
    let mut upload = |imported: &Imported| {
        let upload = add::upload(output, &mut chain, &mut clinic, &imported.model, CHUNKS_PER_BLOCK)?;
        output.say(&format!("upload    {} bytes in {} chunks: {}", upload.bytes, upload.chunks, upload.name));
        Ok::<_, CliError>(upload)
    };
    let uploads = [upload(&network)?, upload(&trees)?];

    let interface = Interface::of_wasm(&built.wasm).ok_or_else(|| Interface::missing(&files.contract.display()))?;
    let input = interface.encode_init(&json!({ "model": uploads[0].model, "trees": uploads[1].model }))?;
    let value = deploy::usual_value(&chain, built.wasm.len());
    let deployed = deploy::deploy(&mut chain, &mut clinic, built.wasm, 0, value, input)?;
    output.say(&format!("deployed  contract {}", deployed.contract));
    let contract = arguments::hash(&deployed.contract).map(Address).map_err(internal)?;

    let decisions = decisions::send(
        output,
        &mut chain,
        &mut clinic,
        &decisions::Job {
            interface: &interface,
            contract,
            model: &network.model,
            rows: &heldout,
            block_size: options.block_size,
        },
    )?;
    decisions::compare_with_state(&chain, &interface, contract, &decisions)?;
    let floats = [&network.float[..], &trees.float[..]];
    let totals = Totals::of(&chain)?;
    let mut report = DemoReport::new(&chain, &uploads, &deployed, &heldout, floats, &decisions, totals);
    output.say(&report.summary());

    let chain = reopen(dir, options, chain, closed)?;
    output.say(&format!("closed and opened again at block {}; replaying from the genesis", chain.height()));
    report.replay = Some(replay::replay(output, &chain, &options.levels, &options.threads)?);
    Ok(report)
}

/// A model as the chain has it, and what its float original says about the rows.
struct Imported {
    model: Model,
    float: Vec<Prediction>,
}

fn labels() -> Vec<String> {
    vec!["benign".into(), "malignant".into()]
}

fn open(path: &Path, container: Vec<u8>) -> Result<Model, CliError> {
    Model::from_bytes(container)
        .map_err(|error| CliError::file(path, format!("the imported model does not load: {error}"), ""))
}

fn network(output: Output, files: &ExampleFiles, heldout: &Table) -> Result<Imported, CliError> {
    let options = ImportOptions {
        labels: labels(),
        calibration: import::read_table(&files.calibration)?.rows,
        heldout: Some(heldout.clone()),
        ..ImportOptions::new("screening", LICENCE)
    };
    let bar = output.spinner("importing the network");
    let imported = import::import(&files.onnx, &options)?;
    bar.finish_and_clear();
    output.say(&format!("network   {} bytes, id {}", imported.report.container_bytes, imported.report.id));
    let model = open(&files.onnx, imported.container)?;
    let failed = |error| CliError::import(&files.onnx, error);
    let bytes = std::fs::read(&files.onnx).map_err(|error| CliError::io("read", &files.onnx, error))?;
    let float = FloatModel::from_onnx(&bytes).map_err(failed)?.predict(&heldout.rows).map_err(failed)?;
    Ok(Imported { model, float })
}

/// The trees, with features in the fixed point of the network: the contract hands both the same tensor.
fn trees(output: Output, files: &ExampleFiles, heldout: &Table, network: &Model) -> Result<Imported, CliError> {
    let options = TreeOptions {
        labels: labels(),
        heldout: Some(heldout.clone()),
        input_fraction_bits: network.manifest().inputs.first().map(|port| port.fraction_bits),
        ..TreeOptions::new("screening trees", LICENCE)
    };
    let bytes = std::fs::read(&files.trees).map_err(|error| CliError::io("read", &files.trees, error))?;
    let imported = import::import_trees(&files.trees, &bytes, &options)?;
    let report = &imported.report;
    let size = format!("{} trees, {} leaves", report.trees, report.leaves);
    output.say(&format!("trees     {} bytes, {size}, id {}", report.container_bytes, report.id));
    let failed = |error| CliError::import(&files.trees, error);
    let float = FloatTrees::from_lightgbm(&bytes).and_then(|trees| trees.predict(&heldout.rows)).map_err(failed)?;
    Ok(Imported { model: open(&files.trees, imported.container)?, float })
}

/// A chain on which these have something, with the usual deposits.
fn begin(
    dir: &Path,
    options: &DemoOptions,
    chain_id: &str,
    balances: BTreeMap<Address, u128>,
) -> Result<Chain, CliError> {
    let mut genesis = Genesis::new(chain_id, START_MS);
    genesis.deposit_per_byte = DEFAULT_DEPOSIT_PER_BYTE;
    genesis.balances = balances;
    let config = ChainConfig { store: Some(options.store), ..session::config(&options.kernels, &options.compiler) };
    Ok(Chain::init(dir, &genesis, &config)?)
}

/// Closes a chain and opens it again: what was closed must be what is opened. `closed` is called in between.
fn reopen(dir: &Path, options: &DemoOptions, chain: Chain, closed: &mut dyn FnMut(&Path)) -> Result<Chain, CliError> {
    let head = |chain: &Chain| (chain.height(), arguments::show(chain.head().hash()), arguments::show(chain.root()));
    let before = head(&chain);
    drop(chain);
    closed(dir);
    let chain = Chain::open(dir, &session::config(&options.kernels, &options.compiler))?;
    let after = head(&chain);
    if after == before {
        return Ok(chain);
    }
    Err(CliError::Check {
        code: "reopened-differs",
        message: format!(
            "block {}, no transaction, field `head`: it was closed with block {} ({}) and state root {}, and opened \
             with block {} ({}) and state root {}",
            after.0.min(before.0),
            before.0,
            before.1,
            before.2,
            after.0,
            after.1,
            after.2
        ),
        hint: "the directory was changed, or the disk loses what was written".to_owned(),
        details: json!({ "closed": before, "opened": after }),
    })
}

/// Somebody who sends transactions, a block a second.
fn sender(chain: &Chain, key: KeyPair) -> Result<Sender, CliError> {
    let arguments = SenderArgs { key: None, gas_limit: GAS_LIMIT, gas_price: GAS_PRICE, nonce: None, time_ms: None };
    Ok(Sender::with_key(key, chain, &arguments)?.with_clock(Clock::Step(BLOCK_MS)))
}

/// Something that this program itself made and that does not read back.
fn internal(problem: String) -> CliError {
    CliError::argument("demo", problem, "this is a mistake in the program: please report it")
}
