//! Lists.

use noema_abi::Status;

use super::{Entries, Map, decode, get, remove, set};
use crate::encoding::{Decode, Encode, encode};
use crate::{Error, Result, code};

/// Values by their index, each in an entry of its own: `const BIDS: List<Bid> = List::new("bids");`
///
/// Reading or writing one element costs the same however long the list is.
#[derive(Clone, Copy, Debug)]
pub struct List<T> {
    entries: Map<u32, T>,
}

impl<T: Encode + Decode> List<T> {
    /// The list stored under this name.
    #[must_use]
    pub const fn new(name: &'static str) -> List<T> {
        List { entries: Map::new(name) }
    }

    /// How many elements there are.
    ///
    /// # Errors
    /// [`code::BAD_STATE`] where what is stored has another type.
    pub fn len(&self) -> Result<u32> {
        match get(&self.entries.prefix())? {
            Some(bytes) => decode(&bytes),
            None => Ok(0),
        }
    }

    /// Whether there are none.
    ///
    /// # Errors
    /// As [`List::len`].
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Nothing is kept for an empty list.
    fn set_len(&self, len: u32) -> Result<()> {
        let key = self.entries.prefix();
        if len == 0 { remove(&key).map(|_| ()) } else { set(&key, &encode(&len)) }
    }

    /// The element at `index`; none at or behind the end.
    ///
    /// # Errors
    /// [`code::BAD_STATE`] where what is stored has another type.
    pub fn get(&self, index: u32) -> Result<Option<T>> {
        self.entries.get(&index)
    }

    /// Replaces the element at `index`.
    ///
    /// # Errors
    /// `IndexOutOfRange` at or behind the end, `LimitExceeded` for too large a value.
    pub fn set(&self, index: u32, value: &T) -> Result<()> {
        if index >= self.len()? {
            return Err(Status::IndexOutOfRange.into());
        }
        self.entries.set(&index, value)
    }

    /// Adds an element at the end; returns its index.
    ///
    /// # Errors
    /// `LimitExceeded` for too large a value, or more elements than an index can count.
    pub fn push(&self, value: &T) -> Result<u32> {
        let index = self.len()?;
        self.set_len(index.checked_add(1).ok_or(Status::LimitExceeded)?)?;
        self.entries.set(&index, value)?;
        Ok(index)
    }

    /// Takes the last element.
    ///
    /// # Errors
    /// As [`List::get`].
    pub fn pop(&self) -> Result<Option<T>> {
        let Some(last) = self.len()?.checked_sub(1) else { return Ok(None) };
        let value = self.entries.get(&last)?.ok_or_else(missing)?;
        self.entries.remove(&last)?;
        self.set_len(last)?;
        Ok(Some(value))
    }

    /// Takes the element at `index` and puts the last one in its place.
    ///
    /// # Errors
    /// As [`List::get`].
    pub fn swap_remove(&self, index: u32) -> Result<Option<T>> {
        let Some(taken) = self.entries.get(&index)? else { return Ok(None) };
        let last = self.pop()?.ok_or_else(missing)?;
        // The one that was taken may be the last itself, and gone now.
        if self.len()? > index {
            self.entries.set(&index, &last)?;
        }
        Ok(Some(taken))
    }

    /// Every element with its index, read page by page as [`Map::iter`].
    pub fn iter(&self) -> Entries<u32, T> {
        self.entries.iter_from(&0)
    }

    /// Every element from this index on.
    pub fn iter_from(&self, index: u32) -> Entries<u32, T> {
        self.entries.iter_from(&index)
    }
}

fn missing() -> Error {
    crate::__failure!(code::BAD_STATE, "a list lacks an element")
}
