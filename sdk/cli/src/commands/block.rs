//! `noema block`: a block and its transactions.

use std::io::{self, Write};

use clap::Args;
use noema_chain::{Action, SignedTransaction};
use serde::Serialize;

use crate::arguments::{self, KernelArgs};
use crate::output::{Report, table};
use crate::receipts::{ResultReport, amount};
use crate::{CliError, Context, session};

/// Arguments of `noema block`.
#[derive(Args, Debug)]
pub struct BlockArgs {
    /// Height of the block [default: the newest]
    height: Option<u64>,
}

/// A block.
#[derive(Serialize, Debug)]
pub struct BlockReport {
    chain_id: String,
    height: u64,
    hash: String,
    parent: String,
    time_ms: u64,
    version: u32,
    state_root: String,
    receipts_root: String,
    transactions_root: String,
    gas_used: u64,
    transactions: Vec<TransactionLine>,
}

#[derive(Serialize, Debug)]
struct TransactionLine {
    transaction: String,
    sender: String,
    nonce: u64,
    action: &'static str,
    status: String,
    gas: u64,
}

impl Report for BlockReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "block         {} of {}", self.height, self.chain_id)?;
        writeln!(out, "hash          {}", self.hash)?;
        writeln!(out, "parent        {}", self.parent)?;
        writeln!(out, "time          {} ms", self.time_ms)?;
        writeln!(out, "state root    {}", self.state_root)?;
        writeln!(out, "gas           {}", amount(self.gas_used))?;
        if self.transactions.is_empty() {
            return Ok(());
        }
        let mut table = table(&["transaction", "nonce", "action", "gas", "status"]);
        for line in &self.transactions {
            let gas = amount(line.gas);
            table.add_row([&line.transaction, &line.nonce.to_string(), line.action, &gas, &line.status]);
        }
        writeln!(out, "{table}")
    }
}

/// Runs the command.
///
/// # Errors
/// The chain cannot be opened, or has no such block.
pub fn run(context: &Context, arguments: BlockArgs) -> Result<BlockReport, CliError> {
    let chain = session::open(context, &KernelArgs::default())?;
    let height = arguments.height.unwrap_or_else(|| chain.height());
    let Some(block) = chain.block(height)? else {
        let problem = format!("the chain has no block {height}");
        return Err(CliError::argument("HEIGHT", problem, format!("the newest block is {}", chain.height())));
    };
    let receipts = chain.receipts(height)?;
    let header = &block.header;
    let pairs = block.transactions.iter().zip(&receipts);
    Ok(BlockReport {
        chain_id: chain.genesis().chain_id.clone(),
        height,
        hash: arguments::show(block.hash()),
        parent: arguments::show(header.parent),
        time_ms: header.time_ms,
        version: header.version,
        state_root: arguments::show(header.state_root),
        receipts_root: arguments::show(header.receipts_root),
        transactions_root: arguments::show(header.transactions_root),
        gas_used: header.gas_used,
        transactions: pairs
            .map(|(transaction, receipt)| TransactionLine {
                transaction: arguments::show(receipt.transaction),
                sender: receipt.sender.to_string(),
                nonce: transaction.transaction.nonce,
                action: action_name(transaction),
                status: ResultReport::new(&receipt.receipt, &noema_chain::Notes::default(), None).verdict(),
                gas: receipt.gas_used(),
            })
            .collect(),
    })
}

fn action_name(transaction: &SignedTransaction) -> &'static str {
    match transaction.transaction.action {
        Action::Deploy { .. } => "deploy",
        Action::Call { .. } => "call",
        Action::Migrate { .. } => "migrate",
        Action::Transfer { .. } => "transfer",
        Action::BeginModel { .. } => "begin model",
        Action::ModelChunk { .. } => "model chunk",
        Action::FinishModel { .. } => "finish model",
        Action::WithdrawModel { .. } => "withdraw model",
    }
}
