//! `y = 1` where `a < b`, else 0, as `u8`.
//!
//! The operands are of one element type. Shapes are aligned at their last axes; a dimension that is missing or
//! 1 is repeated to the other one.

use super::comparison;
use crate::{Kernels, OpError, Plan, Status, Tensor, kernel::Relation};

/// Checks types and shapes. Work: elements of the result in bytes of an operand, each with one more, and 48 for each run.
///
/// # Errors
/// `TypeMismatch`, `ShapeMismatch`; `LimitExceeded` where the size of the result cannot be counted.
pub fn plan(a: &Tensor, b: &Tensor) -> Result<Plan, Status> {
    comparison::plan(a, b)
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, a: &Tensor, b: &Tensor) -> Result<Tensor, OpError> {
    comparison::run(k, plan, Relation::Less, a, b)
}
