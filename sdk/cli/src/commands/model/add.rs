//! `noema model add`: a container onto the chain, chunk by chunk.

use std::io::{self, Write};
use std::path::PathBuf;

use borsh::BorshDeserialize;
use clap::Args;
use noema_chain::{Action, Chain, ChainError, SignedTransaction};
use noema_model::merkle::{self, MerkleTree};
use noema_model::{Model, ModelStoreError};
use noema_vm::layout::{self, Chunks, ModelRecord};
use serde::Serialize;

use super::withdraw::deposit_of;
use crate::arguments::{self, KernelArgs, SenderArgs};
use crate::output::{Output, Report};
use crate::receipts::{ReceiptReport, amount};
use crate::session::{self, Sender};
use crate::{CliError, Context};

/// Arguments of `noema model add`.
#[derive(Args, Debug)]
pub struct AddArgs {
    /// The container, as `noema model import` wrote it
    file: PathBuf,
    /// Chunks (of 64 KiB) in a block
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=512))]
    block_size: u32,
    #[command(flatten)]
    sender: SenderArgs,
    #[command(flatten)]
    kernels: KernelArgs,
}

/// A model that is on the chain now.
#[derive(Serialize, Debug)]
pub struct AddReport {
    /// Its id: the Merkle root of the container.
    pub model: String,
    /// Its name.
    pub name: String,
    /// Bytes of the container.
    pub bytes: usize,
    /// Chunks of the container.
    pub chunks: u64,
    /// Chunks that this command sent; the others were there.
    pub sent: u64,
    /// Blocks that it took.
    pub blocks: u64,
    /// Gas that it took.
    pub gas: u64,
    /// What the sender has deposited for it, in native units.
    pub deposit: String,
    /// Whether the chain had all of it before.
    pub already_there: bool,
    /// Whether this node had lost the bytes, and has them again now.
    pub restored: bool,
}

impl Report for AddReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "model   {}", self.model)?;
        writeln!(out, "name    {}", self.name)?;
        writeln!(out, "bytes   {}", self.bytes)?;
        writeln!(out, "deposit {}", self.deposit)?;
        if self.restored {
            return writeln!(out, "the chain had it already; this node had lost its bytes, and has them again");
        }
        if self.already_there {
            return writeln!(out, "the chain had it already");
        }
        writeln!(out, "chunks  {} sent of {}", self.sent, self.chunks)?;
        writeln!(out, "blocks  {}", self.blocks)?;
        writeln!(out, "gas     {}", amount(self.gas))
    }
}

/// Runs the command.
///
/// # Errors
/// The file is no valid container (nothing is sent then), the chain cannot be opened, or a transaction did not succeed.
pub fn run(context: &Context, arguments: &AddArgs) -> Result<AddReport, CliError> {
    let model = super::read(&arguments.file)?;
    let mut chain = session::open(context, &arguments.kernels)?;
    let mut sender = Sender::new(context, &chain, &arguments.sender)?;
    let block_size = usize::try_from(arguments.block_size).unwrap_or(usize::MAX);
    upload(context.output, &mut chain, &mut sender, &model, block_size)
}

