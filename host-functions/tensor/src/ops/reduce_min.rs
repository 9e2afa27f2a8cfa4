//! The smallest element along an axis. The result has the element type of `x`, and the axis goes.

use super::reduced;
use crate::{Kernels, OpError, Plan, Status, Tensor, kernel::Reduction};

/// Checks the shape. Work: elements of `x`.
///
/// # Errors
/// `ShapeMismatch` where there is no such axis or it is empty.
pub fn plan(x: &Tensor, axis: u32) -> Result<Plan, Status> {
    reduced::plan(x, axis)
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, axis: u32) -> Result<Tensor, OpError> {
    reduced::run(k, plan, Reduction::Min, x, axis)
}
