//! `noema key`: key files.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::output::{self, Report};
use crate::{CliError, Context, arguments, keys};

/// Arguments of `noema key`.
#[derive(Args, Debug)]
pub struct KeyArgs {
    #[command(subcommand)]
    action: KeyAction,
}

#[derive(Subcommand, Debug)]
enum KeyAction {
    /// Make a new key file (0600; an existing file is never overwritten)
    #[command(after_help = "Example:\n  noema key new alice.json")]
    New {
        /// The file to write
        file: PathBuf,
    },
    /// Show the address and the public key of a key file, never the secret
    #[command(after_help = "Example:\n  noema key show alice.json\n  noema key show            # the chain's own key")]
    Show {
        /// The file to read [default: DIR/key.json of the chain]
        file: Option<PathBuf>,
    },
}

/// A key file, without its secret.
#[derive(Serialize, Debug)]
pub struct KeyReport {
    #[serde(serialize_with = "output::path")]
    file: PathBuf,
    address: String,
    public_key: String,
}

impl Report for KeyReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "file        {}", self.file.display())?;
        writeln!(out, "address     {}", self.address)?;
        writeln!(out, "public key  {}", self.public_key)
    }
}

/// Runs the command.
///
/// # Errors
/// The file exists already (`new`), or is no key file (`show`).
pub fn run(context: &Context, arguments: KeyArgs) -> Result<KeyReport, CliError> {
    let (file, key) = match arguments.action {
        KeyAction::New { file } => {
            let (seed, key) = keys::generate()?;
            keys::write(&file, &seed)?;
            (file, key)
        }
        KeyAction::Show { file } => {
            let file = file.unwrap_or_else(|| keys::default_path(&context.chain));
            let key = keys::read(&file)?;
            (file, key)
        }
    };
    Ok(KeyReport { file, address: key.address().to_string(), public_key: arguments::show(key.public_key()) })
}
