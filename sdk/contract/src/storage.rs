//! What a contract keeps beside its state struct: single values ([`Item`]), maps ([`Map`]), sets ([`Set`]), lists
//! ([`List`]) and raw entries.
//!
//! | entry | key |
//! |---|---|
//! | the state struct | one zero byte |
//! | `Item::new("name")` | `name` |
//! | `Map::new("name")` | `name`, a zero byte, the key in the order-preserving encoding of [`Key`] |
//! | `Set::new("name")` | as the map; the value is empty |
//! | `List::new("name")` | `name`, a zero byte, the index in 4 big-endian bytes; the length, a `u32`, under `name` and a zero byte |
//!
//! Names hold no zero byte and are not empty, so that entries of different names never meet; an `Item` and a `Map` may even
//! share one, two collections may not. Values are borsh.

mod entries;
mod key;
mod list;
mod set;

use alloc::vec;
use alloc::vec::Vec;
use core::marker::PhantomData;

use noema_abi::Status;
use noema_abi::limits::{MAX_KEY_BYTES, MAX_SCAN_ENTRIES, MAX_VALUE_BYTES};

use crate::encoding::{self, Decode, Encode, encode};
use crate::env::length;
use crate::{Result, code, sys};

pub use entries::{Entries, Keys};
pub use key::{FixedKey, Key};
pub use list::List;
pub use set::Set;

/// Where the state struct lives.
pub(crate) const STATE_KEY: &[u8] = &[0];

/// Room for a value that is asked for without knowing its length: enough for most, and its price is
/// a fraction of that of asking twice.
const VALUE_GUESS: usize = 512;

/// Room for one page of a scan.
const PAGE_BYTES: usize = 8 * 1024;

/// An entry: key and value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// The value under a raw key.
///
/// # Errors
/// `LimitExceeded` for too long a key.
pub fn get(key: &[u8]) -> Result<Option<Vec<u8>>> {
    read_whole(VALUE_GUESS, |buffer| sys::storage::get(key, buffer))
}

/// A value of unknown length, by a host function that says how long it is and copies what there is room for: asked once more where
/// it is longer than the guess.
pub(crate) fn read_whole(
    guess: usize,
    read: impl Fn(&mut [u8]) -> core::result::Result<u64, Status>,
) -> Result<Option<Vec<u8>>> {
    let mut buffer = vec![0; guess];
    let mut len = match read(&mut buffer) {
        Ok(len) => length(len),
        Err(Status::NotFound) => return Ok(None),
        Err(status) => return Err(status.into()),
    };
    if len > buffer.len() {
        buffer = vec![0; len];
        len = length(read(&mut buffer)?);
    }
    buffer.truncate(len);
    Ok(Some(buffer))
}

/// Whether there is a value under a raw key.
///
/// # Errors
/// `LimitExceeded` for too long a key.
pub fn contains(key: &[u8]) -> Result<bool> {
    match sys::storage::get(key, &mut []) {
        Ok(_) => Ok(true),
        Err(Status::NotFound) => Ok(false),
        Err(status) => Err(status.into()),
    }
}

/// Writes a value under a raw key.
///
/// # Errors
/// `LimitExceeded` for too long a key or value.
pub fn set(key: &[u8], value: &[u8]) -> Result<()> {
    Ok(sys::storage::set(key, value)?)
}

/// Removes a raw key; returns whether it was there.
///
/// # Errors
/// `LimitExceeded` for too long a key.
pub fn remove(key: &[u8]) -> Result<bool> {
    Ok(sys::storage::remove(key)? == 1)
}

