//! `x` with `before` elements in front of it and `behind` elements after it along each axis (little-endian `u32` each), all
//! of them `sat(value)`.

use super::moved;
use super::storage::{sizes, slice};
use crate::{Element, Kernels, OpError, Plan, Shape, Status, Tensor, element::with_element, kernel, work};

/// Checks the shapes. Work: bytes of the result, and 32 for each run of `x` in it.
///
/// # Errors
/// `ShapeMismatch` where `before` or `behind` does not name every axis once or a dimension passes 32 bits; `LimitExceeded`
/// where the size of the result cannot be counted.
pub fn plan(x: &Tensor, before: &[u8], behind: &[u8], value: i64) -> Result<Plan, Status> {
    let _any = value;
    let (before, behind) = (Shape::from_le_bytes(before)?, Shape::from_le_bytes(behind)?);
    if before.rank() != x.shape().rank() || behind.rank() != x.shape().rank() {
        return Err(Status::ShapeMismatch);
    }
    let mut dims = Vec::with_capacity(before.rank());
    for ((before, behind), dim) in before.dims().iter().zip(behind.dims()).zip(x.shape().dims()) {
        let dim = dim.checked_add(*before).and_then(|dim| dim.checked_add(*behind));
        dims.push(dim.ok_or(Status::ShapeMismatch)?);
    }
    let shape = Shape::new(&dims)?;
    shape.elements()?;
    let work = work::boxed(x.dtype(), shape.dims(), x.shape().dims(), shape.dims());
    Plan::new(x.dtype(), shape, work)
}

/// Copies.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, before: &[u8], _behind: &[u8], value: i64) -> Result<Tensor, OpError> {
    let (from, starts) = (sizes(x.shape())?, sizes(&Shape::from_le_bytes(before)?)?);
    moved::one(k, plan, "pad", x, |context, x, layout| {
        let dims = sizes(&context.plan.shape)?;
        with_element!(context.plan.dtype, T => context.fill(|out: &mut [T]| {
            out.fill(T::saturate_i64(value));
            kernel::paste_box(slice(x, layout)?, &from, &starts, &dims, out);
            Ok(())
        }))
    })
}
