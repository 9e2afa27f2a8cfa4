//! `x` at another size by its nearest elements. Along an axis of `n` that becomes `m`, place `i` takes
//!
//! ```text
//! mode 0: floor(i * n / m)                                      ONNX: asymmetric, floor
//! mode 1: max(0, ceil(((2 i + 1) * n - 2 m) / (2 m)))           ONNX: half_pixel, round_prefer_floor
//! ```

use super::moved;
use super::storage::{sizes, slice};
use crate::{
    Kernels, OpError, Plan, Shape, Status, Tensor,
    element::with_element,
    kernel::{self, Places},
    work,
};

/// Checks the shape and `mode`. Work: elements of the result, and 8 for each row of it.
///
/// # Errors
/// `ShapeMismatch` where `shape` has not a number for each axis, or something would come out of an empty axis; `BadArgument` for another
/// `mode`; `LimitExceeded` where the size of the result cannot be counted.
pub fn plan(x: &Tensor, shape: &[u8], mode: u32) -> Result<Plan, Status> {
    let shape = Shape::from_le_bytes(shape)?;
    let mut axes = shape.dims().iter().zip(x.shape().dims());
    if shape.rank() != x.shape().rank() || axes.any(|(to, from)| *to > 0 && *from == 0) {
        return Err(Status::ShapeMismatch);
    }
    if mode > 1 {
        return Err(Status::BadArgument);
    }
    let work = shape.elements()?.saturating_add(work::rows(shape.dims()).saturating_mul(8));
    Plan::new(x.dtype(), shape, work)
}

/// Copies.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, _shape: &[u8], mode: u32) -> Result<Tensor, OpError> {
    let (from, to) = (sizes(x.shape())?, sizes(&plan.shape)?);
    let axes = x.shape().dims().iter().zip(plan.shape.dims()).zip(to);
    let places: Vec<Places> = axes.map(|((from, to), count)| places(*from, *to, count, mode)).collect();
    moved::one(k, plan, "resize", x, |context, x, layout| {
        with_element!(context.plan.dtype, T => context.fill(|out: &mut [T]| {
            kernel::pick(slice(x, layout)?, &from, &places, out);
            Ok(())
        }))
    })
}

/// Where the places of an axis of `to` come from in one of `from`. For mode 1, `ceil(a / b) - 1` is `floor((a - 1) / b)`, which is not
/// below 0 where `from` is not 0.
fn places(from: u32, to: u32, count: usize, mode: u32) -> Places {
    let (from, to) = (u64::from(from), u64::from(to.max(1)));
    match mode {
        0 => Places { count, first: 0, step: from, divisor: to },
        _ => Places { count, first: from.saturating_sub(1), step: 2 * from, divisor: 2 * to },
    }
}
