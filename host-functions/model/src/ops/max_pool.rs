use borsh::{BorshDeserialize, BorshSerialize};
use noema_tensor::{
    Kernels, Level, OpError,
    kernel::{self, Pool},
};

use super::{
    Operator, Shapes, Step, length, same_type,
    window::{Window, image},
};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::Edge,
    parameters::Parameters,
    prices::Opcode,
};

/// The largest element of each channel in a window over images `[h, w, c]` of any type; the least value of the type where the
/// window sees nothing but pads. As opcode: `op.max_pool`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MaxPool {
    /// How the window moves.
    pub window: Window,
}

impl Operator for MaxPool {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let (size, channels) = image(&inputs[0].dims)?;
        let [rows, columns] = self.window.places(size)?;
        Ok(Edge::new(inputs[0].dtype, &[rows, columns, channels]))
    }

    fn bound(&self, edges: &[&Edge], inputs: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        let least = edges[0].dtype.min();
        let pads = Interval { lo: least, hi: least };
        Ok(if self.window.is_padded() { inputs[0].hull(pads) } else { inputs[0] }.into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        let Ok(y) = self.infer(inputs) else { return vec![] };
        vec![(Opcode::MaxPool, super::window::pool_work(&self.window, &y))]
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        let pool = Pool::Max;
        Ok(Box::new(MaxPoolStep { window: self.window.clone(), pool }))
    }
}

struct MaxPoolStep {
    window: Window,
    pool: Pool,
}

impl Step for MaxPoolStep {
    fn run(
        &self,
        k: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        let (size, channels) = image(&shapes.input(0).dims).map_err(OpError::Node)?;
        let window = self.window.over(size).map_err(OpError::Node)?;
        same_type!(inputs[0], output, |x, y| kernel::pool(k, &window, length(channels), self.pool, x, y));
        Ok(())
    }
}
