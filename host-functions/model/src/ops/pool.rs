//! What the pools have in common: the shape and the work of a window over an image, and how it is run.

use noema_tensor::{
    DType, Kernels, OpError,
    kernel::{self, Pool},
    program::Operation,
};

use super::{
    Shapes, Step, length, same_type,
    window::{Window, image},
};
use crate::{
    arena::{self, Sink, Source},
    graph::Edge,
};

/// What a pool of this window makes of an image.
pub(super) fn infer(window: &Window, x: &Edge) -> Result<Edge, String> {
    let (size, channels) = image(&x.dims)?;
    let [rows, columns] = window.places(size)?;
    Ok(Edge::new(x.dtype, &[rows, columns, channels]))
}

/// Work, by the function of the opcode of its type, places, taps and channels.
pub(super) fn work(window: &Window, x: &Edge, of: fn(DType, u64, u64, u64) -> u64) -> Option<u64> {
    let y = infer(window, x).ok()?;
    let places = y.row_elements() / u64::from(y.last()).max(1);
    Some(of(x.dtype, places, window.taps(), y.last().into()))
}

/// The same for a device.
pub(super) fn lower(window: &Window, pool: Pool, x: &Edge) -> Option<Operation<'static>> {
    let (window, channels) = window.over_image_of_device(x)?;
    Some(Operation::Pool { window, channels, pool })
}

/// A pool, ready to run.
pub(super) struct PoolStep {
    /// The whole image, if there is none.
    pub(super) window: Option<Window>,
    pub(super) pool: Pool,
}

impl Step for PoolStep {
    fn run(
        &self,
        k: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        let (size, channels) = image(&shapes.input(0).dims).map_err(OpError::Node)?;
        let window = match &self.window {
            Some(window) => window.over(size),
            None => Window::new(size[0], size[1]).over(size),
        };
        let window = window.map_err(OpError::Node)?;
        same_type!(inputs[0], output, |x, y| kernel::pool(k, &window, length(channels), self.pool, x, y));
        Ok(())
    }
}
