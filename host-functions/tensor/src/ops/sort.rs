//! The elements of each row along the last axis in order: the largest first where `order` is 0, the smallest first where it is 1.

use super::{moved, ordered, storage::slice};
use crate::{Kernels, OpError, Plan, Status, Tensor, element::with_element, kernel};

/// Checks the shape and `order`. Work: elements times the bits of the length of a row.
///
/// # Errors
/// `ShapeMismatch` without an axis; `BadArgument` for another `order`.
pub fn plan(x: &Tensor, order: u32) -> Result<Plan, Status> {
    let row = *x.shape().dims().last().ok_or(Status::ShapeMismatch)?;
    ordered::order(order)?;
    Plan::new(x.dtype(), x.shape().clone(), x.elements().saturating_mul(ordered::bits(row)))
}

/// Sorts.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, order: u32) -> Result<Tensor, OpError> {
    let row =
        usize::try_from(*x.shape().dims().last().ok_or(Status::ShapeMismatch)?).map_err(|_| Status::LimitExceeded)?;
    let order = ordered::order(order)?;
    moved::one(k, plan, "sort", x, |context, x, layout| {
        with_element!(context.plan.dtype, T => context.fill(|out: &mut [T]| {
            kernel::sort_rows(context.kernels, order, slice(x, layout)?, row, out);
            Ok(())
        }))
    })
}
