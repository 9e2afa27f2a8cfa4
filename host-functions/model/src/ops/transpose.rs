use borsh::{BorshDeserialize, BorshSerialize};
use noema_tensor::{Kernels, Level, OpError, kernel, program::Operation, work};

use super::{Operator, Shapes, Step, device_axes, length, lengths, same_type};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::Edge,
    parameters::Parameters,
    prices::Opcode,
};

/// The axes of a row in another order: axis `i` of the result is axis `axes_i` of the input, not counting the batch.
/// As opcode: `op.transpose`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Transpose {
    /// Every axis once.
    pub axes: Vec<u32>,
}

impl Operator for Transpose {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let x = inputs[0];
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        let axis = |axis: &u32| x.dims.get(length(*axis)).copied();
        let dims: Option<Vec<u32>> = self.axes.iter().map(axis).collect();
        let once = sorted.iter().zip(0..).all(|(axis, place)| *axis == place);
        match dims {
            Some(dims) if once && dims.len() == x.dims.len() => Ok(Edge { dtype: x.dtype, dims }),
            _ => Err(format!("axes {:?} of {:?}", self.axes, x.dims)),
        }
    }

    fn bound(&self, _: &[&Edge], inputs: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        Ok(inputs[0].into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        vec![(Opcode::Transpose, work::transpose(inputs[0].dtype, &inputs[0].dims, &lengths(&self.axes)))]
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(TransposeStep { axes: lengths(&self.axes) }))
    }

    fn lower<'p>(&self, inputs: &[&Edge], _: &Parameters<'p>) -> Option<Operation<'p>> {
        let (axes, before) = device_axes(inputs[0]);
        if before == 1 && self.axes[0] != 0 {
            return None;
        }
        let (from, strides) = (lengths(axes), kernel::row_major(&lengths(axes)));
        let order = || self.axes[before..].iter().map(|axis| length(*axis) - before);
        let dims = order().map(|axis| from[axis]).collect();
        Some(Operation::CopyStrided { dims, strides: order().map(|axis| strides[axis]).collect(), start: 0 })
    }
}

struct TransposeStep {
    axes: Vec<usize>,
}

impl Step for TransposeStep {
    fn run(
        &self,
        _: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        let from = lengths(&shapes.input(0).dims);
        let of_axes = kernel::row_major(&from);
        let row: usize = from.iter().product();
        let dims = shapes.batched(shapes.output());
        let mut strides = vec![row];
        strides.extend(self.axes.iter().map(|axis| of_axes[*axis]));
        same_type!(inputs[0], output, |x, y| kernel::copy_strided(x, 0, &strides, &dims, y));
        Ok(())
    }
}
