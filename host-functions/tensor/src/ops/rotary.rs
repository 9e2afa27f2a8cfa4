//! Rotary position embedding: pairs of elements of each row turned by the angles of the row.
//!
//! `x` is `[.., m, d]`, `cos` and `sin` are `[m, d / 2]` of `i16` with `bits` fraction bits. With `(a, b)` pair `i` of row `r`, which is
//! elements `i` and `i + d / 2` where `interleaved` is 0, and elements `2 i` and `2 i + 1` where it is 1:
//!
//! ```text
//! a' = sat(rne((a * cos[r, i] - b * sin[r, i]) / 2^bits))
//! b' = sat(rne((b * cos[r, i] + a * sin[r, i]) / 2^bits))
//! ```
//!
//! One rounding of the exact value. The tables are those of the model for the positions of the rows (`gather`).

use super::{moved, storage::slice};
use crate::{
    DType, Kernels, OpError, Plan, Status, Tensor,
    element::with_signed,
    kernel::{self, Rotary},
    work,
};

/// The most fraction bits.
const MAX_BITS: u32 = 15;

/// Checks types, shapes and numbers. Work: elements, and one for each row.
///
/// # Errors
/// `TypeMismatch` for `x` that is not `i8`, `i16` or `i32` and tables that are not `i16`; `ShapeMismatch` where `x` has fewer than two
/// axes, `d` is odd, or the tables have another shape; `BadArgument` for more than 15 `bits` and another `interleaved`.
pub fn plan(x: &Tensor, cos: &Tensor, sin: &Tensor, bits: u32, interleaved: u32) -> Result<Plan, Status> {
    if !super::norm::is_signed(x.dtype()) || cos.dtype() != DType::I16 || sin.dtype() != DType::I16 {
        return Err(Status::TypeMismatch);
    }
    let [.., m, d] = x.shape().dims() else { return Err(Status::ShapeMismatch) };
    if d % 2 != 0 || cos.shape().dims() != [*m, d / 2] || sin.shape() != cos.shape() {
        return Err(Status::ShapeMismatch);
    }
    if bits > MAX_BITS || interleaved > 1 {
        return Err(Status::BadArgument);
    }
    Plan::new(x.dtype(), x.shape().clone(), x.elements().saturating_add(work::rows(x.shape().dims())))
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(
    k: &Kernels,
    plan: &Plan,
    x: &Tensor,
    cos: &Tensor,
    sin: &Tensor,
    bits: u32,
    interleaved: u32,
) -> Result<Tensor, OpError> {
    let (_, row) = x.shape().split_last()?;
    let row = usize::try_from(row).map_err(|_| Status::LimitExceeded)?;
    moved::three(k, plan, "rotary", (x, cos, sin), |context, x, cos, sin| {
        let (cos, sin) = (slice(cos.0, cos.1)?, slice(sin.0, sin.1)?);
        let rotary = Rotary { cos, sin, bits, interleaved: interleaved == 1 };
        with_signed!(context.plan.dtype, T => context.fill(|out: &mut [T]| {
            if !out.is_empty() {
                kernel::rotary_rows(context.kernels, rotary, slice(x.0, x.1)?, row, out);
            }
            Ok(())
        }))
    })
}
