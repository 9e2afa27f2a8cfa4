//! A contract that a command names: a file, the folder of a crate, or an address on the chain.

use std::path::{Path, PathBuf};

use noema_build::{BuildOptions, BuiltContract, build_contract};
use noema_chain::{Address, Chain};
use noema_vm::layout::{self, ContractRecord};

use crate::arguments::{self, KernelArgs};
use crate::output::Output;
use crate::{CliError, Context, session};

/// Builds a crate, with names and DWARF for tools where asked.
///
/// # Errors
/// Those of the build.
pub fn build(output: Output, crate_dir: &Path, debug: bool) -> Result<BuiltContract, CliError> {
    let bar = output.spinner("compiling the contract");
    let mut options = BuildOptions::new(crate_dir);
    options.debug = debug;
    let built = build_contract(&options);
    bar.finish_and_clear();
    Ok(built?)
}

/// The code of a contract on the chain.
///
/// # Errors
/// There is none at the address, or the chain cannot be read.
pub fn deployed(chain: &Chain, contract: Address) -> Result<Vec<u8>, CliError> {
    let state = chain.state()?;
    let record = state.get(&layout::contract_key(&contract))?;
    let record = record.and_then(|bytes| borsh::from_slice::<ContractRecord>(&bytes).ok());
    let code = match record {
        Some(record) => state.get(&layout::code_key(&record.code_hash))?,
        None => None,
    };
    code.ok_or_else(|| {
        let problem = format!("there is no contract at {contract}");
        CliError::argument("CONTRACT", problem, "`noema deploy` shows the address of what it deploys")
    })
}

/// The code that a word of the command line stands for: a file, the folder of a crate (built), or an address.
///
/// # Errors
/// It is none of them, or cannot be read or built.
pub fn named(context: &Context, name: &str) -> Result<(PathBuf, Vec<u8>), CliError> {
    let path = PathBuf::from(name);
    if path.is_dir() {
        let built = build(context.output, &path, false)?;
        return Ok((built.path, built.wasm));
    }
    if !path.exists()
        && let Ok(address) = arguments::hash(name)
    {
        let chain = session::open(context, &KernelArgs::default())?;
        return Ok((path, deployed(&chain, Address(address))?));
    }
    let wasm = std::fs::read(&path).map_err(|error| CliError::io("read", &path, error))?;
    Ok((path, wasm))
}
