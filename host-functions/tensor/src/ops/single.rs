//! What opcodes of one element share.

use candle_core::{CpuStorage, CustomOp1, Layout};

use super::storage::{Context, Fresh, slice};
use crate::{
    Kernels, OpError, Plan, Status, Tensor,
    element::with_element,
    kernel::{self, Unary},
    program::Operation,
};

/// A result of the type and shape of `x`. Work: bytes.
pub(super) fn plan(x: &Tensor) -> Result<Plan, Status> {
    Plan::new(x.dtype(), x.shape().clone(), x.byte_len())
}

/// `op(x)`.
pub(super) fn run(k: &Kernels, plan: &Plan, op: Unary, x: &Tensor) -> Result<Tensor, OpError> {
    let single = Single { context: Context { kernels: k, plan }, op };
    k.run(
        plan,
        &[x],
        || Ok(Operation::Unary(op)),
        || Tensor::from_flat(x.flat().apply_op1_no_bwd(&single)?, plan.dtype, plan.shape.clone()),
    )
}

struct Single<'a> {
    context: Context<'a>,
    op: Unary,
}

impl CustomOp1 for Single<'_> {
    fn name(&self) -> &'static str {
        "single"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<Fresh> {
        with_element!(self.context.plan.dtype, T => self.context.fill(|out: &mut [T]| {
            kernel::unary(self.context.kernels, self.op, slice(x, layout)?, out);
            Ok(())
        }))
    }
}
