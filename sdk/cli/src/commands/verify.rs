//! `noema verify`: whether a contract is what a source says it is.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use noema_build::BuildRecord;
use noema_vm::code_hash;
use serde::Serialize;
use serde_json::json;
use wasmparser::{Parser, Payload};

use crate::output::Report;
use crate::{CliError, Context, arguments, contract_code};

/// Arguments of `noema verify`.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// Directory of the contract crate
    #[arg(value_name = "DIR")]
    source: PathBuf,
    /// What it should be: the address of a contract on the chain, or a wasm file
    #[arg(value_name = "CONTRACT|WASM")]
    code: String,
}

/// A source and a contract that are one.
#[derive(Serialize, Debug)]
pub struct VerifyReport {
    verified: bool,
    code_hash: String,
    bytes: usize,
    toolchain: String,
}

impl Report for VerifyReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "verified    the source builds to exactly this code")?;
        writeln!(out, "code hash   {}", self.code_hash)?;
        writeln!(out, "toolchain   {}", self.toolchain)
    }
}

/// Runs the command.
///
/// # Errors
/// The source does not build, there is no such contract, or it is another: then with what differs.
pub fn run(context: &Context, arguments: VerifyArgs) -> Result<VerifyReport, CliError> {
    if PathBuf::from(&arguments.code).is_dir() {
        let problem = format!("{} is a directory", arguments.code);
        return Err(CliError::argument("CONTRACT|WASM", problem, "give the address of a contract, or a wasm file"));
    }
    let (_, theirs) = contract_code::named(context, &arguments.code)?;
    let built = contract_code::build(context.output, &arguments.source, false)?;
    let (ours, wanted) = (code_hash(&built.wasm), code_hash(&theirs));
    if ours == wanted {
        return Ok(VerifyReport {
            verified: true,
            code_hash: arguments::show(ours),
            bytes: theirs.len(),
            toolchain: built.toolchain,
        });
    }
    let compiler = |wasm: &[u8]| match BuildRecord::of_wasm(wasm) {
        Some(BuildRecord { rustc, commit, library }) => format!("rustc {rustc} ({commit}), library {library}"),
        None => "an unknown compiler".to_owned(),
    };
    let (our_compiler, their_compiler) = (compiler(&built.wasm), compiler(&theirs));
    let same_code = code(&built.wasm) == code(&theirs);
    let message = format!(
        "{} is not what {} builds to: code hash {} and {}{}",
        arguments.code,
        arguments.source.display(),
        arguments::show(wanted),
        arguments::show(ours),
        if same_code { "; they differ in custom sections only, and do the same" } else { "" },
    );
    let hint = if our_compiler == their_compiler {
        "check out the sources and the Cargo.lock that it was built from".to_owned()
    } else {
        format!("it says that it was made by {their_compiler}, this was {our_compiler}: build with the same")
    };
    let details = json!({
        "code_hash": arguments::show(wanted), "built_code_hash": arguments::show(ours), "same_code": same_code,
        "compiler": their_compiler, "built_compiler": our_compiler,
    });
    Err(CliError::Check { code: "other-code", message, hint, details })
}

/// Everything that decides what a module does.
fn code(wasm: &[u8]) -> Option<Vec<&[u8]>> {
    let mut sections = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.ok()?;
        if let (Some((_, range)), false) = (payload.as_section(), matches!(payload, Payload::CustomSection(_))) {
            sections.push(wasm.get(range)?);
        }
    }
    Some(sections)
}
