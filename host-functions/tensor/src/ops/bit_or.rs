//! `y = a | b`, bit by bit in two's complement; of booleans, whether one holds.
//!
//! Both operands, and the result, are of one element type. Shapes are aligned at their last axes; a dimension
//! that is missing or 1 is repeated to the other one.

use super::broadcast;
use crate::{Kernels, OpError, Plan, Status, Tensor, kernel::Binary};

/// Checks types and shapes. Work: elements of the result in bytes, and 32 for each run.
///
/// # Errors
/// `TypeMismatch`, `ShapeMismatch`; `LimitExceeded` where the size of the result cannot be counted.
pub fn plan(a: &Tensor, b: &Tensor) -> Result<Plan, Status> {
    broadcast::plan(a, b)
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, a: &Tensor, b: &Tensor) -> Result<Tensor, OpError> {
    broadcast::run(k, plan, Binary::Or, a, b)
}
