//! `noema check`: whether a chain would take a module, and what stands in the way.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;
use noema_abi::ProtocolVersion;
use noema_vm::{AdmissionError, Admitted, admit, code_hash};
use serde::Serialize;
use serde_json::json;

use crate::output::Report;
use crate::receipts::amount;
use crate::symbols::{Place, Symbols, Twin};
use crate::{CliError, Context, arguments, contract_code};

/// Arguments of `noema check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// A wasm file, the directory of a contract crate (built with names and lines), or the address of a contract
    #[arg(value_name = "WASM|DIR|CONTRACT", default_value = ".")]
    code: String,
}

/// A module that is admitted.
#[derive(Serialize, Debug)]
pub struct CheckReport {
    admitted: bool,
    bytes: usize,
    code_hash: String,
    entry_points: Vec<&'static str>,
    compile_gas: u64,
    instantiate_gas: u64,
}

impl Report for CheckReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "admitted      {} bytes", amount(u64::try_from(self.bytes).unwrap_or(u64::MAX)))?;
        writeln!(out, "code hash     {}", self.code_hash)?;
        writeln!(out, "entry points  {}", self.entry_points.join(", "))?;
        writeln!(out, "gas           {} to compile it, once", amount(self.compile_gas))?;
        writeln!(out, "              {} for every instance", amount(self.instantiate_gas))
    }
}

/// Runs the command.
///
/// # Errors
/// There is no such module, it cannot be built, or it is not admitted: then with the place in the source.
pub fn run(context: &Context, arguments: CheckArgs) -> Result<CheckReport, CliError> {
    let (path, wasm) = contract_code::named(context, &arguments.code)?;
    match admit(ProtocolVersion::LATEST, &wasm) {
        Ok(Admitted { entry_points: has, compile_gas, instantiate_gas, .. }) => {
            let all = [
                ("init", has.init),
                ("call", has.call),
                ("view", has.view),
                ("migrate", has.migrate),
                ("call_reentrant", has.call_reentrant),
                ("view_reentrant", has.view_reentrant),
            ];
            Ok(CheckReport {
                admitted: true,
                bytes: wasm.len(),
                code_hash: arguments::show(code_hash(&wasm)),
                entry_points: all.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect(),
                compile_gas,
                instantiate_gas,
            })
        }
        Err(error) => {
            // Only now, because names and DWARF are many times as long as the code.
            let dir = Path::new(&arguments.code);
            let named = if dir.is_dir() { contract_code::build(context.output, dir, true)?.wasm } else { wasm.clone() };
            let symbols = Symbols::of_wasm(&named);
            let places = places(&symbols, Twin::new(&wasm, &named).as_ref(), &error);
            let mut message = format!("{} would not be admitted: {error}", path.display());
            places.iter().for_each(|place| message += &format!("\n  at {place}"));
            let hint = if symbols.has_lines() {
                "docs/spec/admission.md says what a module may have"
            } else {
                "docs/spec/admission.md says what a module may have; give the directory of the crate to see lines"
            };
            let shown: Vec<_> = places.iter().map(ToString::to_string).collect();
            let details = json!({ "reason": error.to_string(), "places": shown });
            Err(CliError::Check { code: "inadmissible", message, hint: hint.to_owned(), details })
        }
    }
}

/// Where in the source the trouble is.
fn places(symbols: &Symbols<'_>, twin: Option<&Twin<'_>>, error: &AdmissionError) -> Vec<Place> {
    match error {
        AdmissionError::Invalid { offset, .. } | AdmissionError::Operator { offset, .. } => {
            twin.map_or_else(Vec::new, |twin| twin.places(*offset))
        }
        AdmissionError::Limit { function: Some(function), .. } | AdmissionError::StartFunction { function } => {
            symbols.start_of(*function)
        }
        AdmissionError::Import { module, name, .. } => symbols.callers(module, name),
        _ => Vec::new(),
    }
}
