//! Running [`Linear`].

use noema_abi::DType;
use noema_tensor::{
    Element, Kernels, Level, OpError,
    kernel::{self, PackedWeights},
};

use super::{Linear, length};
use crate::{
    arena::{self, Sink, Source},
    graph::Edge,
    ops::{Shapes, Step},
    parameters::Parameters,
};

pub(super) struct LinearStep {
    weights: PackedWeights,
    bias: Bias,
}

enum Bias {
    Narrow(Vec<i32>),
    Wide(Vec<i64>),
}

impl LinearStep {
    pub(super) fn new(
        level: Level,
        linear: &Linear,
        x: &Edge,
        parameters: &Parameters<'_>,
    ) -> Result<LinearStep, OpError> {
        let (k, n) = (length(x.last()), length(linear.outputs));
        Ok(LinearStep {
            weights: PackedWeights::pack(level, k, n, parameters.i8s(0))?,
            bias: match linear.accumulator {
                DType::I64 => Bias::Wide(parameters.i32s(1).map(i64::from).collect()),
                _ => Bias::Narrow(parameters.i32s(1).collect()),
            },
        })
    }
}

impl Step for LinearStep {
    fn run(&self, k: &Kernels, _: &Shapes<'_>, inputs: &[Source<'_>], output: &mut Sink<'_>) -> Result<(), OpError> {
        let w = &self.weights;
        let rows = |elements: usize| elements / w.k();
        match (&self.bias, inputs[0], output) {
            (Bias::Narrow(bias), Source::I8(x), Sink::I32(y)) => {
                kernel::linear_i8(k, x, rows(x.len()), w, y)?;
                add_bias(y, bias);
            }
            (Bias::Narrow(bias), Source::U8(x), Sink::I32(y)) => {
                kernel::linear_u8(k, x, rows(x.len()), w, y)?;
                add_bias(y, bias);
            }
            (Bias::Narrow(bias), Source::I16(x), Sink::I32(y)) => {
                kernel::linear_i16_narrow(k, x, rows(x.len()), w, y)?;
                add_bias(y, bias);
            }
            (Bias::Wide(bias), x, Sink::I64(y)) => {
                match x {
                    Source::I8(x) => kernel::linear_i8_wide(k, x, rows(x.len()), w, y)?,
                    Source::U8(x) => kernel::linear_u8_wide(k, x, rows(x.len()), w, y)?,
                    Source::I16(x) => kernel::linear_i16(k, x, rows(x.len()), w, y)?,
                    _ => return Err(arena::unexpected()),
                }
                add_bias(y, bias);
            }
            _ => return Err(arena::unexpected()),
        }
        Ok(())
    }
}

/// Saturating as `op.add` is; the proof of the model excludes that it ever does.
fn add_bias<T: Element>(sums: &mut [T], bias: &[T]) {
    for row in sums.chunks_exact_mut(bias.len()) {
        row.iter_mut().zip(bias).for_each(|(sum, bias)| *sum = sum.saturating_add(*bias));
    }
}
