//! `y = a` where `condition` is not 0, else `b`, element by element.
//!
//! `condition` is `u8`; `a`, `b` and the result are of one element type. Shapes are aligned at their last axes; a
//! dimension that is missing or 1 is repeated to the other ones.

use candle_core::{CpuStorage, CustomOp3, Layout};

use super::broadcast;
use super::storage::{Context, Fresh, sizes, slice};
use crate::{
    DType, Kernels, OpError, Plan, Shape, Status, Tensor,
    element::with_element,
    kernel::{self, Operand},
    program::Operation,
    work,
};

/// Checks types and shapes. Work: elements of the result in bytes, each with one more, and 48 for each run.
///
/// # Errors
/// `TypeMismatch`, `ShapeMismatch`; `LimitExceeded` where the size of the result cannot be counted.
pub fn plan(condition: &Tensor, a: &Tensor, b: &Tensor) -> Result<Plan, Status> {
    if condition.dtype() != DType::U8 || a.dtype() != b.dtype() {
        return Err(Status::TypeMismatch);
    }
    let shape = broadcast::shape(&broadcast::shape(a.shape(), b.shape())?, condition.shape())?;
    shape.elements()?;
    let operands = [condition, a, b].map(|tensor| tensor.shape().dims());
    let work = work::conditional(a.dtype(), shape.dims(), &operands);
    Plan::new(a.dtype(), shape, work)
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, condition: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor, OpError> {
    let op = Select { context: Context { kernels: k, plan }, shapes: [condition, a, b].map(Tensor::shape) };
    let operation = || Ok(Operation::Select(broadcast::space(plan, &[condition, a, b])?));
    k.run(plan, &[condition, a, b], operation, || {
        let y = condition.flat().apply_op3_no_bwd(a.flat(), b.flat(), &op)?;
        Tensor::from_flat(y, plan.dtype, plan.shape.clone())
    })
}

struct Select<'a> {
    context: Context<'a>,
    shapes: [&'a Shape; 3],
}

impl CustomOp3 for Select<'_> {
    fn name(&self) -> &'static str {
        "select"
    }

    fn cpu_fwd(
        &self,
        condition: &CpuStorage,
        lc: &Layout,
        a: &CpuStorage,
        la: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> candle_core::Result<Fresh> {
        let Context { kernels, plan } = self.context;
        let dims = sizes(&plan.shape)?;
        let [condition_strides, a_strides, b_strides] = self.shapes.map(|shape| broadcast::strides(shape, dims.len()));
        let (condition_strides, a_strides, b_strides) = (condition_strides?, a_strides?, b_strides?);
        with_element!(plan.dtype, T => self.context.fill(|out: &mut [T]| {
            let condition = Operand { values: slice(condition, lc)?, strides: &condition_strides };
            let a = Operand { values: slice(a, la)?, strides: &a_strides };
            let b = Operand { values: slice(b, lb)?, strides: &b_strides };
            kernel::select(kernels, &dims, condition, a, b, out);
            Ok(())
        }))
    }
}
