//! The handles of one frame.

use std::collections::BTreeMap;

use noema_abi::Status;
use noema_abi::limits::MAX_TENSORS;
use noema_tensor::Tensor;

/// Tensors and models that a frame has handles for. Handles count from 1 in the order in which they
/// are made and are never used again in the frame, so that they are the same on every node. A tensor
/// handle and a model handle are different kinds: the same number may name one of each.
#[derive(Default)]
pub struct TensorTable {
    tensors: BTreeMap<u32, Tensor>,
    last: u32,
    bytes: u64,
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
}
