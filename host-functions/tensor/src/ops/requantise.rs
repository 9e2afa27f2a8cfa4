//! `y = sat(rne(x * multiplier / 2^shift) + zero_point)`, one rounding.
//!
//! `x` is `i32` or `i64`; `multiplier` (`i32`, each 0 or in `[2^30, 2^31)`) and `shift` (`u8`, each
//! at most 62) are of shape `[]`, one for all, or `[c]`, one for each index of the last axis.

use candle_core::{CpuStorage, CustomOp3, Layout};

use super::storage::{Context, Fresh, slice};
use crate::{
    DType, Element, Kernels, OpError, Plan, Status, Tensor,
    element::with_element,
    kernel::{self, Scales},
    program::Operation,
    work,
};

/// Checks types and shapes. Work: elements of `x`, 3 for each of `i64`, and 2 for each of `multiplier`.
///
/// # Errors
/// `TypeMismatch` (also for an unknown code of the result type), `ShapeMismatch`.
pub fn plan(x: &Tensor, multiplier: &Tensor, shift: &Tensor, zero_point: i32, dtype: u32) -> Result<Plan, Status> {
    let _any = zero_point;
    let dtype = DType::from_code(dtype).ok_or(Status::TypeMismatch)?;
    if !matches!(x.dtype(), DType::I32 | DType::I64) || multiplier.dtype() != DType::I32 || shift.dtype() != DType::U8 {
        return Err(Status::TypeMismatch);
    }
    match (multiplier.shape().dims(), x.shape().dims().last()) {
        ([], _) => {}
        ([channels], Some(last)) if channels == last => {}
        _ => return Err(Status::ShapeMismatch),
    }
    if shift.shape() != multiplier.shape() {
        return Err(Status::ShapeMismatch);
    }
    Plan::new(dtype, x.shape().clone(), work::requantise(x.dtype(), x.elements(), multiplier.elements()))
}

/// Checks the scales and computes.
///
/// # Errors
/// `BadArgument` for a multiplier or shift out of range.
pub fn run(
    k: &Kernels,
    plan: &Plan,
    x: &Tensor,
    multiplier: &Tensor,
    shift: &Tensor,
    zero_point: i32,
    _dtype: u32,
) -> Result<Tensor, OpError> {
    // All of them, so that the loops become vectors.
    let multipliers =
        multiplier.read(|values: &[i32]| values.iter().fold(true, |all, m| all & ((*m == 0) | (*m >= 1 << 30))))?;
    if !multipliers || !shift.read(|values: &[u8]| values.iter().fold(true, |all, shift| all & (*shift <= 62)))? {
        return Err(Status::BadArgument.into());
    }
    let op = Requantise { context: Context { kernels: k, plan }, x: x.dtype(), zero_point };
    let operation = || {
        let (multipliers, shifts) = (multiplier.to_vec()?.into(), shift.to_vec()?.into());
        Ok(Operation::Requantise { multipliers, shifts, zero_point })
    };
    k.run(plan, &[x], operation, || {
        let y = x.flat().apply_op3_no_bwd(multiplier.flat(), shift.flat(), &op)?;
        Tensor::from_flat(y, plan.dtype, plan.shape.clone())
    })
}

struct Requantise<'a> {
    context: Context<'a>,
    x: DType,
    zero_point: i32,
}

impl CustomOp3 for Requantise<'_> {
    fn name(&self) -> &'static str {
        "requantise"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        multiplier: &CpuStorage,
        lm: &Layout,
        shift: &CpuStorage,
        ls: &Layout,
    ) -> candle_core::Result<Fresh> {
        let scales =
            Scales { multipliers: slice(multiplier, lm)?, shifts: slice(shift, ls)?, zero_point: self.zero_point };
        with_element!(self.context.plan.dtype, T => match self.x {
            DType::I32 => self.rows::<i32, T>(slice(x, lx)?, scales),
            _ => self.rows::<i64, T>(slice(x, lx)?, scales),
        })
    }
}

impl Requantise<'_> {
    fn rows<X: Element, T: Element>(&self, x: &[X], scales: Scales<'_>) -> candle_core::Result<Fresh> {
        self.context.fill(|out: &mut [T]| {
            // With one scale for all, rows are of any length.
            kernel::requantise_rows(self.context.kernels, x, scales.multipliers.len(), scales, out);
            Ok(())
        })
    }
}
