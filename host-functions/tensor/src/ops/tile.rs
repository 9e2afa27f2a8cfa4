//! `x` as often along each axis as `repeats` (little-endian `u32` each) says: `y[i, j, ..] = x[i mod d_0, j mod d_1, ..]`.

use super::moved;
use super::storage::{sizes, slice};
use crate::{Kernels, OpError, Plan, Shape, Status, Tensor, element::with_element, kernel, work};

/// Checks the shape. Work: bytes of the result, and 128 for each index of the axes before the last one that is repeated.
///
/// # Errors
/// `ShapeMismatch` where `repeats` has not a number for each axis, or an axis of the result does not fit 32 bits; `LimitExceeded`
/// where the size of the result cannot be counted.
pub fn plan(x: &Tensor, repeats: &[u8]) -> Result<Plan, Status> {
    let repeats = Shape::from_le_bytes(repeats)?;
    if repeats.rank() != x.shape().rank() {
        return Err(Status::ShapeMismatch);
    }
    let dims = x.shape().dims().iter().zip(repeats.dims());
    let dims: Option<Vec<u32>> = dims.map(|(dim, times)| dim.checked_mul(*times)).collect();
    let shape = Shape::new(&dims.ok_or(Status::ShapeMismatch)?)?;
    shape.elements()?;
    let last = repeats.dims().iter().rposition(|times| *times != 1).unwrap_or(0);
    let rows = if shape.elements()? == 0 { 0 } else { work::elements(&x.shape().dims()[..last]) };
    let work = work::bytes(x.dtype(), shape.elements()?).saturating_add(rows.saturating_mul(128));
    Plan::new(x.dtype(), shape, work)
}

/// Copies.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, repeats: &[u8]) -> Result<Tensor, OpError> {
    let (dims, repeats) = (sizes(x.shape())?, sizes(&Shape::from_le_bytes(repeats)?)?);
    moved::one(k, plan, "tile", x, |context, x, layout| {
        with_element!(context.plan.dtype, T => context.fill(|out: &mut [T]| {
            kernel::tile(slice(x, layout)?, &dims, &repeats, out);
            Ok(())
        }))
    })
}
