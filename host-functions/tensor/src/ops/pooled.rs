//! What the pools share.

use super::moved;
use super::storage::slice;
use super::windowed::{Moves, numbers};
use crate::{
    DType, Kernels, OpError, Plan, Shape, Status, Tensor,
    element::with_element,
    kernel::{self, Pool},
};

/// How the window moves, as a contract writes it: its rows and columns, strides, pads, dilations.
pub(super) struct Window<'a>(pub(super) &'a [u8], pub(super) &'a [u8], pub(super) &'a [u8], pub(super) &'a [u8]);

impl Window<'_> {
    fn moves(&self) -> Result<Moves, Status> {
        Moves::new(numbers(self.0)?, self.1, self.2, self.3)
    }
}

/// Images `[n, h, w, c]` and the window over them.
fn sides(x: &Tensor, window: &Window<'_>) -> Result<([u32; 4], Moves, [u32; 2]), Status> {
    let &[images, rows, columns, channels] = x.shape().dims() else { return Err(Status::ShapeMismatch) };
    let moves = window.moves()?;
    moves.check()?;
    let places = moves.places([rows, columns])?;
    Ok(([images, rows, columns, channels], moves, places))
}

/// Checks shapes and numbers. Work as the function of the type, places, taps and channels says.
pub(super) fn plan(x: &Tensor, window: &Window<'_>, work: fn(DType, u64, u64, u64) -> u64) -> Result<Plan, Status> {
    let ([images, .., channels], moves, [rows, columns]) = sides(x, window)?;
    let shape = Shape::new(&[images, rows, columns, channels])?;
    let places = Shape::new(&[images, rows, columns])?.elements()?;
    shape.elements()?;
    Plan::new(x.dtype(), shape, work(x.dtype(), places, moves.taps(), channels.into()))
}

/// Computes.
pub(super) fn run(k: &Kernels, plan: &Plan, pool: Pool, x: &Tensor, window: &Window<'_>) -> Result<Tensor, OpError> {
    let ([_, rows, columns, channels], moves, places) = sides(x, window)?;
    let window = moves.window([rows, columns], places, false)?;
    let channels = usize::try_from(channels).map_err(|_| Status::LimitExceeded)?;
    moved::one(k, plan, "pool", x, |context, x, layout| {
        with_element!(context.plan.dtype, T => context.fill(|out: &mut [T]| {
            kernel::pool(context.kernels, &window, channels, pool, slice(x, layout)?, out);
            Ok(())
        }))
    })
}
