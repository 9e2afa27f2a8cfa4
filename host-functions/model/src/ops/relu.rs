use borsh::{BorshDeserialize, BorshSerialize};
use noema_tensor::{Kernels, Level, OpError, kernel, program::Operation};

use super::{InPlace, Operator, Shapes, Step};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::Edge,
    parameters::Parameters,
    prices::Opcode,
};

/// `y = max(x, 0)`, any element type. As opcode: `op.relu`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Relu {}

impl Operator for Relu {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        Ok(inputs[0].clone())
    }

    fn bound(&self, _edges: &[&Edge], inputs: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        Ok(Interval { lo: inputs[0].lo.max(0), hi: inputs[0].hi.max(0) }.into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        vec![(Opcode::Relu, inputs[0].row_bytes())]
    }

    fn in_place(&self) -> Option<InPlace> {
        InPlace::ELEMENTS
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(ReluStep))
    }

    fn lower<'p>(&self, _: &[&Edge], _: &Parameters<'p>) -> Option<Operation<'p>> {
        Some(Operation::Relu)
    }
}

struct ReluStep;

impl Step for ReluStep {
    fn run(&self, k: &Kernels, _: &Shapes<'_>, inputs: &[Source<'_>], output: &mut Sink<'_>) -> Result<(), OpError> {
        match (inputs[0], output) {
            (Source::I8(x), Sink::I8(y)) => kernel::relu(k, x, y),
            (Source::U8(x), Sink::U8(y)) => kernel::relu(k, x, y),
            (Source::I16(x), Sink::I16(y)) => kernel::relu(k, x, y),
            (Source::I32(x), Sink::I32(y)) => kernel::relu(k, x, y),
            (Source::I64(x), Sink::I64(y)) => kernel::relu(k, x, y),
            _ => return Err(arena::unexpected()),
        }
        Ok(())
    }
}
