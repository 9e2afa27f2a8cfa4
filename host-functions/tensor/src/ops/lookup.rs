//! `y_i = table[x_i - lowest value of x's type]`: any function of an 8- or 16-bit number.
//!
//! `x` is `i8` or `u8` and `table` has 256 entries, or `x` is `i16` and `table` has 65536. The entries
//! stand in the order of the numbers: that of -128 is the first one of an `i8` table. Entries, and the
//! result, are of any element type.

use candle_core::{CpuStorage, CustomOp2, Layout};

use super::storage::{Context, Fresh, slice};
use crate::{DType, Kernels, OpError, Plan, Status, Tensor, element::with_element, kernel, program::Operation};

/// Checks types and shapes. Work: elements of `x`.
///
/// # Errors
/// `TypeMismatch` where `x` is not of 8 or 16 bits; `ShapeMismatch` where the table is not one axis
/// with an entry for every value of the type.
pub fn plan(x: &Tensor, table: &Tensor) -> Result<Plan, Status> {
    let values = match x.dtype() {
        DType::I8 | DType::U8 => 1 << 8,
        DType::I16 => 1 << 16,
        _ => return Err(Status::TypeMismatch),
    };
    if table.shape().dims() != [values] {
        return Err(Status::ShapeMismatch);
    }
    Plan::new(table.dtype(), x.shape().clone(), x.elements())
}

/// Looks up.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, table: &Tensor) -> Result<Tensor, OpError> {
    let op = Lookup { context: Context { kernels: k, plan }, x: x.dtype() };
    let operation = || Ok(Operation::Lookup { table: table.to_le_bytes()?.into() });
    k.run(plan, &[x], operation, || {
        Tensor::from_flat(x.flat().apply_op2_no_bwd(table.flat(), &op)?, plan.dtype, plan.shape.clone())
    })
}

struct Lookup<'a> {
    context: Context<'a>,
    x: DType,
}

impl CustomOp2 for Lookup<'_> {
    fn name(&self) -> &'static str {
        "lookup"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, table: &CpuStorage, lt: &Layout) -> candle_core::Result<Fresh> {
        let kernels = self.context.kernels;
        with_element!(self.context.plan.dtype, T => self.context.fill(|out: &mut [T]| {
            let table = slice(table, lt)?;
            match self.x {
                DType::I8 => kernel::lookup::<i8, T>(kernels, slice(x, lx)?, table, out),
                DType::U8 => kernel::lookup::<u8, T>(kernels, slice(x, lx)?, table, out),
                _ => kernel::lookup::<i16, T>(kernels, slice(x, lx)?, table, out),
            }
            Ok(())
        }))
    }
}
