//! Index of the largest element along the last axis, as `i32`; the lowest index among equals. The
//! axis goes.

use candle_core::{CpuStorage, CustomOp1, Layout};

use super::storage::{Context, Fresh, slice};
use crate::{
    DType, Kernels, OpError, Plan, Shape, Status, Tensor, element::with_element, kernel, program::Operation, work,
};

/// Checks the shape. Work: bytes of `x`, and for each row 96 and 24 for each of its first 32
/// elements.
///
/// # Errors
/// `ShapeMismatch` where the last axis is empty, missing, or longer than an `i32` can index.
pub fn plan(x: &Tensor) -> Result<Plan, Status> {
    let (last, outer) = x.shape().dims().split_last().ok_or(Status::ShapeMismatch)?;
    if *last == 0 || i32::try_from(*last).is_err() {
        return Err(Status::ShapeMismatch);
    }
    Plan::new(DType::I32, Shape::new(outer)?, work::argmax(x.dtype(), x.shape().dims()))
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor) -> Result<Tensor, OpError> {
    let (_, row) = x.shape().split_last()?;
    let op = Argmax { context: Context { kernels: k, plan }, x: x.dtype(), row };
    let operation = || Ok(Operation::Argmax { row: usize::try_from(row).map_err(candle_core::Error::wrap)? });
    k.run(plan, &[x], operation, || Tensor::from_flat(x.flat().apply_op1_no_bwd(&op)?, plan.dtype, plan.shape.clone()))
}

struct Argmax<'a> {
    context: Context<'a>,
    x: DType,
    row: u32,
}

impl CustomOp1 for Argmax<'_> {
    fn name(&self) -> &'static str {
        "argmax"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<Fresh> {
        let row = usize::try_from(self.row).map_err(candle_core::Error::wrap)?;
        with_element!(self.x, T => self.context.fill(|out: &mut [i32]| {
            kernel::argmax_rows::<T>(self.context.kernels, slice(x, layout)?, row, out);
            Ok(())
        }))
    }
}
