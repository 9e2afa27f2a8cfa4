//! Models in memory, for tests and for views.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use super::{Cache, ModelStore, ModelStoreError, check_chunk, chunk_indices};
use crate::{Model, ModelError, ModelId, merkle};

/// A store in memory: gone with the process.
#[derive(Debug, Default)]
pub struct MemoryModelStore {
    containers: Mutex<BTreeMap<ModelId, Arc<[u8]>>>,
    chunks: Mutex<BTreeMap<(ModelId, u32), Vec<u8>>>,
    cache: Cache,
}

impl MemoryModelStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> MemoryModelStore {
        MemoryModelStore::default()
    }

    /// Adds a whole container.
    ///
    /// # Errors
    /// [`ModelError`] where it is no acceptable model.
    pub fn insert(&self, container: impl Into<Arc<[u8]>>) -> Result<ModelId, ModelError> {
        let container = container.into();
        let model = Arc::new(Model::from_bytes(Arc::clone(&container))?);
        let id = model.id();
        self.containers.lock().unwrap_or_else(PoisonError::into_inner).insert(id, container);
        Ok(id)
    }
}

impl ModelStore for MemoryModelStore {
    fn stage_chunk(&self, id: ModelId, index: u32, bytes: &[u8]) -> Result<(), ModelStoreError> {
        check_chunk(id, index, bytes)?;
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner).insert((id, index), bytes.to_vec());
        Ok(())
    }

    fn assemble(&self, id: ModelId, total_len: u64) -> Result<(), ModelStoreError> {
        if self.containers.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&id) {
            return Ok(());
        }
        let mut container = Vec::new();
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        for index in chunk_indices(id, total_len)? {
            let missing = || ModelStoreError::MissingChunk { id, index: index.into() };
            container.extend_from_slice(chunks.get(&(id, index)).ok_or_else(missing)?);
        }
        if container.len() as u64 != total_len || merkle::root(&container) != id {
            return Err(ModelStoreError::Corrupt { id, detail: "the staged chunks have another id".into() });
        }
        self.insert(container).map_err(|error| ModelStoreError::Invalid { id, error })?;
        chunks.retain(|(staged, _), _| *staged != id);
        Ok(())
    }

    fn sync(&self) -> Result<(), ModelStoreError> {
        Ok(())
    }

    fn ids(&self) -> Result<Vec<ModelId>, ModelStoreError> {
        let containers = self.containers.lock().unwrap_or_else(PoisonError::into_inner);
        let chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        let all: BTreeSet<ModelId> = containers.keys().copied().chain(chunks.keys().map(|(id, _)| *id)).collect();
        Ok(all.into_iter().collect())
    }

    fn remove(&self, id: ModelId) -> Result<(), ModelStoreError> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner).retain(|(staged, _), _| *staged != id);
        self.cache.remove(id);
        Ok(())
    }

    fn open(&self, id: ModelId) -> Result<Arc<Model>, ModelStoreError> {
        self.cache.get(id, || {
            let containers = self.containers.lock().unwrap_or_else(PoisonError::into_inner);
            let container = containers.get(&id).cloned().ok_or(ModelStoreError::Missing(id))?;
            drop(containers);
            let model = Model::from_bytes(container).map_err(|error| ModelStoreError::Invalid { id, error })?;
            Ok(Arc::new(model))
        })
    }
}
