//! `noema proof`: what the state has under a key, provable to somebody who only knows the state root.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use noema_chain::{Address, Proof};
use noema_vm::layout;
use serde::{Deserialize, Serialize};

use crate::arguments::{self, KernelArgs};
use crate::output::Report;
use crate::{CliError, Context, session};

/// Arguments of `noema proof`.
#[derive(Args, Debug)]
pub struct ProofArgs {
    #[command(subcommand)]
    action: ProofAction,
}

#[derive(Subcommand, Debug)]
enum ProofAction {
    /// Prove what the newest state has under a key, or that it has nothing there
    #[command(after_help = "Example:\n  noema --json proof make --balance ADDRESS > proof.json\n  \
                            noema proof make --storage CONTRACT 0x636f756e74")]
    Make(Key),
    /// Check a proof against a state root; no chain is needed
    #[command(after_help = "Example:\n  noema proof check proof.json --root STATE_ROOT")]
    Check {
        /// What `noema --json proof make` printed
        file: PathBuf,
        /// The state root to trust: from a block header
        #[arg(long, value_name = "HASH", value_parser = arguments::hash)]
        root: [u8; 32],
    },
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Key {
    /// The balance of an account or contract
    #[arg(long, value_name = "ADDRESS", value_parser = arguments::hash)]
    balance: Option<[u8; 32]>,
    /// What a contract stored under a key of its own, in hex
    #[arg(long, num_args = 2, value_names = ["CONTRACT", "HEX"])]
    storage: Option<Vec<String>>,
    /// The record of a model
    #[arg(long, value_name = "MODEL", value_parser = arguments::hash)]
    model: Option<[u8; 32]>,
    /// Any key of the state, in hex
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
}

/// A proof, with everything it is about.
#[derive(Serialize, Deserialize, Debug)]
pub struct ProofReport {
    height: u64,
    state_root: String,
    key: String,
    value: Option<String>,
    proof: String,
}

impl Report for ProofReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "block       {}", self.height)?;
        writeln!(out, "state root  {}", self.state_root)?;
        writeln!(out, "key         {}", self.key)?;
        writeln!(out, "value       {}", self.value.as_deref().unwrap_or("none"))?;
        writeln!(out, "proof       {}", self.proof)
    }
}

/// Runs the command.
///
/// # Errors
/// The chain cannot be opened; a proof that does not hold.
pub fn run(context: &Context, arguments: ProofArgs) -> Result<ProofReport, CliError> {
    match arguments.action {
        ProofAction::Make(key) => make(context, &key),
        ProofAction::Check { file, root } => check(&file, &root),
    }
}

fn make(context: &Context, key: &Key) -> Result<ProofReport, CliError> {
    let key = key.bytes()?;
    let chain = session::open(context, &KernelArgs::default())?;
    let value = chain.state()?.get(&key)?;
    let proof = chain.prove(chain.height(), &key)?;
    proof.verify(&chain.root(), &key, value.as_deref()).map_err(|error| CliError::Check {
        code: "proof-refused",
        message: format!("the chain's own proof does not hold: {error}"),
        hint: "the chain directory is damaged; `noema replay` shows where".to_owned(),
        details: serde_json::Value::Null,
    })?;
    Ok(ProofReport {
        height: chain.height(),
        state_root: arguments::show(chain.root()),
        key: arguments::show(key),
        value: value.map(arguments::show),
        proof: arguments::show(proof.to_bytes()),
    })
}

fn check(file: &Path, root: &[u8; 32]) -> Result<ProofReport, CliError> {
    let text = std::fs::read_to_string(file).map_err(|error| CliError::io("read", file, error))?;
    let hint = "`noema --json proof make` prints such a file";
    let report: ProofReport = serde_json::from_str(&text).map_err(|error| CliError::file(file, error, hint))?;
    let hex = |text: &str| arguments::bytes(text).map_err(|problem| CliError::file(file, problem, hint));
    let value = report.value.as_deref().map(hex).transpose()?;
    let proof = Proof::from_bytes(&hex(&report.proof)?).map_err(|error| CliError::file(file, error, hint))?;
    match proof.verify(root, &hex(&report.key)?, value.as_deref()) {
        Ok(()) => Ok(ProofReport { state_root: arguments::show(root), ..report }),
        Err(error) => Err(CliError::Check {
            code: "proof-refused",
            message: format!("{}: {error}", file.display()),
            hint: "do not believe it: take the root from a block header that you trust".to_owned(),
            details: serde_json::Value::Null,
        }),
    }
}

impl Key {
    fn bytes(&self) -> Result<Vec<u8>, CliError> {
        let hint = "keys and addresses are given in hex";
        if let Some(address) = self.balance {
            return Ok(layout::balance_key(&Address(address)));
        }
        if let Some(model) = self.model {
            return Ok(layout::model_key(&model));
        }
        if let Some([contract, name]) = self.storage.as_deref() {
            let contract = arguments::hash(contract).map_err(|error| CliError::argument("--storage", error, hint))?;
            let name = arguments::bytes(name).map_err(|error| CliError::argument("--storage", error, hint))?;
            return Ok(layout::storage_key(&Address(contract), &name));
        }
        let key = self.key.as_deref().unwrap_or_default();
        arguments::bytes(key).map_err(|error| CliError::argument("--key", error, hint))
    }
}
