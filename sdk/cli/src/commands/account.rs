//! `noema account`: nonce, balance and deposits.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use noema_chain::Address;
use noema_model::ModelId;
use noema_vm::layout;
use serde::Serialize;

use crate::arguments::{self, KernelArgs};
use crate::output::Report;
use crate::{CliError, Context, keys, session};

/// Arguments of `noema account`.
#[derive(Args, Debug)]
pub struct AccountArgs {
    /// Address of an account or contract [default: that of --key]
    #[arg(value_name = "ADDRESS", value_parser = arguments::hash)]
    address: Option<[u8; 32]>,
    /// Key file whose account is meant [default: the chain's own, DIR/key.json]
    #[arg(long, value_name = "FILE", env = "NOEMA_KEY", conflicts_with = "address")]
    key: Option<PathBuf>,
}

/// An account or contract.
#[derive(Serialize, Debug)]
pub struct AccountReport {
    address: String,
    nonce: u64,
    balance: String,
    /// The part of the balance that is the deposit for what a contract keeps.
    locked: String,
    /// The rest.
    free: String,
    /// Bytes that a contract keeps.
    kept_bytes: u64,
    /// Models that it holds, whose deposits are not in the balance.
    models: Vec<HeldModel>,
    contract: bool,
    height: u64,
}

/// A model that an account holds.
#[derive(Serialize, Debug)]
pub struct HeldModel {
    model: String,
    deposit: String,
}

impl Report for AccountReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "address     {}{}", self.address, if self.contract { "  (a contract)" } else { "" })?;
        writeln!(out, "next nonce  {}", self.nonce)?;
        writeln!(out, "balance     {}", self.balance)?;
        if self.contract {
            writeln!(out, "  locked    {}  for {} bytes", self.locked, self.kept_bytes)?;
            writeln!(out, "  free      {}", self.free)?;
        }
        for HeldModel { model, deposit } in &self.models {
            writeln!(out, "holds       model {model}, deposit {deposit}")?;
        }
        writeln!(out, "at block    {}", self.height)
    }
}

/// Runs the command.
///
/// # Errors
/// The chain cannot be opened, the key file not be read.
pub fn run(context: &Context, arguments: AccountArgs) -> Result<AccountReport, CliError> {
    let chain = session::open(context, &KernelArgs::default())?;
    let address = match arguments.address {
        Some(address) => Address(address),
        None => keys::read(&arguments.key.unwrap_or_else(|| keys::default_path(&context.chain)))?.address(),
    };
    let account = chain.account(&address)?;
    let deposit = chain.deposit(&address)?;
    let held = |(id, deposit): (ModelId, u128)| HeldModel { model: id.to_string(), deposit: deposit.to_string() };
    Ok(AccountReport {
        address: address.to_string(),
        nonce: account.nonce,
        balance: account.balance.to_string(),
        locked: deposit.locked.to_string(),
        free: deposit.free().to_string(),
        kept_bytes: deposit.bytes,
        models: chain.holds(&address)?.into_iter().map(held).collect(),
        contract: chain.state()?.get(&layout::contract_key(&address))?.is_some(),
        height: chain.height(),
    })
}
