//! `y = sat(a + b)`, element by element.
//!
//! Shapes are aligned at their last axes; a dimension that is missing or 1 is repeated to the other
//! one (ONNX, "multidirectional broadcasting").

use candle_core::{CpuStorage, CustomOp2, Layout};

use super::storage::{Context, Fresh, sizes, slice};
use crate::{
    Kernels, OpError, Plan, Shape, Status, Tensor,
    element::with_element,
    kernel::{self, Binary},
    program::{Operation, Space},
};

/// Checks types and shapes. Work: elements of the result.
///
/// # Errors
/// `TypeMismatch`, `ShapeMismatch`; `LimitExceeded` where the size of the result cannot be counted.
pub fn plan(a: &Tensor, b: &Tensor) -> Result<Plan, Status> {
    if a.dtype() != b.dtype() {
        return Err(Status::TypeMismatch);
    }
    let rank = a.shape().rank().max(b.shape().rank());
    let mut dims = Vec::with_capacity(rank);
    for axis in 0..rank {
        dims.push(match (dim(a.shape(), rank, axis), dim(b.shape(), rank, axis)) {
            (a, b) if a == b => a,
            (1, b) => b,
            (a, 1) => a,
            _ => return Err(Status::ShapeMismatch),
        });
    }
    let shape = Shape::new(&dims)?;
    let work = shape.elements()?;
    Plan::new(a.dtype(), shape, work)
}

/// The dimension at `axis` of a shape that was filled up with ones to `rank`.
fn dim(shape: &Shape, rank: usize, axis: usize) -> u32 {
    let missing = rank - shape.rank();
    axis.checked_sub(missing).map_or(1, |axis| shape.dims()[axis])
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, a: &Tensor, b: &Tensor) -> Result<Tensor, OpError> {
    let op = Add { context: Context { kernels: k, plan }, a: a.shape(), b: b.shape() };
    k.run(
        plan,
        &[a, b],
        || Ok(op.operation()?),
        || Tensor::from_flat(a.flat().apply_op2_no_bwd(b.flat(), &op)?, plan.dtype, plan.shape.clone()),
    )
}

struct Add<'a> {
    context: Context<'a>,
    a: &'a Shape,
    b: &'a Shape,
}

impl Add<'_> {
    fn operation(&self) -> candle_core::Result<Operation<'static>> {
        if self.a == self.b {
            return Ok(Operation::Binary(Binary::Add));
        }
        let dims = sizes(&self.context.plan.shape)?;
        let (a, b) = (strides(self.a, dims.len())?, strides(self.b, dims.len())?);
        Ok(Operation::BinaryBroadcast { op: Binary::Add, space: Space { dims, strides: vec![a, b] } })
    }
}

impl CustomOp2 for Add<'_> {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> candle_core::Result<Fresh> {
        let Context { kernels, plan } = self.context;
        let dims = sizes(&plan.shape)?;
        let (a_strides, b_strides) = (strides(self.a, dims.len())?, strides(self.b, dims.len())?);
        with_element!(plan.dtype, T => self.context.fill(|out: &mut [T]| {
            let (a, b) = (slice(a, la)?, slice(b, lb)?);
            if self.a == self.b {
                kernel::add(kernels, a, b, out);
            } else {
                kernel::add_broadcast(kernels, &dims, (a, &a_strides), (b, &b_strides), out);
            }
            Ok(())
        }))
    }
}

/// Elements between neighbours along each axis of the result; 0 along a repeated one.
pub(super) fn strides(shape: &Shape, rank: usize) -> candle_core::Result<Vec<usize>> {
    let dims = sizes(shape)?;
    let mut strides = vec![0; rank];
    let mut stride = 1usize;
    for (dim, out) in dims.iter().rev().zip(strides.iter_mut().rev()) {
        *out = if *dim == 1 { 0 } else { stride };
        stride = stride.saturating_mul(*dim);
    }
    Ok(strides)
}
