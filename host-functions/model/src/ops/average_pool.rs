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

/// `rne(sum / count)` of the elements of each channel in a window over images `[h, w, c]` of any type. The count is that of
/// all taps where `count_pads`, else that of the elements seen. As opcode: `op.average_pool`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AveragePool {
    /// How the window moves.
    pub window: Window,
    /// Whether pads count as zeros.
    pub count_pads: bool,
}

impl Operator for AveragePool {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let (size, channels) = image(&inputs[0].dims)?;
        let [rows, columns] = self.window.places(size)?;
        Ok(Edge::new(inputs[0].dtype, &[rows, columns, channels]))
    }

    fn bound(&self, _: &[&Edge], inputs: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        let zero = Interval { lo: 0, hi: 0 };
        Ok(if self.window.is_padded() { inputs[0].hull(zero) } else { inputs[0] }.into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        let Ok(y) = self.infer(inputs) else { return vec![] };
        vec![(Opcode::AveragePool, super::window::pool_work(&self.window, &y))]
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        let pool = if self.count_pads { Pool::Average } else { Pool::AverageSeen };
        Ok(Box::new(AveragePoolStep { window: self.window.clone(), pool }))
    }
}

struct AveragePoolStep {
    window: Window,
    pool: Pool,
}

impl Step for AveragePoolStep {
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
