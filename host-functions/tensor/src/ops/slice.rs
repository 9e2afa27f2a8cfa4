//! `y[i, j, ..] = x[starts_0 + i, starts_1 + j, ..]` for the box of `sizes` (little-endian `u32` for
//! each axis).

use candle_core::{CpuStorage, CustomOp1, Layout};

use super::{
    broadcast::strides,
    storage::{Context, Fresh, sizes, slice},
};
use crate::{Kernels, OpError, Plan, Shape, Status, Tensor, element::with_element, kernel, program::Operation, work};

/// Checks that the box lies inside `x`. Work: bytes of the result, and 32 for each run of the box.
///
/// # Errors
/// `ShapeMismatch` where `starts` or `sizes` does not name every axis once, `IndexOutOfRange` where
/// the box leaves `x`.
pub fn plan(x: &Tensor, starts: &[u8], sizes: &[u8]) -> Result<Plan, Status> {
    let (starts, sizes) = (Shape::from_le_bytes(starts)?, Shape::from_le_bytes(sizes)?);
    if starts.rank() != x.shape().rank() || sizes.rank() != x.shape().rank() {
        return Err(Status::ShapeMismatch);
    }
    for ((start, size), dim) in starts.dims().iter().zip(sizes.dims()).zip(x.shape().dims()) {
        if start.checked_add(*size).is_none_or(|end| end > *dim) {
            return Err(Status::IndexOutOfRange);
        }
    }
    sizes.elements()?;
    let work = work::boxed(x.dtype(), sizes.dims(), sizes.dims(), x.shape().dims());
    Plan::new(x.dtype(), sizes, work)
}

/// Copies.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, starts: &[u8], _sizes: &[u8]) -> Result<Tensor, OpError> {
    let starts = Shape::from_le_bytes(starts)?;
    let op = Slice { context: Context { kernels: k, plan }, from: x.shape(), starts };
    k.run(
        plan,
        &[x],
        || Ok(op.operation()?),
        || Tensor::from_flat(x.flat().apply_op1_no_bwd(&op)?, plan.dtype, plan.shape.clone()),
    )
}

struct Slice<'a> {
    context: Context<'a>,
    from: &'a Shape,
    starts: Shape,
}

impl Slice<'_> {
    fn operation(&self) -> candle_core::Result<Operation<'static>> {
        let (starts, dims) = (sizes(&self.starts)?, sizes(&self.context.plan.shape)?);
        let strides = strides(self.from, dims.len())?;
        let start = starts.iter().zip(&strides).map(|(start, stride)| start * stride).sum();
        Ok(Operation::CopyStrided { dims, strides, start })
    }
}

impl CustomOp1 for Slice<'_> {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<Fresh> {
        let plan = self.context.plan;
        with_element!(plan.dtype, T => self.context.fill(|out: &mut [T]| {
            let (from, starts, sizes) = (sizes(self.from)?, sizes(&self.starts)?, sizes(&plan.shape)?);
            kernel::copy_box(slice(x, layout)?, &from, &starts, &sizes, out);
            Ok(())
        }))
    }
}
