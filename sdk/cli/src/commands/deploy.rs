//! `noema deploy`: a contract onto the chain.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use noema_chain::{Action, Address};
use noema_vm::{admit, code_hash, deposit};
use serde::Serialize;

use crate::arguments::{self, KernelArgs, SenderArgs};
use crate::interface::Interface;
use crate::output::Report;
use crate::receipts::ReceiptReport;
use crate::session::Sender;
use crate::{CliError, Context, method, session};

/// Arguments of `noema deploy`.
#[derive(Args, Debug)]
pub struct DeployArgs {
    /// A wasm file, or the directory of a contract crate, which is built first
    #[arg(value_name = "WASM|DIR")]
    code: PathBuf,
    /// Arguments of `init` in JSON: a list in their order, or an object by name
    #[arg(value_name = "ARGS", default_value = "[]")]
    args: String,
    /// Raw input of `init` in hex instead of ARGS
    #[arg(long, value_name = "HEX", conflicts_with = "args")]
    hex: Option<String>,
    /// Tells contracts of one sender with the same code apart
    #[arg(long, value_name = "N", default_value_t = 0)]
    salt: u64,
    /// Native units to send with it [default: the deposit for the contract and some entries]
    #[arg(long, value_name = "UNITS")]
    value: Option<u128>,
    #[command(flatten)]
    sender: SenderArgs,
    #[command(flatten)]
    kernels: KernelArgs,
}

/// A contract that was just deployed.
#[derive(Serialize, Debug)]
pub struct DeployReport {
    /// Its address.
    pub contract: String,
    /// Hash of its code.
    pub code_hash: String,
    /// Bytes of its code.
    pub code_bytes: usize,
    /// What was sent with it, in native units.
    pub value: String,
    /// What became of the transaction.
    pub receipt: ReceiptReport,
}

impl Report for DeployReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "contract      {}", self.contract)?;
        writeln!(out, "code hash     {}", self.code_hash)?;
        writeln!(out, "code bytes    {}", self.code_bytes)?;
        writeln!(out, "value sent    {}", self.value)?;
        self.receipt.write(out)
    }
}

/// Runs the command.
///
/// # Errors
/// The code cannot be read, built or admitted (nothing is sent then), the arguments do not fit `init`, the chain
/// refuses the transaction, or it did not succeed.
pub fn run(context: &Context, arguments: DeployArgs) -> Result<DeployReport, CliError> {
    let mut chain = session::open(context, &arguments.kernels)?;
    let mut sender = Sender::new(context, &chain, &arguments.sender)?;
    let code = read_code(context, &arguments.code)?;
    admit(chain.genesis().version, &code).map_err(|error| CliError::inadmissible(&arguments.code, error))?;
    let interface = Interface::of_wasm(&code);
    let input = match (&arguments.hex, &interface) {
        (Some(text), _) => method::raw(text)?,
        (None, Some(interface)) => interface.encode_init(&method::json_args(&arguments.args)?)?,
        // Nothing to encode, and nothing that says how.
        (None, None) if arguments.args.trim() == "[]" => Vec::new(),
        (None, None) => return Err(Interface::missing(&arguments.code.display())),
    };
    let value = arguments.value.unwrap_or_else(|| usual_value(&chain, code.len()));
    deploy(&mut chain, &mut sender, code, arguments.salt, value, input)
}

/// Bytes of entries that a contract has the deposit for, if nobody says how much to send.
const ROOM: u64 = 256 * 1024;

/// What a contract needs to keep code of this length and some entries.
#[must_use]
pub fn usual_value(chain: &noema_chain::Chain, code_len: usize) -> u128 {
    let bytes = u64::try_from(code_len).unwrap_or(u64::MAX).saturating_add(ROOM);
    deposit::for_code(&chain.context(), bytes)
}

/// Deploys a contract in a block of its own.
///
/// # Errors
/// The chain refuses the transaction, or it did not succeed.
pub fn deploy(
    chain: &mut noema_chain::Chain,
    sender: &mut Sender,
    code: Vec<u8>,
    salt: u64,
    value: u128,
    input: Vec<u8>,
) -> Result<DeployReport, CliError> {
    let (hash, code_bytes) = (code_hash(&code), code.len());
    let contract = Address::of_contract(sender.key().address(), salt, &hash);
    let transaction = sender.sign(value, Action::Deploy { code, salt, input });
    let executed = sender.commit(chain, vec![transaction])?;
    let receipt = super::receipt::only(chain, &executed)?.successful("the deployment")?;
    Ok(DeployReport {
        contract: contract.to_string(),
        code_hash: arguments::show(hash),
        code_bytes,
        value: value.to_string(),
        receipt,
    })
}

/// A wasm file, or what building a directory gives.
fn read_code(context: &Context, path: &Path) -> Result<Vec<u8>, CliError> {
    if path.is_dir() {
        return Ok(super::build::compile(context.output, path, None)?.wasm);
    }
    std::fs::read(path).map_err(|error| CliError::io("read", path, error))
}
