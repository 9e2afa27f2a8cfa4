//! The same elements, in the same row-major order, under another shape (little-endian `u32` each).
//!
//! Nothing moves: the result shares the storage of `x`, so there is no candle operation to apply.

use crate::{Kernels, OpError, Plan, Shape, Status, Tensor};

/// Checks the shape. Work: none.
///
/// # Errors
/// `ShapeMismatch` where `shape` is not whole numbers, has a rank above the limit, or another number
/// of elements.
pub fn plan(x: &Tensor, shape: &[u8]) -> Result<Plan, Status> {
    let shape = Shape::from_le_bytes(shape)?;
    if shape.elements() != Ok(x.elements()) {
        return Err(Status::ShapeMismatch);
    }
    Plan::new(x.dtype(), shape, 0)
}

/// Gives the elements their new shape.
///
/// # Errors
/// None of its own.
pub fn run(_k: &Kernels, plan: &Plan, x: &Tensor, _shape: &[u8]) -> Result<Tensor, OpError> {
    Ok(x.reshape(plan.shape.clone())?)
}
