//! `y[.., i, j] = sum over l of a[.., i, l] * b[.., l, j]`, exact.
//!
//! | `a` | `b` | `y` |
//! |---|---|---|
//! | `i8` | `i8` | `i32` while `k <= 131071` (`131071 * 2^14 < 2^31`), else `i64` |
//! | `u8` | `i8` | `i32` while `k <= 65793` (`65793 * 255 * 128 < 2^31`), else `i64` |
//! | `i16` | `i8`, `i16` | `i64` |
//!
//! `a` is `[.., m, k]`, `b` is `[k, n]` (the same for the whole batch) or `[.., k, n]` with the
//! same leading dimensions. An empty sum is zero.

use candle_core::{CpuStorage, CustomOp2, Layout};

use super::storage::{Context, Fresh, slice};
use crate::{
    DType, Element, Kernels, OpError, Plan, Shape, Status, Tensor, kernel,
    program::{self, Operation},
    shape::product,
    work,
};

/// Batches and the sides of the product.
struct Sides {
    batches: u64,
    m: u64,
    k: u64,
    n: u64,
}

impl Sides {
    fn lengths(&self) -> candle_core::Result<program::Sides> {
        let side = |side: u64| usize::try_from(side).map_err(candle_core::Error::wrap);
        Ok(program::Sides { m: side(self.m)?, k: side(self.k)?, n: side(self.n)? })
    }
}

fn sides(a: &Tensor, b: &Tensor) -> Result<Sides, Status> {
    let ([a_outer @ .., m, k], [b_outer @ .., b_k, n]) = (a.shape().dims(), b.shape().dims()) else {
        return Err(Status::ShapeMismatch);
    };
    if k != b_k || !(b_outer.is_empty() || a_outer == b_outer) {
        return Err(Status::ShapeMismatch);
    }
    let outer = product(a_outer).ok_or(Status::LimitExceeded)?;
    let (m, k, n) = (u64::from(*m), u64::from(*k), u64::from(*n));
    if b_outer.is_empty() {
        // One right side for all batches: they are rows of one product.
        let m = outer.checked_mul(m).ok_or(Status::LimitExceeded)?;
        return Ok(Sides { batches: 1, m, k, n });
    }
    Ok(Sides { batches: outer, m, k, n })
}

/// Checks types and shapes. Work: [`work::matmul`].
///
/// # Errors
/// `TypeMismatch`, `ShapeMismatch`; `LimitExceeded` where the size of the result cannot be counted.
pub fn plan(a: &Tensor, b: &Tensor) -> Result<Plan, Status> {
    let wide = match (a.dtype(), b.dtype()) {
        (DType::I8 | DType::U8, DType::I8) => false,
        (DType::I16, DType::I8 | DType::I16) => true,
        _ => return Err(Status::TypeMismatch),
    };
    let Sides { batches, m, k, n } = sides(a, b)?;
    let fits = kernel::max_k_i32(a.dtype()).is_some_and(|max| u64::try_from(max).is_ok_and(|max| k <= max));
    let dtype = if !wide && fits { DType::I32 } else { DType::I64 };
    let mut dims = a.shape().dims().to_vec();
    let (columns, last) = (b.shape().dims().last(), dims.last_mut());
    if let (Some(columns), Some(last)) = (columns, last) {
        *last = *columns;
    }
    let work = work::matmul([a.dtype(), b.dtype()], batches, m, k, n);
    Plan::new(dtype, Shape::new(&dims)?, work)
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, a: &Tensor, b: &Tensor) -> Result<Tensor, OpError> {
    let sides = sides(a, b)?;
    let types = (a.dtype(), b.dtype(), plan.dtype);
    let operation = || Ok(Operation::MatMul(sides.lengths()?));
    let op = MatMul { context: Context { kernels: k, plan }, sides: &sides, types };
    k.run(plan, &[a, b], operation, || {
        Tensor::from_flat(a.flat().apply_op2_no_bwd(b.flat(), &op)?, plan.dtype, plan.shape.clone())
    })
}

struct MatMul<'a> {
    context: Context<'a>,
    sides: &'a Sides,
    types: (DType, DType, DType),
}

impl CustomOp2 for MatMul<'_> {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> candle_core::Result<Fresh> {
        match self.types {
            (DType::I8, _, DType::I32) => self.batches(slice(a, la)?, slice(b, lb)?, kernel::matmul_i8),
            (DType::I8, ..) => self.batches(slice(a, la)?, slice(b, lb)?, kernel::matmul_i8_wide),
            (DType::U8, _, DType::I32) => self.batches(slice(a, la)?, slice(b, lb)?, kernel::matmul_u8),
            (DType::U8, ..) => self.batches(slice(a, la)?, slice(b, lb)?, kernel::matmul_u8_wide),
            (_, DType::I8, _) => self.batches(slice(a, la)?, slice(b, lb)?, kernel::matmul_i16),
            _ => self.batches(slice(a, la)?, slice(b, lb)?, kernel::matmul_i16_i16),
        }
    }
}

impl MatMul<'_> {
    fn batches<X, W, Y: Element>(
        &self,
        a: &[X],
        b: &[W],
        matmul: impl Fn(&Kernels, &[X], &[W], (usize, usize, usize), &mut [Y]) -> Result<(), OpError>,
    ) -> candle_core::Result<Fresh> {
        let program::Sides { m, k, n } = self.sides.lengths()?;
        self.context.fill(|out: &mut [Y]| {
            if out.is_empty() || k == 0 {
                return Ok(());
            }
            let kernels = self.context.kernels;
            for ((a, b), out) in a.chunks_exact(m * k).zip(b.chunks_exact(k * n)).zip(out.chunks_exact_mut(m * n)) {
                matmul(kernels, a, b, (m, k, n), out).map_err(OpError::into_candle)?;
            }
            Ok(())
        })
    }
}
