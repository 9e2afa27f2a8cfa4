//! The store for production: RocksDB. How it is set up and why: `docs/decisions/0007-rocksdb.md`.

mod failure;
mod marker;
mod settings;
mod snapshot;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{ColumnFamily, DB, WriteBatch};

use crate::{Batch, Column, Entry, StateStore, StateView, StoreError, creation};

/// A store in a directory, locked for this process while it is open.
///
/// A batch is one record of the write-ahead log, synced to the disk before the commit returns, so that a crash or a
/// power cut at any moment leaves either the state before or the state after it.
///
/// ```
/// use noema_state::{Batch, Column, DEFAULT_CACHE_BYTES, RocksDbStore, StateStore};
///
/// let directory = tempfile::tempdir()?;
/// let store = RocksDbStore::create(&directory.path().join("state"), DEFAULT_CACHE_BYTES)?;
/// let mut batch = Batch::new();
/// batch.put(Column::State, b"colour".to_vec(), b"blue".to_vec());
/// store.commit(batch)?;
///
/// // A copy of the last commit, on disk: it shares the files that never change again.
/// let copy = directory.path().join("copy");
/// store.checkpoint(&copy)?;
/// let copy = RocksDbStore::open(&copy, DEFAULT_CACHE_BYTES)?;
/// assert_eq!(copy.get(Column::State, b"colour")?, Some(b"blue".to_vec()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RocksDbStore {
    path: PathBuf,
    database: Arc<DB>,
    /// Held by whoever writes; whether a write has failed.
    writer: Mutex<Writer>,
}

#[derive(Debug, Default)]
struct Writer {
    failed: bool,
}

impl RocksDbStore {
    /// Creates an empty store at `path`. The directory appears under its name only when it is complete. Two processes
    /// that create the same store at the same time must be kept apart by the caller.
    ///
    /// `cache_bytes` is the memory for blocks that were read, their indexes and filters; writes that are not in sorted
    /// files yet take up to 64 MiB more.
    ///
    /// # Errors
    /// `Exists`, or what the system says: `Missing` directory, `ReadOnly`, `Full`.
    pub fn create(path: &Path, cache_bytes: usize) -> Result<RocksDbStore, StoreError> {
        let unfinished = creation::begin(path)?;
        fs::create_dir(&unfinished).map_err(|error| StoreError::from_io(path, error))?;
        let mut options = settings::database();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        let database = DB::open_cf_descriptors(&options, &unfinished, settings::columns(cache_bytes));
        // RocksDB remembers the path, so it is closed before the directory gets its name.
        drop(database.map_err(|error| failure::store_error(path, &error))?);
        marker::write(&unfinished).map_err(|error| StoreError::from_io(path, error))?;
        creation::finish(&unfinished, path)?;
        RocksDbStore::open(path, cache_bytes)
    }

    /// Opens the store at `path`. After a crash it is brought back to the last commit.
    ///
    /// # Errors
    /// `Missing`, `Busy`, `NotAStore`, `Version`, `ReadOnly`, `Full`, `Corrupt`, `Io`.
    pub fn open(path: &Path, cache_bytes: usize) -> Result<RocksDbStore, StoreError> {
        marker::check(path)?;
        let database = DB::open_cf_descriptors(&settings::database(), path, settings::columns(cache_bytes))
            .map_err(|error| failure::store_error(path, &error))?;
        Ok(RocksDbStore { path: path.to_path_buf(), database: Arc::new(database), writer: Mutex::default() })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Copies the store as of the last commit to `path`, where it is a store of its own. Files that never change again
    /// are shared where the file system can (hard links). Commits wait meanwhile.
    ///
    /// # Errors
    /// `Exists`, or what the system says: `Missing` directory, `ReadOnly`, `Full`; `Failed` after a failed write.
    pub fn checkpoint(&self, path: &Path) -> Result<(), StoreError> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.failed {
            return Err(StoreError::Failed { path: self.path.clone() });
        }
        let unfinished = creation::begin(path)?;
        // RocksDB creates the directory itself, but the system says more clearly why it cannot be there.
        fs::create_dir(&unfinished)
            .and_then(|()| fs::remove_dir(&unfinished))
            .map_err(|error| StoreError::from_io(path, error))?;
        Checkpoint::new(&self.database)
            .and_then(|checkpoint| checkpoint.create_checkpoint(&unfinished))
            .map_err(|error| failure::store_error(path, &error))?;
        marker::write(&unfinished).map_err(|error| StoreError::from_io(path, error))?;
        creation::finish(&unfinished, path)
    }

    fn failed(&self, error: &rocksdb::Error) -> StoreError {
        failure::store_error(&self.path, error)
    }
}

/// The part of a database that has the keys of a column.
fn family<'a>(path: &Path, database: &'a DB, column: Column) -> Result<&'a ColumnFamily, StoreError> {
    database.cf_handle(column.name()).ok_or_else(|| StoreError::Corrupt {
        path: path.to_path_buf(),
        detail: format!("it has no column `{}`", column.name()),
    })
}

impl StateStore for RocksDbStore {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let family = family(&self.path, &self.database, column)?;
        self.database.get_cf(family, key).map_err(|error| self.failed(&error))
    }

    fn scan(&self, column: Column, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        let family = family(&self.path, &self.database, column)?;
        let entries = self.database.raw_iterator_cf_opt(family, snapshot::with_prefix(prefix));
        snapshot::collect(entries, prefix, start, limit).map_err(|error| self.failed(&error))
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.failed {
            return Err(StoreError::Failed { path: self.path.clone() });
        }
        let mut writes = WriteBatch::default();
        for (column, key, value) in batch.iter() {
            let family = family(&self.path, &self.database, column)?;
            match value {
                Some(value) => writes.put_cf(family, key, value),
                None => writes.delete_cf(family, key),
            }
        }
        self.database.write_opt(writes, &settings::durable()).map_err(|error| {
            // Whether the log has the batch is known when it is opened again.
            writer.failed = true;
            self.failed(&error)
        })
    }

    fn snapshot(&self) -> Result<Box<dyn StateView + Send + Sync>, StoreError> {
        Ok(Box::new(snapshot::Snapshot::new(self.path.clone(), Arc::clone(&self.database))))
    }
}

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod tests;
