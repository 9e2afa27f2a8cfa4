//! A [`Linear`] layer and the [`Requantise`] behind it in one: the sums never reach the arena.

use noema_abi::DType;
use noema_tensor::{
    Kernels, Level, OpError,
    kernel::{self, Activations, PackedWeights, Scales},
};

use super::{Linear, Operator, Requantise, Shapes, Step, length};
use crate::{
    arena::{self, Sink, Source},
    graph::{Edge, EdgeId},
    parameters::Parameters,
};

/// Bytes of the sums that each thread makes before they are requantised, where the kernels do one after the other.
const BLOCK: usize = 256 << 10;

/// Both nodes, of which the first reads `x`, with their parameters.
pub(crate) fn prepare(
    level: Level,
    (linear, requantise): (&Linear, &Requantise),
    x: &Edge,
    (weights, scales): (&Parameters<'_>, &Parameters<'_>),
) -> Result<Box<dyn Step>, OpError> {
    let n = length(linear.outputs);
    let narrow = linear.accumulator == DType::I32 && matches!(requantise.dtype, DType::I8 | DType::I16);
    if !(narrow && kernel::requantises_at_once(level)) {
        let sums = linear.infer(&[x]).map_err(OpError::Node)?;
        return Ok(Box::new(InBlocks {
            linear: linear.prepare(level, &[x], weights)?,
            requantise: requantise.prepare(level, &[&sums], scales)?,
            sums: linear.accumulator,
            widths: [length(x.last()), n],
        }));
    }
    // A single scale is that of every channel.
    Ok(Box::new(LinearRequantised {
        weights: PackedWeights::pack(level, length(x.last()), n, weights.i8s(0))?,
        bias: weights.i32s(1).collect(),
        multipliers: scales.i32s(0).collect::<Vec<_>>().into_iter().cycle().take(n).collect(),
        shifts: scales.u8s(1).iter().copied().cycle().take(n).collect(),
        zero_point: requantise.zero_point,
    }))
}

/// One after the other, for as many rows at a time as little memory holds the sums of.
struct InBlocks {
    linear: Box<dyn Step>,
    requantise: Box<dyn Step>,
    sums: DType,
    /// Elements of a row before and behind the layer.
    widths: [usize; 2],
}

impl Step for InBlocks {
    fn run(
        &self,
        k: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        // The edge of the sums is the one before that of the results.
        let sums_edge = [EdgeId(u32::try_from(shapes.output - 1).map_err(|_| arena::unexpected())?)];
        let behind = Shapes { reads: &sums_edge, ..*shapes };
        let [before, after] = self.widths;
        let rows = inputs[0].len() / before;
        let block = BLOCK.saturating_mul(k.threads()) / (after * self.sums.size());
        let block = block.clamp(1, rows);
        let (mut narrow, mut wide) = (Vec::new(), Vec::new());
        match self.sums {
            DType::I64 => wide.resize(block * after, 0_i64),
            _ => narrow.resize(block * after, 0_i32),
        }
        for first in (0..rows).step_by(block) {
            let count = block.min(rows - first);
            let x = inputs[0].part(first * before..(first + count) * before);
            let mut y = output.part(first * after..(first + count) * after);
            if self.sums == DType::I64 {
                let sums = &mut wide[..count * after];
                self.linear.run(k, shapes, &[x], &mut Sink::I64(sums))?;
                self.requantise.run(k, &behind, &[Source::I64(sums)], &mut y)?;
            } else {
                let sums = &mut narrow[..count * after];
                self.linear.run(k, shapes, &[x], &mut Sink::I32(sums))?;
                self.requantise.run(k, &behind, &[Source::I32(sums)], &mut y)?;
            }
        }
        Ok(())
    }
}

struct LinearRequantised {
    weights: PackedWeights,
    bias: Vec<i32>,
    multipliers: Vec<i32>,
    shifts: Vec<u8>,
    zero_point: i32,
}

impl Step for LinearRequantised {
    fn run(&self, k: &Kernels, _: &Shapes<'_>, inputs: &[Source<'_>], output: &mut Sink<'_>) -> Result<(), OpError> {
        let LinearRequantised { weights, bias, .. } = self;
        let (x, rows) = activations(inputs[0], weights.k())?;
        let scales = Scales { multipliers: &self.multipliers, shifts: &self.shifts, zero_point: self.zero_point };
        match output {
            Sink::I8(y) => kernel::linear_requantised(k, x, rows, weights, bias, scales, y),
            Sink::I16(y) => kernel::linear_requantised(k, x, rows, weights, bias, scales, y),
            _ => Err(arena::unexpected()),
        }
    }
}

/// What a product reads, and how many rows of `k` that is.
pub(super) fn activations(x: Source<'_>, k: usize) -> Result<(Activations<'_>, usize), OpError> {
    match x {
        Source::I8(x) => Ok((Activations::I8(x), x.len() / k)),
        Source::U8(x) => Ok((Activations::U8(x), x.len() / k)),
        Source::I16(x) => Ok((Activations::I16(x), x.len() / k)),
        _ => Err(arena::unexpected()),
    }
}
