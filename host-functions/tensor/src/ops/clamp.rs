//! `y = min(max(x, low), high)`, saturating: bounds outside the range of the type bound nothing.
//!
//! The result has the element type and the shape of `x`.

use super::single;
use crate::{Kernels, OpError, Plan, Status, Tensor, kernel::Unary};

/// Checks the numbers, where there are any. Work: bytes.
///
/// # Errors
/// `BadArgument` where `low` is above `high`.
pub fn plan(x: &Tensor, low: i64, high: i64) -> Result<Plan, Status> {
    if low > high {
        return Err(Status::BadArgument);
    }
    single::plan(x)
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, low: i64, high: i64) -> Result<Tensor, OpError> {
    single::run(k, plan, Unary::Clamp(low, high), x)
}
