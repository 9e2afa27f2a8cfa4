//! `noema model withdraw`: a model given up, its deposit back.

use std::io::{self, Write};

use clap::Args;
use noema_chain::{Action, Chain};
use noema_state::StateView as _;
use noema_vm::layout;
use serde::Serialize;

use crate::arguments::{self, KernelArgs, SenderArgs};
use crate::output::Report;
use crate::receipts::ReceiptReport;
use crate::session::{self, Sender};
use crate::{CliError, Context};

/// Arguments of `noema model withdraw`.
#[derive(Args, Debug)]
pub struct WithdrawArgs {
    /// The id of the model
    #[arg(value_name = "MODEL", value_parser = arguments::hash)]
    model: [u8; 32],
    #[command(flatten)]
    sender: SenderArgs,
    #[command(flatten)]
    kernels: KernelArgs,
}

/// A model that the sender does not hold any more.
#[derive(Serialize, Debug)]
pub struct WithdrawReport {
    /// Its id.
    pub model: String,
    /// The deposit that came back, in native units.
    pub deposit: String,
    /// Whether somebody else still holds it.
    pub on_chain: bool,
    /// What became of the transaction.
    pub receipt: ReceiptReport,
}

impl Report for WithdrawReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "model         {}", self.model)?;
        writeln!(out, "deposit back  {}", self.deposit)?;
        let left = if self.on_chain { "others still hold it" } else { "gone: contracts do not find it any more" };
        writeln!(out, "on the chain  {left}")?;
        self.receipt.write(out)
    }
}

/// Runs the command.
///
/// # Errors
/// The chain cannot be opened, refuses the transaction, or the sender does not hold the model.
pub fn run(context: &Context, arguments: &WithdrawArgs) -> Result<WithdrawReport, CliError> {
    let mut chain = session::open(context, &arguments.kernels)?;
    let mut sender = Sender::new(context, &chain, &arguments.sender)?;
    let held = deposit_of(&chain, &sender, &arguments.model)?;
    let transaction = sender.sign(0, Action::WithdrawModel { id: arguments.model });
    let executed = sender.commit(&mut chain, vec![transaction])?;
    let receipt = super::super::receipt::only(&chain, &executed)?.successful("the withdrawal")?;
    Ok(WithdrawReport {
        model: arguments::show(arguments.model),
        deposit: held.unwrap_or(0).to_string(),
        on_chain: chain.state()?.get(&layout::model_key(&arguments.model))?.is_some(),
        receipt,
    })
}

/// What the sender has deposited for a model; `None` where it does not hold it.
///
/// # Errors
/// The chain cannot be read.
pub fn deposit_of(chain: &Chain, sender: &Sender, model: &[u8; 32]) -> Result<Option<u128>, CliError> {
    let holds = chain.holds(&sender.key().address())?;
    Ok(holds.into_iter().find(|(id, _)| id.0 == *model).map(|(_, deposit)| deposit))
}
