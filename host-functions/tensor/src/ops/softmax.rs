//! Softmax over the last axis, in integers.
//!
//! With `c = multiplier / 2^shift`: `E_j = rne(2^30 * exp(c * (x_j - max x)))`, then
//! `y_j = rne(2^fraction_bits * E_j / sum E)` as `i32`. Both roundings are of the exact value.

use candle_core::{CpuStorage, CustomOp1, Layout};

use super::storage::{Context, Fresh, slice};
use crate::{
    DType, Element, Kernels, OpError, Plan, Status, Tensor,
    kernel::{self, Softmax},
    program::Operation,
    work,
};

/// The longest row: `65536 * 2^30` keeps the sum of a row, shifted by 30 bits, far inside 128 bits,
/// and the result within one unit of the correctly rounded softmax.
const MAX_ROW: u32 = 65_536;

/// Checks types, shapes and numbers. Work: elements, and 5 for each row.
///
/// # Errors
/// `TypeMismatch`; `ShapeMismatch` where rows are not 1 to 65536 long; `BadArgument` for a
/// multiplier that is not 0 or in `[2^30, 2^31)`, a shift above 62, more than 30 fraction bits.
pub fn plan(x: &Tensor, multiplier: i32, shift: u32, fraction_bits: u32) -> Result<Plan, Status> {
    if !matches!(x.dtype(), DType::I8 | DType::I16 | DType::I32) {
        return Err(Status::TypeMismatch);
    }
    if !x.shape().dims().last().is_some_and(|row| (1..=MAX_ROW).contains(row)) {
        return Err(Status::ShapeMismatch);
    }
    Softmax::new(multiplier, shift, fraction_bits)?;
    Plan::new(DType::I32, x.shape().clone(), work::softmax(x.shape().dims()))
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(
    k: &Kernels,
    plan: &Plan,
    x: &Tensor,
    multiplier: i32,
    shift: u32,
    fraction_bits: u32,
) -> Result<Tensor, OpError> {
    let (_, row) = x.shape().split_last()?;
    let softmax = Softmax::new(multiplier, shift, fraction_bits)?;
    let op = SoftmaxOp { context: Context { kernels: k, plan }, x: x.dtype(), row, softmax };
    let operation = || {
        let row = usize::try_from(row).map_err(candle_core::Error::wrap)?;
        Ok(Operation::Softmax { attributes: softmax, row })
    };
    k.run(plan, &[x], operation, || Tensor::from_flat(x.flat().apply_op1_no_bwd(&op)?, plan.dtype, plan.shape.clone()))
}

struct SoftmaxOp<'a> {
    context: Context<'a>,
    x: DType,
    row: u32,
    softmax: Softmax,
}

impl CustomOp1 for SoftmaxOp<'_> {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<Fresh> {
        match self.x {
            DType::I8 => self.rows::<i8>(slice(x, layout)?),
            DType::I16 => self.rows::<i16>(slice(x, layout)?),
            _ => self.rows::<i32>(slice(x, layout)?),
        }
    }
}

impl SoftmaxOp<'_> {
    fn rows<T: Element + Into<i32>>(&self, x: &[T]) -> candle_core::Result<Fresh> {
        let row = usize::try_from(self.row).map_err(candle_core::Error::wrap)?;
        self.context.fill(|out: &mut [i32]| {
            kernel::softmax_rows(self.context.kernels, x, row, self.softmax, out);
            Ok(())
        })
    }
}
