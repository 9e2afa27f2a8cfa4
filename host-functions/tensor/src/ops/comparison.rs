//! What the comparisons share.

use candle_core::{CpuStorage, CustomOp2, Layout};

use super::broadcast;
use super::storage::{Context, Fresh, sizes, slice};
use crate::{
    DType, Kernels, OpError, Plan, Shape, Status, Tensor,
    element::with_element,
    kernel::{self, Operand, Relation},
    program::Operation,
    work,
};

/// Checks types and shapes. Work: elements of the result in bytes of an operand, each with one more, and 48 for
/// each run.
pub(super) fn plan(a: &Tensor, b: &Tensor) -> Result<Plan, Status> {
    let plan = broadcast::plan(a, b)?;
    let work = work::conditional(a.dtype(), plan.shape.dims(), &[a.shape().dims(), b.shape().dims()]);
    Ok(Plan { dtype: DType::U8, work, ..plan })
}

/// Whether the relation holds.
pub(super) fn run(k: &Kernels, plan: &Plan, relation: Relation, a: &Tensor, b: &Tensor) -> Result<Tensor, OpError> {
    let (types, shapes) = (a.dtype(), (a.shape(), b.shape()));
    let op = Comparison { context: Context { kernels: k, plan }, relation, types, shapes };
    let operation = || Ok(Operation::Compare { relation, space: broadcast::space(plan, &[a, b])? });
    k.run(plan, &[a, b], operation, || {
        Tensor::from_flat(a.flat().apply_op2_no_bwd(b.flat(), &op)?, plan.dtype, plan.shape.clone())
    })
}

struct Comparison<'a> {
    context: Context<'a>,
    relation: Relation,
    types: DType,
    shapes: (&'a Shape, &'a Shape),
}

impl CustomOp2 for Comparison<'_> {
    fn name(&self) -> &'static str {
        "comparison"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> candle_core::Result<Fresh> {
        let Context { kernels, plan } = self.context;
        let dims = sizes(&plan.shape)?;
        let a_strides = broadcast::strides(self.shapes.0, dims.len())?;
        let b_strides = broadcast::strides(self.shapes.1, dims.len())?;
        self.context.fill(|out: &mut [u8]| {
            with_element!(self.types, T => {
                let a = Operand::<T> { values: slice(a, la)?, strides: &a_strides };
                let b = Operand::<T> { values: slice(b, lb)?, strides: &b_strides };
                kernel::compare(kernels, self.relation, &dims, a, b, out);
            });
            Ok(())
        })
    }
}
