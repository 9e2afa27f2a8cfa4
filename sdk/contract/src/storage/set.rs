//! Sets.

use alloc::vec::Vec;

use super::{FixedKey, Key, Keys, Map};
use crate::Result;

/// Keys without values: `const MEMBERS: Set<Address> = Set::new("members");`
///
/// There is no count of them: one would be written at every change. Where it is needed, keep it in the state.
#[derive(Clone, Copy, Debug)]
pub struct Set<K> {
    entries: Map<K, ()>,
}

impl<K: Key> Set<K> {
    /// The set stored under this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Set<K> {
        Set { entries: Map::new(name) }
    }

    /// Whether it is in the set.
    ///
    /// # Errors
    /// `LimitExceeded` for too long a key.
    pub fn contains(&self, key: &K) -> Result<bool> {
        self.entries.contains(key)
    }

    /// Puts it in; returns whether it was not there before.
    ///
    /// # Errors
    /// `LimitExceeded` for too long a key.
    pub fn insert(&self, key: &K) -> Result<bool> {
        if self.contains(key)? {
            return Ok(false);
        }
        self.entries.set(key, &()).map(|()| true)
    }

    /// Takes it out; returns whether it was there.
    ///
    /// # Errors
    /// `LimitExceeded` for too long a key.
    pub fn remove(&self, key: &K) -> Result<bool> {
        self.entries.remove(key)
    }

    /// Up to `limit` elements from `start` on (from the first one without it), in order.
    ///
    /// # Errors
    /// [`code::BAD_STATE`](crate::code::BAD_STATE) where what is stored has another type.
    pub fn range(&self, start: Option<&K>, limit: usize) -> Result<Vec<K>> {
        Ok(self.entries.range(start, limit)?.into_iter().map(|(key, ())| key).collect())
    }

    /// Every element in order, read page by page as [`Map::iter`].
    pub fn iter(&self) -> Keys<K> {
        Keys(self.entries.iter())
    }

    /// Every element from this one on.
    pub fn iter_from(&self, start: &K) -> Keys<K> {
        Keys(self.entries.iter_from(start))
    }
}

impl<A: FixedKey, B: Key> Set<(A, B)> {
    /// Every element with this first part, in the order of the second.
    pub fn under(&self, first: &A) -> Keys<(A, B)> {
        Keys(self.entries.under(first))
    }
}
