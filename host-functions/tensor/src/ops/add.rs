//! `y = sat(a + b)`, element by element.
//!
//! Shapes are aligned at their last axes; a dimension that is missing or 1 is repeated to the other
//! one (ONNX, "multidirectional broadcasting").

use candle_core::{CpuStorage, CustomOp2, Layout};

use super::{
    broadcast::{self, strides},
    storage::{Context, Fresh, sizes, slice},
};
use crate::{
    Kernels, OpError, Plan, Shape, Status, Tensor,
    element::with_element,
    kernel::{self, Binary},
    program::Operation,
};

/// Checks types and shapes. Work: elements of the result in bytes, and 32 for each run.
///
/// # Errors
/// `TypeMismatch`, `ShapeMismatch`; `LimitExceeded` where the size of the result cannot be counted.
pub fn plan(a: &Tensor, b: &Tensor) -> Result<Plan, Status> {
    broadcast::plan(a, b)
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, a: &Tensor, b: &Tensor) -> Result<Tensor, OpError> {
    // Its own kernel: a run of one shape is not walked.
    let op = Add { context: Context { kernels: k, plan }, a: a.shape(), b: b.shape() };
    k.run(
        plan,
        &[a, b],
        || match a.shape() == b.shape() {
            true => Ok(Operation::Binary(Binary::Add)),
            false => Ok(Operation::BinaryBroadcast { op: Binary::Add, space: broadcast::space(plan, &[a, b])? }),
        },
        || Tensor::from_flat(a.flat().apply_op2_no_bwd(b.flat(), &op)?, plan.dtype, plan.shape.clone()),
    )
}

struct Add<'a> {
    context: Context<'a>,
    a: &'a Shape,
    b: &'a Shape,
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
