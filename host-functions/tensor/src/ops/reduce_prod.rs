//! The exact product along `axis`, as `i64`; the axis goes. The product of nothing is 1.

use super::reduced;
use crate::{Kernels, OpError, Plan, Status, Tensor, element::with_element, kernel, work};

/// Checks the shape. Work: elements of `x` and of the result.
///
/// # Errors
/// `ShapeMismatch` where there is no such axis.
pub fn plan(x: &Tensor, axis: u32) -> Result<Plan, Status> {
    reduced::plan_sum(x, axis, work::reduce_prod)
}

/// Computes.
///
/// # Errors
/// `Overflow` where a product does not fit 64 bits (a 0 among the factors makes it 0).
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, axis: u32) -> Result<Tensor, OpError> {
    let axis = reduced::place(x, axis)?;
    reduced::run_sums(
        plan,
        x,
        |x, out| with_element!(x.dtype(), T => x.read(|x: &[T]| kernel::reduce_prod(k, axis, x, out))),
    )
}
