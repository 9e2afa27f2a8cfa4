use borsh::{BorshDeserialize, BorshSerialize};
use noema_tensor::{Level, OpError, kernel::Pool, program::Operation, work};

use super::{
    Operator, Step, Window,
    pool::{self, PoolStep},
    window::image,
};
use crate::{
    bounds::{EdgeBound, Interval},
    graph::Edge,
    parameters::Parameters,
    prices::Opcode,
};

/// `rne(sum / count)` of all elements of each channel of images `[h, w, c]`, to `[1, 1, c]`. As opcode:
/// `op.global_average_pool`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct GlobalAveragePool {}

impl Operator for GlobalAveragePool {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let (_, channels) = image(&inputs[0].dims)?;
        Ok(Edge::new(inputs[0].dtype, &[1, 1, channels]))
    }

    fn bound(&self, _: &[&Edge], inputs: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        Ok(inputs[0].into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        // It is done as a window of the whole image.
        let x = inputs[0];
        let channels = u64::from(x.last());
        let taps = x.row_elements() / channels.max(1);
        vec![(Opcode::AveragePool, work::average_pool(x.dtype, 1, taps, channels))]
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(PoolStep { window: None, pool: Pool::Average }))
    }

    fn lower<'p>(&self, inputs: &[&Edge], _: &Parameters<'p>) -> Option<Operation<'p>> {
        let ([rows, columns], _) = image(&inputs[0].dims).ok()?;
        pool::lower(&Window::new(rows, columns), Pool::Average, inputs[0])
    }
}
