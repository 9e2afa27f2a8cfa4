//! What opcodes with repeated operands share: shapes are aligned at their last axes, and a dimension that is missing
//! or 1 is repeated to the other one (ONNX, "multidirectional broadcasting").

use candle_core::{CpuStorage, CustomOp2, Layout};

use super::storage::{Context, Fresh, sizes, slice};
use crate::{
    Element, Kernels, OpError, Plan, Shape, Status, Tensor,
    element::with_element,
    kernel::{self, Binary, Operand},
    program::{Operation, Space},
    work,
};

/// The shape that both are repeated to.
pub(super) fn shape(a: &Shape, b: &Shape) -> Result<Shape, Status> {
    let rank = a.rank().max(b.rank());
    let mut dims = Vec::with_capacity(rank);
    for axis in 0..rank {
        dims.push(match (dim(a, rank, axis), dim(b, rank, axis)) {
            (a, b) if a == b => a,
            (1, b) => b,
            (a, 1) => a,
            _ => return Err(Status::ShapeMismatch),
        });
    }
    Shape::new(&dims)
}

/// The dimension at `axis` of a shape that was filled up with ones to `rank`.
fn dim(shape: &Shape, rank: usize, axis: usize) -> u32 {
    let missing = rank - shape.rank();
    axis.checked_sub(missing).map_or(1, |axis| shape.dims()[axis])
}

/// Elements between neighbours along each axis of a result of this rank; 0 along a repeated one.
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

/// The index space of a result for a device.
pub(super) fn space(plan: &Plan, operands: &[&Tensor]) -> candle_core::Result<Space> {
    let dims = sizes(&plan.shape)?;
    let strides = operands.iter().map(|tensor| strides(tensor.shape(), dims.len())).collect::<Result<_, _>>()?;
    Ok(Space { dims, strides })
}

/// Checks types and shapes of two operands of one type, and what a result of that type will be. Work: elements of the result in bytes
/// of an operand, and 32 for each run.
pub(super) fn plan(a: &Tensor, b: &Tensor) -> Result<Plan, Status> {
    if a.dtype() != b.dtype() {
        return Err(Status::TypeMismatch);
    }
    let shape = shape(a.shape(), b.shape())?;
    shape.elements()?;
    let work = work::elementwise(a.dtype(), shape.dims(), &[a.shape().dims(), b.shape().dims()]);
    Plan::new(a.dtype(), shape, work)
}

/// The same for what is checked: an element has two bytes more.
pub(super) fn plan_checked(a: &Tensor, b: &Tensor) -> Result<Plan, Status> {
    let plan = plan(a, b)?;
    let work = work::checked(plan.dtype, plan.shape.dims(), &[a.shape().dims(), b.shape().dims()]);
    Ok(Plan { work, ..plan })
}

/// `op(a, b)`, saturating.
pub(super) fn run(k: &Kernels, plan: &Plan, op: Binary, a: &Tensor, b: &Tensor) -> Result<Tensor, OpError> {
    let operation = || Ok(Operation::BinaryBroadcast { op, space: space(plan, &[a, b])? });
    let elementwise = Elementwise { context: Context { kernels: k, plan }, op, a: a.shape(), b: b.shape() };
    k.run(plan, &[a, b], operation, || {
        Tensor::from_flat(a.flat().apply_op2_no_bwd(b.flat(), &elementwise)?, plan.dtype, plan.shape.clone())
    })
}

/// `op(a, b)`, or `Overflow` where one result is not in the range of its type.
pub(super) fn run_checked(k: &Kernels, plan: &Plan, op: Binary, a: &Tensor, b: &Tensor) -> Result<Tensor, OpError> {
    with_element!(plan.dtype, T => checked::<T>(k, plan, op, a, b))
}

/// candle's operations cannot fail with a status, so this one works on the slices.
fn checked<T: Element>(k: &Kernels, plan: &Plan, op: Binary, a: &Tensor, b: &Tensor) -> Result<Tensor, OpError> {
    let dims = sizes(&plan.shape)?;
    let (a_strides, b_strides) = (strides(a.shape(), dims.len())?, strides(b.shape(), dims.len())?);
    let mut out = vec![T::default(); dims.iter().product()];
    let fits = a.read(|a: &[T]| {
        b.read(|b: &[T]| {
            let (a, b) = (Operand { values: a, strides: &a_strides }, Operand { values: b, strides: &b_strides });
            kernel::binary_checked(k, op, &dims, a, b, &mut out)
        })
    })??;
    if fits { Tensor::from_vec(plan.shape.clone(), out) } else { Err(Status::Overflow.into()) }
}

struct Elementwise<'a> {
    context: Context<'a>,
    op: Binary,
    a: &'a Shape,
    b: &'a Shape,
}

impl CustomOp2 for Elementwise<'_> {
    fn name(&self) -> &'static str {
        "elementwise"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> candle_core::Result<Fresh> {
        let Context { kernels, plan } = self.context;
        let dims = sizes(&plan.shape)?;
        let (a_strides, b_strides) = (strides(self.a, dims.len())?, strides(self.b, dims.len())?);
        with_element!(plan.dtype, T => self.context.fill(|out: &mut [T]| {
            let a = Operand { values: slice(a, la)?, strides: &a_strides };
            let b = Operand { values: slice(b, lb)?, strides: &b_strides };
            kernel::binary(kernels, self.op, &dims, a, b, out);
            Ok(())
        }))
    }
}
