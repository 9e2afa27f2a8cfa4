//! What a message did.

use std::ffi::c_char;

use noema_vm::{Outcome, Receipt, ReceiptStatus};
use serde_json::{Value, json};

use crate::guard::{quiet, string};
use crate::types::{Place, noema_address, noema_hash, noema_slice, noema_u128};

/// What a message did: the receipt, which is equal on every node, what to change in the state, and what it depended on.
pub struct noema_outcome {
    outcome: Outcome,
    receipt: Vec<u8>,
    writes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    reads: Vec<Vec<u8>>,
    scans: Vec<(Vec<u8>, Vec<u8>)>,
}

/// How a message ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum noema_status {
    /// Its effects stand.
    NOEMA_SUCCESS = 0,
    /// The contract ended itself. No effects; unspent gas is returned.
    NOEMA_ABORT = 1,
    /// A trap, out of gas or out of stack. No effects; the whole limit is used.
    NOEMA_FAULT = 2,
    /// Refused before any contract code ran. No effects; unspent gas is returned.
    NOEMA_REJECTED = 3,
    /// The deposit for what somebody would have kept was not there. No effects.
    NOEMA_INSUFFICIENT_DEPOSIT = 4,
}

/// A change of the state.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct noema_write {
    /// The key.
    pub key: noema_slice,
    /// Its value from now on; empty where the key is removed.
    pub value: noema_slice,
    /// Whether the key is removed.
    pub removed: bool,
}

/// Something a contract wants the outside to see.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct noema_event {
    /// Which contract.
    pub contract: noema_address,
    /// Its topic.
    pub topic: noema_slice,
    /// Its data.
    pub data: noema_slice,
}

/// A deposit that is not there.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct noema_shortfall {
    /// The contract, or the sender where it is a model.
    pub holder: noema_address,
    /// Bytes that it would have kept.
    pub bytes: u64,
    /// The deposit for them, in native units.
    pub needed: noema_u128,
    /// What it would have had.
    pub balance: noema_u128,
}

/// A scan of the state.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct noema_range {
    /// What the keys begin with.
    pub prefix: noema_slice,
    /// Where it began.
    pub start: noema_slice,
}

impl noema_outcome {
    pub(crate) fn new(mut outcome: Outcome) -> noema_outcome {
        noema_outcome {
            receipt: outcome.receipt.to_bytes(),
            writes: std::mem::take(&mut outcome.writes).into_iter().collect(),
            reads: std::mem::take(&mut outcome.reads).into_iter().collect(),
            scans: std::mem::take(&mut outcome.scans).into_iter().collect(),
            outcome,
        }
    }
}

/// Gives an outcome back, and with it everything that was borrowed from it.
///
/// # Safety
/// `outcome` is null, or came from this library and has not been given back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_free(outcome: *mut noema_outcome) {
    if !outcome.is_null() {
        // SAFETY: made by `Box::into_raw` in `vm.rs`, and given back once: the caller's promise.
        drop(unsafe { Box::from_raw(outcome) });
    }
}

/// How the message ended. NOEMA_REJECTED where `outcome` is null.
///
/// # Safety
/// `outcome` is null or a live outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_status(outcome: *const noema_outcome) -> noema_status {
    // SAFETY: what this function is promised.
    unsafe {
        look(outcome, noema_status::NOEMA_REJECTED, |outcome| match outcome.outcome.receipt.status {
            ReceiptStatus::Success => noema_status::NOEMA_SUCCESS,
            ReceiptStatus::Abort { .. } => noema_status::NOEMA_ABORT,
            ReceiptStatus::Fault => noema_status::NOEMA_FAULT,
            ReceiptStatus::Rejected { .. } => noema_status::NOEMA_REJECTED,
            ReceiptStatus::InsufficientDeposit(_) => noema_status::NOEMA_INSUFFICIENT_DEPOSIT,
        })
    }
}

/// What was missing after NOEMA_INSUFFICIENT_DEPOSIT. Whether it ended like that.
///
/// # Safety
/// `outcome` is null or a live outcome; `shortfall` is null or has room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_shortfall(
    outcome: *const noema_outcome,
    shortfall: *mut noema_shortfall,
) -> bool {
    // SAFETY: what this function is promised.
    unsafe {
        item(outcome, shortfall, |outcome| match outcome.outcome.receipt.status {
            ReceiptStatus::InsufficientDeposit(short) => Some(noema_shortfall {
                holder: noema_address { bytes: short.holder.0 },
                bytes: short.bytes,
                needed: short.needed.into(),
                balance: short.balance.into(),
            }),
            _ => None,
        })
    }
}

/// The contract's own code after NOEMA_ABORT, else 0.
///
/// # Safety
/// `outcome` is null or a live outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_abort_code(outcome: *const noema_outcome) -> u32 {
    // SAFETY: what this function is promised.
    unsafe {
        look(outcome, 0, |outcome| match outcome.outcome.receipt.status {
            ReceiptStatus::Abort { code, .. } => code,
            _ => 0,
        })
    }
}

