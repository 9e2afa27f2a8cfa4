//! Plain structures of the header.

use std::marker::PhantomData;
use std::path::PathBuf;
use std::ptr;

use crate::guard::Failure;

/// Bytes that belong to somebody else. `data` may be null where `len` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct noema_slice {
    /// Where they are.
    pub data: *const u8,
    /// How many they are.
    pub len: usize,
}

/// An address: of an account, or of a contract.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct noema_address {
    /// Its bytes.
    pub bytes: [u8; 32],
}

/// A hash.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct noema_hash {
    /// Its bytes.
    pub bytes: [u8; 32],
}

/// An amount of native value: `high * 2^64 + low`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct noema_u128 {
    /// The low half.
    pub low: u64,
    /// The high half.
    pub high: u64,
}

/// Where in the chain a message is executed. Contracts see all of it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct noema_block {
    /// Name of the chain, UTF-8.
    pub chain_id: noema_slice,
    /// Height of the block being executed.
    pub height: u64,
    /// Time of the block, in milliseconds since the Unix epoch, as its producer wrote it.
    pub time_ms: u64,
    /// The protocol version in force.
    pub version: u32,
    /// Deposit for every byte that contracts and models take, in native units; 0 for none. A rule of the chain, equal
    /// on all nodes (docs/spec/receipt.md).
    pub deposit_per_byte: noema_u128,
}

/// What an account or contract has, and how much of it is bound.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct noema_deposit {
    /// Bytes that a contract keeps; 0 for an account.
    pub bytes: u64,
    /// The deposit for them: the balance may not fall below.
    pub locked: noema_u128,
    /// The balance, the locked part included.
    pub balance: noema_u128,
}

impl noema_slice {
    /// No bytes.
    pub(crate) const EMPTY: noema_slice = noema_slice { data: ptr::null(), len: 0 };

    /// A view of bytes, which must outlive its use on the other side.
    pub(crate) fn of(bytes: &[u8]) -> noema_slice {
        noema_slice { data: bytes.as_ptr(), len: bytes.len() }
    }

    /// The bytes.
    ///
    /// # Safety
    /// Where `data` is not null, `len` bytes are there to read, and nobody writes them, for as long as `'a`.
    pub(crate) unsafe fn bytes<'a>(self, what: &str) -> Result<&'a [u8], Failure> {
        if self.len == 0 {
            return Ok(&[]);
        }
        if self.data.is_null() {
            return Err(Failure::invalid(format!("{what} is null and has {} bytes", self.len)));
        }
        if isize::try_from(self.len).is_err() {
            return Err(Failure::invalid(format!("{what} cannot have {} bytes", self.len)));
        }
        // SAFETY: not null, no longer than anything can be, and the rest is the caller's promise.
        Ok(unsafe { std::slice::from_raw_parts(self.data, self.len) })
    }

    /// The text.
    ///
    /// # Safety
    /// As [`noema_slice::bytes`].
    pub(crate) unsafe fn text<'a>(self, what: &str) -> Result<&'a str, Failure> {
        // SAFETY: the caller's promise.
        let bytes = unsafe { self.bytes(what) }?;
        std::str::from_utf8(bytes).map_err(|_| Failure::invalid(format!("{what} is not UTF-8")))
    }

    /// The text, as a path.
    ///
    /// # Safety
    /// As [`noema_slice::bytes`].
    pub(crate) unsafe fn path(self, what: &str) -> Result<PathBuf, Failure> {
        // SAFETY: the caller's promise.
        let text = unsafe { self.text(what) }?;
        if text.is_empty() { Err(Failure::invalid(format!("{what} is empty"))) } else { Ok(text.into()) }
    }
}

impl From<u128> for noema_u128 {
    fn from(value: u128) -> noema_u128 {
        let half = |part: u128| u64::try_from(part & u128::from(u64::MAX)).unwrap_or(u64::MAX);
        noema_u128 { low: half(value), high: half(value >> 64) }
    }
}

impl From<noema_u128> for u128 {
    fn from(value: noema_u128) -> u128 {
        (u128::from(value.high) << 64) | u128::from(value.low)
    }
}

/// What is behind a pointer that the other side passes.
///
/// # Safety
/// A pointer that is not null points to a `T` that nobody changes for as long as `'a`.
pub(crate) unsafe fn given<'a, T>(pointer: *const T, what: &str) -> Result<&'a T, Failure> {
    // SAFETY: null is taken care of; the rest is the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| Failure::null(what))
}

/// The same, to change.
///
/// # Safety
/// A pointer that is not null points to a `T` that nobody else uses for as long as `'a`.
pub(crate) unsafe fn given_mut<'a, T>(pointer: *mut T, what: &str) -> Result<&'a mut T, Failure> {
    // SAFETY: null is taken care of; the rest is the caller's promise.
    unsafe { pointer.as_mut() }.ok_or_else(|| Failure::null(what))
}

/// A place for a result that the other side passes. It may be uninitialised, so it is only ever written.
pub(crate) struct Place<'p, T> {
    pointer: ptr::NonNull<T>,
    place: PhantomData<&'p mut T>,
}

impl<T> Place<'_, T> {
    /// # Safety
    /// A pointer that is not null points to room for a `T` that nobody else uses for as long as the place.
    pub(crate) unsafe fn given(pointer: *mut T, what: &str) -> Result<Self, Failure> {
        let pointer = ptr::NonNull::new(pointer).ok_or_else(|| Failure::null(what))?;
        Ok(Place { pointer, place: PhantomData })
    }

    pub(crate) fn put(self, value: T) {
        // SAFETY: `given` was promised room for one.
        unsafe { self.pointer.write(value) }
    }
}

/// Says that something stays on its thread, for [`noema_vm::on_caller_stack`], which changes stacks and not threads.
pub(crate) struct SameThread<T>(T);

// SAFETY: `on_caller_stack` runs its closure on the calling thread before it returns. It asks for `Send` so that its
// own way between stacks is not carried over, and what this crate wraps has no such thing in it.
unsafe impl<T> Send for SameThread<T> {}

/// Runs a callback of the other side where it may run: on the stack it called from.
pub(crate) fn call_back<R>(work: impl FnOnce() -> R) -> R {
    struct Both<F>(F);
    impl<R, F: FnOnce() -> R> SameThread<Both<F>> {
        // A method, so that the closure below captures the wrapper as a whole.
        fn run(self) -> SameThread<R> {
            SameThread(self.0.0())
        }
    }
    let work = SameThread(Both(work));
    noema_vm::on_caller_stack(move || work.run()).0
}