/// Up to `limit` entries whose key starts with `prefix` and is not below `start`, in key order.
///
/// # Errors
/// `LimitExceeded` for too long a key.
pub fn scan(prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut start = start.to_vec();
    let mut buffer = vec![0; PAGE_BYTES];
    while entries.len() < limit {
        let wanted = u32::try_from(limit - entries.len()).unwrap_or(u32::MAX).min(MAX_SCAN_ENTRIES);
        let filled = match sys::storage::scan(prefix, &start, wanted, &mut buffer) {
            Ok(filled) => length(filled),
            // The next entry alone is larger than a page: make room for the largest there can be.
            Err(Status::LimitExceeded) if buffer.len() == PAGE_BYTES => {
                buffer = vec![0; 8 + MAX_KEY_BYTES + MAX_VALUE_BYTES];
                continue;
            }
            Err(status) => return Err(status.into()),
        };
        let before = entries.len();
        let page = buffer.get(..filled).unwrap_or_default();
        read_entries(page, &mut entries).ok_or(crate::__failure!(code::BAD_STATE, "a scan returned broken entries"))?;
        match entries.last() {
            Some((last, _)) if entries.len() > before => {
                start.clone_from(last);
                start.push(0);
            }
            _ => break,
        }
    }
    Ok(entries)
}

/// Entries as `u32 key length, u32 value length, key, value`.
fn read_entries(mut page: &[u8], entries: &mut Vec<Entry>) -> Option<()> {
    while !page.is_empty() {
        let (key_len, rest) = page.split_first_chunk()?;
        let (value_len, rest) = rest.split_first_chunk()?;
        let (key, rest) = rest.split_at_checked(length(u64::from(u32::from_le_bytes(*key_len))))?;
        let (value, rest) = rest.split_at_checked(length(u64::from(u32::from_le_bytes(*value_len))))?;
        entries.push((key.to_vec(), value.to_vec()));
        page = rest;
    }
    Some(())
}

/// Reads the state struct as another type: for `#[migrate]` methods that change its fields.
///
/// # Errors
/// [`code::BAD_STATE`] where it is missing or not of that type.
pub fn read_state_as<T: Decode>() -> Result<T> {
    let bytes = get(STATE_KEY)?.ok_or(crate::__failure!(code::BAD_STATE, "the contract has no state"))?;
    decode(&bytes)
}

pub(crate) fn decode<T: Decode>(bytes: &[u8]) -> Result<T> {
    encoding::decode(bytes).ok_or(crate::__failure!(code::BAD_STATE, "a stored value has another type"))
}

