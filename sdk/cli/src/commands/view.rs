//! `noema view`: asking a contract, without a transaction.

use std::io::{self, Write};

use clap::Args;
use noema_chain::{Address, Notes};
use serde::Serialize;

use crate::arguments::{self, KernelArgs};
use crate::interface::Interface;
use crate::output::Report;
use crate::receipts::{ResultReport, failed};
use crate::{CliError, Context, session};

/// Arguments of `noema view`.
#[derive(Args, Debug)]
pub struct ViewArgs {
    /// Address of the contract
    #[arg(value_name = "CONTRACT", value_parser = arguments::hash)]
    contract: [u8; 32],
    /// View to run
    #[arg(required_unless_present = "hex")]
    method: Option<String>,
    /// Its arguments in JSON: a list in their order, or an object by name
    #[arg(value_name = "ARGS", default_value = "[]")]
    args: String,
    /// Raw input in hex instead of a method and arguments
    #[arg(long, value_name = "HEX", conflicts_with = "method")]
    hex: Option<String>,
    /// Most gas to spend; nobody pays for it
    #[arg(long, value_name = "GAS", default_value_t = 1_000_000_000_000)]
    gas_limit: u64,
    #[command(flatten)]
    kernels: KernelArgs,
}

/// What a view returned.
#[derive(Serialize, Debug)]
pub struct ViewReport {
    contract: String,
    height: u64,
    #[serde(flatten)]
    result: ResultReport,
}

impl Report for ViewReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for line in &self.result.logs {
            writeln!(out, "log: {line}")?;
        }
        match &self.result.result {
            Some(result) => writeln!(out, "{result:#}"),
            None => writeln!(out, "{}", self.result.output),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// The chain cannot be opened, has no such contract, the arguments do not fit the view, or it did not succeed.
pub fn run(context: &Context, arguments: ViewArgs) -> Result<ViewReport, CliError> {
    let chain = session::open(context, &arguments.kernels)?;
    let contract = Address(arguments.contract);
    let interface = Interface::of_contract(&chain, contract)?;
    let method = arguments.method.unwrap_or_default();
    let input = match &arguments.hex {
        Some(text) => super::call::raw(text)?,
        None => {
            let args = super::call::json_args(&arguments.args)?;
            Interface::required(interface.as_ref(), &chain, contract)?.encode_view(&method, &args)?
        }
    };
    let outcome = chain.view(contract, &input, arguments.gas_limit)?;
    let notes = Notes { logs: outcome.logs, diagnostic: outcome.diagnostic };
    let result = ResultReport::new(&outcome.receipt, &notes, interface.as_ref().map(|interface| (interface, &*method)));
    let report = ViewReport { contract: contract.to_string(), height: chain.height(), result };
    if report.result.succeeded() { Ok(report) } else { Err(failed("the view", &report.result, &report)) }
}
