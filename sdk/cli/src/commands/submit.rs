//! `noema submit`: transactions that were signed elsewhere.

use std::io::Read;

use clap::Args;
use noema_chain::SignedTransaction;

use crate::arguments::{self, KernelArgs};
use crate::receipts::ReceiptReport;
use crate::session::{self, Clock};
use crate::{CliError, Context};

/// Arguments of `noema submit`.
#[derive(Args, Debug)]
pub struct SubmitArgs {
    /// The signed transaction in hex, as `--sign-only` prints it; `-` reads it from standard input
    #[arg(value_name = "HEX")]
    transaction: String,
    /// Time of the block, milliseconds since 1970 [default: now]
    #[arg(long, value_name = "MS")]
    time_ms: Option<u64>,
    #[command(flatten)]
    kernels: KernelArgs,
}

/// Runs the command.
///
/// # Errors
/// The bytes are no transaction, the chain refuses it (nothing is changed then), or it did not succeed.
pub fn run(context: &Context, arguments: SubmitArgs) -> Result<ReceiptReport, CliError> {
    let mut text = arguments.transaction;
    if text == "-" {
        text.clear();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| CliError::io("read", "standard input".as_ref(), error))?;
    }
    let hint = "`noema call ... --sign-only` prints a transaction in this form";
    let bytes = arguments::bytes(text.trim()).map_err(|problem| CliError::argument("HEX", problem, hint))?;
    let transaction =
        SignedTransaction::from_bytes(&bytes).map_err(|problem| CliError::argument("HEX", problem, hint))?;
    let mut chain = session::open(context, &arguments.kernels)?;
    let clock = arguments.time_ms.map_or(Clock::Wall, Clock::Fixed);
    let executed = chain.execute_block(clock.next(&chain), vec![transaction])?;
    super::receipt::only(&chain, &executed)?.successful("the transaction")
}
