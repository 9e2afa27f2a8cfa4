//! A [`Linear`] layer and the [`Requantise`] behind it in one.

use noema_abi::DType;
use noema_tensor::{
    Kernels, Level, OpError,
    kernel::{self, Activations, PackedWeights, Scales},
};

use super::{Linear, Requantise, Shapes, Step, length};
use crate::{
    arena::{self, Sink, Source},
    graph::Edge,
    parameters::Parameters,
};

/// Whether the kernels of a level do both at once: to what the next layer reads.
pub(crate) fn is_possible(level: Level, linear: &Linear, requantise: &Requantise) -> bool {
    let types = linear.accumulator == DType::I32 && matches!(requantise.dtype, DType::I8 | DType::I16);
    types && kernel::requantises_at_once(level)
}

/// Both nodes, of which the first reads `x`, with their parameters.
pub(crate) fn prepare(
    level: Level,
    (linear, requantise): (&Linear, &Requantise),
    x: &Edge,
    (weights, scales): (&Parameters<'_>, &Parameters<'_>),
) -> Result<Box<dyn Step>, OpError> {
    let n = length(linear.outputs);
    // A single scale is that of every channel.
    Ok(Box::new(LinearRequantised {
        weights: PackedWeights::pack(level, length(x.last()), n, weights.i8s(0))?,
        bias: weights.i32s(1).collect(),
        multipliers: scales.i32s(0).collect::<Vec<_>>().into_iter().cycle().take(n).collect(),
        shifts: scales.u8s(1).iter().copied().cycle().take(n).collect(),
        zero_point: requantise.zero_point,
    }))
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
