use std::ops::RangeInclusive;

use borsh::{BorshDeserialize, BorshSerialize};
use noema_tensor::{
    Element, Kernels, Level, OpError,
    kernel::{self, Axis, Reduction},
    program::Operation,
    work,
};

use super::{Operator, Shapes, Step, device_length, length, same_type};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::Edge,
    parameters::Parameters,
    prices::Opcode,
};

/// The mean of the first rows of `[rows, c]`, as many as a second edge (`i32`, one for each row of the batch) says:
/// `y_j = rne(sum over i below n of x[i, j] / n)`, of the type of `x`.
///
/// A run with a number below 1 or above `rows` answers `IndexOutOfRange`. As opcodes: `op.slice`, then `op.reduce_mean`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MeanPool {}

impl Operator for MeanPool {
    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let x = inputs[0];
        let [_, columns] = x.dims[..] else { return Err(format!("rows of shape {:?}, not of two axes", x.dims)) };
        if !super::is_length(inputs[1]) {
            return Err("the number of rows is one i32 for each row of the batch".into());
        }
        Ok(Edge::new(x.dtype, &[columns]))
    }

    fn bound(&self, _: &[&Edge], inputs: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        Ok(inputs[0].into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        let x = inputs[0];
        let [rows, columns] = x.dims[..] else { return vec![] };
        let mean = work::reduce_mean(x.dtype, [1, rows.into(), columns.into()]);
        vec![(Opcode::Slice, work::boxed(x.dtype, &x.dims, &x.dims, &x.dims)), (Opcode::ReduceMean, mean)]
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(MeanPoolStep))
    }

    fn lower<'p>(&self, inputs: &[&Edge], _: &Parameters<'p>) -> Option<Operation<'p>> {
        let [tokens, columns] = inputs[0].dims[..] else { return None };
        Some(Operation::MeanPool { length: device_length(tokens), columns: length(columns) })
    }

    fn range(&self, inputs: &[&Edge]) -> Option<(usize, RangeInclusive<i64>)> {
        Some((1, 1..=inputs[0].dims[0].into()))
    }
}

struct MeanPoolStep;

impl Step for MeanPoolStep {
    fn run(
        &self,
        k: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        let [rows, columns] = shapes.input(0).dims[..] else { return Err(arena::unexpected()) };
        let (rows, columns) = (length(rows), length(columns));
        let counts = super::sequence_lengths(inputs[1], 1, rows)?;
        same_type!(inputs[0], output, |x, y| means(k, x, (rows, columns), &counts, y));
        Ok(())
    }
}

fn means<T: Element>(k: &Kernels, x: &[T], (rows, columns): (usize, usize), counts: &[usize], y: &mut [T]) {
    for ((x, count), y) in x.chunks_exact(rows * columns).zip(counts).zip(y.chunks_exact_mut(columns)) {
        kernel::reduce(k, Reduction::Mean, Axis { count: *count, inner: columns }, &x[..count * columns], y);
    }
}
