use borsh::{BorshDeserialize, BorshSerialize};
use noema_tensor::{Kernels, Level, OpError, kernel, program::Operation, work};

use super::{Operator, Shapes, Step, device_axes, length, same_type};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::Edge,
    parameters::Parameters,
    prices::Opcode,
};

/// One row behind the other along an axis, which is not the batch. As opcode: `op.concat`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Concat {
    /// The axis, not counting the batch.
    pub axis: u32,
}

impl Operator for Concat {
    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let (a, b, axis) = (inputs[0], inputs[1], length(self.axis));
        let refused = || format!("{} {:?} and {} {:?} along axis {axis}", a.dtype, a.dims, b.dtype, b.dims);
        let along = a.dims.get(axis).zip(b.dims.get(axis));
        let sum = along.and_then(|(a, b)| a.checked_add(*b)).ok_or_else(refused)?;
        let (mut dims, mut other) = (a.dims.clone(), b.dims.clone());
        (dims[axis], other[axis]) = (sum, sum);
        if dims != other || a.dtype != b.dtype {
            return Err(refused());
        }
        Ok(Edge { dtype: a.dtype, dims })
    }

    fn bound(&self, _: &[&Edge], inputs: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        Ok(inputs[0].hull(inputs[1]).into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        let work = self.infer(inputs).map_or(0, |y| work::concat(y.dtype, &y.dims, length(self.axis)));
        vec![(Opcode::Concat, work)]
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(ConcatStep { axis: length(self.axis) }))
    }

    fn lower<'p>(&self, inputs: &[&Edge], _: &Parameters<'p>) -> Option<Operation<'p>> {
        let part = |edge: &Edge| {
            let (axes, before) = device_axes(edge);
            let axes = axes.get(length(self.axis).checked_sub(before)?..)?;
            Some(axes.iter().map(|dim| length(*dim)).product())
        };
        Some(Operation::Concat([part(inputs[0])?, part(inputs[1])?]))
    }
}

struct ConcatStep {
    axis: usize,
}

impl Step for ConcatStep {
    fn run(
        &self,
        _: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        let to = shapes.batched(shapes.output());
        let mut starts = vec![0; to.len()];
        for (index, input) in inputs.iter().enumerate() {
            let dims = shapes.batched(shapes.input(index));
            same_type!(*input, &mut *output, |x, y| kernel::paste_box(x, &dims, &starts, &to, y));
            starts[self.axis + 1] += dims[self.axis + 1];
        }
        Ok(())
    }
}
