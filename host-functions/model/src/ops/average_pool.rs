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

/// `rne(sum / count)` of the elements of each channel in a window over images `[h, w, c]` of any type. The count is that of
/// all taps where `count_pads`, else that of the elements seen. As opcode: `op.average_pool`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AveragePool {
    /// How the window moves.
    pub window: Window,
    /// Whether pads count as zeros.
    pub count_pads: bool,
}

impl AveragePool {
    fn pool(&self) -> Pool {
        if self.count_pads { Pool::Average } else { Pool::AverageSeen }
    }
}

impl Operator for AveragePool {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        pool::infer(&self.window, inputs[0])
    }

    fn bound(&self, _: &[&Edge], inputs: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        let zero = Interval { lo: 0, hi: 0 };
        Ok(if self.window.is_padded() { inputs[0].hull(zero) } else { inputs[0] }.into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        pool::work(&self.window, inputs[0], work::average_pool)
            .map(|work| (Opcode::AveragePool, work))
            .into_iter()
            .collect()
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(PoolStep { window: Some(self.window.clone()), pool: self.pool() }))
    }

    fn lower<'p>(&self, inputs: &[&Edge], _: &Parameters<'p>) -> Option<Operation<'p>> {
        pool::lower(&self.window, self.pool(), inputs[0])
    }
}
