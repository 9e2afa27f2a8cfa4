//! `noema build`: a contract crate to WebAssembly.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use noema_abi::ProtocolVersion;
use noema_build::{BuildOptions, BuiltContract, build_contract};
use noema_vm::{admit, code_hash};
use serde::Serialize;

use crate::interface::Interface;
use crate::output::{Output, Report};
use crate::receipts::amount;
use crate::{CliError, Context, arguments};

/// Arguments of `noema build`.
#[derive(Args, Debug)]
pub struct BuildArgs {
    /// Directory of the contract crate
    #[arg(value_name = "DIR", default_value = ".")]
    crate_dir: PathBuf,
    /// Where to write the wasm [default: where the compiler leaves it]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Folder for what the compiler keeps between builds
    #[arg(long, value_name = "DIR")]
    target_dir: Option<PathBuf>,
}

/// A contract that was just built.
#[derive(Serialize, Debug)]
pub struct BuildReport {
    wasm: PathBuf,
    bytes: usize,
    code_hash: String,
    toolchain: String,
    contract: Option<String>,
    methods: Vec<String>,
}

impl Report for BuildReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "wasm        {}", self.wasm.display())?;
        writeln!(out, "bytes       {}, admitted", amount(u64::try_from(self.bytes).unwrap_or(u64::MAX)))?;
        writeln!(out, "code hash   {}", self.code_hash)?;
        writeln!(out, "toolchain   {}", self.toolchain)?;
        if let Some(contract) = &self.contract {
            writeln!(out, "contract    {contract}: {}", self.methods.join(", "))?;
        }
        Ok(())
    }
}

/// Runs the command.
///
/// # Errors
/// The compiler or its WebAssembly target is missing, the crate does not compile, or the code is not admitted.
pub fn run(context: &Context, arguments: BuildArgs) -> Result<BuildReport, CliError> {
    let built = compile(context.output, &arguments.crate_dir, arguments.target_dir)?;
    let path = match arguments.out {
        None => built.path,
        Some(out) => {
            std::fs::write(&out, &built.wasm).map_err(|error| CliError::io("write", &out, error))?;
            out
        }
    };
    let interface = Interface::of_wasm(&built.wasm);
    Ok(BuildReport {
        wasm: path,
        bytes: built.wasm.len(),
        code_hash: arguments::show(code_hash(&built.wasm)),
        toolchain: built.toolchain,
        contract: interface.as_ref().map(|interface| interface.name().to_owned()),
        methods: interface.as_ref().map(Interface::methods).unwrap_or_default(),
    })
}

/// Compiles a contract crate and checks that a chain would take it.
///
/// # Errors
/// As [`run`].
pub fn compile(output: Output, crate_dir: &Path, target_dir: Option<PathBuf>) -> Result<BuiltContract, CliError> {
    let bar = output.spinner("compiling the contract");
    let mut options = BuildOptions::new(crate_dir);
    if let Some(target_dir) = target_dir {
        options.target_dir = Some(target_dir);
    }
    let built = build_contract(&options);
    bar.finish_and_clear();
    let built = built?;
    admit(ProtocolVersion::LATEST, &built.wasm).map_err(|error| CliError::inadmissible(&built.path, error))?;
    Ok(built)
}
