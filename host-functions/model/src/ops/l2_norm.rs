use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;
use noema_tensor::{
    Kernels, Level, OpError,
    kernel::{self, MAX_NORM_ROW},
    program::Operation,
    work,
};

use super::{InPlace, Operator, Shapes, Step, length, signed_sink, signed_source};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::{Edge, dtype_codec},
    parameters::Parameters,
    prices::Opcode,
};

/// Vectors along the last axis of `i8`, `i16` or `i32` over their Euclidean length, with `fraction_bits`:
/// `x_j / sqrt(sum x^2 + epsilon / 2^24)`. As opcode: `op.l2_norm`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct L2Norm {
    /// Added to the sum of squares, in units of `2^-24`.
    pub epsilon: u64,
    /// At most 30.
    pub fraction_bits: u8,
    /// Type of the result: `i8`, `i16` or `i32`.
    #[borsh(serialize_with = "dtype_codec::serialize", deserialize_with = "dtype_codec::deserialize")]
    pub dtype: DType,
}

impl Operator for L2Norm {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let x = inputs[0];
        if !super::is_signed(x.dtype) || !super::is_signed(self.dtype) {
            return Err(format!("takes and gives i8, i16 or i32, not {} and {}", x.dtype, self.dtype));
        }
        if x.dims.is_empty() || length(x.last()) > MAX_NORM_ROW {
            return Err(format!("rows of {} elements, not 1 to {MAX_NORM_ROW}", x.last()));
        }
        if self.fraction_bits > 30 {
            return Err(format!("{} fraction bits, the limit is 30", self.fraction_bits));
        }
        Ok(Edge { dtype: self.dtype, dims: x.dims.clone() })
    }

    /// No element is longer than the vector; the last bits of the reciprocal root and the rounding add less than one.
    fn bound(&self, _: &[&Edge], _: &[Interval], _: &Parameters<'_>) -> Result<EdgeBound, String> {
        let one = (1 << self.fraction_bits) + 1;
        Ok(Interval::saturated(-one, one, self.dtype).into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        vec![(Opcode::L2Norm, work::l2_norm(&inputs[0].dims))]
    }

    fn in_place(&self) -> Option<InPlace> {
        InPlace::ROWS
    }

    fn prepare(&self, _: Level, _: &[&Edge], _: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(L2NormStep { epsilon: self.epsilon, fraction_bits: self.fraction_bits.into() }))
    }

    fn lower<'p>(&self, inputs: &[&Edge], _: &Parameters<'p>) -> Option<Operation<'p>> {
        let row = length(inputs[0].last());
        Some(Operation::L2Norm { epsilon: self.epsilon, fraction_bits: self.fraction_bits.into(), row })
    }
}

struct L2NormStep {
    epsilon: u64,
    fraction_bits: u32,
}

impl Step for L2NormStep {
    fn run(
        &self,
        k: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        let row = length(shapes.input(0).last());
        let (epsilon, bits) = (self.epsilon, self.fraction_bits);
        signed_source!(inputs[0], |x| signed_sink!(output, |y| kernel::l2_norm_rows(k, x, row, epsilon, bits, y)));
        Ok(())
    }
}
