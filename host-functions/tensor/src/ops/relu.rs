//! `y = max(x, 0)`, of the same element type.

use candle_core::{CpuStorage, CustomOp1, Layout};

use super::storage::{Context, Fresh, slice};
use crate::{Kernels, OpError, Plan, Status, Tensor, element::with_element, kernel, program::Operation};

/// Takes any tensor. Work: bytes.
///
/// # Errors
/// None of its own.
pub fn plan(x: &Tensor) -> Result<Plan, Status> {
    Plan::new(x.dtype(), x.shape().clone(), x.byte_len())
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor) -> Result<Tensor, OpError> {
    let op = Relu(Context { kernels: k, plan });
    k.run(
        plan,
        &[x],
        || Ok(Operation::Relu),
        || Tensor::from_flat(x.flat().apply_op1_no_bwd(&op)?, plan.dtype, plan.shape.clone()),
    )
}

struct Relu<'a>(Context<'a>);

impl CustomOp1 for Relu<'_> {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<Fresh> {
        with_element!(self.0.plan.dtype, T => self.0.fill(|out: &mut [T]| {
            kernel::relu(self.0.kernels, slice(x, layout)?, out);
            Ok(())
        }))
    }
}