pub(crate) const fn checked_name(name: &'static str) -> &'static str {
    let bytes = name.as_bytes();
    assert!(!bytes.is_empty(), "a storage name is not empty");
    let mut i = 0;
    while i < bytes.len() {
        assert!(bytes[i] != 0, "a storage name holds no zero byte");
        i += 1;
    }
    name
}

/// One stored value: `const FEE: Item<u128> = Item::new("fee");`
#[derive(Clone, Copy, Debug)]
pub struct Item<T> {
    name: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T: Encode + Decode> Item<T> {
    /// The value stored under this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Item<T> {
        Item { name: checked_name(name), value: PhantomData }
    }

    /// The value.
    ///
    /// # Errors
    /// [`code::BAD_STATE`] where what is stored has another type.
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

/// Values by key: `const BALANCES: Map<Address, u128> = Map::new("balances");`
#[derive(Clone, Copy, Debug)]
pub struct Map<K, V> {
    name: &'static str,
    entry: PhantomData<fn() -> (K, V)>,
}

impl<K: Key, V: Encode + Decode> Map<K, V> {
    /// The map stored under this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Map<K, V> {
        Map { name: checked_name(name), entry: PhantomData }
    }

    fn prefix(&self) -> Vec<u8> {
        let mut prefix = self.name.as_bytes().to_vec();
        prefix.push(0);
        prefix
    }

    fn key(&self, key: &K) -> Vec<u8> {
        let mut bytes = self.prefix();
        key.write(&mut bytes);
        bytes
    }

    /// The value under `key`.
    ///
    /// # Errors
    /// [`code::BAD_STATE`] where what is stored has another type, `LimitExceeded` for too long a key.
    pub fn get(&self, key: &K) -> Result<Option<V>> {
        get(&self.key(key))?.map(|bytes| decode(&bytes)).transpose()
    }

    /// Whether there is a value under `key`.
    ///
    /// # Errors
    /// `LimitExceeded` for too long a key.
    pub fn contains(&self, key: &K) -> Result<bool> {
        contains(&self.key(key))
    }

    /// Writes the value under `key`.
    ///
    /// # Errors
    /// `LimitExceeded` for too long a key or value.
    pub fn set(&self, key: &K, value: &V) -> Result<()> {
        set(&self.key(key), &encode(value))
    }

    /// Removes `key`; returns whether it was there.
    ///
    /// # Errors
    /// `LimitExceeded` for too long a key.
    pub fn remove(&self, key: &K) -> Result<bool> {
        remove(&self.key(key))
    }

    /// Up to `limit` entries from `start` on (from the first one without it), in the order of the
    /// keys.
    ///
    /// # Errors
    /// As [`Map::get`].
    pub fn range(&self, start: Option<&K>, limit: usize) -> Result<Vec<(K, V)>> {
        let prefix = self.prefix();
        let start = start.map_or_else(|| prefix.clone(), |start| self.key(start));
        let mut entries = Vec::new();
        for (key, value) in scan(&prefix, &start, limit)? {
            let key = key.get(prefix.len()..).and_then(K::read);
            let key = key.ok_or(crate::__failure!(code::BAD_STATE, "a stored key has another type"))?;
            entries.push((key, decode(&value)?));
        }
        Ok(entries)
    }

    /// Every entry in the order of the keys, read page by page as the iterator goes on.
    pub fn iter(&self) -> Entries<K, V> {
        let prefix = self.prefix();
        Entries::new(prefix.len(), prefix.clone(), prefix)
    }

    /// Every entry from this key on, as [`Map::iter`].
    pub fn iter_from(&self, start: &K) -> Entries<K, V> {
        let prefix = self.prefix();
        Entries::new(prefix.len(), prefix, self.key(start))
    }
}

impl<A: FixedKey, B: Key, V: Encode + Decode> Map<(A, B), V> {
    /// Every entry whose key has this first part, in the order of the second: a scan of the storage under one prefix.
    pub fn under(&self, first: &A) -> Entries<(A, B), V> {
        let mut prefix = self.prefix();
        let own = prefix.len();
        first.write(&mut prefix);
        Entries::new(own, prefix.clone(), prefix)
    }
}

impl<V: Encode + Decode> Map<alloc::string::String, V> {
    /// Every entry whose key begins with this text, in order.
    pub fn starting_with(&self, text: &str) -> Entries<alloc::string::String, V> {
        let mut prefix = self.prefix();
        let own = prefix.len();
        prefix.extend_from_slice(text.as_bytes());
        Entries::new(own, prefix.clone(), prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::{Map, checked_name, read_entries};
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn pages_of_a_scan() {
        let page = [&[1, 0, 0, 0, 2, 0, 0, 0, b'k', 7, 8][..], &[0, 0, 0, 0, 0, 0, 0, 0]].concat();
        let mut entries = Vec::new();
        assert!(read_entries(&page, &mut entries).is_some());
        assert_eq!(entries, [(vec![b'k'], vec![7, 8]), (vec![], vec![])]);
        for cut in 1..page.len() {
            let complete = cut == 11;
            assert_eq!(read_entries(&page[..cut], &mut Vec::new()).is_some(), complete, "{cut}");
        }
    }

    #[test]
    fn keys_of_maps_do_not_meet() {
        let (short, long) = (Map::<Vec<u8>, u8>::new("a"), Map::<Vec<u8>, u8>::new("ab"));
        assert_eq!(short.key(&vec![b'b', 0]), b"a\0b\0");
        assert_eq!(long.key(&vec![]), b"ab\0");
    }

    #[test]
    #[should_panic(expected = "zero byte")]
    fn a_name_with_a_zero_byte_is_refused() {
        checked_name("a\0b");
    }
}
