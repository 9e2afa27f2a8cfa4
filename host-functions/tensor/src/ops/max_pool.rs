//! The largest element of each channel in a window over images `[n, h, w, c]`, of the element type of `x`; the least value of
//! the type where the window sees nothing but pads.

use super::pooled::{self, Window};
use crate::{Kernels, OpError, Plan, Status, Tensor, kernel::Pool, work};

/// Checks shapes and numbers. Work: for each place of the window and each tap the bytes of the channels and 128, and 16 for each element
/// of the result.
///
/// # Errors
/// `ShapeMismatch` where `x` has not four axes, `window`, `strides`, `dilations` (2 each) or `pads` (4) have another number of numbers, or
/// the window is larger than the image with its pads; `BadArgument` for a 0 among them but for the pads; `LimitExceeded`.
pub fn plan(x: &Tensor, window: &[u8], strides: &[u8], pads: &[u8], dilations: &[u8]) -> Result<Plan, Status> {
    pooled::plan(x, &Window(window, strides, pads, dilations), work::max_pool)
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(
    k: &Kernels,
    plan: &Plan,
    x: &Tensor,
    window: &[u8],
    strides: &[u8],
    pads: &[u8],
    dilations: &[u8],
) -> Result<Tensor, OpError> {
    pooled::run(k, plan, Pool::Max, x, &Window(window, strides, pads, dilations))
}
