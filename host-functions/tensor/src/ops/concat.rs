//! `a` and behind it `b` along an axis; all other dimensions are the same, and so are the element types.

use super::moved;
use super::storage::{sizes, slice};
use crate::{Kernels, OpError, Plan, Shape, Status, Tensor, element::with_element, kernel, work};

/// Checks types and shapes. Work: bytes of the result, and 96 for each index of the axes before `axis`.
///
/// # Errors
/// `TypeMismatch`; `ShapeMismatch` where there is no such axis, another dimension differs, or the sum of the two passes 32 bits;
/// `LimitExceeded` where the size of the result cannot be counted.
pub fn plan(a: &Tensor, b: &Tensor, axis: u32) -> Result<Plan, Status> {
    if a.dtype() != b.dtype() {
        return Err(Status::TypeMismatch);
    }
    let ((before, along, behind), other) = (moved::around(a.shape(), axis)?, moved::around(b.shape(), axis)?);
    if (before, behind) != (other.0, other.2) {
        return Err(Status::ShapeMismatch);
    }
    let along = along.checked_add(other.1).ok_or(Status::ShapeMismatch)?;
    let shape = Shape::new(&[before, &[along], behind].concat())?;
    shape.elements()?;
    let work = work::concat(a.dtype(), shape.dims(), before.len());
    Plan::new(a.dtype(), shape, work)
}

/// Copies.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, a: &Tensor, b: &Tensor, axis: u32) -> Result<Tensor, OpError> {
    let (a_dims, b_dims) = (sizes(a.shape())?, sizes(b.shape())?);
    let axis = usize::try_from(axis).map_err(|_| Status::ShapeMismatch)?;
    let (first, mut second) = (vec![0; a_dims.len()], vec![0; a_dims.len()]);
    second[axis] = a_dims[axis];
    moved::two(k, plan, "concat", (a, b), |context, (a, la), (b, lb)| {
        let dims = sizes(&context.plan.shape)?;
        with_element!(context.plan.dtype, T => context.fill(|out: &mut [T]| {
            kernel::paste_box(slice(a, la)?, &a_dims, &first, &dims, out);
            kernel::paste_box(slice(b, lb)?, &b_dims, &second, &dims, out);
            Ok(())
        }))
    })
}
