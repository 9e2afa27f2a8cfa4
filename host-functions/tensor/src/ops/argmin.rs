//! Index of the smallest element along the last axis, as `i32`; the lowest index among equals. The axis goes.

use super::{argmax, moved, storage::slice};
use crate::{Kernels, OpError, Plan, Status, Tensor, element::with_element, kernel};

/// As [`argmax`](argmax::plan). Work: bytes of `x`, and for each row 96 and 24 for each of its first 32
/// elements.
///
/// # Errors
/// `ShapeMismatch` where the last axis is empty, missing, or longer than an `i32` can index.
pub fn plan(x: &Tensor) -> Result<Plan, Status> {
    argmax::plan(x)
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor) -> Result<Tensor, OpError> {
    let (_, row) = x.shape().split_last()?;
    moved::one(k, plan, "argmin", x, |context, values, layout| {
        let row = usize::try_from(row).map_err(candle_core::Error::wrap)?;
        with_element!(x.dtype(), T => context.fill(|out: &mut [i32]| {
            kernel::argmin_rows::<T>(context.kernels, slice(values, layout)?, row, out);
            Ok(())
        }))
    })
}
