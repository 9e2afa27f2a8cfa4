//! `noema transfer`: native units to an account or contract.

use clap::Args;
use noema_chain::{Action, Address};

use crate::arguments::{self, KernelArgs, SenderArgs};
use crate::receipts::ReceiptReport;
use crate::session::{self, Sender};
use crate::{CliError, Context};

/// Arguments of `noema transfer`.
#[derive(Args, Debug)]
pub struct TransferArgs {
    /// Address of the account or contract that gets it
    #[arg(value_name = "ADDRESS", value_parser = arguments::hash)]
    to: [u8; 32],
    /// Native units
    #[arg(value_name = "UNITS")]
    value: u128,
    #[command(flatten)]
    sender: SenderArgs,
    #[command(flatten)]
    kernels: KernelArgs,
}

/// Runs the command.
///
/// # Errors
/// The chain cannot be opened or refuses the transaction, or it did not succeed.
pub fn run(context: &Context, arguments: &TransferArgs) -> Result<ReceiptReport, CliError> {
    let mut chain = session::open(context, &arguments.kernels)?;
    let mut sender = Sender::new(context, &chain, &arguments.sender)?;
    let transaction = sender.sign(arguments.value, Action::Transfer { to: Address(arguments.to) });
    let executed = sender.commit(&mut chain, vec![transaction])?;
    super::receipt::only(&chain, &executed)?.successful("the transfer")
}
