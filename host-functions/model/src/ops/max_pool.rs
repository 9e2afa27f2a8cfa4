use borsh::{BorshDeserialize, BorshSerialize};
use noema_tensor::{Level, OpError, kernel::Pool, program::Operation, work};

use super::{
    Operator, Step, Window,
    pool::{self, PoolStep},
};
use crate::{
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
        pool::infer(&self.window, inputs[0])
    }

    fn bound(&self, edges: &[&Edge], inputs: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        let least = edges[0].dtype.min();
        let pads = Interval { lo: least, hi: least };
        Ok(if self.window.is_padded() { inputs[0].hull(pads) } else { inputs[0] }.into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        pool::work(&self.window, inputs[0], work::max_pool).map(|work| (Opcode::MaxPool, work)).into_iter().collect()
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(PoolStep { window: Some(self.window.clone()), pool: Pool::Max }))
    }

    fn lower<'p>(&self, inputs: &[&Edge], _: &Parameters<'p>) -> Option<Operation<'p>> {
        pool::lower(&self.window, Pool::Max, inputs[0])
    }
}
