use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;
use noema_tensor::{Kernels, Level, OpError, kernel, program::Operation, work};

use super::{Operator, Shapes, Step, length};
use crate::{
    arena::{Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::Edge,
    parameters::Parameters,
    prices::Opcode,
};

/// Index of the largest element along the last axis as `i32`, the lowest among equals; the axis goes. As opcode:
/// `op.argmax`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Argmax {}

impl Operator for Argmax {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let Some((last, before)) = inputs[0].dims.split_last() else {
            return Err("its input has no axis beside the batch".into());
        };
        if i32::try_from(*last).is_err() {
            return Err(format!("an index of {last} does not fit i32"));
        }
        Ok(Edge::new(DType::I32, before))
    }

    fn bound(&self, edges: &[&Edge], _: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        Ok(Interval { lo: 0, hi: i64::from(edges[0].last()) - 1 }.into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        vec![(Opcode::Argmax, work::argmax(inputs[0].dtype, &inputs[0].dims))]
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(ArgmaxStep))
    }

    fn lower<'p>(&self, inputs: &[&Edge], _: &Parameters<'p>) -> Option<Operation<'p>> {
        Some(Operation::Argmax { row: length(inputs[0].last()) })
    }
}

struct ArgmaxStep;

impl Step for ArgmaxStep {
    fn run(
        &self,
        k: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        let (row, y) = (length(shapes.input(0).last()), output.i32s()?);
        match inputs[0] {
            Source::I8(x) => kernel::argmax_rows(k, x, row, y),
            Source::U8(x) => kernel::argmax_rows(k, x, row, y),
            Source::I16(x) => kernel::argmax_rows(k, x, row, y),
            Source::I32(x) => kernel::argmax_rows(k, x, row, y),
            Source::I64(x) => kernel::argmax_rows(k, x, row, y),
        }
        Ok(())
    }
}
