//! The state as of one commit, and ordered reading.

use std::path::PathBuf;
use std::sync::Arc;

use rocksdb::{DB, DBAccess, DBRawIteratorWithThreadMode, PrefixRange, ReadOptions};

use super::{failure, family};
use crate::{Column, Entry, StateView, StoreError};

type OfDatabase<'a> = rocksdb::Snapshot<'a>;

self_cell::self_cell!(
    /// A snapshot together with the database that it is of, which stays open for it.
    struct Pinned {
        owner: Arc<DB>,
        #[covariant]
        dependent: OfDatabase,
    }
);

/// [`Column::State`] as of the commit that was the last one when it was made.
pub(super) struct Snapshot {
    path: PathBuf,
    pinned: Pinned,
}

impl Snapshot {
    pub(super) fn new(path: PathBuf, database: Arc<DB>) -> Snapshot {
        Snapshot { path, pinned: Pinned::new(database, |database| database.snapshot()) }
    }
}

impl StateView for Snapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let family = family(&self.path, self.pinned.borrow_owner(), Column::State)?;
        let value = self.pinned.borrow_dependent().get_cf(family, key);
        value.map_err(|error| failure::store_error(&self.path, &error))
    }

    fn scan(&self, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        let family = family(&self.path, self.pinned.borrow_owner(), Column::State)?;
        let entries = self.pinned.borrow_dependent().raw_iterator_cf_opt(family, with_prefix(prefix));
        collect(entries, prefix, start, limit).map_err(|error| failure::store_error(&self.path, &error))
    }
}

/// Reading that ends where the prefix does, without looking at what lies behind it.
pub(super) fn with_prefix(prefix: &[u8]) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_iterate_range(PrefixRange(prefix));
    options
}

/// The entries that [`StateView::scan`] describes.
pub(super) fn collect<D: DBAccess>(
    mut entries: DBRawIteratorWithThreadMode<'_, D>,
    prefix: &[u8],
    start: &[u8],
    limit: usize,
) -> Result<Vec<Entry>, rocksdb::Error> {
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    entries.seek(prefix.max(start));
    while let Some((key, value)) = entries.item() {
        found.push((key.to_vec(), value.to_vec()));
        if found.len() == limit {
            return Ok(found);
        }
        entries.next();
    }
    // The end, or an error.
    entries.status()?;
    Ok(found)
}
