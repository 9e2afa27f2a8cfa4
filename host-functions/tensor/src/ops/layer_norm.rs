//! Layer normalisation over the last axis, in integers with one rounding at the end.
//!
//! For a row of `n` elements `x_j` with exact mean `m` and exact variance `v` (that of the whole row:
//! divided by `n`), this is `(x_j - m) / sqrt(v + epsilon * 2^-24) * gain_j + bias_j`, all over `2^shift`. So `gain` and
//! `bias` are fixed point with `shift` bits more than the result; a zero point of the result belongs
//! into `bias`. `x` may have any scale: only `epsilon` is in its units (squared).
//!
//! ```text
//! S   = sum x_j                        Q = sum x_j^2
//! D_j = n * x_j - S                    V = n * Q - S^2
//! R   = 2^24 * V + n^2 * epsilon
//! e   : 4^e <= R < 4^(e+1)             W = floor(R * 4^(31 - e)), so that 2^62 <= W < 2^64
//! T   = rne(2^62 / sqrt(W))            31 bits of 2^(31 + e) / sqrt(R); T = 0 and e = 0 where R = 0
//! y_j = sat(rne((D_j * gain_j * T + bias_j * 2^(e + 19)) / 2^(e + 19 + shift)))
//! ```
//!
//! Two roundings, both to nearest, ties to even (the first has no ties). `T` is off by less than
//! one part in `2^31 - 1`, so before it is rounded a result is off by less than `2^-31` of its part
//! without the bias: for results of 8 and 16 bits, and of 32 bits where that part fits 32 bits, it is within one
//! unit of the correctly rounded value.

use candle_core::{CpuStorage, CustomOp3, Layout};

use super::norm::{self, Rows};
use super::storage::{Context, Fresh, slice};
use crate::{Kernels, OpError, Plan, Status, Tensor, kernel::Norm};

/// Checks types, shapes and numbers. Work: elements, 12 for each of `i32` and of rows above 32768, 64
/// for each row and 4 for each gain and bias.
///
/// # Errors
/// `TypeMismatch` (also for a result that is not `i8`, `i16` or `i32`); `ShapeMismatch` where rows
/// are not 1 to 65536 long or `gain` and `bias` are not one row; `BadArgument` for a shift above 31.
pub fn plan(x: &Tensor, gain: &Tensor, bias: &Tensor, epsilon: u64, shift: u32, dtype: u32) -> Result<Plan, Status> {
    let _any = epsilon;
    norm::plan(x, &[gain, bias], shift, dtype)
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
#[allow(clippy::too_many_arguments, reason = "the parameters of the row")]
pub fn run(
    k: &Kernels,
    plan: &Plan,
    x: &Tensor,
    gain: &Tensor,
    bias: &Tensor,
    epsilon: u64,
    shift: u32,
    _dtype: u32,
) -> Result<Tensor, OpError> {
    let op = LayerNorm { rows: Rows { context: Context { kernels: k, plan }, x: x.dtype(), epsilon, shift } };
    k.run(
        plan,
        &[x],
        || norm::operation(gain, Some(bias), epsilon, shift),
        || {
            let y = x.flat().apply_op3_no_bwd(gain.flat(), bias.flat(), &op)?;
            Tensor::from_flat(y, plan.dtype, plan.shape.clone())
        },
    )
}

struct LayerNorm<'a> {
    rows: Rows<'a>,
}

impl CustomOp3 for LayerNorm<'_> {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        gain: &CpuStorage,
        lg: &Layout,
        bias: &CpuStorage,
        lb: &Layout,
    ) -> candle_core::Result<Fresh> {
        let Rows { epsilon, shift, .. } = self.rows;
        self.rows.run(x, lx, Norm { gain: slice(gain, lg)?, bias: Some(slice(bias, lb)?), epsilon, shift })
    }
}
