//! Rows along the last axis over their Euclidean length, in integers with one rounding at the end:
//! `x_j / sqrt(sum x^2 + epsilon * 2^-24)` with `fraction_bits`.
//!
//! ```text
//! R   = 2^24 * sum x^2 + epsilon
//! e   : 4^e <= R < 4^(e+1)             W = floor(R * 4^(31 - e)), so that 2^62 <= W < 2^64
//! T   = rne(2^62 / sqrt(W))            T = 0 and e = 0 where R = 0
//! y_j = sat(rne(x_j * T * 2^fraction_bits / 2^(e + 19)))
//! ```
//!
//! Within one unit of the correctly rounded value, as for [`layer_norm`](super::layer_norm).

use super::{moved, norm::is_signed, storage::slice};
use crate::{
    DType, Kernels, OpError, Plan, Status, Tensor,
    element::with_signed,
    kernel::{self, MAX_NORM_ROW},
    program::Operation,
    work,
};

/// Checks types, shapes and numbers. Work: elements, and 4 for each row.
///
/// # Errors
/// `TypeMismatch` (also for a result that is not `i8`, `i16` or `i32`); `ShapeMismatch` where rows are not 1 to 65536 long;
/// `BadArgument` for more than 30 fraction bits.
pub fn plan(x: &Tensor, epsilon: u64, fraction_bits: u32, dtype: u32) -> Result<Plan, Status> {
    let _any = epsilon;
    let dtype = DType::from_code(dtype).filter(|dtype| is_signed(*dtype)).ok_or(Status::TypeMismatch)?;
    if !is_signed(x.dtype()) {
        return Err(Status::TypeMismatch);
    }
    let (_, row) = x.shape().split_last()?;
    if row == 0 || usize::try_from(row).is_ok_and(|row| row > MAX_NORM_ROW) {
        return Err(Status::ShapeMismatch);
    }
    if fraction_bits > 30 {
        return Err(Status::BadArgument);
    }
    Plan::new(dtype, x.shape().clone(), work::l2_norm(x.shape().dims()))
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(
    k: &Kernels,
    plan: &Plan,
    x: &Tensor,
    epsilon: u64,
    fraction_bits: u32,
    _dtype: u32,
) -> Result<Tensor, OpError> {
    let (_, row) = x.shape().split_last()?;
    let row = usize::try_from(row).map_err(|_| Status::LimitExceeded)?;
    let host = || {
        moved::one(k, plan, "l2_norm", x, |context, values, layout| {
            with_signed!(x.dtype(), X => with_signed!(context.plan.dtype, Y => context.fill(|out: &mut [Y]| {
                let x: &[X] = slice(values, layout)?;
                kernel::l2_norm_rows(context.kernels, x, row, epsilon, fraction_bits, out);
                Ok(())
            })))
        })
    };
    k.run(plan, &[x], || Ok(Operation::L2Norm { epsilon, fraction_bits, row }), host)
}
