//! Where a node keeps the bytes of models.
//!
//! A store is local to a node. Whether a model *exists* is read from chain state by the vm, never from here: what a
//! store lacks or has damaged is an error of this node, which stops instead of disagreeing. The only answer that all
//! nodes share is [`ModelStoreError::Invalid`]: the bytes are exactly those that the id names, and they are no
//! acceptable model.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{Model, ModelError, ModelId, merkle};

mod dir;
mod memory;

pub use dir::DirModelStore;
pub use memory::MemoryModelStore;

/// Bytes of models, found by id.
pub trait ModelStore: Send + Sync {
    /// Keeps chunk `index` of the container named `id` until [`ModelStore::assemble`]. The caller has verified it
    /// with its Merkle proof. Durable when [`ModelStore::sync`] has returned. Doing it again does no harm.
    ///
    /// # Errors
    /// [`ModelStoreError::ChunkLength`]; anything else means that this node cannot keep it.
    fn stage_chunk(&self, id: ModelId, index: u32, bytes: &[u8]) -> Result<(), ModelStoreError>;

    /// Makes a model of the staged chunks of a container of `total_len` bytes: verifies the id over all of them and
    /// loads the model. Durable when [`ModelStore::sync`] has returned, and nothing half done is ever visible. Doing it
    /// again does no harm.
    ///
    /// # Errors
    /// [`ModelStoreError::Invalid`] where the bytes are the right ones but no acceptable model: the same verdict on
    /// every node. Everything else is an error of this node.
    fn assemble(&self, id: ModelId, total_len: u64) -> Result<(), ModelStoreError>;

    /// Makes durable what was staged and assembled until now: a chain calls it before it commits a state that says
    /// that chunks or models are there.
    ///
    /// # Errors
    /// This node cannot keep them, and what relies on them must not be committed.
    fn sync(&self) -> Result<(), ModelStoreError>;

    /// The model named `id`. Its bytes are verified when a process opens it for the first time.
    ///
    /// # Errors
    /// [`ModelStoreError::Missing`], [`ModelStoreError::Corrupt`] and the like: errors of this node.
    fn open(&self, id: ModelId) -> Result<Arc<Model>, ModelStoreError>;

    /// The models of which it has bytes, staged chunks among them, ascending.
    ///
    /// # Errors
    /// Errors of this node.
    fn ids(&self) -> Result<Vec<ModelId>, ModelStoreError>;

    /// Forgets the bytes of a model, staged chunks among them: for a chain whose committed state does not know the model
    /// any more. Whoever has it open keeps it. Doing it again does no harm.
    ///
    /// # Errors
    /// Errors of this node.
    fn remove(&self, id: ModelId) -> Result<(), ModelStoreError>;
}

/// Why a store does not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelStoreError {
    /// The store does not have the model.
    #[error("this node does not have the bytes of model {0}; fetch them from another node before going on")]
    Missing(ModelId),
    /// A chunk was never staged.
    #[error("this node does not have chunk {index} of model {id}; fetch it from another node before going on")]
    MissingChunk {
        /// The model.
        id: ModelId,
        /// The first chunk that is missing.
        index: u64,
    },
    /// A chunk whose length does not fit its place.
    #[error("chunk {index} of model {id} has {length} bytes, which cannot be")]
    ChunkLength {
        /// The model.
        id: ModelId,
        /// The chunk.
        index: u64,
        /// Its length.
        length: u64,
    },
    /// The bytes are not those that the id names.
    #[error("the bytes of model {id} on this node are damaged ({detail}); replace them from another node")]
    Corrupt {
        /// The model.
        id: ModelId,
        /// What is wrong, and where.
        detail: String,
    },
    /// The bytes are those that the id names, and they are no acceptable model. The only verdict in here that all
    /// nodes agree on.
    #[error("model {id} is not acceptable: {error}")]
    Invalid {
        /// The model.
        id: ModelId,
        /// Why not.
        error: ModelError,
    },
    /// No space is left.
    #[error("no space is left on the disk for {}", .0.display())]
    DiskFull(PathBuf),
    /// The directory cannot be written.
    #[error("{} cannot be written: the directory is read-only or belongs to someone else", .0.display())]
    ReadOnly(PathBuf),
    /// Another error of the operating system.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl ModelStoreError {
    /// Whether all nodes agree on it: see [`ModelStoreError::Invalid`]. Everything else must stop this node.
    #[must_use]
    pub fn is_verdict(&self) -> bool {
        matches!(self, ModelStoreError::Invalid { .. })
    }
}

/// Loaded models. Each is loaded once, also when several threads ask at a time; failures are not remembered.
#[derive(Debug, Default)]
struct Cache {
    slots: Mutex<BTreeMap<ModelId, Slot>>,
}

type Slot = Arc<Mutex<Option<Arc<Model>>>>;

impl Cache {
    fn get(
        &self,
        id: ModelId,
        load: impl FnOnce() -> Result<Arc<Model>, ModelStoreError>,
    ) -> Result<Arc<Model>, ModelStoreError> {
        let slot = self.slot(id);
        // Only those who want this model wait for it.
        let mut model = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = model.as_ref() {
            return Ok(Arc::clone(model));
        }
        let loaded = load()?;
        *model = Some(Arc::clone(&loaded));
        Ok(loaded)
    }

    fn put(&self, model: Arc<Model>) {
        let slot = self.slot(model.id());
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(model);
    }

    fn remove(&self, id: ModelId) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    fn slot(&self, id: ModelId) -> Slot {
        Arc::clone(self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default())
    }
}

/// Checks what can be said about a chunk without knowing its container.
fn check_chunk(id: ModelId, index: u32, bytes: &[u8]) -> Result<(), ModelStoreError> {
    // Only an empty container has an empty chunk.
    if bytes.len() > merkle::CHUNK_BYTES || (bytes.is_empty() && index > 0) {
        return Err(ModelStoreError::ChunkLength { id, index: index.into(), length: bytes.len() as u64 });
    }
    Ok(())
}

/// The indices of the chunks of a container; each fits what a chunk can be staged under.
fn chunk_indices(id: ModelId, total_len: u64) -> Result<std::ops::Range<u32>, ModelStoreError> {
    let count = merkle::chunk_count(total_len);
    let end = u32::try_from(count).map_err(|_| ModelStoreError::MissingChunk { id, index: u32::MAX.into() })?;
    Ok(0..end)
}

#[cfg(test)]
mod tests;