/// The contract's own message after NOEMA_ABORT, else nothing.
///
/// # Safety
/// `outcome` is null or a live outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_abort_message(outcome: *const noema_outcome) -> noema_slice {
    // SAFETY: what this function is promised.
    unsafe {
        look(outcome, noema_slice::EMPTY, |outcome| match &outcome.outcome.receipt.status {
            ReceiptStatus::Abort { message, .. } => noema_slice::of(message),
            _ => noema_slice::EMPTY,
        })
    }
}

/// More about an outcome that is no success, UTF-8. Local to this node: the words may differ between nodes.
///
/// # Safety
/// `outcome` is null or a live outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_diagnostic(outcome: *const noema_outcome) -> noema_slice {
    // SAFETY: what this function is promised.
    unsafe {
        look(outcome, noema_slice::EMPTY, |outcome| {
            outcome.outcome.diagnostic.as_deref().map_or(noema_slice::EMPTY, |text| noema_slice::of(text.as_bytes()))
        })
    }
}

/// The receipt in its canonical bytes (docs/spec/receipt.md).
///
/// # Safety
/// `outcome` is null or a live outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_receipt(outcome: *const noema_outcome) -> noema_slice {
    // SAFETY: what this function is promised.
    unsafe { look(outcome, noema_slice::EMPTY, |outcome| noema_slice::of(&outcome.receipt)) }
}

/// The hash of the receipt.
///
/// # Safety
/// `outcome` is null or a live outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_receipt_hash(outcome: *const noema_outcome) -> noema_hash {
    let none = noema_hash { bytes: [0; 32] };
    // SAFETY: what this function is promised.
    unsafe { look(outcome, none, |outcome| noema_hash { bytes: outcome.outcome.receipt.hash() }) }
}

/// All gas used, in picoseconds of the reference machine.
///
/// # Safety
/// `outcome` is null or a live outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_gas_used(outcome: *const noema_outcome) -> u64 {
    // SAFETY: what this function is promised.
    unsafe { look(outcome, 0, |outcome| outcome.outcome.receipt.gas_used()) }
}

/// What the contract returned.
///
/// # Safety
/// `outcome` is null or a live outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_output(outcome: *const noema_outcome) -> noema_slice {
    // SAFETY: what this function is promised.
    unsafe { look(outcome, noema_slice::EMPTY, |outcome| noema_slice::of(&outcome.outcome.receipt.output)) }
}

/// How many changes of the state there are. The chain makes all of them, or none, and none unless NOEMA_SUCCESS.
///
/// # Safety
/// `outcome` is null or a live outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_writes(outcome: *const noema_outcome) -> usize {
    // SAFETY: what this function is promised.
    unsafe { look(outcome, 0, |outcome| outcome.writes.len()) }
}

/// Change number `index`, ascending by key. Whether there is one.
///
/// # Safety
/// `outcome` is null or a live outcome; `write` is null or has room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_write(
    outcome: *const noema_outcome,
    index: usize,
    write: *mut noema_write,
) -> bool {
    // SAFETY: what this function is promised.
    unsafe {
        item(outcome, write, |outcome| {
            let (key, value) = outcome.writes.get(index)?;
            let bytes = value.as_deref().map_or(noema_slice::EMPTY, noema_slice::of);
            Some(noema_write { key: noema_slice::of(key), value: bytes, removed: value.is_none() })
        })
    }
}

/// How many events there are.
///
/// # Safety
/// `outcome` is null or a live outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_events(outcome: *const noema_outcome) -> usize {
    // SAFETY: what this function is promised.
    unsafe { look(outcome, 0, |outcome| outcome.outcome.receipt.events.len()) }
}

/// Event number `index`, in the order in which they were emitted. Whether there is one.
///
/// # Safety
/// `outcome` is null or a live outcome; `event` is null or has room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_event(
    outcome: *const noema_outcome,
    index: usize,
    event: *mut noema_event,
) -> bool {
    // SAFETY: what this function is promised.
    unsafe {
        item(outcome, event, |outcome| {
            let event = outcome.outcome.receipt.events.get(index)?;
            Some(noema_event {
                contract: noema_address { bytes: event.contract.0 },
                topic: noema_slice::of(&event.topic),
                data: noema_slice::of(&event.data),
            })
        })
    }
}

/// How many keys the result depends on.
///
/// # Safety
/// `outcome` is null or a live outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_reads(outcome: *const noema_outcome) -> usize {
    // SAFETY: what this function is promised.
    unsafe { look(outcome, 0, |outcome| outcome.reads.len()) }
}

/// Key number `index` that the result depends on, ascending. Whether there is one.
///
/// # Safety
/// `outcome` is null or a live outcome; `key` is null or has room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_read(
    outcome: *const noema_outcome,
    index: usize,
    key: *mut noema_slice,
) -> bool {
    // SAFETY: what this function is promised.
    unsafe { item(outcome, key, |outcome| outcome.reads.get(index).map(|key| noema_slice::of(key))) }
}

