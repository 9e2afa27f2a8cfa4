use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;
use noema_tensor::{Kernels, Level, OpError, kernel, program::Operation, work};

use super::{Operator, Shapes, Step, length, signed_source};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::{Edge, dtype_codec},
    parameters::Parameters,
    prices::Opcode,
};

/// The step of a quantisation of every vector along the last axis, with 32 fraction bits:
/// `max(1, ceil(2^32 * max |x_j| / L))` as `i64`, `L` 127 or 32,767; the last axis becomes 1. As opcode: `op.row_step`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RowStep {
    /// What is quantised to: `i8` or `i16`.
    #[borsh(serialize_with = "dtype_codec::serialize", deserialize_with = "dtype_codec::deserialize")]
    pub dtype: DType,
}

impl RowStep {
    fn largest(&self) -> u32 {
        if self.dtype == DType::I8 { 127 } else { 32_767 }
    }
}

impl Operator for RowStep {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let x = inputs[0];
        if !super::is_signed(x.dtype) || !matches!(self.dtype, DType::I8 | DType::I16) {
            return Err(format!("takes i8, i16 or i32, for i8 or i16; not {} for {}", x.dtype, self.dtype));
        }
        let mut dims = x.dims.clone();
        *dims.last_mut().ok_or("its input has no axis beside the batch")? = 1;
        Ok(Edge { dtype: DType::I64, dims })
    }

    fn bound(&self, _: &[&Edge], inputs: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        let most = (u128::from(inputs[0].magnitude()) << kernel::STEP_BITS).div_ceil(u128::from(self.largest())).max(1);
        let hi = i64::try_from(most).map_err(|error| error.to_string())?;
        Ok(Interval { lo: 1, hi }.into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        vec![(Opcode::RowStep, work::row_step(inputs[0].dtype, &inputs[0].dims))]
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(RowStepStep { largest: self.largest() }))
    }

    fn lower<'p>(&self, inputs: &[&Edge], _: &Parameters<'p>) -> Option<Operation<'p>> {
        Some(Operation::RowStep { row: length(inputs[0].last()), largest: self.largest() })
    }
}

struct RowStepStep {
    largest: u32,
}

impl Step for RowStepStep {
    fn run(
        &self,
        k: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        let (row, y) = (length(shapes.input(0).last()), output.i64s()?);
        signed_source!(inputs[0], |x| kernel::row_step(k, x, row, self.largest, y));
        Ok(())
    }
}
