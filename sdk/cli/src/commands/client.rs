//! `noema client`: code that calls a contract, in other languages.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use noema_schema::typescript;
use serde::Serialize;

use crate::output::Report;
use crate::{CliError, Context, contract_code};

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// TypeScript.
    Ts,
}

/// Arguments of `noema client`.
#[derive(Args, Debug)]
pub struct ClientArgs {
    /// A wasm file, the directory of a contract crate, or the address of a contract
    #[arg(value_name = "WASM|DIR|CONTRACT", default_value = ".")]
    code: String,
    /// Language of the client
    #[arg(long, value_enum, default_value = "ts")]
    lang: Language,
    /// Where to write it [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A client that was made.
#[derive(Serialize, Debug)]
pub struct ClientReport {
    contract: String,
    methods: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl Report for ClientReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match (&self.text, &self.file) {
            (Some(text), _) => out.write_all(text.as_bytes()),
            (None, Some(file)) => {
                writeln!(out, "{}: a client of {} with {} methods", file.display(), self.contract, self.methods)
            }
            (None, None) => Ok(()),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// There is no such module, none with an interface, or one with names that cannot be names in the language; the file
/// cannot be written.
pub fn run(context: &Context, arguments: ClientArgs) -> Result<ClientReport, CliError> {
    let (path, wasm) = contract_code::named(context, &arguments.code)?;
    let schema = super::schema::read(&path, &wasm)?;
    let Language::Ts = arguments.lang;
    let text = typescript::client(&schema).map_err(|error| {
        CliError::file(&path, error, "give methods, arguments and types names of letters and digits")
    })?;
    if let Some(file) = &arguments.out {
        std::fs::write(file, &text).map_err(|error| CliError::io("write", file, error))?;
    }
    Ok(ClientReport {
        methods: schema.methods.len(),
        text: arguments.out.is_none().then_some(text),
        file: arguments.out,
        contract: schema.contract,
    })
}
