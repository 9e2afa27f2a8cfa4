//! Rows quantised with a step of their own: `y_rj = sat(rne(2^32 * x_rj / step_r))`, one rounding, to nearest with ties
//! to even.
//!
//! `x` is `i8`, `i16` or `i32`; `step` is `i64` with 32 fraction bits, of the shape of `x` with a last axis of 1, each above
//! 0: what [`row_step`](super::row_step) gives. Two opcodes, because a row of the table has one result: the step is
//! needed again, to scale what is computed from the quantised rows.

use candle_core::{CpuStorage, CustomOp2, Layout};

use super::storage::{Context, Fresh, slice};
use crate::{DType, Element, Kernels, OpError, Plan, Status, Tensor, kernel, program::Operation, work};

/// Checks types and shapes. Work: elements of `x`, and 24 for each row.
///
/// # Errors
/// `TypeMismatch` (also for a result that is not `i8` or `i16`); `ShapeMismatch` where the last axis is missing or the
/// steps are not one for each row.
pub fn plan(x: &Tensor, step: &Tensor, dtype: u32) -> Result<Plan, Status> {
    let dtype = DType::from_code(dtype).filter(|dtype| matches!(dtype, DType::I8 | DType::I16));
    let dtype = dtype.ok_or(Status::TypeMismatch)?;
    if !matches!(x.dtype(), DType::I8 | DType::I16 | DType::I32) || step.dtype() != DType::I64 {
        return Err(Status::TypeMismatch);
    }
    match (x.shape().dims(), step.shape().dims()) {
        ([rows @ .., _], [steps @ .., 1]) if rows == steps => {}
        _ => return Err(Status::ShapeMismatch),
    }
    Plan::new(dtype, x.shape().clone(), work::quantise_rows(x.shape().dims()))
}

/// Checks the steps and computes.
///
/// # Errors
/// `DivisionByZero` for a step that is not above 0.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, step: &Tensor, _dtype: u32) -> Result<Tensor, OpError> {
    if !step.read(|steps: &[i64]| steps.iter().all(|step| *step > 0))? {
        return Err(Status::DivisionByZero.into());
    }
    let (_, row) = x.shape().split_last()?;
    let op = QuantiseRows { context: Context { kernels: k, plan }, x: x.dtype(), row };
    let operation = || Ok(Operation::QuantiseRows { row: usize::try_from(row).map_err(candle_core::Error::wrap)? });
    k.run(plan, &[x, step], operation, || {
        Tensor::from_flat(x.flat().apply_op2_no_bwd(step.flat(), &op)?, plan.dtype, plan.shape.clone())
    })
}

struct QuantiseRows<'a> {
    context: Context<'a>,
    x: DType,
    row: u32,
}

impl CustomOp2 for QuantiseRows<'_> {
    fn name(&self) -> &'static str {
        "quantise_rows"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, step: &CpuStorage, ls: &Layout) -> candle_core::Result<Fresh> {
        let steps = slice(step, ls)?;
        match self.x {
            DType::I8 => self.from::<i8>(slice(x, lx)?, steps),
            DType::I16 => self.from::<i16>(slice(x, lx)?, steps),
            _ => self.from::<i32>(slice(x, lx)?, steps),
        }
    }
}

impl QuantiseRows<'_> {
    fn from<X: Element>(&self, x: &[X], steps: &[i64]) -> candle_core::Result<Fresh> {
        match self.context.plan.dtype {
            DType::I8 => self.to::<X, i8>(x, steps),
            _ => self.to::<X, i16>(x, steps),
        }
    }

    fn to<X: Element, Y: Element>(&self, x: &[X], steps: &[i64]) -> candle_core::Result<Fresh> {
        let row = usize::try_from(self.row).map_err(candle_core::Error::wrap)?;
        self.context.fill(|out: &mut [Y]| {
            kernel::quantise_rows(self.context.kernels, x, row, steps, out);
            Ok(())
        })
    }
}
