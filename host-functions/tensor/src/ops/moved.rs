//! What opcodes that move or reduce share: one to three operands, given as slices.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout};

use super::storage::{Context, Fresh};
use crate::{Kernels, OpError, Plan, Shape, Status, Tensor};

/// A custom operation of one operand, by a function of its storage.
pub(super) struct One<'a, F> {
    context: Context<'a>,
    name: &'static str,
    compute: F,
}

impl<F: Fn(&Context<'_>, &CpuStorage, &Layout) -> candle_core::Result<Fresh>> CustomOp1 for One<'_, F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<Fresh> {
        (self.compute)(&self.context, x, layout)
    }
}

/// Applies a function of the storage of `x`.
pub(super) fn one<F: Fn(&Context<'_>, &CpuStorage, &Layout) -> candle_core::Result<Fresh>>(
    kernels: &Kernels,
    plan: &Plan,
    name: &'static str,
    x: &Tensor,
    compute: F,
) -> Result<Tensor, OpError> {
    let op = One { context: Context { kernels, plan }, name, compute };
    Tensor::from_flat(x.flat().apply_op1_no_bwd(&op)?, plan.dtype, plan.shape.clone())
}

/// A custom operation of two operands, by a function of their storage.
struct Two<'a, F> {
    context: Context<'a>,
    name: &'static str,
    compute: F,
}

type Stored<'a> = (&'a CpuStorage, &'a Layout);

impl<F: Fn(&Context<'_>, Stored<'_>, Stored<'_>) -> candle_core::Result<Fresh>> CustomOp2 for Two<'_, F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> candle_core::Result<Fresh> {
        (self.compute)(&self.context, (a, la), (b, lb))
    }
}

/// Applies a function of the storage of `a` and `b`.
pub(super) fn two<F: Fn(&Context<'_>, Stored<'_>, Stored<'_>) -> candle_core::Result<Fresh>>(
    kernels: &Kernels,
    plan: &Plan,
    name: &'static str,
    (a, b): (&Tensor, &Tensor),
    compute: F,
) -> Result<Tensor, OpError> {
    let op = Two { context: Context { kernels, plan }, name, compute };
    Tensor::from_flat(a.flat().apply_op2_no_bwd(b.flat(), &op)?, plan.dtype, plan.shape.clone())
}

/// A custom operation of three operands, by a function of their storage.
struct Three<'a, F> {
    context: Context<'a>,
    name: &'static str,
    compute: F,
}

impl<F: Fn(&Context<'_>, Stored<'_>, Stored<'_>, Stored<'_>) -> candle_core::Result<Fresh>> CustomOp3 for Three<'_, F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        la: &Layout,
        b: &CpuStorage,
        lb: &Layout,
        c: &CpuStorage,
        lc: &Layout,
    ) -> candle_core::Result<Fresh> {
        (self.compute)(&self.context, (a, la), (b, lb), (c, lc))
    }
}

/// Applies a function of the storage of `a`, `b` and `c`.
pub(super) fn three<F: Fn(&Context<'_>, Stored<'_>, Stored<'_>, Stored<'_>) -> candle_core::Result<Fresh>>(
    kernels: &Kernels,
    plan: &Plan,
    name: &'static str,
    (a, b, c): (&Tensor, &Tensor, &Tensor),
    compute: F,
) -> Result<Tensor, OpError> {
    let op = Three { context: Context { kernels, plan }, name, compute };
    Tensor::from_flat(a.flat().apply_op3_no_bwd(b.flat(), c.flat(), &op)?, plan.dtype, plan.shape.clone())
}

/// The dimensions before an axis, along it, and behind it.
pub(super) fn around(shape: &Shape, axis: u32) -> Result<(&[u32], u32, &[u32]), Status> {
    let axis = usize::try_from(axis).map_err(|_| Status::ShapeMismatch)?;
    let (before, rest) = shape.dims().split_at_checked(axis).ok_or(Status::ShapeMismatch)?;
    let (along, behind) = rest.split_first().ok_or(Status::ShapeMismatch)?;
    Ok((before, *along, behind))
}

/// Indices (`i32`) as lengths of this machine, each below `count`: otherwise `IndexOutOfRange`.
pub(super) fn places(indices: &Tensor, count: usize) -> Result<Vec<usize>, OpError> {
    let places = indices.read(|indices: &[i32]| {
        let place = |index: &i32| usize::try_from(*index).ok().filter(|index| *index < count);
        indices.iter().map(place).collect::<Option<Vec<usize>>>()
    })?;
    Ok(places.ok_or(Status::IndexOutOfRange)?)
}
