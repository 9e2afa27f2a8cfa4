//! A triangle of the matrices of the last two axes, and 0 elsewhere: where the column less the row is at most `diagonal`
//! (`upper` 0), or at least `diagonal` (`upper` 1).

use super::moved;
use super::storage::{sizes, slice};
use crate::{Kernels, OpError, Plan, Status, Tensor, element::with_element, kernel, work};

/// Checks the shape and `upper`. Work: bytes, and 64 for each row.
///
/// # Errors
/// `ShapeMismatch` for fewer than two axes; `BadArgument` for another `upper`.
pub fn plan(x: &Tensor, diagonal: i32, upper: u32) -> Result<Plan, Status> {
    let _any = diagonal;
    if x.shape().rank() < 2 {
        return Err(Status::ShapeMismatch);
    }
    if upper > 1 {
        return Err(Status::BadArgument);
    }
    Plan::new(
        x.dtype(),
        x.shape().clone(),
        x.byte_len().saturating_add(work::rows(x.shape().dims()).saturating_mul(64)),
    )
}

/// Copies.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, diagonal: i32, upper: u32) -> Result<Tensor, OpError> {
    let dims = sizes(x.shape())?;
    let [.., rows, columns] = dims[..] else { return Err(Status::ShapeMismatch.into()) };
    moved::one(k, plan, "trilu", x, |context, x, layout| {
        with_element!(context.plan.dtype, T => context.fill(|out: &mut [T]| {
            kernel::triangle(slice(x, layout)?, [rows, columns], upper == 0, diagonal.into(), out);
            Ok(())
        }))
    })
}
