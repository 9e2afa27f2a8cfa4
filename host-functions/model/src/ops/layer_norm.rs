use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;
use noema_tensor::{
    Kernels, Level, OpError,
    kernel::{self, MAX_NORM_ROW, MAX_NORM_SHIFT, Norm},
    program::Operation,
    work,
};

use super::{InPlace, Operator, ParameterSpec, Shapes, Step, length, signed_sink, signed_source};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::{Edge, dtype_codec},
    parameters::Parameters,
    prices::Opcode,
};

/// Layer normalisation over the last axis of `i8`, `i16` or `i32`:
/// `((x_j - mean) / sqrt(variance + epsilon / 2^24) * gain_j + bias_j) / 2^shift`, to one of the same types.
///
/// Parameters are `gain` and `bias` (`i32`, `[c]`). As opcode: `op.layer_norm`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct LayerNorm {
    /// Added to the variance, in units of `2^-24`.
    pub epsilon: u64,
    /// Bits that `gain` and `bias` have beyond the result, at most 31.
    pub shift: u8,
    /// Type of the result.
    #[borsh(serialize_with = "dtype_codec::serialize", deserialize_with = "dtype_codec::deserialize")]
    pub dtype: DType,
}

impl Operator for LayerNorm {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let x = inputs[0];
        if !super::is_signed(x.dtype) || !super::is_signed(self.dtype) {
            return Err(format!("takes and gives i8, i16 or i32, not {} and {}", x.dtype, self.dtype));
        }
        if x.dims.is_empty() || length(x.last()) > MAX_NORM_ROW {
            return Err(format!("rows of {} elements, not 1 to {MAX_NORM_ROW}", x.last()));
        }
        if u32::from(self.shift) > MAX_NORM_SHIFT {
            return Err(format!("a shift of {}, the limit is {MAX_NORM_SHIFT}", self.shift));
        }
        Ok(Edge { dtype: self.dtype, dims: x.dims.clone() })
    }

    fn parameters(&self, inputs: &[&Edge]) -> Vec<ParameterSpec> {
        let channels = u64::from(inputs[0].last());
        vec![ParameterSpec::new(DType::I32, channels), ParameterSpec::new(DType::I32, channels)]
    }

    /// The deviation of one element of `n` is at most `sqrt(n - 1)` standard deviations, less than the root of `n` rounded
    /// up by more than the last bits of the reciprocal root can add.
    fn bound(&self, edges: &[&Edge], _: &[Interval], parameters: &Parameters<'_>) -> Result<EdgeBound, String> {
        let n = edges[0].last();
        let root = i128::from(n.isqrt() + u32::from(n.isqrt() * n.isqrt() < n));
        let mut bound: Option<Interval> = None;
        for (gain, bias) in parameters.i32s(0).zip(parameters.i32s(1)) {
            let (reach, bias) = (root * i128::from(gain).abs(), i128::from(bias));
            let (lo, hi) = ((bias - reach) >> self.shift, ((bias + reach) >> self.shift) + 1);
            let interval = Interval::saturated(lo, hi, self.dtype);
            bound = Some(bound.map_or(interval, |so_far| so_far.hull(interval)));
        }
        bound.map(EdgeBound::from).ok_or_else(|| "it has no channels".into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        vec![(Opcode::LayerNorm, work::norm(inputs[0].dtype, &inputs[0].dims, 0))]
    }

    fn in_place(&self) -> Option<InPlace> {
        InPlace::ROWS
    }

    fn prepare(&self, _: Level, _: &[&Edge], parameters: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(LayerNormStep {
            gain: parameters.i32s(0).collect(),
            bias: parameters.i32s(1).collect(),
            epsilon: self.epsilon,
            shift: self.shift.into(),
        }))
    }

    fn lower<'p>(&self, inputs: &[&Edge], parameters: &Parameters<'p>) -> Option<Operation<'p>> {
        Some(Operation::Norm {
            gain: parameters.i32s(0).collect(),
            bias: Some(parameters.i32s(1).collect()),
            epsilon: self.epsilon,
            shift: self.shift.into(),
            row: length(inputs[0].last()),
        })
    }
}

struct LayerNormStep {
    gain: Vec<i32>,
    bias: Vec<i32>,
    epsilon: u64,
    shift: u32,
}

impl Step for LayerNormStep {
    fn run(&self, k: &Kernels, _: &Shapes<'_>, inputs: &[Source<'_>], output: &mut Sink<'_>) -> Result<(), OpError> {
        let LayerNormStep { gain, bias, epsilon, shift } = self;
        let norm = Norm { gain, bias: Some(bias), epsilon: *epsilon, shift: *shift };
        signed_source!(inputs[0], |x| signed_sink!(output, |y| kernel::norm_rows(k, x, gain.len(), norm, y)));
        Ok(())
    }
}
