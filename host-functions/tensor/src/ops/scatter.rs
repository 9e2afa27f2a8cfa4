//! `x`, but for the slices along an axis that `indices` (`i32`) names, which come from `updates`: what [`gather`](super::gather) of the
//! result would give. `updates` has all axes of `indices` in place of the axis. Where an index stands more than once, the last
//! slice stays. A cache of keys and values is written at a position this way.

use super::moved;
use super::storage::slice;
use crate::{DType, Kernels, OpError, Plan, Status, Tensor, element::with_element, kernel, shape::product, work};

/// Checks types and shapes. Work: bytes of `x` and of `updates`, 40 for each slice of it and 64 for each index.
///
/// # Errors
/// `TypeMismatch`; `ShapeMismatch` where there is no such axis or `updates` has another shape.
pub fn plan(x: &Tensor, indices: &Tensor, updates: &Tensor, axis: u32) -> Result<Plan, Status> {
    if indices.dtype() != DType::I32 || updates.dtype() != x.dtype() {
        return Err(Status::TypeMismatch);
    }
    let (before, _, behind) = moved::around(x.shape(), axis)?;
    if updates.shape().dims() != [before, indices.shape().dims(), behind].concat() {
        return Err(Status::ShapeMismatch);
    }
    let slices = work::elements(before).saturating_mul(indices.elements());
    let moved = x.elements().saturating_add(updates.elements());
    let work = work::gather(x.dtype(), moved, slices, indices.elements());
    Plan::new(x.dtype(), x.shape().clone(), work)
}

/// Checks the indices and copies.
///
/// # Errors
/// `IndexOutOfRange` for an index below 0 or past the end of the axis.
pub fn run(
    k: &Kernels,
    plan: &Plan,
    x: &Tensor,
    indices: &Tensor,
    updates: &Tensor,
    axis: u32,
) -> Result<Tensor, OpError> {
    let (_, along, behind) = moved::around(x.shape(), axis)?;
    let count = usize::try_from(along).map_err(|_| Status::LimitExceeded)?;
    let indices = moved::places(indices, count)?;
    // Where it cannot be counted there are no elements.
    let inner = product(behind).and_then(|inner| usize::try_from(inner).ok()).unwrap_or(0);
    moved::two(k, plan, "scatter", (x, updates), |context, x, updates| {
        with_element!(context.plan.dtype, T => context.fill(|out: &mut [T]| {
            let (x, updates) = (slice(x.0, x.1)?, slice(updates.0, updates.1)?);
            kernel::scatter(x, count, inner, &indices, updates, out);
            Ok(())
        }))
    })
}
