//! The handles of one frame.

use std::collections::BTreeMap;
use std::sync::Arc;

use noema_abi::limits::{MAX_OPEN_MODELS, MAX_TENSORS};
use noema_abi::{HASH_LEN, Status};
use noema_model::Model;
use noema_tensor::Tensor;

/// Tensors and models that a frame has handles for. Handles count from 1 in the order in which they
/// are made and are never used again in the frame, so that they are the same on every node. A tensor
/// handle and a model handle are different kinds: the same number may name one of each.
#[derive(Default)]
pub struct TensorTable {
    tensors: BTreeMap<u32, Tensor>,
    last: u32,
    bytes: u64,
    models: Vec<([u8; HASH_LEN], Arc<Model>)>,
}

impl TensorTable {
    /// No handles.
    #[must_use]
    pub fn new() -> TensorTable {
        TensorTable::default()
    }

    /// Live tensors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there is no live tensor.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Bytes of the live tensors: what is reserved for them in the transaction.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether this many more tensors can be kept.
    ///
    /// # Errors
    /// `LimitExceeded`, above `MAX_TENSORS` live ones or where the numbers are used up.
    pub fn room_for(&self, more: u32) -> Result<(), Status> {
        let live = usize::try_from(more).ok().and_then(|more| self.tensors.len().checked_add(more));
        if live.is_none_or(|live| live > MAX_TENSORS) || self.last.checked_add(more).is_none() {
            return Err(Status::LimitExceeded);
        }
        Ok(())
    }

    /// Keeps a tensor and returns its handle.
    ///
    /// # Errors
    /// `LimitExceeded`, as for [`TensorTable::room_for`].
    pub fn insert(&mut self, tensor: Tensor) -> Result<u32, Status> {
        self.room_for(1)?;
        self.bytes = self.bytes.checked_add(tensor.byte_len()).ok_or(Status::LimitExceeded)?;
        self.last += 1;
        self.tensors.insert(self.last, tensor);
        Ok(self.last)
    }

    /// The tensor with this handle.
    ///
    /// # Errors
    /// `BadHandle`.
    pub fn get(&self, handle: u32) -> Result<&Tensor, Status> {
        self.tensors.get(&handle).ok_or(Status::BadHandle)
    }

    /// Frees a handle.
    ///
    /// # Errors
    /// `BadHandle`.
    pub fn remove(&mut self, handle: u32) -> Result<Tensor, Status> {
        let tensor = self.tensors.remove(&handle).ok_or(Status::BadHandle)?;
        self.bytes -= tensor.byte_len();
        Ok(tensor)
    }

    /// The handle of an open model.
    #[must_use]
    pub fn find_model(&self, id: &[u8; HASH_LEN]) -> Option<u32> {
        let index = self.models.iter().position(|(open, _)| open == id)?;
        u32::try_from(index).ok()?.checked_add(1)
    }

    /// Keeps a model and returns its handle; the same one where it is already open.
    ///
    /// # Errors
    /// `LimitExceeded`, above `MAX_OPEN_MODELS`.
    pub fn insert_model(&mut self, id: [u8; HASH_LEN], model: Arc<Model>) -> Result<u32, Status> {
        if let Some(handle) = self.find_model(&id) {
            return Ok(handle);
        }
        if self.models.len() >= MAX_OPEN_MODELS {
            return Err(Status::LimitExceeded);
        }
        self.models.push((id, model));
        u32::try_from(self.models.len()).map_err(|_| Status::LimitExceeded)
    }

    /// The model with this handle.
    ///
    /// # Errors
    /// `BadHandle`.
    pub fn model(&self, handle: u32) -> Result<&Arc<Model>, Status> {
        let index = usize::try_from(handle).ok().and_then(|handle| handle.checked_sub(1)).ok_or(Status::BadHandle)?;
        self.models.get(index).map(|(_, model)| model).ok_or(Status::BadHandle)
    }
}
