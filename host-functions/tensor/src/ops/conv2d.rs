//! Convolution of images with their channels last, exact.
//!
//! `x` is `[n, h, w, c]`, `weights` is `[o, kh, kw, c / groups]`:
//!
//! ```text
//! y[b, i, j, q] = sum over (u, v, d) of
//!     x[b, i * stride_h + u * dilation_h - above, j * stride_w + v * dilation_w - left, g * (c / groups) + d]
//!         * weights[q, u, v, d],        g = floor(q / (o / groups))
//! ```
//!
//! with `sat(pad_value)` for an element of `x` beside the image. Element types and the bound on the length of a sum are
//! those of [`matmul`](super::matmul). A convolution of one dimension has `h = kh = 1`.
//!
//! Channels come last because a patch is then a few runs of neighbours, and the products of a place with all weights are one
//! row of a matrix product whose result already lies where it belongs; and because scales of channels (`requantise`) and
//! biases (`add`) act along the last axis.

use super::convolved::{self, Sides};
use crate::{Kernels, OpError, Plan, Status, Tensor};

/// Checks types, shapes and numbers. Work: [`work::conv2d`](crate::work::conv2d).
///
/// # Errors
/// `TypeMismatch`; `ShapeMismatch` where axes, channels, groups or the numbers in `strides` (2), `pads` (4) and `dilations` (2) do not
/// fit, or the window is larger than the image with its pads; `BadArgument` for a stride, dilation or number of groups of 0;
/// `LimitExceeded` where the size of the result cannot be counted.
pub fn plan(
    x: &Tensor,
    weights: &Tensor,
    strides: &[u8],
    pads: &[u8],
    dilations: &[u8],
    groups: u32,
    pad_value: i32,
) -> Result<Plan, Status> {
    let _any = pad_value;
    convolved::check_types(x, weights)?;
    convolved::plan(x, weights, &Sides::new(x, weights, (strides, pads, dilations), None, groups)?)
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
    weights: &Tensor,
    strides: &[u8],
    pads: &[u8],
    dilations: &[u8],
    groups: u32,
    pad_value: i32,
) -> Result<Tensor, OpError> {
    let sides = Sides::new(x, weights, (strides, pads, dilations), None, groups)?;
    convolved::run(k, plan, "conv2d", &sides, pad_value, (x, weights))
}
