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

/// A box of a row: from `starts` on, of `sizes`; a size of 0 reaches to the end of its axis. As opcode: `op.slice`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Slice {
    /// One for each axis of a row.
    pub starts: Vec<u32>,
    /// One for each axis of a row.
    pub sizes: Vec<u32>,
}

impl Operator for Slice {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let x = inputs[0];
        let refused = || format!("{:?} from {:?} of {:?}", self.sizes, self.starts, x.dims);
        if self.starts.len() != x.dims.len() || self.sizes.len() != x.dims.len() {
            return Err(refused());
        }
        let axis = |((start, size), dim): ((&u32, &u32), &u32)| {
            let rest = dim.checked_sub(*start)?;
            if *size <= rest { Some(if *size == 0 { rest } else { *size }) } else { None }
        };
        let dims: Option<Vec<u32>> = self.starts.iter().zip(&self.sizes).zip(&x.dims).map(axis).collect();
        Ok(Edge { dtype: x.dtype, dims: dims.ok_or_else(refused)? })
    }

    fn bound(&self, _: &[&Edge], inputs: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        Ok(inputs[0].into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        let work = |y: Edge| work::boxed(y.dtype, &y.dims, &y.dims, &inputs[0].dims);
        vec![(Opcode::Slice, self.infer(inputs).map_or(0, work))]
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(SliceStep { starts: lengths(&self.starts) }))
    }

    fn lower<'p>(&self, inputs: &[&Edge], _: &Parameters<'p>) -> Option<Operation<'p>> {
        let (axes, before) = device_axes(inputs[0]);
        if before == 1 && (self.starts[0], self.sizes[0]) != (0, 0) {
            return None;
        }
        let strides = kernel::row_major(&lengths(axes));
        let starts = lengths(&self.starts[before..]);
        let start = starts.iter().zip(&strides).map(|(start, stride)| start * stride).sum();
        let size = |((size, start), dim): ((&u32, &u32), &u32)| length(if *size == 0 { dim - start } else { *size });
        let dims = self.sizes[before..].iter().zip(&self.starts[before..]).zip(axes).map(size).collect();
        Some(Operation::CopyStrided { dims, strides, start })
    }
}

struct SliceStep {
    starts: Vec<usize>,
}

impl Step for SliceStep {
    fn run(
        &self,
        _: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        let (from, sizes) = (shapes.batched(shapes.input(0)), shapes.batched(shapes.output()));
        let starts = [&[0], &self.starts[..]].concat();
        same_type!(inputs[0], output, |x, y| kernel::copy_box(x, &from, &starts, &sizes, y));
        Ok(())
    }
}
