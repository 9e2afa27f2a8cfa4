//! `noema receipt`: what became of a transaction.

use clap::Args;
use noema_chain::{Action, Address, Chain, ChainError, ExecutedBlock, Notes, TransactionReceipt};

use crate::arguments::{self, KernelArgs};
use crate::interface::Interface;
use crate::receipts::ReceiptReport;
use crate::{CliError, Context, session};

/// Arguments of `noema receipt`.
#[derive(Args, Debug)]
pub struct ReceiptArgs {
    /// Hash of the transaction, as the command that sent it showed
    #[arg(value_name = "TRANSACTION", value_parser = arguments::hash)]
    transaction: [u8; 32],
}

/// Runs the command. A transaction that failed has a receipt too, so it is no error here.
///
/// # Errors
/// The chain cannot be opened, or has no such transaction.
pub fn run(context: &Context, arguments: ReceiptArgs) -> Result<ReceiptReport, CliError> {
    let chain = session::open(context, &KernelArgs::default())?;
    let Some(receipt) = chain.receipt(&arguments.transaction)? else {
        return Err(CliError::argument(
            "TRANSACTION",
            format!("the chain has no transaction {}", arguments::show(arguments.transaction)),
            "`noema block HEIGHT` lists the transactions of a block",
        ));
    };
    read(&chain, &receipt, &Notes::default())
}

/// The receipt of a block with one transaction.
///
/// # Errors
/// The chain cannot be read.
pub fn only(chain: &Chain, executed: &ExecutedBlock) -> Result<ReceiptReport, CliError> {
    match (executed.receipts.first(), executed.notes.first()) {
        (Some(receipt), Some(notes)) => read(chain, receipt, notes),
        _ => Err(ChainError::Damaged { detail: "a block has no receipt for its transaction".to_owned() }.into()),
    }
}

/// The receipt with its bytes read by the interface of the contract as it is now.
///
/// # Errors
/// The chain cannot be read.
pub fn read(chain: &Chain, receipt: &TransactionReceipt, notes: &Notes) -> Result<ReceiptReport, CliError> {
    let called = called(chain, receipt)?;
    let interface = match &called {
        Some((contract, _)) => Interface::of_contract(chain, *contract)?,
        None => None,
    };
    let method = called.as_ref().and_then(|(_, input)| Interface::method_of(input)).unwrap_or_default();
    Ok(ReceiptReport::new(receipt, notes, interface.as_ref().map(|interface| (interface, &*method))))
}

/// The contract and the input of a call.
fn called(chain: &Chain, receipt: &TransactionReceipt) -> Result<Option<(Address, Vec<u8>)>, CliError> {
    let block = chain.block(receipt.height)?;
    let index = usize::try_from(receipt.index).unwrap_or(usize::MAX);
    let transaction = block.as_ref().and_then(|block| block.transactions.get(index));
    Ok(transaction.and_then(|transaction| match &transaction.transaction.action {
        Action::Call { contract, input } => Some((*contract, input.clone())),
        _ => None,
    }))
}
