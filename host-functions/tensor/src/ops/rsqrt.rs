//! The reciprocal of the square root, correctly rounded: `y_i = sat(rne(2^out_bits * 1 / sqrt(x_i / 2^in_bits)))`.
//!
//! One rounding, to nearest with ties to even, of the exact real value; `x` is `i8` or `i16`. How it
//! is computed, and the proof that the rounding is right: `kernel/function`.

use super::function;
use crate::{Kernels, OpError, Plan, Status, Tensor, kernel::Function};

/// Checks types and numbers. Work: `work::function`.
///
/// # Errors
/// `TypeMismatch` where `x` is not `i8` or `i16`, or for a result that is not `i8`, `u8`, `i16` or `i32`;
/// `BadArgument` for more than 16 fraction bits of `x` or 30 of the result.
pub fn plan(x: &Tensor, in_bits: u32, out_bits: u32, dtype: u32) -> Result<Plan, Status> {
    function::plan(x, in_bits, out_bits, dtype)
}

/// Computes.
///
/// # Errors
/// `BadArgument` for an element that is not above 0.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor, in_bits: u32, out_bits: u32, _dtype: u32) -> Result<Tensor, OpError> {
    function::run(k, plan, x, Function::Rsqrt, (in_bits, out_bits), Status::BadArgument)
}
