//! The axes in another order: axis `i` of the result is axis `axes_i` of `x` (a little-endian `u32` each, every
//! axis once).

use super::moved;
use super::storage::{sizes, slice};
use crate::{Kernels, OpError, Plan, Shape, Status, Tensor, element::with_element, kernel, work};

/// Checks the axes. Work: bytes, and where the last axis longer than 1 stays the last one 32 for each row, else 24 for each element.
///
/// # Errors
/// `ShapeMismatch` where `axes` does not name every axis of `x` once.
pub fn plan(x: &Tensor, axes: &[u8]) -> Result<Plan, Status> {
    let mut dims = Vec::new();
    let axes = permutation(x, axes)?;
    for axis in &axes {
        dims.push(x.shape().dims()[*axis]);
    }
    Plan::new(x.dtype(), Shape::new(&dims)?, work::transpose(x.dtype(), x.shape().dims(), &axes))
}

fn permutation(x: &Tensor, axes: &[u8]) -> Result<Vec<usize>, Status> {
    let axes = Shape::from_le_bytes(axes)?;
    let mut named = vec![false; x.shape().rank()];
    let mut order = Vec::with_capacity(named.len());
    for axis in axes.dims() {
        let axis = usize::try_from(*axis).map_err(|_| Status::ShapeMismatch)?;
        match named.get_mut(axis) {
            Some(named) if !*named => *named = true,
            _ => return Err(Status::ShapeMismatch),
        }
        order.push(axis);
    }
    if order.len() == named.len() { Ok(order) } else { Err(Status::ShapeMismatch) }
}

/// Copies.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, axes: &[u8]) -> Result<Tensor, OpError> {
    let strides = kernel::row_major(&sizes(x.shape())?);
    let strides: Vec<usize> = permutation(x, axes)?.into_iter().map(|axis| strides[axis]).collect();
    moved::one(k, plan, "transpose", x, |context, x, layout| {
        let dims = sizes(&context.plan.shape)?;
        with_element!(context.plan.dtype, T => context.fill(|out: &mut [T]| {
            kernel::copy_strided(slice(x, layout)?, 0, &strides, &dims, out);
            Ok(())
        }))
    })
}
