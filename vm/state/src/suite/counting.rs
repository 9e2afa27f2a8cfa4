//! A view for tests that say how much may be read.

use std::cell::Cell;

use crate::{Entry, StateView, StoreError};

/// A view that counts what is read from another.
///
/// ```
/// use std::collections::BTreeMap;
/// use noema_state::{StateView, suite::counting::{Counting, Reads}};
///
/// let view = Counting::new(BTreeMap::from([(b"a".to_vec(), vec![1]), (b"b".to_vec(), vec![2, 3])]));
/// view.get(b"a")?;
/// view.scan(b"", b"", 9)?;
/// assert_eq!(view.take(), Reads { gets: 1, scans: 1, entries: 2, bytes: 5 });
/// assert_eq!(view.take(), Reads::default());
/// # Ok::<(), noema_state::StoreError>(())
/// ```
#[derive(Debug, Default)]
pub struct Counting<V> {
    view: V,
    reads: Cell<Reads>,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Single entries that were asked for.
    pub gets: u64,
    /// Scans.
    pub scans: u64,
    /// Entries that scans gave.
    pub entries: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

impl<V> Counting<V> {
    /// Nothing is read yet.
    pub fn new(view: V) -> Counting<V> {
        Counting { view, reads: Cell::default() }
    }

    /// What was read since this was asked the last time.
    pub fn take(&self) -> Reads {
        self.reads.take()
    }
}

impl<V: StateView> StateView for Counting<V> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let reads = self.reads.get();
        self.reads.set(Reads { gets: reads.gets + 1, ..reads });
        self.view.get(key)
    }

    fn scan(&self, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        let found = self.view.scan(prefix, start, limit)?;
        let Reads { gets, scans, entries, bytes } = self.reads.get();
        let length = |(key, value): &Entry| key.len() as u64 + value.len() as u64;
        let (entries, bytes) = (entries + found.len() as u64, bytes + found.iter().map(length).sum::<u64>());
        self.reads.set(Reads { gets, scans: scans + 1, entries, bytes });
        Ok(found)
    }
}
