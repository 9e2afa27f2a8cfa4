//! Every bit of `x` in two's complement: `-1 - x`, or `255 - x` for `u8`. (Of a boolean: `bit_xor` with 1.)
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
    single::run(k, plan, Unary::Not, x)
}