/// Sends what the chain does not have of a model, `block_size` chunks in a block, and makes it usable.
///
/// # Errors
/// A transaction is refused or did not succeed. What was committed stays: the next upload goes on there.
pub fn upload(
    output: Output,
    chain: &mut Chain,
    sender: &mut Sender,
    model: &Model,
    block_size: usize,
) -> Result<AddReport, CliError> {
    let bytes = model.container();
    let tree = MerkleTree::new(bytes);
    let id = model.id().0;
    let total_len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let record = record(chain, &id)?;
    let mut report = AddReport {
        model: arguments::show(id),
        name: model.manifest().name.clone(),
        bytes: bytes.len(),
        chunks: tree.chunk_count(),
        sent: 0,
        blocks: 0,
        gas: 0,
        deposit: String::new(),
        already_there: record.is_some_and(|record| record.active),
        restored: false,
    };
    if report.already_there {
        report.restored = restore(chain, model, total_len)?;
    }
    if deposit_of(chain, sender, &id)?.is_none() {
        commit(chain, sender, &mut report, vec![Action::BeginModel { total_len, top: tree.top() }])?;
    }
    report.deposit = deposit_of(chain, sender, &id)?.unwrap_or(0).to_string();
    if report.already_there {
        return Ok(report);
    }
    let missing = missing(chain, &id, tree.chunk_count())?;
    let bar = output.progress(tree.chunk_count(), "model chunks");
    bar.set_position(tree.chunk_count().saturating_sub(u64::try_from(missing.len()).unwrap_or(u64::MAX)));
    for block in missing.chunks(block_size) {
        let chunks = block.iter().filter_map(|&index| chunk(bytes, &tree, id, index)).collect();
        commit(chain, sender, &mut report, chunks)?;
        let sent = u64::try_from(block.len()).unwrap_or(u64::MAX);
        report.sent = report.sent.saturating_add(sent);
        bar.inc(sent);
    }
    bar.finish_and_clear();
    commit(chain, sender, &mut report, vec![Action::FinishModel { id }])?;
    Ok(report)
}

/// What the chain knows about a model.
fn record(chain: &Chain, id: &[u8; 32]) -> Result<Option<ModelRecord>, CliError> {
    let Some(bytes) = chain.state()?.get(&layout::model_key(id))? else { return Ok(None) };
    let record = ModelRecord::try_from_slice(&bytes).map_err(|error| ChainError::Damaged {
        detail: format!("the record of model {} cannot be read: {error}", arguments::show(id)),
    })?;
    Ok(Some(record))
}

/// The chunks that the chain has not verified yet.
fn missing(chain: &Chain, id: &[u8; 32], count: u64) -> Result<Vec<u32>, CliError> {
    let bits = chain.state()?.get(&layout::chunks_key(id))?;
    let chunks = bits.and_then(|bits| Chunks::from_bytes(count, &bits)).ok_or_else(|| ChainError::Damaged {
        detail: format!("the chunks of model {} cannot be read", arguments::show(id)),
    })?;
    Ok((0..u32::try_from(count).unwrap_or(u32::MAX)).filter(|index| !chunks.has(u64::from(*index))).collect())
}

/// Gives this node the bytes of a model of its chain, if it does not have them or they are damaged.
fn restore(chain: &Chain, model: &Model, total_len: u64) -> Result<bool, CliError> {
    let models = chain.models();
    match models.open(model.id()) {
        Ok(_) => return Ok(false),
        // A file in the way of the right one; its name says which bytes it should have.
        Err(ModelStoreError::Corrupt { .. }) => {
            let file = chain.path().join("models").join(format!("{}.model", model.id()));
            std::fs::remove_file(&file).map_err(|error| CliError::io("remove", &file, error))?;
        }
        Err(_) => {}
    }
    for (index, chunk) in (0..).zip(merkle::chunks(model.container())) {
        models.stage_chunk(model.id(), index, chunk).map_err(ChainError::from)?;
    }
    models.assemble(model.id(), total_len).map_err(ChainError::from)?;
    models.sync().map_err(ChainError::from)?;
    models.open(model.id()).map_err(ChainError::from)?;
    Ok(true)
}

fn chunk(bytes: &[u8], tree: &MerkleTree, id: [u8; 32], index: u32) -> Option<Action> {
    let chunk = merkle::chunks(bytes).nth(usize::try_from(index).ok()?)?;
    Some(Action::ModelChunk { id, index, bytes: chunk.to_vec(), proof: tree.proof(u64::from(index))? })
}

fn commit(
    chain: &mut Chain,
    sender: &mut Sender,
    report: &mut AddReport,
    actions: Vec<Action>,
) -> Result<(), CliError> {
    let transactions: Vec<SignedTransaction> = actions.into_iter().map(|action| sender.sign(0, action)).collect();
    let executed = sender.commit(chain, transactions)?;
    report.blocks = report.blocks.saturating_add(1);
    report.gas = report.gas.saturating_add(executed.block.header.gas_used);
    for receipt in ReceiptReport::of_block(&executed, None) {
        receipt.successful("a transaction of the upload")?;
    }
    Ok(())
}
