//! `y = sum x` along an axis, exact, as `i64`; the axis goes. An empty sum is 0.

use super::reduced;
use crate::{Kernels, OpError, Plan, Status, Tensor, element::with_element, kernel, work};

/// Checks the shape. Work: elements of `x`, one more for each byte of them, 48 for each run and 16 for each element of the result.
///
/// # Errors
/// `ShapeMismatch` where there is no such axis; `LimitExceeded` where the size of the result cannot be counted.
pub fn plan(x: &Tensor, axis: u32) -> Result<Plan, Status> {
    reduced::plan_sum(x, axis, work::reduce_sum)
}

/// Computes.
///
/// # Errors
/// `Overflow` where a sum (of `i64`) does not fit 64 bits.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, axis: u32) -> Result<Tensor, OpError> {
    let axis = reduced::place(x, axis)?;
    reduced::run_sums(
        plan,
        x,
        |x, out| with_element!(x.dtype(), T => x.read(|x: &[T]| kernel::reduce_sum(k, axis, x, out))),
    )
}
