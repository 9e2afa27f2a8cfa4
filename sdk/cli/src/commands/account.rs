//! `noema account`: nonce and balance.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use noema_chain::Address;
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
    contract: bool,
    height: u64,
}

impl Report for AccountReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "address     {}{}", self.address, if self.contract { "  (a contract)" } else { "" })?;
        writeln!(out, "next nonce  {}", self.nonce)?;
        writeln!(out, "balance     {}", self.balance)?;
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
    Ok(AccountReport {
        address: address.to_string(),
        nonce: account.nonce,
        balance: account.balance.to_string(),
        contract: chain.state()?.get(&layout::contract_key(&address))?.is_some(),
        height: chain.height(),
    })
}
