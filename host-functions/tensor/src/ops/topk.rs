//! The indices, as `i32`, of the `count` largest (`order` 0) or smallest (`order` 1) elements of each row along the last axis, in
//! order; of equal elements the one with the lower index comes first. With `count` the length of a row this is a sort by index;
//! `gather_elements` gets the elements.

use super::{moved, ordered, storage::slice};
use crate::{
    DType, Kernels, OpError, Plan, Shape, Status, Tensor,
    element::with_element,
    kernel::{self, MAX_TOP_ROW},
    work,
};

/// Checks the shape and the numbers. Work: elements of `x` times one more than the bits of `count`, and 8 for each row.
///
/// # Errors
/// `ShapeMismatch` where rows are not 1 to 2^20 long; `BadArgument` for a `count` of 0 or above the length of a row and for
/// another `order`.
pub fn plan(x: &Tensor, count: u32, order: u32) -> Result<Plan, Status> {
    let (row, outer) = x.shape().dims().split_last().ok_or(Status::ShapeMismatch)?;
    if *row == 0 || usize::try_from(*row).is_ok_and(|row| row > MAX_TOP_ROW) {
        return Err(Status::ShapeMismatch);
    }
    ordered::order(order)?;
    if count == 0 || count > *row {
        return Err(Status::BadArgument);
    }
    let shape = Shape::new(&[outer, &[count]].concat())?;
    let rows = work::rows(x.shape().dims()).saturating_mul(8);
    Plan::new(DType::I32, shape, x.elements().saturating_mul(1 + ordered::bits(count)).saturating_add(rows))
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, count: u32, order: u32) -> Result<Tensor, OpError> {
    let (row, order) = (ordered::row(x.shape())?, ordered::order(order)?);
    let count = usize::try_from(count).map_err(|_| Status::LimitExceeded)?;
    moved::one(k, plan, "topk", x, |context, values, layout| {
        with_element!(x.dtype(), T => context.fill(|out: &mut [i32]| {
            kernel::top_rows::<T>(context.kernels, order, slice(values, layout)?, row, count, out);
            Ok(())
        }))
    })
}
