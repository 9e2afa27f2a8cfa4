//! Models come in chunks. The state says which chunks have been verified and whether a model is there; the bytes are
//! in the store of each node, which has them because it executed the same messages.

use noema_host::GasClass;
use noema_model::{ModelId, merkle};

use super::frame::End;
use super::message::{Halt, Run, reject};
use crate::layout::{self, Chunks, ModelRecord};
use crate::{Address, Rejection, VmError, deposit};

const DONE: Result<End, Halt> = Ok(End::Success { output: Vec::new() });

/// Announces a model, which the sender holds from now on.
///
/// The length and the top of the tree of chunks are all that goes into an id, so nobody can announce a length that is
/// not the model's.
pub(super) fn begin(run: &mut Run<'_>, sender: Address, total_len: u64, top: &[u8; 32]) -> Result<End, Halt> {
    run.take(GasClass::State, run.rules.prices.model_begin)?;
    if total_len == 0 || total_len > run.rules.machine.model_bytes {
        return reject(Rejection::ModelLength);
    }
    let id = merkle::id_of(total_len, top).0;
    let hold = layout::hold_key(&sender, Some(&id));
    let held = run.tx.get(&hold)?;
    run.pay_for_state()?;
    if held.is_some() {
        return DONE;
    }
    let (per_byte, bytes) = (run.block.deposit_per_byte, deposit::model_bytes(run.rules, total_len));
    if let Some(shortfall) = deposit::shortfall(per_byte, bytes, sender, run.tx.balance(&sender)?) {
        return Ok(End::Short(shortfall));
    }
    let needed = deposit::price(per_byte, bytes);
    run.transfer(&sender, &deposit::account(), needed)?;
    run.tx.journal.set(hold, Some(needed.to_le_bytes().to_vec()));
    let record = match run.tx.model(&id)? {
        Some(record) => {
            let holders = record.holders.checked_add(1).ok_or_else(|| damaged(&id))?;
            ModelRecord { holders, ..record }
        }
        None => {
            let none = Chunks::none(merkle::chunk_count(total_len));
            run.tx.journal.set(layout::chunks_key(&id), Some(none.as_bytes().to_vec()));
            ModelRecord { total_len, active: false, holders: 1 }
        }
    };
    set(run, &id, &record);
    run.pay_for_state()?;
    DONE
}

/// Takes one chunk.
pub(super) fn chunk(
    run: &mut Run<'_>,
    id: [u8; 32],
    index: u32,
    bytes: &[u8],
    proof: &[[u8; 32]],
) -> Result<End, Halt> {
    let prices = &run.rules.prices;
    run.take(GasClass::State, prices.model_chunk)?;
    let Some(record) = model(run, &id)? else {
        return reject(Rejection::NoModel);
    };
    if merkle::chunk_len(record.total_len, u64::from(index)) != Some(bytes.len()) {
        return reject(Rejection::BadChunk);
    }
    if record.active {
        return DONE;
    }
    let mut chunks = verified(run, &id, &record)?;
    if chunks.has(u64::from(index)) {
        return DONE;
    }
    let steps = u64::try_from(proof.len()).unwrap_or(u64::MAX);
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let gas =
        prices.model_chunk_byte.saturating_mul(length).saturating_add(prices.model_chunk_step.saturating_mul(steps));
    run.take(GasClass::State, gas)?;
    if !merkle::verify(ModelId(id), record.total_len, u64::from(index), bytes, proof) {
        return reject(Rejection::BadChunk);
    }
    chunks.add(u64::from(index));
    run.tx.journal.set(layout::chunks_key(&id), Some(chunks.as_bytes().to_vec()));
    run.pay_for_state()?;
    run.core.models.stage_chunk(ModelId(id), index, bytes).map_err(|error| failed(id, &error))?;
    DONE
}

/// Makes a model usable.
pub(super) fn finish(run: &mut Run<'_>, id: [u8; 32]) -> Result<End, Halt> {
    let prices = &run.rules.prices;
    run.take(GasClass::State, prices.model_finish)?;
    let Some(record) = model(run, &id)? else {
        return reject(Rejection::NoModel);
    };
    if record.active {
        return DONE;
    }
    if !verified(run, &id, &record)?.are_all() {
        return reject(Rejection::IncompleteModel);
    }
    run.take(GasClass::Tensor, prices.model_finish_byte.saturating_mul(record.total_len))?;
    run.tx.journal.set(layout::chunks_key(&id), None);
    set(run, &id, &ModelRecord { active: true, ..record });
    run.pay_for_state()?;
    match run.core.models.assemble(ModelId(id), record.total_len) {
        Ok(()) => {}
        // The bytes are the right ones, so every node comes to the same answer.
        Err(error) if error.is_verdict() => return Err(Halt::Rejected(Rejection::BadModel, error.to_string())),
        Err(error) => return Err(failed(id, &error).into()),
    }
    DONE
}

/// Ends a hold. The bytes stay on this node until the chain, once this is committed, tells its store to remove them.
pub(super) fn withdraw(run: &mut Run<'_>, sender: Address, id: [u8; 32]) -> Result<End, Halt> {
    run.take(GasClass::State, run.rules.prices.model_withdraw)?;
    let Some(record) = model(run, &id)? else {
        return reject(Rejection::NoModel);
    };
    let hold = layout::hold_key(&sender, Some(&id));
    let held = run.tx.get(&hold)?;
    run.pay_for_state()?;
    let Some(held) = held else {
        return reject(Rejection::NotHolder);
    };
    let held = held.try_into().map(u128::from_le_bytes).map_err(|_| damaged(&id))?;
    // It lies there, and with it back no balance is larger than the supply.
    run.tx.transfer(&deposit::account(), &sender, held)?.map_err(|_| damaged(&id))?;
    run.tx.journal.set(hold, None);
    let holders = record.holders.checked_sub(1).ok_or_else(|| damaged(&id))?;
    if holders > 0 {
        set(run, &id, &ModelRecord { holders, ..record });
    } else {
        run.tx.journal.set(layout::model_key(&id), None);
        if !record.active {
            run.tx.journal.set(layout::chunks_key(&id), None);
        }
    }
    run.pay_for_state()?;
    DONE
}

/// The record of a model, once it is paid for.
fn model(run: &mut Run<'_>, id: &[u8; 32]) -> Result<Option<ModelRecord>, Halt> {
    let record = run.tx.model(id)?;
    run.pay_for_state()?;
    Ok(record)
}

/// Which chunks of a model that is not finished have been verified.
fn verified(run: &mut Run<'_>, id: &[u8; 32], record: &ModelRecord) -> Result<Chunks, Halt> {
    let bits = run.tx.get(&layout::chunks_key(id))?;
    run.pay_for_state()?;
    let chunks = bits.and_then(|bits| Chunks::from_bytes(merkle::chunk_count(record.total_len), &bits));
    Ok(chunks.ok_or_else(|| damaged(id))?)
}

fn set(run: &mut Run<'_>, id: &[u8; 32], record: &ModelRecord) {
    run.tx.journal.set(layout::model_key(id), Some(record.to_bytes()));
}

fn damaged(id: &[u8; 32]) -> VmError {
    VmError::CorruptState { what: format!("model {}", Address(*id)) }
}

fn failed(id: [u8; 32], error: &noema_model::ModelStoreError) -> VmError {
    VmError::Model { id, reason: error.to_string() }
}
