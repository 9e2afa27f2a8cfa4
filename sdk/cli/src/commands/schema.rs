//! `noema schema`: the interface that a contract carries, as JSON.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;
use noema_schema::{Schema, SchemaError};
use serde::Serialize;
use serde_json::Value;

use crate::output::Report;
use crate::{CliError, Context, contract_code};

/// Arguments of `noema schema`.
#[derive(Args, Debug)]
pub struct SchemaArgs {
    /// A wasm file, the directory of a contract crate, or the address of a contract
    #[arg(value_name = "WASM|DIR|CONTRACT", default_value = ".")]
    code: String,
}

/// The interface.
#[derive(Serialize, Debug)]
#[serde(transparent)]
pub struct SchemaReport(Value);

impl Report for SchemaReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{:#}", self.0)
    }
}

/// Runs the command.
///
/// # Errors
/// There is no such module, or none with an interface that can be read.
pub fn run(context: &Context, arguments: SchemaArgs) -> Result<SchemaReport, CliError> {
    let (path, wasm) = contract_code::named(context, &arguments.code)?;
    read(&path, &wasm)?;
    let json = Schema::section(&wasm).map_err(|error| unreadable(&path, &error))?;
    let value = serde_json::from_slice(json).map_err(|error| CliError::file(&path, error, ""))?;
    Ok(SchemaReport(value))
}

/// The interface in a module.
///
/// # Errors
/// It has none, or one that cannot be read.
pub fn read(path: &Path, wasm: &[u8]) -> Result<Schema, CliError> {
    if !wasm.starts_with(b"\0asm") {
        return Err(CliError::file(
            path,
            "this is not a WebAssembly module",
            "`noema build DIR` makes one of a contract",
        ));
    }
    Schema::from_wasm(wasm).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &SchemaError) -> CliError {
    CliError::file(path, error, "contracts that are written with `#[noema::contract]` carry their interface")
}
