use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;
use noema_tensor::{
    Element, Kernels, Level, OpError,
    kernel::{self, Scales, round_shift_i128},
    program::Operation,
    work,
};

use super::{InPlace, Operator, ParameterSpec, Shapes, Step, length};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::{Edge, dtype_codec},
    parameters::Parameters,
    prices::Opcode,
};

/// `y = sat(rne(x * multiplier / 2^shift) + zero_point)` with `x` of `i32` or `i64`.
///
/// Parameters are the multipliers (`i32`, each 0 or in `[2^30, 2^31)`) and the shifts (`u8`, each at most 62): one
/// of each, or one for each index of the last axis. As opcode: `op.requantise`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Requantise {
    /// Whether each index of the last axis has its own multiplier and shift.
    pub per_channel: bool,
    /// Added after rounding.
    pub zero_point: i32,
    /// Type of the result: not `i64`.
    #[borsh(serialize_with = "dtype_codec::serialize", deserialize_with = "dtype_codec::deserialize")]
    pub dtype: DType,
}

impl Operator for Requantise {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        let x = inputs[0];
        if !matches!(x.dtype, DType::I32 | DType::I64) {
            return Err(format!("takes i32 or i64, not {}", x.dtype));
        }
        if self.dtype == DType::I64 {
            return Err("does not give i64".into());
        }
        if self.per_channel && x.dims.is_empty() {
            return Err("is per channel, but its input has no axis beside the batch".into());
        }
        Ok(Edge { dtype: self.dtype, dims: x.dims.clone() })
    }

    fn parameters(&self, inputs: &[&Edge]) -> Vec<ParameterSpec> {
        let channels = if self.per_channel { u64::from(inputs[0].last()) } else { 1 };
        vec![ParameterSpec::new(DType::I32, channels), ParameterSpec::new(DType::U8, channels)]
    }

    fn bound(&self, _edges: &[&Edge], inputs: &[Interval], parameters: &Parameters<'_>) -> Result<EdgeBound, String> {
        let mut bound: Option<Interval> = None;
        for (channel, (multiplier, shift)) in parameters.i32s(0).zip(parameters.u8s(1)).enumerate() {
            check_scale(multiplier, u32::from(*shift)).map_err(|reason| format!("channel {channel}: {reason}"))?;
            // Rounding a multiple of the value by a factor that is not negative keeps the order of values.
            let end = |value| round_shift_i128(value, multiplier, u32::from(*shift)) + i128::from(self.zero_point);
            let interval = Interval::saturated(end(inputs[0].lo), end(inputs[0].hi), self.dtype);
            bound = Some(bound.map_or(interval, |so_far| so_far.hull(interval)));
        }
        bound.map(EdgeBound::from).ok_or_else(|| "it has no channels".into())
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        vec![(Opcode::Requantise, work::requantise(inputs[0].dtype, inputs[0].row_elements(), 0))]
    }

    fn in_place(&self) -> Option<InPlace> {
        if self.per_channel { InPlace::ROWS } else { InPlace::ELEMENTS }
    }

    fn prepare(&self, _: Level, _: &[&Edge], parameters: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        Ok(Box::new(RequantiseStep {
            multipliers: parameters.i32s(0).collect(),
            shifts: parameters.u8s(1).to_vec(),
            zero_point: self.zero_point,
        }))
    }

    fn lower<'p>(&self, _: &[&Edge], parameters: &Parameters<'p>) -> Option<Operation<'p>> {
        let multipliers = parameters.i32s(0).collect();
        Some(Operation::Requantise { multipliers, shifts: parameters.u8s(1).into(), zero_point: self.zero_point })
    }
}

struct RequantiseStep {
    multipliers: Vec<i32>,
    shifts: Vec<u8>,
    zero_point: i32,
}

impl Step for RequantiseStep {
    fn run(
        &self,
        k: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        // Where all channels have one scale, there need not be whole rows.
        let row = if self.multipliers.len() == 1 { 1 } else { length(shapes.input(0).last()) };
        match inputs[0] {
            Source::I32(x) => self.to(k, x, row, output),
            Source::I64(x) => self.to(k, x, row, output),
            _ => Err(arena::unexpected()),
        }
    }
}

impl RequantiseStep {
    fn to<X: Element>(&self, k: &Kernels, x: &[X], row: usize, output: &mut Sink<'_>) -> Result<(), OpError> {
        let scales = Scales { multipliers: &self.multipliers, shifts: &self.shifts, zero_point: self.zero_point };
        match output {
            Sink::I8(y) => kernel::requantise_rows(k, x, row, scales, y),
            Sink::U8(y) => kernel::requantise_rows(k, x, row, scales, y),
            Sink::I16(y) => kernel::requantise_rows(k, x, row, scales, y),
            Sink::I32(y) => kernel::requantise_rows(k, x, row, scales, y),
            Sink::I64(_) => return Err(arena::unexpected()),
        }
        Ok(())
    }
}

/// Whether `multiplier / 2^shift` is a scale as the numeric rules want it.
pub(super) fn check_scale(multiplier: i32, shift: u32) -> Result<(), String> {
    if multiplier != 0 && multiplier < 1 << 30 {
        return Err(format!("multiplier {multiplier} is neither 0 nor in [2^30, 2^31)"));
    }
    if shift > 62 {
        return Err(format!("shift {shift} is above 62"));
    }
    Ok(())
}
