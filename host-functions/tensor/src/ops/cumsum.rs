//! `y_i = x_0 + .. + x_i` along an axis, exact, as `i64`.

use super::reduced;
use crate::{DType, Kernels, OpError, Plan, Status, Tensor, element::with_element, kernel};

/// Checks the shape. Work: bytes, with five more for each element.
///
/// # Errors
/// `ShapeMismatch` where there is no such axis.
pub fn plan(x: &Tensor, axis: u32) -> Result<Plan, Status> {
    super::moved::around(x.shape(), axis)?;
    Plan::new(DType::I64, x.shape().clone(), x.byte_len().saturating_add(x.elements().saturating_mul(5)))
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
        |x, out| with_element!(x.dtype(), T => x.read(|x: &[T]| kernel::cumulative_sum(k, axis, x, out))),
    )
}
