//! `y = sat(rne(x * 2^bits))`: to the left for positive `bits`, to the right with rounding for negative ones.
//!
//! The result has the element type and the shape of `x`.

use super::single;
use crate::{Kernels, OpError, Plan, Status, Tensor, kernel::Unary};

/// Checks the numbers, where there are any. Work: bytes, with two more for each element.
///
/// # Errors
/// `BadArgument` where `bits` is not from -63 to 63.
pub fn plan(x: &Tensor, bits: i32) -> Result<Plan, Status> {
    if !(-63..=63).contains(&bits) {
        return Err(Status::BadArgument);
    }
    let plan = single::plan(x)?;
    Ok(Plan { work: plan.work.saturating_add(x.elements().saturating_mul(2)), ..plan })
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, bits: i32) -> Result<Tensor, OpError> {
    single::run(k, plan, Unary::Shift(bits), x)
}
