use borsh::{BorshDeserialize, BorshSerialize};
use noema_tensor::{Kernels, Level, OpError, kernel, program::Operation, work};

use super::{InPlace, Operator, Shapes, Step};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::Edge,
    parameters::Parameters,
    prices::Opcode,
};

/// `y = sat(a + b)` of two edges of one type and shape. As opcode: `op.add`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Add {}

impl Operator for Add {
    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let (a, b) = (inputs[0], inputs[1]);
        if a != b {
            return Err(format!("adds {} {:?} and {} {:?}", a.dtype, a.dims, b.dtype, b.dims));
        }
        Ok(a.clone())
    }

    fn bound(&self, edges: &[&Edge], inputs: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        let (a, b) = (inputs[0], inputs[1]);
        let (lo, hi) = (i128::from(a.lo) + i128::from(b.lo), i128::from(a.hi) + i128::from(b.hi));
        Ok(Interval::saturated(lo, hi, edges[0].dtype).into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        vec![(Opcode::Add, work::elementwise(inputs[0].dtype, &inputs[0].dims, &[]))]
    }

    fn in_place(&self) -> Option<InPlace> {
        Some(InPlace { inputs: &[0, 1], by_row: false })
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(AddStep))
    }

    fn lower<'p>(&self, _: &[&Edge], _: &Parameters<'p>) -> Option<Operation<'p>> {
        Some(Operation::Binary(kernel::Binary::Add))
    }
}

struct AddStep;

impl Step for AddStep {
    fn run(&self, k: &Kernels, _: &Shapes<'_>, inputs: &[Source<'_>], output: &mut Sink<'_>) -> Result<(), OpError> {
        match (inputs[0], inputs[1], output) {
            (Source::I8(a), Source::I8(b), Sink::I8(y)) => kernel::add(k, a, b, y),
            (Source::U8(a), Source::U8(b), Sink::U8(y)) => kernel::add(k, a, b, y),
            (Source::I16(a), Source::I16(b), Sink::I16(y)) => kernel::add(k, a, b, y),
            (Source::I32(a), Source::I32(b), Sink::I32(y)) => kernel::add(k, a, b, y),
            (Source::I64(a), Source::I64(b), Sink::I64(y)) => kernel::add(k, a, b, y),
            _ => return Err(arena::unexpected()),
        }
        Ok(())
    }
}
