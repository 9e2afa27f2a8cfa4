//! What the opcodes for functions of one number share.
//!
//! ```text
//! y_i = sat(rne(2^out_bits * f(x_i / 2^in_bits)))
//! ```
//!
//! One rounding, to nearest with ties to even, of the exact real value. The result is therefore a table of 256
//! or 65536 entries that depends on nothing but the function, the format and the two types, and
//! any implementation may make it (or have it) and look the elements up.

use candle_core::{CpuStorage, CustomOp1, Layout};

use super::storage::{Context, Fresh, slice};
use crate::{
    DType, Element, Kernels, OpError, Plan, Status, Tensor,
    element::with_element,
    kernel::{self, Format, Function, MAX_IN_BITS, MAX_OUT_BITS},
    program::Operation,
    work,
};

/// Checks types and numbers. Work: [`work::function`].
pub(super) fn plan(x: &Tensor, in_bits: u32, out_bits: u32, dtype: u32) -> Result<Plan, Status> {
    let dtype = DType::from_code(dtype).filter(|dtype| *dtype != DType::I64).ok_or(Status::TypeMismatch)?;
    if !matches!(x.dtype(), DType::I8 | DType::I16) {
        return Err(Status::TypeMismatch);
    }
    if in_bits > MAX_IN_BITS || out_bits > MAX_OUT_BITS {
        return Err(Status::BadArgument);
    }
    Plan::new(dtype, x.shape().clone(), work::function(x.dtype(), dtype, x.elements()))
}

/// Checks that the function is defined at every element, and computes.
pub(super) fn run(
    k: &Kernels,
    plan: &Plan,
    x: &Tensor,
    function: Function,
    (in_bits, out_bits): (u32, u32),
    undefined: Status,
) -> Result<Tensor, OpError> {
    let defined = match x.dtype() {
        DType::I8 => x.read(|values: &[i8]| function.is_defined_at_all(values))?,
        _ => x.read(|values: &[i16]| function.is_defined_at_all(values))?,
    };
    if !defined {
        return Err(undefined.into());
    }
    let format = Format { in_bits, out_bits };
    let op = FunctionOp { context: Context { kernels: k, plan }, x: x.dtype(), function, format };
    let host = || Tensor::from_flat(x.flat().apply_op1_no_bwd(&op)?, plan.dtype, plan.shape.clone());
    // On a device a function is a table, which for 16 bits takes longer to make than fewer elements to compute.
    let table =
        || Ok(Operation::Lookup { table: kernel::function_table(function, format, x.dtype(), plan.dtype).into() });
    if x.dtype() == DType::I8 || x.elements() >= 1 << 16 { k.run(plan, &[x], table, host) } else { host() }
}

struct FunctionOp<'a> {
    context: Context<'a>,
    x: DType,
    function: Function,
    format: Format,
}

impl CustomOp1 for FunctionOp<'_> {
    fn name(&self) -> &'static str {
        "function"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<Fresh> {
        match self.x {
            DType::I8 => self.from::<i8>(slice(x, layout)?),
            _ => self.from::<i16>(slice(x, layout)?),
        }
    }
}

impl FunctionOp<'_> {
    fn from<X: Element>(&self, x: &[X]) -> candle_core::Result<Fresh> {
        with_element!(self.context.plan.dtype, T => self.context.fill(|out: &mut [T]| {
            kernel::apply_function(self.context.kernels, self.function, self.format, x, out);
            Ok(())
        }))
    }
}
