//! `noema init`: a new chain.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use noema_chain::{Chain, ChainConfig, ChainError, DEFAULT_DEPOSIT_PER_BYTE, Genesis, KeyPair};
use serde::Serialize;

use crate::arguments::KernelArgs;
use crate::output::{self, Report};
use crate::{CliError, Context, arguments, keys, session};

/// Arguments of `noema init`.
#[derive(Args, Debug)]
pub struct InitArgs {
    /// Name of the chain: transactions for one chain are not valid on another
    #[arg(long, value_name = "NAME", default_value = "noema-local")]
    pub chain_id: String,
    /// Key file of the account that gets the balance [default: a new key in DIR/key.json]
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// What that account has at the start, in native units
    #[arg(long, value_name = "UNITS", default_value_t = 1_000_000_000_000_000_000_000_000)]
    pub balance: u128,
    /// Deposit for every byte that contracts and models take, in native units; 0 for none
    #[arg(long, value_name = "UNITS", default_value_t = DEFAULT_DEPOSIT_PER_BYTE)]
    pub deposit_per_byte: u128,
    /// Time of block 0, milliseconds since 1970 [default: now]
    #[arg(long, value_name = "MS")]
    pub time_ms: Option<u64>,
    /// Kernels to check the new chain with.
    #[command(flatten)]
    pub kernels: KernelArgs,
}

/// A chain that was just created.
#[derive(Serialize, Debug)]
pub struct InitReport {
    #[serde(serialize_with = "output::path")]
    chain: PathBuf,
    store: &'static str,
    chain_id: String,
    #[serde(serialize_with = "output::path")]
    key: PathBuf,
    address: String,
    balance: String,
    deposit_per_byte: String,
    state_root: String,
}

impl Report for InitReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "chain       {} in {}", self.chain_id, self.chain.display())?;
        writeln!(out, "store       {}", self.store)?;
        writeln!(out, "key         {}", self.key.display())?;
        writeln!(out, "address     {}", self.address)?;
        writeln!(out, "balance     {}", self.balance)?;
        writeln!(out, "deposit     {} a byte", self.deposit_per_byte)?;
        writeln!(out, "state root  {}", self.state_root)
    }
}

/// Runs the command.
///
/// # Errors
/// There is a chain already, the directory has other files or cannot be written, the name is not allowed, this build
/// does not have the store.
pub fn run(context: &Context, arguments: InitArgs) -> Result<InitReport, CliError> {
    // Before the key is written: nothing shall be left behind.
    session::store(context.store)?;
    let time_ms = arguments.time_ms.unwrap_or_else(session::now_ms);
    let mut genesis = Genesis::new(arguments.chain_id, time_ms);
    genesis.deposit_per_byte = arguments.deposit_per_byte;
    genesis.check().map_err(ChainError::from)?;
    let (path, key) = match arguments.key {
        Some(path) => {
            let key = keys::read(&path)?;
            (path, key)
        }
        None => own_key(context)?,
    };
    genesis.balances.insert(key.address(), arguments.balance);
    let config = ChainConfig { store: context.store, ..session::config(&arguments.kernels, &context.compiler) };
    let chain = Chain::init(&context.chain, &genesis, &config)?;
    Ok(InitReport {
        chain: context.chain.clone(),
        store: chain.store_kind().name(),
        chain_id: genesis.chain_id,
        key: path,
        address: key.address().to_string(),
        balance: arguments.balance.to_string(),
        deposit_per_byte: arguments.deposit_per_byte.to_string(),
        state_root: arguments::show(chain.root()),
    })
}

/// The key in the directory of the chain. It is written before the chain, so that no chain exists without it, and an
/// interrupted `noema init` that left it behind can be run again.
fn own_key(context: &Context) -> Result<(PathBuf, KeyPair), CliError> {
    let path = keys::default_path(&context.chain);
    if path.exists() {
        let key = keys::read(&path)?;
        return Ok((path, key));
    }
    refuse_other_files(&context.chain)?;
    std::fs::create_dir_all(&context.chain).map_err(|error| CliError::io("create", &context.chain, error))?;
    let (seed, key) = keys::generate()?;
    keys::write(&path, &seed)?;
    Ok((path, key))
}

/// Refuses a directory that has something in it. (What this command leaves behind when it is interrupted begins with
/// the key, so files without one are somebody else's.)
///
/// # Errors
/// There is a chain already, or something else; the directory cannot be read.
pub fn refuse_other_files(path: &Path) -> Result<(), CliError> {
    let mut entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(CliError::io("read", path, error)),
    };
    let Some(entry) = entries.next() else { return Ok(()) };
    let entry = entry.map_err(|error| CliError::io("read", path, error))?.file_name().to_string_lossy().into_owned();
    let path = path.to_path_buf();
    Err(match path.join("noema-chain").exists() {
        true => ChainError::Exists { path },
        false => ChainError::NotEmpty { path, entry },
    }
    .into())
}
