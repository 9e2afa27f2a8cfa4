//! What a store does: columns, batches, snapshots.

use std::collections::BTreeMap;

use crate::{Entry, StateView, StoreError, WriteSet};

/// The format of the stores on disk that this version writes, and the only one it reads.
pub const STORE_FORMAT: u64 = 1;

/// Memory for cached pages, in bytes, unless the caller says otherwise.
pub const DEFAULT_CACHE_BYTES: usize = 64 * 1024 * 1024;

/// A part of a store with keys of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// The state that contracts and accounts see, and that the state root covers.
    State,
    /// Nodes of the state tree, written by [`crate::root`].
    Tree,
    /// Blocks, receipts and their indexes.
    Chain,
    /// Small facts about the chain itself: genesis, latest height.
    Meta,
}

impl Column {
    /// Every column.
    pub const ALL: [Column; 4] = [Column::State, Column::Tree, Column::Chain, Column::Meta];

    /// The name, as stores use it for their tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Column::State => "state",
            Column::Tree => "tree",
            Column::Chain => "chain",
            Column::Meta => "meta",
        }
    }
}

/// Changes that are applied all together or not at all. The last change to a key counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    changes: BTreeMap<(Column, Vec<u8>), Option<Vec<u8>>>,
}

impl Batch {
    /// No changes.
    #[must_use]
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, column: Column, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.changes.insert((column, key.into()), Some(value.into()));
    }

    /// Removes `key`; nothing happens where it does not exist.
    pub fn delete(&mut self, column: Column, key: impl Into<Vec<u8>>) {
        self.changes.insert((column, key.into()), None);
    }

    /// Applies a write set to [`Column::State`].
    pub fn write_state(&mut self, writes: &WriteSet) {
        for (key, value) in writes {
            self.changes.insert((Column::State, key.clone()), value.clone());
        }
    }

    /// Whether there are no changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many keys change.
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Every change, ordered by column and key: `None` removes.
    pub fn iter(&self) -> impl Iterator<Item = (Column, &[u8], Option<&[u8]>)> {
        self.changes.iter().map(|((column, key), value)| (*column, key.as_slice(), value.as_deref()))
    }

    /// Every change, by value, ordered by column and key.
    pub fn into_changes(self) -> impl Iterator<Item = (Column, Vec<u8>, Option<Vec<u8>>)> {
        self.changes.into_iter().map(|((column, key), value)| (column, key, value))
    }
}

/// A store of a chain. One writer at a time; readers are never blocked by it.
///
/// A new implementation is right when [`crate::suite::run`] passes.
pub trait StateStore: Send + Sync {
    /// The last committed value under `key`.
    ///
    /// # Errors
    /// The store failed.
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The committed entries of a column, as [`StateView::scan`] describes them.
    ///
    /// # Errors
    /// The store failed.
    fn scan(&self, column: Column, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// Applies every change of the batch, or none. When it returns `Ok`, a durable store has the changes on the disk
    /// (fsync): neither a crash of the process nor a power cut loses them.
    ///
    /// # Errors
    /// The store failed; nothing of the batch is visible then, now or after the store is opened again, except where
    /// the system failed while it confirmed the very last step: the batch is then there as a whole after opening again.
    fn commit(&self, batch: Batch) -> Result<(), StoreError>;

    /// [`Column::State`] as of the last commit. Later commits do not change what it shows.
    ///
    /// # Errors
    /// The store failed.
    fn snapshot(&self) -> Result<Box<dyn StateView + Send + Sync>, StoreError>;
}
