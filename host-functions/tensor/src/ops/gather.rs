//! The slices of `x` along an axis that `indices` names: `y[.., i, .., ..] = x[.., indices_i, ..]`, where all axes of
//! `indices` (`i32`) stand in place of the axis. An embedding is this along axis 0.

use super::moved;
use super::storage::slice;
use crate::{
    DType, Kernels, OpError, Plan, Shape, Status, Tensor, element::with_element, kernel, shape::product, work,
};

/// Checks types and shapes. Work: bytes of the result, 40 for each slice and 64 for each index.
///
/// # Errors
/// `TypeMismatch`; `ShapeMismatch` where there is no such axis or the result has too many; `LimitExceeded` where the size of
/// the result cannot be counted.
pub fn plan(x: &Tensor, indices: &Tensor, axis: u32) -> Result<Plan, Status> {
    if indices.dtype() != DType::I32 {
        return Err(Status::TypeMismatch);
    }
    let (before, _, behind) = moved::around(x.shape(), axis)?;
    let shape = Shape::new(&[before, indices.shape().dims(), behind].concat())?;
    let slices = work::elements(before).saturating_mul(indices.elements());
    let work = work::gather(x.dtype(), shape.elements()?, slices, indices.elements());
    Plan::new(x.dtype(), shape, work)
}

/// Checks the indices and copies.
///
/// # Errors
/// `IndexOutOfRange` for an index below 0 or past the end of the axis.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, indices: &Tensor, axis: u32) -> Result<Tensor, OpError> {
    let (_, along, behind) = moved::around(x.shape(), axis)?;
    let count = usize::try_from(along).map_err(|_| Status::LimitExceeded)?;
    let indices = moved::places(indices, count)?;
    let inner = product(behind).and_then(|inner| usize::try_from(inner).ok()).ok_or(Status::LimitExceeded)?;
    moved::one(k, plan, "gather", x, |context, x, layout| {
        with_element!(context.plan.dtype, T => context.fill(|out: &mut [T]| {
            kernel::gather(slice(x, layout)?, count, inner, &indices, out);
            Ok(())
        }))
    })
}
