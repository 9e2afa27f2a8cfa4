//! `y = sat(-x)`: the negative of the lowest number of a signed type is the highest, that of a `u8` is 0.
//!
//! The result has the element type and the shape of `x`.

use super::single;
use crate::{Kernels, OpError, Plan, Status, Tensor, kernel::Unary};

/// Checks the numbers, where there are any. Work: bytes.
///
/// # Errors
/// None of its own.
pub fn plan(x: &Tensor) -> Result<Plan, Status> {
    single::plan(x)
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor) -> Result<Tensor, OpError> {
    single::run(k, plan, Unary::Neg, x)
}
