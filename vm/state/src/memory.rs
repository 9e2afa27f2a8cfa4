//! A store in memory, for tests and replay.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::view::scan_map;
use crate::{Batch, Column, Entry, StateStore, StateView, StoreError};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// A store that lasts as long as the process.
///
/// A snapshot is taken in constant time; the first commit while one is alive copies the column.
#[derive(Debug, Default)]
pub struct MemoryStore {
    columns: RwLock<[Arc<Map>; Column::ALL.len()]>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    fn column(&self, column: Column) -> Arc<Map> {
        // A panic elsewhere cannot leave a batch half applied: `commit` builds the columns aside.
        let columns = self.columns.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&columns[index(column)])
    }
}

const fn index(column: Column) -> usize {
    match column {
        Column::State => 0,
        Column::Tree => 1,
        Column::Chain => 2,
        Column::Meta => 3,
    }
}

impl StateStore for MemoryStore {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.column(column).get(key).cloned())
    }

    fn scan(&self, column: Column, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        Ok(scan_map(&self.column(column), prefix, start, limit))
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let mut columns = self.columns.write().unwrap_or_else(PoisonError::into_inner);
        for (column, key, value) in batch.into_changes() {
            let map = Arc::make_mut(&mut columns[index(column)]);
            match value {
                Some(value) => map.insert(key, value),
                None => map.remove(&key),
            };
        }
        Ok(())
    }

    fn snapshot(&self) -> Result<Box<dyn StateView + Send + Sync>, StoreError> {
        Ok(Box::new(Snapshot(self.column(Column::State))))
    }
}

struct Snapshot(Arc<Map>);

impl StateView for Snapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        Ok(scan_map(&self.0, prefix, start, limit))
    }
}
