use std::ops::RangeInclusive;

use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::{DType, Status};
use noema_tensor::{Kernels, Level, OpError, kernel, program::Operation, work};

use super::{InPlace, Operator, Shapes, Step, length, signed_source};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::{Edge, dtype_codec},
    parameters::Parameters,
    prices::Opcode,
};

/// `y_j = sat(rne(2^32 * x_j / step))` along the last axis of `x`, with the steps of a second edge (`i64`, a last axis of 1),
/// as [`RowStep`](super::RowStep) gives them. A run with a step that is not above 0 answers `DivisionByZero`.
/// As opcode: `op.quantise_rows`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct QuantiseRows {
    /// Type of the result: `i8` or `i16`.
    #[borsh(serialize_with = "dtype_codec::serialize", deserialize_with = "dtype_codec::deserialize")]
    pub dtype: DType,
}

impl Operator for QuantiseRows {
    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let (x, step) = (inputs[0], inputs[1]);
        if !super::is_signed(x.dtype) || step.dtype != DType::I64 || !matches!(self.dtype, DType::I8 | DType::I16) {
            return Err(format!("{} with steps of {} to {}", x.dtype, step.dtype, self.dtype));
        }
        match (&x.dims[..], &step.dims[..]) {
            ([rows @ .., _], [steps @ .., 1]) if rows == steps => Ok(Edge { dtype: self.dtype, dims: x.dims.clone() }),
            _ => Err(format!("steps {:?} for {:?}", step.dims, x.dims)),
        }
    }

    fn bound(&self, _: &[&Edge], _: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        Ok(Interval::of(self.dtype).into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        vec![(Opcode::QuantiseRows, work::quantise_rows(&inputs[0].dims))]
    }

    fn in_place(&self) -> Option<InPlace> {
        InPlace::ROWS
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(QuantiseRowsStep))
    }

    fn lower<'p>(&self, inputs: &[&Edge], _: &Parameters<'p>) -> Option<Operation<'p>> {
        Some(Operation::QuantiseRows { row: length(inputs[0].last()) })
    }

    fn range(&self, _: &[&Edge]) -> Option<(usize, RangeInclusive<i64>)> {
        Some((1, 1..=i64::MAX))
    }
}

struct QuantiseRowsStep;

impl Step for QuantiseRowsStep {
    fn run(
        &self,
        k: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        let row = length(shapes.input(0).last());
        let Source::I64(steps) = inputs[1] else { return Err(arena::unexpected()) };
        if steps.iter().any(|step| *step <= 0) {
            return Err(Status::DivisionByZero.into());
        }
        signed_source!(inputs[0], |x| match output {
            Sink::I8(y) => kernel::quantise_rows(k, x, row, steps, y),
            Sink::I16(y) => kernel::quantise_rows(k, x, row, steps, y),
            _ => return Err(arena::unexpected()),
        });
        Ok(())
    }
}
