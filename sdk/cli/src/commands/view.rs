//! `noema view`: asking a contract, without a transaction.

use std::io::{self, Write};

use clap::Args;
use noema_chain::Notes;
use serde::Serialize;

use crate::arguments::KernelArgs;
use crate::interface::Interface;
use crate::method::MethodArgs;
use crate::output::Report;
use crate::receipts::{ResultReport, failed};
use crate::{CliError, Context, session};

/// Arguments of `noema view`.
#[derive(Args, Debug)]
pub struct ViewArgs {
    #[command(flatten)]
    method: MethodArgs,
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
    let method = &arguments.method;
    let contract = method.contract();
    let interface = Interface::of_contract(&chain, contract)?;
    let input = method.input(interface.as_ref(), &chain, Interface::encode_view)?;
    let outcome = chain.view(contract, &input, arguments.gas_limit)?;
    let notes = Notes { logs: outcome.logs, diagnostic: outcome.diagnostic };
    let result =
        ResultReport::new(&outcome.receipt, &notes, interface.as_ref().map(|interface| (interface, method.method())));
    let report = ViewReport { contract: contract.to_string(), height: chain.height(), result };
    if report.result.succeeded() { Ok(report) } else { Err(failed("the view", &report.result, &report)) }
}
