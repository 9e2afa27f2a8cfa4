//! Element by element along an axis: `y[.., i, ..] = x[.., indices[.., i, ..], ..]`, with `indices` (`i32`) of the shape of `x` but
//! for that axis. With the indices of [`topk`](super::topk) these are the elements that it names.

use super::moved;
use super::storage::slice;
use crate::{DType, Kernels, OpError, Plan, Status, Tensor, element::with_element, kernel, shape::product};

/// Checks types and shapes. Work: elements of the result.
///
/// # Errors
/// `TypeMismatch`; `ShapeMismatch` where there is no such axis or another axis of `indices` differs.
pub fn plan(x: &Tensor, indices: &Tensor, axis: u32) -> Result<Plan, Status> {
    if indices.dtype() != DType::I32 {
        return Err(Status::TypeMismatch);
    }
    let (before, _, behind) = moved::around(x.shape(), axis)?;
    match moved::around(indices.shape(), axis) {
        Ok((b, _, c)) if b == before && c == behind => {}
        _ => return Err(Status::ShapeMismatch),
    }
    Plan::new(x.dtype(), indices.shape().clone(), indices.elements())
}

/// Checks the indices and copies.
///
/// # Errors
/// `IndexOutOfRange` for an index below 0 or past the end of the axis.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, indices: &Tensor, axis: u32) -> Result<Tensor, OpError> {
    let (_, along, behind) = moved::around(x.shape(), axis)?;
    let (_, wanted, _) = moved::around(indices.shape(), axis)?;
    if !indices.read(|indices: &[i32]| indices.iter().all(|index| u32::try_from(*index).is_ok_and(|i| i < along)))? {
        return Err(Status::IndexOutOfRange.into());
    }
    let length = |length: u64| usize::try_from(length).map_err(|_| OpError::from(Status::LimitExceeded));
    let (count, wanted) = (length(along.into())?, length(wanted.into())?);
    // Where it cannot be counted there are no elements.
    let inner = product(behind).and_then(|inner| usize::try_from(inner).ok()).unwrap_or(0);
    moved::two(k, plan, "gather_elements", (x, indices), |context, x, indices| {
        with_element!(context.plan.dtype, T => context.fill(|out: &mut [T]| {
            kernel::gather_elements(slice(x.0, x.1)?, (count, inner), slice(indices.0, indices.1)?, wanted, out);
            Ok(())
        }))
    })
}
