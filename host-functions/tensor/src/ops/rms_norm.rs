//! RMS normalisation over the last axis, in integers with one rounding at the end:
//! `x_j / sqrt(mean(x^2) + epsilon * 2^-24) * gain_j / 2^shift`.
//!
//! The formula of [`layer_norm`](super::layer_norm) with `S = 0` and without a bias:
//!
//! ```text
//! Q   = sum x_j^2                      D_j = n * x_j           V = n * Q
//! R   = 2^24 * V + n^2 * epsilon
//! e   : 4^e <= R < 4^(e+1)             W = floor(R * 4^(31 - e)), so that 2^62 <= W < 2^64
//! T   = rne(2^62 / sqrt(W))            T = 0 and e = 0 where R = 0
//! y_j = sat(rne(D_j * gain_j * T / 2^(e + 19 + shift)))
//! ```
//!
//! Within one unit of the correctly rounded value.

use candle_core::{CpuStorage, CustomOp2, Layout};

use super::norm::{self, Rows};
use super::storage::{Context, Fresh, slice};
use crate::{Kernels, OpError, Plan, Status, Tensor, kernel::Norm};

/// Checks types, shapes and numbers. Work: elements, 12 for each of `i32` and of rows above 32768, 64
/// for each row and 4 for each gain and bias.
///
/// # Errors
/// `TypeMismatch` (also for a result that is not `i8`, `i16` or `i32`); `ShapeMismatch` where rows
/// are not 1 to 65536 long or `gain` is not one row; `BadArgument` for a shift above 31.
pub fn plan(x: &Tensor, gain: &Tensor, epsilon: u64, shift: u32, dtype: u32) -> Result<Plan, Status> {
    let _any = epsilon;
    norm::plan(x, &[gain], shift, dtype)
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(
    k: &Kernels,
    plan: &Plan,
    x: &Tensor,
    gain: &Tensor,
    epsilon: u64,
    shift: u32,
    _dtype: u32,
) -> Result<Tensor, OpError> {
    let op = RmsNorm { rows: Rows { context: Context { kernels: k, plan }, x: x.dtype(), epsilon, shift } };
    k.run(
        plan,
        &[x],
        || norm::operation(gain, None, epsilon, shift),
        || Tensor::from_flat(x.flat().apply_op2_no_bwd(gain.flat(), &op)?, plan.dtype, plan.shape.clone()),
    )
}

struct RmsNorm<'a> {
    rows: Rows<'a>,
}

impl CustomOp2 for RmsNorm<'_> {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, gain: &CpuStorage, lg: &Layout) -> candle_core::Result<Fresh> {
        let Rows { epsilon, shift, .. } = self.rows;
        self.rows.run(x, lx, Norm { gain: slice(gain, lg)?, bias: None, epsilon, shift })
    }
}
