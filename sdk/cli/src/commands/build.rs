//! `noema build`: a contract crate to WebAssembly.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use noema_abi::ProtocolVersion;
use noema_build::{BuildOptions, BuiltContract, RECORD_SECTION, build_contract};
use noema_vm::{admit, code_hash};
use serde::Serialize;
use wasmparser::{Parser, Payload};

use crate::interface::Interface;
use crate::output::{self, Output, Report};
use crate::receipts::amount;
use crate::symbols::Symbols;
use crate::{CliError, Context, arguments, contract_code};

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
    /// Show the largest functions
    #[arg(long)]
    sizes: bool,
}

/// Functions that `--sizes` shows.
const LARGEST: usize = 25;

/// A contract that was just built.
#[derive(Serialize, Debug)]
pub struct BuildReport {
    #[serde(serialize_with = "output::path")]
    wasm: PathBuf,
    bytes: usize,
    code_hash: String,
    toolchain: String,
    contract: Option<String>,
    methods: Vec<String>,
    size: Size,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    largest: Vec<(String, usize)>,
}

/// What the bytes are for.
#[derive(Serialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Instructions.
    code: usize,
    /// Constants and texts.
    data: usize,
    /// The interface.
    schema: usize,
    /// Which compiler it was.
    record: usize,
    /// Types, imports, exports and the rest.
    other: usize,
}

impl Size {
    fn of(wasm: &[u8]) -> Size {
        let mut size = Size::default();
        for payload in Parser::new(0).parse_all(wasm).flatten() {
            let Some((_, range)) = payload.as_section() else { continue };
            let place = match &payload {
                Payload::CodeSectionStart { .. } => &mut size.code,
                Payload::DataSection(_) => &mut size.data,
                Payload::CustomSection(section) if section.name() == noema_schema::SECTION => &mut size.schema,
                Payload::CustomSection(section) if section.name() == RECORD_SECTION => &mut size.record,
                _ => continue,
            };
            *place += range.len();
        }
        let known = size.code + size.data + size.schema + size.record;
        Size { other: wasm.len().saturating_sub(known), ..size }
    }
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
        let Size { code, data, schema, record, other } = self.size;
        writeln!(
            out,
            "of which    code {code}, data {data}, interface {schema}, build record {record}, other {other}"
        )?;
        for (name, bytes) in &self.largest {
            writeln!(out, "  {bytes:>8}  {name}")?;
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
    let mut largest = Vec::new();
    if arguments.sizes {
        let named = contract_code::build(context.output, &arguments.crate_dir, true)?;
        largest.extend(Symbols::of_wasm(&named.wasm).sizes());
        largest.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        largest.truncate(LARGEST);
    }
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
        size: Size::of(&built.wasm),
        largest,
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
