//! `x` repeated to `shape` (little-endian `u32` each): shapes are aligned at their last axes, and a dimension of `x` that is
//! missing or 1 is repeated.

use super::storage::{sizes, slice};
use super::{broadcast, moved};
use crate::{Kernels, OpError, Plan, Shape, Status, Tensor, element::with_element, kernel, work};

/// Checks the shape. Work: bytes of the result, and 64 for each run.
///
/// # Errors
/// `ShapeMismatch` where `x` cannot be repeated to `shape`; `LimitExceeded` where the size of the result cannot be counted.
pub fn plan(x: &Tensor, shape: &[u8]) -> Result<Plan, Status> {
    let shape = Shape::from_le_bytes(shape)?;
    if broadcast::shape(x.shape(), &shape)? != shape {
        return Err(Status::ShapeMismatch);
    }
    shape.elements()?;
    let work = work::expand(x.dtype(), shape.dims(), x.shape().dims());
    Plan::new(x.dtype(), shape, work)
}

/// Copies.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, _shape: &[u8]) -> Result<Tensor, OpError> {
    let strides = broadcast::strides(x.shape(), plan.shape.rank())?;
    moved::one(k, plan, "expand", x, |context, x, layout| {
        let dims = sizes(&context.plan.shape)?;
        with_element!(context.plan.dtype, T => context.fill(|out: &mut [T]| {
            kernel::copy_strided(slice(x, layout)?, 0, &strides, &dims, out);
            Ok(())
        }))
    })
}
