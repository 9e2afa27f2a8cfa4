//! Transposed convolution of images with their channels last, exact: what spreads an image where
//! [`conv2d`](super::conv2d) gathers it.
//!
//! `x` is `[n, h, w, c]`, `weights` is `[o, kh, kw, c / groups]`: every element of `x` is multiplied with the weights and added to
//! the result at `stride * place + dilation * tap - pad`:
//!
//! ```text
//! y[b, i, j, q] = sum of x[b, r, s, g * (c / groups) + d] * weights[q, u, v, d]
//!     over all (r, s, u, v, d) with r * stride_h + u * dilation_h - above = i and s * stride_w + v * dilation_w - left = j
//! rows of y = (h - 1) * stride_h + (kh - 1) * dilation_h + 1 - above - below + more_h, and so the columns
//! ```

use super::convolved::{self, Sides};
use super::windowed::numbers;
use crate::{Kernels, OpError, Plan, Status, Tensor};

/// Checks types, shapes and numbers. Work as for [`conv2d`](super::conv2d): every tap of every element of the result counts.
///
/// # Errors
/// As for [`conv2d`](super::conv2d); `ShapeMismatch` also for an image without rows or columns, and where the pads are more
/// than the result.
#[allow(clippy::too_many_arguments, reason = "the parameters of the row")]
pub fn plan(
    x: &Tensor,
    weights: &Tensor,
    strides: &[u8],
    pads: &[u8],
    more: &[u8],
    dilations: &[u8],
    groups: u32,
) -> Result<Plan, Status> {
    convolved::check_types(x, weights)?;
    convolved::plan(x, weights, &Sides::new(x, weights, (strides, pads, dilations), Some(numbers(more)?), groups)?)
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
    more: &[u8],
    dilations: &[u8],
    groups: u32,
) -> Result<Tensor, OpError> {
    let sides = Sides::new(x, weights, (strides, pads, dilations), Some(numbers(more)?), groups)?;
    convolved::run(k, plan, "conv_transpose2d", &sides, 0, (x, weights))
}
