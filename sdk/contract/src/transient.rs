//! What a contract keeps until the transaction ends: seen by its later calls in the same transaction, undone with the call
//! that wrote it, and nowhere afterwards. It is cheap and needs no deposit; a lock against one's own re-entrance, or what
//! a callback hands to the call it came from, belongs here.
//!
//! ```
//! use noema_sdk::{Result, transient};
//!
//! const BORROWED: transient::Item<u128> = transient::Item::new("borrowed");
//!
//! // In a contract:
//! fn borrow(amount: u128) -> Result<()> {
//!     let before = BORROWED.get()?.unwrap_or(0);
//!     BORROWED.set(&(before + amount))
//! }
//! ```

use alloc::vec::Vec;
use core::marker::PhantomData;

use crate::encoding::{Decode, Encode, encode};
use crate::storage::{checked_name, decode, read_whole};
use crate::{Result, sys};

/// Room for a value that is asked for without knowing its length.
const VALUE_GUESS: usize = 64;

/// The value under a raw key.
///
/// # Errors
/// `LimitExceeded` for too long a key.
pub fn get(key: &[u8]) -> Result<Option<Vec<u8>>> {
    read_whole(VALUE_GUESS, |buffer| sys::transient::get(key, buffer))
}

/// Writes a value under a raw key.
///
/// # Errors
/// `LimitExceeded` for too long a key or value, and where this contract would have more than
/// [`MAX_TRANSIENT_BYTES`](crate::limits::MAX_TRANSIENT_BYTES).
pub fn set(key: &[u8], value: &[u8]) -> Result<()> {
    Ok(sys::transient::set(key, value)?)
}

/// Removes a raw key; returns whether it was there.
///
/// # Errors
/// `LimitExceeded` for too long a key.
pub fn remove(key: &[u8]) -> Result<bool> {
    Ok(sys::transient::remove(key)? == 1)
}

/// One value: `const DEPTH: transient::Item<u32> = transient::Item::new("depth");`
#[derive(Clone, Copy, Debug)]
pub struct Item<T> {
    name: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T: Encode + Decode> Item<T> {
    /// The value under this name. Names of transient values and of stored ones do not meet.
    #[must_use]
    pub const fn new(name: &'static str) -> Item<T> {
        Item { name: checked_name(name), value: PhantomData }
    }

    /// The value.
    ///
    /// # Errors
    /// [`code::BAD_STATE`](crate::code::BAD_STATE) where what was written has another type.
    pub fn get(&self) -> Result<Option<T>> {
        get(self.name.as_bytes())?.map(|bytes| decode(&bytes)).transpose()
    }

    /// Writes it.
    ///
    /// # Errors
    /// `LimitExceeded` for too large a value.
    pub fn set(&self, value: &T) -> Result<()> {
        set(self.name.as_bytes(), &encode(value))
    }

    /// Removes it; returns whether it was there.
    ///
    /// # Errors
    /// `LimitExceeded` for too long a name.
    pub fn remove(&self) -> Result<bool> {
        remove(self.name.as_bytes())
    }
}
