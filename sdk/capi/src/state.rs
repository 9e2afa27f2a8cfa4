//! The state of the chain, read through callbacks.

use std::ffi::c_void;

use ::noema_state::{Entry, StateView, StoreError};

use crate::guard::{Failure, quiet};
use crate::types::{call_back, given_mut, noema_slice};

/// Finds the value under `key` and hands it to `noema_reply_value`; where there is none, it hands over nothing. Returns
/// 0, or anything else where the state cannot be read (`noema_reply_fail` says why): then there is no receipt.
pub type noema_get =
    Option<unsafe extern "C" fn(context: *mut c_void, key: noema_slice, reply: *mut noema_reply) -> i32>;

/// Hands the first `limit` entries whose key begins with `prefix` and is not below `start` to `noema_reply_entry`, in
/// ascending order of their keys (bytewise). An empty `start` is the beginning. Returns 0, or anything else where the
/// state cannot be read.
pub type noema_scan = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        prefix: noema_slice,
        start: noema_slice,
        limit: usize,
        reply: *mut noema_reply,
    ) -> i32,
>;

/// The state as a message sees it. It must not change while the message is executed. Both functions run on the thread
/// that executes the message, on its stack, and nowhere else.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct noema_state {
    /// Passed on to both functions.
    pub context: *mut c_void,
    /// Reads one value.
    pub get: noema_get,
    /// Reads entries in order.
    pub scan: noema_scan,
}

/// Where a callback puts what it has found. It lives until the callback returns. What is handed over is copied.
#[derive(Default)]
pub struct noema_reply {
    value: Option<Vec<u8>>,
    entries: Vec<Entry>,
    failure: Option<String>,
}

/// Hands over the value that was asked for.
///
/// # Safety
/// `reply` is null or the reply of a callback that has not returned; `value` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_reply_value(reply: *mut noema_reply, value: noema_slice) {
    // SAFETY: what this function is promised.
    unsafe {
        with(reply, |reply| {
            let value = value.bytes("the value")?.to_vec();
            if reply.value.replace(value).is_some() {
                return Err(Failure::invalid("a second value was handed over"));
            }
            Ok(())
        });
    }
}

/// Hands over the next entry.
///
/// # Safety
/// `reply` is null or the reply of a callback that has not returned; `key` and `value` are readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_reply_entry(reply: *mut noema_reply, key: noema_slice, value: noema_slice) {
    // SAFETY: what this function is promised.
    unsafe {
        with(reply, |reply| {
            reply.entries.push((key.bytes("the key")?.to_vec(), value.bytes("the value")?.to_vec()));
            Ok(())
        });
    }
}

/// Says why the callback will return something other than 0. UTF-8.
///
/// # Safety
/// `reply` is null or the reply of a callback that has not returned; `text` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn noema_reply_fail(reply: *mut noema_reply, text: noema_slice) {
    // SAFETY: what this function is promised.
    unsafe {
        with(reply, |reply| {
            let text = String::from_utf8_lossy(text.bytes("the text")?).into_owned();
            reply.failure.get_or_insert(text);
            Ok(())
        });
    }
}

/// What a callback does wrong is kept for when it returns.
///
/// # Safety
/// `reply` is null or the reply of a callback that has not returned.
unsafe fn with(reply: *mut noema_reply, work: impl FnOnce(&mut noema_reply) -> Result<(), Failure>) {
    quiet((), || {
        // SAFETY: the caller's promise.
        if let Ok(reply) = unsafe { given_mut(reply, "reply") }
            && let Err(failure) = work(reply)
        {
            reply.failure.get_or_insert(failure.text);
        }
    });
}

/// A state whose functions are there.
pub(crate) struct Callbacks {
    context: *mut c_void,
    get: unsafe extern "C" fn(*mut c_void, noema_slice, *mut noema_reply) -> i32,
    scan: unsafe extern "C" fn(*mut c_void, noema_slice, noema_slice, usize, *mut noema_reply) -> i32,
}

impl Callbacks {
    /// # Safety
    /// For as long as it lives, its functions may be called with its context on this thread.
    pub(crate) unsafe fn new(state: &noema_state) -> Result<Callbacks, Failure> {
        Ok(Callbacks {
            context: state.context,
            get: state.get.ok_or_else(|| Failure::null("state.get"))?,
            scan: state.scan.ok_or_else(|| Failure::null("state.scan"))?,
        })
    }

    /// Calls back, and takes what came of it.
    fn ask(&self, what: &str, call: impl FnOnce(*mut noema_reply) -> i32) -> Result<noema_reply, StoreError> {
        let mut reply = noema_reply::default();
        let result = call_back(|| call(&raw mut reply));
        match (result, reply.failure.take()) {
            (0, None) => Ok(reply),
            (_, Some(text)) => Err(StoreError::Other(format!("the callback `{what}` failed: {text}"))),
            (code, None) => Err(StoreError::Other(format!("the callback `{what}` failed with {code}"))),
        }
    }
}

impl StateView for Callbacks {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let reply = self.ask("get", |reply| {
            // SAFETY: `new` was promised that it may be called; the key and the reply outlive the call.
            unsafe { (self.get)(self.context, noema_slice::of(key), reply) }
        })?;
        if !reply.entries.is_empty() {
            return Err(StoreError::Other("the callback `get` handed over entries".into()));
        }
        Ok(reply.value)
    }

    fn scan(&self, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        let reply = self.ask("scan", |reply| {
            // SAFETY: as in `get`.
            unsafe { (self.scan)(self.context, noema_slice::of(prefix), noema_slice::of(start), limit, reply) }
        })?;
        let entries = reply.entries;
        // What is not as asked would be another verdict than that of the other nodes.
        let ordered = entries.is_sorted_by(|(a, _), (b, _)| a < b);
        let inside = entries.iter().all(|(key, _)| key.starts_with(prefix) && key.as_slice() >= start);
        if reply.value.is_some() || !ordered || !inside || entries.len() > limit {
            let what = "the callback `scan` handed over other entries than were asked for, or not in ascending order";
            return Err(StoreError::Other(what.into()));
        }
        Ok(entries)
    }
}
