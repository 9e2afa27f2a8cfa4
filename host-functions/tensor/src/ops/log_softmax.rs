//! The logarithm of the softmax over the last axis, in integers.
//!
//! With `c = multiplier / 2^shift`:
//!
//! ```text
//! E_j = rne(2^30 * exp(c * (x_j - max x)))         S = sum E
//! e   : 2^e <= S < 2^(e+1)                          z_0 = S * 2^(62 - e)
//! q_i = floor(z_(i-1)^2 / 2^62)                     b_i = 1 if q_i >= 2^63, else 0         z_i = floor(q_i / 2^b_i)
//! L   = (e - 30) * 2^48 + sum of b_i * 2^(48 - i) for i = 1 .. 48
//! G   = rne(L * 3196577161300663915 / 2^48)         62 bits of ln(S / 2^30); the number is rne(2^62 * ln 2)
//! y_j = sat(rne((-(max x - x_j) * multiplier * 2^(62 - shift) - G) / 2^(62 - fraction_bits)))
//! ```
//!
//! as `i32`. `L` is off by less than `2^-47`, and the roundings of `E` move `ln S` by at most `n / 2^31`: with up to 15 fraction
//! bits, and with more where `n * 2^fraction_bits` is below `2^30`, the result is within one unit of the correctly rounded value.

use super::{moved, storage::slice};
use crate::{
    Kernels, OpError, Plan, Status, Tensor,
    element::with_signed,
    kernel::{self, Softmax},
};

/// What a row costs besides its elements, in elements: the logarithm of its sum.
const ROW: u64 = 10;

/// Checks types, shapes and numbers, as [`softmax`](super::softmax). Work: elements, and 10 for each row.
///
/// # Errors
/// As for [`softmax`](super::softmax).
pub fn plan(x: &Tensor, multiplier: i32, shift: u32, fraction_bits: u32) -> Result<Plan, Status> {
    let plan = super::softmax::plan(x, multiplier, shift, fraction_bits)?;
    let (rows, _) = x.shape().split_last()?;
    Ok(Plan { work: x.elements().saturating_add(rows.saturating_mul(ROW)), ..plan })
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(
    k: &Kernels,
    plan: &Plan,
    x: &Tensor,
    multiplier: i32,
    shift: u32,
    fraction_bits: u32,
) -> Result<Tensor, OpError> {
    let (_, row) = x.shape().split_last()?;
    let row = usize::try_from(row).map_err(|_| Status::LimitExceeded)?;
    let softmax = Softmax::new(multiplier, shift, fraction_bits)?;
    moved::one(k, plan, "log_softmax", x, |context, values, layout| {
        with_signed!(x.dtype(), T => context.fill(|out: &mut [i32]| {
            kernel::log_softmax_rows::<T>(context.kernels, slice(values, layout)?, row, softmax, out);
            Ok(())
        }))
    })
}
