//! Models: whole graphs from the content-addressed store of the chain.

use alloc::vec::Vec;

use noema_abi::Status;

use crate::env::length;
use crate::{Hash, Tensor, op, sys};

/// Outputs of one model that [`Model::run`] makes room for.
const MAX_OUTPUTS: usize = 64;

/// A model that the chain has.
#[derive(Debug, PartialEq, Eq)]
pub struct Model {
    handle: u32,
}

impl Model {
    /// The model with this id.
    ///
    /// # Errors
    /// `NotFound` where the chain has none.
    pub fn open(id: &Hash) -> Result<Model, Status> {
        sys::model::open(&id.0).map(Model::from_handle)
    }

    /// The gas that [`Model::run`] will charge for this many rows, beside the price of the call.
    ///
    /// # Errors
    /// `LimitExceeded` for a batch too large to run.
    pub fn cost(&self, batch: u32) -> Result<u64, Status> {
        sys::model::cost(self.handle, batch)
    }

    /// The same for sequences of this length, where [`Model::cost`] says what the longest cost.
    ///
    /// # Errors
    /// `ShapeMismatch` for a length that the model does not take, `LimitExceeded` for a batch too large to run.
    pub fn cost_of(&self, batch: u32, length: u32) -> Result<u64, Status> {
        sys::model::cost_of(self.handle, batch, length)
    }

    /// Runs the model and returns its outputs.
    ///
    /// # Errors
    /// `ShapeMismatch` and `TypeMismatch` where the inputs are not what the model takes, `IndexOutOfRange` and other
    /// statuses of operators for elements that they do not take (a token that is not in the vocabulary), `LimitExceeded`.
    pub fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, Status> {
        let handles: Vec<u32> = inputs.iter().map(|tensor| tensor.handle()).collect();
        let mut outputs = [0; 4 * MAX_OUTPUTS];
        let count = length(sys::model::run(self.handle, &op::dims(&handles), &mut outputs)?);
        let handles = outputs.as_chunks().0.get(..count).ok_or(Status::LimitExceeded)?;
        Ok(handles.iter().map(|handle| Tensor::from_handle(u32::from_le_bytes(*handle))).collect())
    }

    /// The number that the host knows it by.
    #[must_use]
    pub const fn handle(&self) -> u32 {
        self.handle
    }

    /// Takes over a handle that a function of [`sys`] returned.
    #[must_use]
    pub const fn from_handle(handle: u32) -> Model {
        Model { handle }
    }
}
