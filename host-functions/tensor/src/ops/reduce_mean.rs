//! `y = rne(sum x / n)` along an axis of `n`, one rounding of the exact mean. The result has the element type of `x`, and the axis goes.

use super::reduced;
use crate::{Kernels, OpError, Plan, Status, Tensor, kernel::Reduction, work};

/// Checks the shape. Work: elements of `x`, one more for each byte of them, 80 for each run and 200 for each element of the result.
///
/// # Errors
/// `ShapeMismatch` where there is no such axis or it is empty.
pub fn plan(x: &Tensor, axis: u32) -> Result<Plan, Status> {
    reduced::plan(x, axis, work::reduce_mean)
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, axis: u32) -> Result<Tensor, OpError> {
    reduced::run(k, plan, Reduction::Mean, x, axis)
}
