//! Models: whole graphs from the content-addressed store of the chain.

use alloc::vec::Vec;
use core::marker::PhantomData;

use noema_abi::Status;

use crate::env::length;
use crate::{Elements, Hash, StaticTensor, Tensor, op, sys};

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

mod sealed {
    pub trait Sealed {}
}

/// What goes into a [`StaticModel`] or comes out of it: a tuple of up to four arrays, each the shape of one tensor.
pub trait Signature: sealed::Sealed {
    /// A tensor for each.
    type Tensors;
    #[doc(hidden)]
    const COUNT: usize;
    #[doc(hidden)]
    fn list(tensors: &Self::Tensors) -> Vec<&Tensor>;
    #[doc(hidden)]
    fn take(tensors: Vec<Tensor>) -> Result<Self::Tensors, Status>;
}

macro_rules! signatures {
    ($($count:literal: $($name:ident $place:tt)+;)*) => { $(
        impl<$($name: Elements),+> sealed::Sealed for ($($name,)+) {}
        impl<$($name: Elements),+> Signature for ($($name,)+) {
            type Tensors = ($(StaticTensor<$name>,)+);
            const COUNT: usize = $count;
            fn list(tensors: &Self::Tensors) -> Vec<&Tensor> {
                alloc::vec![$(&*tensors.$place),+]
            }
            fn take(tensors: Vec<Tensor>) -> Result<Self::Tensors, Status> {
                let mut tensors = tensors.into_iter();
                Ok(($(StaticTensor::<$name>::try_from(tensors.next().ok_or(Status::ShapeMismatch)?)?,)+))
            }
        }
    )* };
}
signatures! { 1: A 0; 2: A 0 B 1; 3: A 0 B 1 C 2; 4: A 0 B 1 C 2 D 3; }

/// A model whose inputs and outputs have types and shapes that the compiler knows: what it is given fits, or does not
/// compile. Which model is behind an id is known only at run time, so that what it gives is checked each time it runs.
///
/// ```no_run
/// use noema_sdk::{Hash, Result, StaticModel, StaticTensor};
///
/// /// 30 features; logits, probabilities and the class.
/// type Classifier = StaticModel<([[i32; 30]; 1],), ([[i32; 2]; 1], [[i32; 2]; 1], [i32; 1])>;
///
/// fn class(model: &Hash, row: [i32; 30]) -> Result<i32> {
///     let (_, _, class) = Classifier::open(model)?.run(&(StaticTensor::of(&[row])?,))?;
///     let [class] = class.read()?;
///     Ok(class)
/// }
/// ```
#[derive(Debug)]
pub struct StaticModel<I, O> {
    model: Model,
    signature: PhantomData<fn(I) -> O>,
}

impl<I: Signature, O: Signature> StaticModel<I, O> {
    /// The model with this id.
    ///
    /// # Errors
    /// `NotFound` where the chain has none.
    pub fn open(id: &Hash) -> Result<StaticModel<I, O>, Status> {
        Ok(StaticModel { model: Model::open(id)?, signature: PhantomData })
    }

    /// Runs it.
    ///
    /// # Errors
    /// `ShapeMismatch` and `TypeMismatch` where the model takes or gives something else, otherwise as [`Model::run`].
    pub fn run(&self, inputs: &I::Tensors) -> Result<O::Tensors, Status> {
        let outputs = self.model.run(&I::list(inputs))?;
        if outputs.len() != O::COUNT {
            return Err(Status::ShapeMismatch);
        }
        O::take(outputs)
    }

    /// The model, for its cost.
    #[must_use]
    pub const fn model(&self) -> &Model {
        &self.model
    }
}
