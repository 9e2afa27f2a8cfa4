//! Reading the state.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::StoreError;

/// What a transaction changes: a key with its new value, or `None` where it is removed.
pub type WriteSet = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// An unchanging view of the state, ordered by key (bytewise).
///
/// This is all that the virtual machine needs. A plain map is one:
///
/// ```
/// use noema_state::StateView;
/// use std::collections::BTreeMap;
///
/// let mut map = BTreeMap::from([(b"a1".to_vec(), vec![1]), (b"a2".to_vec(), vec![2]), (b"b".to_vec(), vec![3])]);
/// let view: &dyn StateView = &map;
/// assert_eq!(view.scan(b"a", b"", 10)?.len(), 2);
/// assert_eq!(view.scan(b"a", b"a2", 10)?, [(b"a2".to_vec(), vec![2])]);
/// # Ok::<(), noema_state::StoreError>(())
/// ```
pub trait StateView {
    /// The value under `key`.
    ///
    /// # Errors
    /// The store behind the view failed.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The first `limit` entries, in ascending order of their keys, whose key starts with `prefix` and is not less
    /// than `start`. An empty `prefix` matches every key; an empty `start` is the beginning.
    ///
    /// # Errors
    /// The store behind the view failed.
    fn scan(&self, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError>;
}

impl<V: StateView + ?Sized> StateView for &V {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        (**self).get(key)
    }

    fn scan(&self, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        (**self).scan(prefix, start, limit)
    }
}

impl<V: StateView + ?Sized> StateView for Box<V> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        (**self).get(key)
    }

    fn scan(&self, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        (**self).scan(prefix, start, limit)
    }
}

impl StateView for BTreeMap<Vec<u8>, Vec<u8>> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(BTreeMap::get(self, key).cloned())
    }

    fn scan(&self, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        Ok(scan_map(self, prefix, start, limit))
    }
}

/// The entries that [`StateView::scan`] describes, out of a map.
///
/// No end of the range is computed, so a prefix of 0xff bytes is nothing special: the keys with a prefix lie
/// together, and the first one without it ends the scan.
pub(crate) fn scan_map(map: &BTreeMap<Vec<u8>, Vec<u8>>, prefix: &[u8], start: &[u8], limit: usize) -> Vec<Entry> {
    map.range::<[u8], _>((Bound::Included(prefix.max(start)), Bound::Unbounded))
        .take_while(|(key, _)| key.starts_with(prefix))
        .take(limit)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
