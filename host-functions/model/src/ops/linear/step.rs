//! Running [`Linear`].

use noema_abi::DType;
use noema_tensor::{
    Kernels, Level, OpError,
    kernel::{self, PackedWeights},
};

use super::{Linear, length};
use crate::{
    arena::{self, Sink, Source},
    graph::Edge,
    ops::{Shapes, Step, linear_requantised::activations},
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
        let (x, rows) = activations(inputs[0], w.k())?;
        // The proof of the model excludes that a sum leaves its type, on every way to it.
        match (&self.bias, output) {
            (Bias::Narrow(bias), Sink::I32(y)) => kernel::linear_biased(k, x, rows, w, bias, y),
            (Bias::Wide(bias), Sink::I64(y)) => kernel::linear_biased_wide(k, x, rows, w, bias, y),
            _ => Err(arena::unexpected()),
        }
    }
}