/// How many scans the result depends on.
///
/// # Safety
/// `outcome` is null or a live outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_scans(outcome: *const noema_outcome) -> usize {
    // SAFETY: what this function is promised.
    unsafe { look(outcome, 0, |outcome| outcome.scans.len()) }
}

/// Scan number `index` that the result depends on. Whether there is one.
///
/// # Safety
/// `outcome` is null or a live outcome; `range` is null or has room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_scan(
    outcome: *const noema_outcome,
    index: usize,
    range: *mut noema_range,
) -> bool {
    // SAFETY: what this function is promised.
    unsafe {
        item(outcome, range, |outcome| {
            let (prefix, start) = outcome.scans.get(index)?;
            Some(noema_range { prefix: noema_slice::of(prefix), start: noema_slice::of(start) })
        })
    }
}

/// How many lines contracts logged. Local to this node.
///
/// # Safety
/// `outcome` is null or a live outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_logs(outcome: *const noema_outcome) -> usize {
    // SAFETY: what this function is promised.
    unsafe { look(outcome, 0, |outcome| outcome.outcome.logs.len()) }
}

/// Line number `index`, UTF-8. Whether there is one.
///
/// # Safety
/// `outcome` is null or a live outcome; `line` is null or has room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_log(
    outcome: *const noema_outcome,
    index: usize,
    line: *mut noema_slice,
) -> bool {
    // SAFETY: what this function is promised.
    unsafe {
        item(outcome, line, |outcome| outcome.outcome.logs.get(index).map(|line| noema_slice::of(line.as_bytes())))
    }
}

/// The receipt as JSON, bytes in hexadecimal, to be given back with `noema_string_free`. Null where `outcome` is.
///
/// # Safety
/// `outcome` is null or a live outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_outcome_json(outcome: *const noema_outcome) -> *mut c_char {
    // SAFETY: what this function is promised.
    unsafe {
        look(outcome, std::ptr::null_mut(), |outcome| {
            let json = receipt_json(&outcome.outcome.receipt);
            string(&serde_json::to_string_pretty(&json).unwrap_or_default())
        })
    }
}

/// The fields of the receipt, under their names.
fn receipt_json(receipt: &Receipt) -> Value {
    let status = match &receipt.status {
        ReceiptStatus::Success => json!({ "status": "success" }),
        ReceiptStatus::Abort { code, message } => {
            json!({ "status": "abort", "abort_code": code, "abort_message": String::from_utf8_lossy(message) })
        }
        ReceiptStatus::Fault => json!({ "status": "fault" }),
        ReceiptStatus::Rejected { reason } => json!({ "status": "rejected", "reason": reason.to_string() }),
        ReceiptStatus::InsufficientDeposit(shortfall) => {
            json!({ "status": "insufficient-deposit", "reason": shortfall.to_string() })
        }
    };
    let events = receipt.events.iter().map(|event| {
        json!({
            "contract": event.contract.to_string(),
            "topic": String::from_utf8_lossy(&event.topic),
            "data": hex::encode(&event.data),
        })
    });
    let gas = &receipt.gas;
    let mut json = json!({
        "version": receipt.version,
        "gas": {
            "used": receipt.gas_used(),
            "limit": receipt.gas_limit,
            "wasm": gas.wasm,
            "host": gas.host,
            "tensor": gas.tensor,
            "state": gas.state,
            "code": gas.code,
            "forfeited": gas.forfeited,
        },
        "output": hex::encode(&receipt.output),
        "events": events.collect::<Vec<Value>>(),
        "write_hash": hex::encode(receipt.write_hash),
        "receipt_hash": hex::encode(receipt.hash()),
        "depth": receipt.depth,
        "tensor_bytes": receipt.tensor_bytes,
    });
    if let (Value::Object(json), Value::Object(status)) = (&mut json, status) {
        json.extend(status);
    }
    json
}

/// Looks something up; `otherwise` where there is no outcome.
///
/// # Safety
/// `outcome` is null or a live outcome.
unsafe fn look<R: Copy>(outcome: *const noema_outcome, otherwise: R, work: impl FnOnce(&noema_outcome) -> R) -> R {
    quiet(otherwise, || {
        // SAFETY: null is taken care of; the rest is the caller's promise.
        unsafe { outcome.as_ref() }.map_or(otherwise, work)
    })
}

/// Puts one of several things into a place.
///
/// # Safety
/// `outcome` is null or a live outcome; `place` is null or has room for one.
unsafe fn item<T>(
    outcome: *const noema_outcome,
    place: *mut T,
    work: impl FnOnce(&noema_outcome) -> Option<T>,
) -> bool {
    quiet(false, || {
        // SAFETY: null is taken care of; the rest is the caller's promise.
        let Some(found) = unsafe { outcome.as_ref() }.and_then(work) else { return false };
        // SAFETY: the caller's promise.
        let Ok(place) = (unsafe { Place::given(place, "place") }) else { return false };
        place.put(found);
        true
    })
}
