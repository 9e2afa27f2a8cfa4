//! `rne(sum / count)` of the elements of each channel in a window over images `[n, h, w, c]`, of the element type of `x`. The count is
//! that of all taps where `count_pads` is 1 (a tap beside the image is a zero), and that of the elements seen where it is 0;
//! 0 where the window sees nothing but pads.

use super::pooled::{self, Window};
use crate::{Kernels, OpError, Plan, Status, Tensor, kernel::Pool, work};

fn pool(count_pads: u32) -> Result<Pool, Status> {
    match count_pads {
        0 => Ok(Pool::AverageSeen),
        1 => Ok(Pool::Average),
        _ => Err(Status::BadArgument),
    }
}

/// As [`max_pool`](super::max_pool::plan). Work: for each place of the window and each tap the channels and 16, for each place 32, and 16 for
/// each element of the result; twice as much of `i64`.
///
/// # Errors
/// As there; `BadArgument` also for a `count_pads` above 1.
pub fn plan(
    x: &Tensor,
    window: &[u8],
    strides: &[u8],
    pads: &[u8],
    dilations: &[u8],
    count_pads: u32,
) -> Result<Plan, Status> {
    let plan = pooled::plan(x, &Window(window, strides, pads, dilations), work::average_pool);
    // Numbers come before limits.
    if matches!(plan, Ok(_) | Err(Status::LimitExceeded)) {
        pool(count_pads)?;
    }
    plan
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
    window: &[u8],
    strides: &[u8],
    pads: &[u8],
    dilations: &[u8],
    count_pads: u32,
) -> Result<Tensor, OpError> {
    pooled::run(k, plan, pool(count_pads)?, x, &Window(window, strides, pads, dilations))
}
