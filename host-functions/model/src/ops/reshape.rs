use borsh::{BorshDeserialize, BorshSerialize};
use noema_tensor::{Kernels, Level, OpError, work};

use super::{Operator, Shapes, Step, same_type};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::Edge,
    parameters::Parameters,
    prices::Opcode,
};

/// The elements of a row in the same order under another shape. An axis of 0 in `dims` stands for the axis of the input
/// with the same number. As opcode: `op.reshape`. Costs nothing where the plan of the arena has views, which is nearly always.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Reshape {
    /// The axes of a row.
    pub dims: Vec<u32>,
}

impl Operator for Reshape {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let x = inputs[0];
        let axis = |(at, dim): (usize, &u32)| if *dim == 0 { x.dims.get(at).copied() } else { Some(*dim) };
        let dims: Option<Vec<u32>> = self.dims.iter().enumerate().map(axis).collect();
        let dims = dims.ok_or_else(|| format!("{:?} has no axis for a 0 in {:?}", x.dims, self.dims))?;
        let y = Edge { dtype: x.dtype, dims };
        if y.row_elements() != x.row_elements() {
            return Err(format!("{:?} has another number of elements than {:?}", x.dims, y.dims));
        }
        Ok(y)
    }

    fn bound(&self, _: &[&Edge], inputs: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        Ok(inputs[0].into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        // Unlike the opcode it copies, where it does anything.
        let x = inputs[0];
        vec![(Opcode::Slice, work::boxed(x.dtype, &x.dims, &x.dims, &x.dims))]
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(ReshapeStep))
    }
}

struct ReshapeStep;

impl Step for ReshapeStep {
    fn run(&self, _: &Kernels, _: &Shapes<'_>, inputs: &[Source<'_>], output: &mut Sink<'_>) -> Result<(), OpError> {
        same_type!(inputs[0], output, |x, y| y.copy_from_slice(x));
        Ok(())
    }
}
