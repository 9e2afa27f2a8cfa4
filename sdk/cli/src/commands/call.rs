//! `noema call`: transactions that run a contract, one or many.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use noema_chain::{Action, Chain, SignedTransaction};
use serde::Serialize;
use serde_json::json;

use crate::arguments::{self, KernelArgs, SenderArgs};
use crate::interface::Interface;
use crate::method::MethodArgs;
use crate::output::Report;
use crate::receipts::{ReceiptReport, amount};
use crate::session::Sender;
use crate::{CliError, Context, session};

/// Arguments of `noema call`.
#[derive(Args, Debug)]
pub struct CallArgs {
    #[command(flatten)]
    method: MethodArgs,
    /// One transaction for each line of FILE, each line being the ARGS of one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["hex", "sign_only"])]
    batch: Option<PathBuf>,
    /// Transactions in a block, for --batch
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    block_size: u32,
    /// Native units to send with the call
    #[arg(long, value_name = "UNITS", default_value_t = 0)]
    value: u128,
    /// Print the signed transaction in hex for `noema submit` instead of sending it
    #[arg(long)]
    sign_only: bool,
    #[command(flatten)]
    sender: SenderArgs,
    #[command(flatten)]
    kernels: KernelArgs,
}

/// What `noema call` did.
#[derive(Serialize, Debug)]
#[serde(untagged)]
pub enum CallReport {
    /// One transaction.
    One(Box<ReceiptReport>),
    /// Many.
    Many(BatchReport),
    /// None yet.
    Signed(SignedReport),
}

/// Transactions that were sent together.
#[derive(Serialize, Debug)]
pub struct BatchReport {
    sent: usize,
    succeeded: usize,
    first_block: u64,
    last_block: u64,
    gas: u64,
    state_root: String,
    receipts: Vec<ReceiptReport>,
}

/// A transaction that was signed and not sent.
#[derive(Serialize, Debug)]
pub struct SignedReport {
    transaction: String,
    sender: String,
    nonce: u64,
    bytes: String,
}

impl SignedReport {
    /// Shows a signed transaction.
    #[must_use]
    pub fn new(transaction: &SignedTransaction) -> SignedReport {
        SignedReport {
            transaction: arguments::show(transaction.hash()),
            sender: transaction.sender().to_string(),
            nonce: transaction.transaction.nonce,
            bytes: arguments::show(transaction.to_bytes()),
        }
    }
}

impl Report for CallReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            CallReport::One(receipt) => receipt.write(out),
            CallReport::Signed(signed) => writeln!(out, "{}", signed.bytes),
            CallReport::Many(batch) => {
                writeln!(
                    out,
                    "sent          {} transactions in blocks {} to {}",
                    batch.sent, batch.first_block, batch.last_block
                )?;
                writeln!(out, "succeeded     {}", batch.succeeded)?;
                writeln!(out, "gas           {}", amount(batch.gas))?;
                writeln!(out, "state root    {}", batch.state_root)
            }
        }
    }
}

/// Runs the command.
///
/// # Errors
/// The chain cannot be opened, has no such contract, the arguments do not fit the method, the chain refuses the
/// transaction, or it did not succeed.
pub fn run(context: &Context, arguments: CallArgs) -> Result<CallReport, CliError> {
    let mut chain = session::open(context, &arguments.kernels)?;
    let method = &arguments.method;
    let contract = method.contract();
    let interface = Interface::of_contract(&chain, contract)?;
    let mut sender = Sender::new(context, &chain, &arguments.sender)?;
    if let Some(file) = &arguments.batch {
        let encode = |(line, args): &(usize, String)| {
            let input = method.input_with(args, interface.as_ref(), &chain, Interface::encode_call);
            input.map_err(|error| match error {
                CliError::Argument { argument: "ARGS", problem, hint } => {
                    CliError::file(file, format!("line {line}: {problem}"), format!("nothing was sent: {hint}"))
                }
                error => error,
            })
        };
        let inputs = lines(file)?.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
        let block_size = usize::try_from(arguments.block_size).unwrap_or(usize::MAX);
        let interface = interface.as_ref().map(|interface| (interface, method.method()));
        let actions = inputs.into_iter().map(|input| Action::Call { contract, input }).collect();
        return many(context, &mut chain, &mut sender, actions, arguments.value, block_size, interface);
    }
    let input = method.input(interface.as_ref(), &chain, Interface::encode_call)?;
    let transaction = sender.sign(arguments.value, Action::Call { contract, input });
    if arguments.sign_only {
        return Ok(CallReport::Signed(SignedReport::new(&transaction)));
    }
    let executed = sender.commit(&mut chain, vec![transaction])?;
    let receipt = super::receipt::only(&chain, &executed)?.successful("the call")?;
    Ok(CallReport::One(Box::new(receipt)))
}

fn many(
    context: &Context,
    chain: &mut Chain,
    sender: &mut Sender,
    actions: Vec<Action>,
    value: u128,
    block_size: usize,
    interface: Option<(&Interface, &str)>,
) -> Result<CallReport, CliError> {
    let bar = context.output.progress(u64::try_from(actions.len()).unwrap_or(u64::MAX), "transactions");
    let mut batch = BatchReport {
        sent: 0,
        succeeded: 0,
        first_block: chain.height().saturating_add(1),
        last_block: chain.height(),
        gas: 0,
        state_root: String::new(),
        receipts: Vec::new(),
    };
    for block in actions.chunks(block_size) {
        let transactions = block.iter().map(|action| sender.sign(value, action.clone())).collect();
        let executed = sender.commit(chain, transactions)?;
        batch.last_block = executed.block.header.height;
        batch.gas = batch.gas.saturating_add(executed.block.header.gas_used);
        batch.receipts.extend(ReceiptReport::of_block(&executed, interface));
        bar.set_position(u64::try_from(batch.receipts.len()).unwrap_or(u64::MAX));
    }
    bar.finish_and_clear();
    batch.state_root = arguments::show(chain.root());
    batch.sent = batch.receipts.len();
    batch.succeeded = batch.receipts.iter().filter(|receipt| receipt.result.succeeded()).count();
    if let Some(first) = batch.receipts.iter().find(|receipt| !receipt.result.succeeded()) {
        return Err(CliError::Check {
            code: "transaction-failed",
            message: format!(
                "{} of {} calls did not succeed, the first in block {}, transaction {}: {}",
                batch.sent.saturating_sub(batch.succeeded),
                batch.sent,
                first.height,
                first.index,
                first.result.verdict()
            ),
            hint: "the others stand; correct the lines that failed and send them again".to_owned(),
            details: json!(batch),
        });
    }
    Ok(CallReport::Many(batch))
}

fn lines(file: &Path) -> Result<Vec<(usize, String)>, CliError> {
    let text = std::fs::read_to_string(file).map_err(|error| CliError::io("read", file, error))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let lines: Vec<(usize, String)> = lines.map(|(index, line)| (index + 1, line.to_owned())).collect();
    if lines.is_empty() {
        return Err(CliError::file(file, "it has no lines", "write the JSON arguments of one call on each line"));
    }
    Ok(lines)
}
