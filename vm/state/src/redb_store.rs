//! The default store on disk: one redb file. Why redb: `docs/decisions/0003-embedded-store.md`.

use std::any::Any;
use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition, TableHandle};

use crate::{Batch, Column, Entry, STORE_FORMAT, StateStore, StateView, StoreError, creation};

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;
type OpenTable = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// Our own record of what the file is. redb has a file format of its own and checks that itself.
const FORMAT: TableDefinition<'static, &'static str, u64> = TableDefinition::new("noema.store");
const FORMAT_KEY: &str = "format";

const fn table(column: Column) -> Table {
    TableDefinition::new(column.name())
}

/// A store in one file, locked for this process while it is open.
///
/// Every commit is durable when it returns, and is written in two phases, so that a crash or a power cut at any moment
/// leaves either the state before or the state after it, whatever bytes users put into the batch.
#[derive(Debug)]
pub struct RedbStore {
    path: PathBuf,
    database: Database,
}

impl RedbStore {
    /// Creates an empty store at `path`. The file appears under its name only when it is complete. Two processes that
    /// create the same store at the same time must be kept apart by the caller.
    ///
    /// # Errors
    /// `Exists`, or what the system says: `Missing` directory, `ReadOnly`, `Full`.
    pub fn create(path: &Path, cache_bytes: usize) -> Result<RedbStore, StoreError> {
        let unfinished = creation::begin(path)?;
        let database = Database::builder()
            .set_cache_size(cache_bytes)
            .create(&unfinished)
            .map_err(|error| store_error(path, error.into()))?;
        let store = RedbStore { path: path.to_path_buf(), database };
        store.initialise().map_err(|error| store_error(path, error))?;
        // The open handle and its lock belong to the file, not to its name.
        creation::finish(&unfinished, path)?;
        Ok(store)
    }

    /// Opens the store at `path`. After a crash it is brought back to the last commit.
    ///
    /// # Errors
    /// `Missing`, `Busy`, `NotAStore`, `Version`, `ReadOnly`, `Full`, `Corrupt`, `Io`.
    pub fn open(path: &Path, cache_bytes: usize) -> Result<RedbStore, StoreError> {
        if path.is_dir() {
            let detail = "it is a directory, a redb store is a file".to_owned();
            return Err(StoreError::NotAStore { path: path.to_path_buf(), detail });
        }
        let opened = guarded(path, || {
            let database = Database::builder().set_cache_size(cache_bytes).open(path)?;
            let store = RedbStore { path: path.to_path_buf(), database };
            Ok((store.format()?, store))
        });
        let (format, store) = opened?;
        match format {
            Some(STORE_FORMAT) => Ok(store),
            Some(found) => Err(StoreError::Version { path: path.to_path_buf(), found, expected: STORE_FORMAT }),
            None => Err(StoreError::NotAStore {
                path: path.to_path_buf(),
                detail: "it is a redb file that something else wrote".to_owned(),
            }),
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn initialise(&self) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        for column in Column::ALL {
            transaction.open_table(table(column))?;
        }
        transaction.open_table(FORMAT)?.insert(FORMAT_KEY, STORE_FORMAT)?;
        transaction.commit()?;
        Ok(())
    }

    fn format(&self) -> Result<Option<u64>, redb::Error> {
        let transaction = self.database.begin_read()?;
        if !transaction.list_tables()?.any(|table| table.name() == FORMAT.name()) {
            return Ok(None);
        }
        let format = transaction.open_table(FORMAT)?.get(FORMAT_KEY)?.map(|format| format.value());
        Ok(format)
    }

    fn read(&self, column: Column) -> Result<OpenTable, redb::Error> {
        Ok(self.database.begin_read()?.open_table(table(column))?)
    }

    fn write(&self, batch: Batch) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        // Two phases, and no walk through the whole file when it is opened after a crash.
        transaction.set_quick_repair(true);
        let mut changes = batch.into_changes().peekable();
        while let Some(&(column, _, _)) = changes.peek() {
            let mut table = transaction.open_table(table(column))?;
            while let Some((_, key, value)) = changes.next_if(|change| change.0 == column) {
                match value {
                    Some(value) => table.insert(key.as_slice(), value.as_slice())?,
                    None => table.remove(key.as_slice())?,
                };
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

impl StateStore for RedbStore {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        guarded(&self.path, || get(&self.read(column)?, key))
    }

    fn scan(&self, column: Column, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        guarded(&self.path, || scan(&self.read(column)?, prefix, start, limit))
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        guarded(&self.path, || self.write(batch))
    }

    fn snapshot(&self) -> Result<Box<dyn StateView + Send + Sync>, StoreError> {
        let table = guarded(&self.path, || self.read(Column::State))?;
        Ok(Box::new(Snapshot { path: self.path.clone(), table }))
    }
}

/// The open table keeps its read transaction alive.
struct Snapshot {
    path: PathBuf,
    table: OpenTable,
}

impl StateView for Snapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        guarded(&self.path, || get(&self.table, key))
    }

    fn scan(&self, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        guarded(&self.path, || scan(&self.table, prefix, start, limit))
    }
}

fn get(table: &OpenTable, key: &[u8]) -> Result<Option<Vec<u8>>, redb::Error> {
    Ok(ReadableTable::get(table, key)?.map(|value| value.value().to_vec()))
}

fn scan(table: &OpenTable, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<Entry>, redb::Error> {
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    let bounds = (Bound::Included(prefix.max(start)), Bound::<&[u8]>::Unbounded);
    for entry in ReadableTable::range::<&[u8]>(table, bounds)? {
        let (key, value) = entry?;
        if !key.value().starts_with(prefix) {
            break;
        }
        found.push((key.value().to_vec(), value.value().to_vec()));
        if found.len() == limit {
            break;
        }
    }
    Ok(found)
}

/// Runs what asks redb, which panics where pages of a damaged file contradict each other: that is this node's error too.
fn guarded<T>(path: &Path, ask: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, StoreError> {
    // What redb leaves behind is only ever asked through here again.
    match catch_unwind(AssertUnwindSafe(ask)) {
        Ok(answer) => answer.map_err(|error| store_error(path, error)),
        Err(panic) => Err(StoreError::Corrupt { path: path.to_path_buf(), detail: words(panic.as_ref()) }),
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    format!("redb gave up on it: {}", text.unwrap_or("it does not say why"))
}

fn store_error(path: &Path, error: redb::Error) -> StoreError {
    let owned = || path.to_path_buf();
    match error {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => StoreError::Busy { path: owned() },
        redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            StoreError::NotAStore { path: owned(), detail: error.to_string() }
        }
        redb::Error::Io(error) => StoreError::from_io(path, error),
        redb::Error::UpgradeRequired(found) => StoreError::NotAStore {
            path: owned(),
            detail: format!("redb file format {found}, which is older than any that was ever used here"),
        },
        redb::Error::PreviousIo | redb::Error::DatabaseClosed | redb::Error::TransactionPoisoned => {
            StoreError::Failed { path: owned() }
        }
        error => StoreError::Corrupt { path: owned(), detail: error.to_string() },
    }
}

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod tests;
