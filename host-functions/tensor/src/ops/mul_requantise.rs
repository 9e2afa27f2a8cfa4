//! `y = sat(rne(a * b * multiplier / 2^shift) + zero_point)`, element by element with one rounding: gates,
//! residual scales, and the scale of each row or column of a product.
//!
//! `a` and `b` are of any element types, but not both of `i64`; `multiplier` is 0 or in `[2^30, 2^31)`, `shift` at
//! most 94 (62, and 32 more for the fraction bits of a [`row_step`](super::row_step)). Shapes are aligned at their
//! last axes; a dimension that is missing or 1 is repeated to the other one.

use candle_core::{CpuStorage, CustomOp2, Layout};

use super::broadcast;
use super::storage::{Context, Fresh, sizes, slice};
use crate::{
    DType, Kernels, OpError, Plan, Shape, Status, Tensor,
    element::with_element,
    kernel::{self, MAX_PRODUCT_SHIFT, Numbers, ProductScale},
    program::Operation,
    work,
};

/// Checks types, shapes and numbers. Work: elements of the result, 6 for each where an operand is `i64`, and 10
/// for each run.
///
/// # Errors
/// `TypeMismatch` (also for an unknown code of the result type), `ShapeMismatch`; `BadArgument` for a multiplier that
/// is not 0 or in `[2^30, 2^31)` or a shift above 94; `LimitExceeded` where the size of the result cannot be counted.
pub fn plan(a: &Tensor, b: &Tensor, multiplier: i32, shift: u32, zero_point: i32, dtype: u32) -> Result<Plan, Status> {
    let _any = zero_point;
    let dtype = DType::from_code(dtype).ok_or(Status::TypeMismatch)?;
    if (a.dtype(), b.dtype()) == (DType::I64, DType::I64) {
        return Err(Status::TypeMismatch);
    }
    let shape = broadcast::shape(a.shape(), b.shape())?;
    if !(multiplier == 0 || multiplier >= 1 << 30) || shift > MAX_PRODUCT_SHIFT {
        return Err(Status::BadArgument);
    }
    shape.elements()?;
    let work = work::mul_requantise([a.dtype(), b.dtype()], shape.dims(), &[a.shape().dims(), b.shape().dims()]);
    Plan::new(dtype, shape, work)
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
#[allow(clippy::too_many_arguments, reason = "the parameters of the row")]
pub fn run(
    k: &Kernels,
    plan: &Plan,
    a: &Tensor,
    b: &Tensor,
    multiplier: i32,
    shift: u32,
    zero_point: i32,
    _dtype: u32,
) -> Result<Tensor, OpError> {
    let scale = ProductScale { multiplier, shift, zero_point };
    let (types, shapes) = ((a.dtype(), b.dtype()), (a.shape(), b.shape()));
    let op = MulRequantise { context: Context { kernels: k, plan }, scale, types, shapes };
    let operation = || Ok(Operation::MulRequantise { scale, space: broadcast::space(plan, &[a, b])? });
    k.run(plan, &[a, b], operation, || {
        Tensor::from_flat(a.flat().apply_op2_no_bwd(b.flat(), &op)?, plan.dtype, plan.shape.clone())
    })
}

struct MulRequantise<'a> {
    context: Context<'a>,
    scale: ProductScale,
    types: (DType, DType),
    shapes: (&'a Shape, &'a Shape),
}

impl CustomOp2 for MulRequantise<'_> {
    fn name(&self) -> &'static str {
        "mul_requantise"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> candle_core::Result<Fresh> {
        let Context { kernels, plan } = self.context;
        let dims = sizes(&plan.shape)?;
        let a_strides = broadcast::strides(self.shapes.0, dims.len())?;
        let b_strides = broadcast::strides(self.shapes.1, dims.len())?;
        let (a, b) = (numbers(self.types.0, a, la)?, numbers(self.types.1, b, lb)?);
        with_element!(plan.dtype, T => self.context.fill(|out: &mut [T]| {
            kernel::mul_requantise(kernels, self.scale, &dims, (a, &a_strides), (b, &b_strides), out);
            Ok(())
        }))
    }
}

fn numbers<'a>(dtype: DType, storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<Numbers<'a>> {
    Ok(match dtype {
        DType::I8 => Numbers::I8(slice(storage, layout)?),
        DType::U8 => Numbers::U8(slice(storage, layout)?),
        DType::I16 => Numbers::I16(slice(storage, layout)?),
        DType::I32 => Numbers::I32(slice(storage, layout)?),
        DType::I64 => Numbers::I64(slice(storage, layout)?),
    })
}
