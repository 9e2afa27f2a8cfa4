//! Models come in chunks. The state says which chunks have been verified and whether a model is there; the bytes are
//! in the store of each node, which has them because it executed the same messages.

use noema_host::GasClass;
use noema_model::{ModelId, merkle};

use super::frame::End;
use super::message::{Halt, Run, reject};
use crate::layout::{self, ModelRecord};
use crate::{Rejection, VmError};

const DONE: Result<End, Halt> = Ok(End::Success { output: Vec::new() });

/// Announces a model.
///
/// The id binds the length, so a wrong length can never get a chunk verified: until one is, the last announcement
/// counts, and nobody can block an id by announcing nonsense for it.
pub(super) fn begin(run: &mut Run<'_>, id: [u8; 32], total_len: u64) -> Result<End, Halt> {
    run.take(GasClass::State, run.rules.prices.model_begin)?;
    if total_len == 0 || total_len > run.rules.machine.model_bytes {
        return reject(Rejection::ModelLength);
    }
    match run.tx.model(&id)? {
        Some(record) if record.total_len == total_len => return DONE,
        Some(record) if record.verified > 0 => return reject(Rejection::ModelConflict),
        _ => {}
    }
    set(run, &id, &ModelRecord { total_len, verified: 0, active: false });
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
    let Some(record) = run.tx.model(&id)? else {
        return reject(Rejection::NoModel);
    };
    if merkle::chunk_len(record.total_len, u64::from(index)) != Some(bytes.len()) {
        return reject(Rejection::BadChunk);
    }
    let mark = layout::chunk_key(&id, index);
    if record.active || run.tx.get(&mark)?.is_some() {
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
    run.core.models.stage_chunk(ModelId(id), index, bytes).map_err(|error| failed(id, &error))?;
    run.tx.journal.set(mark, Some(Vec::new()));
    set(run, &id, &ModelRecord { verified: record.verified + 1, ..record });
    DONE
}

/// Makes a model usable.
pub(super) fn finish(run: &mut Run<'_>, id: [u8; 32]) -> Result<End, Halt> {
    let prices = &run.rules.prices;
    run.take(GasClass::State, prices.model_finish)?;
    let Some(record) = run.tx.model(&id)? else {
        return reject(Rejection::NoModel);
    };
    if record.active {
        return DONE;
    }
    if u64::from(record.verified) < merkle::chunk_count(record.total_len) {
        return reject(Rejection::IncompleteModel);
    }
    run.take(GasClass::Tensor, prices.model_finish_byte.saturating_mul(record.total_len))?;
    match run.core.models.assemble(ModelId(id), record.total_len) {
        Ok(()) => {}
        // The bytes are the right ones, so every node comes to the same answer.
        Err(error) if error.is_verdict() => return Err(Halt::Rejected(Rejection::BadModel, error.to_string())),
        Err(error) => return Err(failed(id, &error).into()),
    }
    set(run, &id, &ModelRecord { active: true, ..record });
    DONE
}

fn set(run: &mut Run<'_>, id: &[u8; 32], record: &ModelRecord) {
    run.tx.journal.set(layout::model_key(id), Some(record.to_bytes()));
}

fn failed(id: [u8; 32], error: &noema_model::ModelStoreError) -> VmError {
    VmError::Model { id, reason: error.to_string() }
}
