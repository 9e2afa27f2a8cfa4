//! The step of a dynamic quantisation of rows: how much one unit of the quantised numbers is worth, in units of `x`.
//!
//! ```text
//! y_r = max(1, ceil(2^32 * max over j of |x_rj| / L))     L = 127 for i8, 32767 for i16
//! ```
//!
//! as `i64` with 32 fraction bits, for each row along the last axis of `x` (`i8`, `i16` or `i32`). The last axis
//! becomes 1, so that the result can be an operand of [`mul_requantise`](super::mul_requantise) beside a product of the
//! quantised rows. Rounded up, so that [`quantise_rows`](super::quantise_rows) with it never saturates.

use candle_core::{CpuStorage, CustomOp1, Layout};

use super::storage::{Context, Fresh, slice};
use crate::{DType, Element, Kernels, OpError, Plan, Shape, Status, Tensor, kernel, program::Operation, work};

/// Checks types and shapes. Work: bytes of `x`, and for each row 128 and 8 for each of its first 32 elements.
///
/// # Errors
/// `TypeMismatch` (also for a type to quantise to that is not `i8` or `i16`); `ShapeMismatch` where the last axis is
/// empty or missing.
pub fn plan(x: &Tensor, dtype: u32) -> Result<Plan, Status> {
    largest(dtype)?;
    if !matches!(x.dtype(), DType::I8 | DType::I16 | DType::I32) {
        return Err(Status::TypeMismatch);
    }
    let mut dims = x.shape().dims().to_vec();
    let last = dims.last_mut().filter(|last| **last > 0).ok_or(Status::ShapeMismatch)?;
    *last = 1;
    Plan::new(DType::I64, Shape::new(&dims)?, work::row_step(x.dtype(), x.shape().dims()))
}

/// The largest quantised number.
fn largest(dtype: u32) -> Result<u32, Status> {
    match DType::from_code(dtype) {
        Some(DType::I8) => Ok(127),
        Some(DType::I16) => Ok(32_767),
        _ => Err(Status::TypeMismatch),
    }
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, dtype: u32) -> Result<Tensor, OpError> {
    let (_, row) = x.shape().split_last()?;
    let op = RowStep { context: Context { kernels: k, plan }, x: x.dtype(), row, largest: largest(dtype)? };
    let operation = || {
        let row = usize::try_from(row).map_err(candle_core::Error::wrap)?;
        Ok(Operation::RowStep { row, largest: largest(dtype)? })
    };
    k.run(plan, &[x], operation, || Tensor::from_flat(x.flat().apply_op1_no_bwd(&op)?, plan.dtype, plan.shape.clone()))
}

struct RowStep<'a> {
    context: Context<'a>,
    x: DType,
    row: u32,
    largest: u32,
}

impl CustomOp1 for RowStep<'_> {
    fn name(&self) -> &'static str {
        "row_step"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<Fresh> {
        match self.x {
            DType::I8 => self.rows::<i8>(slice(x, layout)?),
            DType::I16 => self.rows::<i16>(slice(x, layout)?),
            _ => self.rows::<i32>(slice(x, layout)?),
        }
    }
}

impl RowStep<'_> {
    fn rows<X: Element>(&self, x: &[X]) -> candle_core::Result<Fresh> {
        let row = usize::try_from(self.row).map_err(candle_core::Error::wrap)?;
        self.context.fill(|out: &mut [i64]| {
            kernel::row_step(self.context.kernels, x, row, self.largest, out);
            Ok(())
        })
    }
}
