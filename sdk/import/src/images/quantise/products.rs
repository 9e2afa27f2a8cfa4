//! Products with 8-bit weights: convolutions, and linear layers.

use noema_model::{
    ops::{Conv2d, Linear},
    parameters::{Array, NodeParameters},
};
use noema_tensor::DType;

use super::{Build, Held, size, window};
use crate::{
    ImportError,
    images::{
        fold,
        net::{self, Product, Step},
    },
    quantise::range,
    scale::{integer, magnitude},
};

/// A product with 8-bit weights, whose sums are exact.
pub(in super::super) struct Sums {
    weights: Vec<i8>,
    biases: Vec<i32>,
    accumulator: DType,
    /// What a unit of each output stands for.
    pub(in super::super) units: Vec<f64>,
    outputs: u32,
}

impl Sums {
    pub(in super::super) fn linear(&self) -> Linear {
        Linear { outputs: self.outputs, accumulator: self.accumulator }
    }

    pub(in super::super) fn parameters(&self) -> NodeParameters {
        vec![Array::I8(self.weights.clone()), Array::I32(self.biases.clone())]
    }
}

impl Build<'_> {
    pub(super) fn product(&mut self, step: &Step, product: &Product, at: usize) -> Result<(), ImportError> {
        let fused = fold::fused(self.net, &self.readers, at);
        let target = self.target(&fused);
        let x = self.narrow(step, self.held[step.from[0]])?;
        let sums = self.sums(step, product, x)?;
        let units = sums.units.clone();
        let accumulator = sums.accumulator;
        let sums = match &step.op {
            net::Op::Conv(net::Conv { sides, groups, .. }) => {
                let channels = self.net.dims(step.from[0])[0] / groups;
                let weights = channels_last(&sums.weights, channels, sides.kernel);
                let (outputs, pad_value) = (sums.outputs, x.grid.zero_point);
                let op = Conv2d { outputs, window: window(sides)?, groups: size(*groups)?, pad_value, accumulator };
                self.node(&step.node, op, &[x.edge], vec![Array::I8(weights), Array::I32(sums.biases)])
            }
            _ => self.node(&step.node, sums.linear(), &[x.edge], sums.parameters()),
        };
        let is_whole =
            target.dtype == accumulator && units.iter().all(|unit| (unit / target.scale - 1.0).abs() < 1e-12);
        let edge = if is_whole && fused.clip.is_none() {
            sums
        } else {
            self.requantise(&step.node, sums, units.iter().map(|unit| unit / target.scale), target)?
        };
        self.finish(step, Held { edge, grid: target }, fused)
    }

    /// The products with `x` as integers.
    pub(in super::super) fn sums(&self, step: &Step, product: &Product, x: Held) -> Result<Sums, ImportError> {
        let depth = product.weights.len() / product.outputs();
        let (weights, unit_of_weights) = match &product.integers {
            Some((weights, scales)) => (weights.clone(), scales.clone()),
            None => self.weights(step, product, x.grid.scale)?,
        };
        let zero_point = i64::from(x.grid.zero_point);
        let furthest = x.grid.dtype.max().unsigned_abs().max(x.grid.dtype.min().unsigned_abs());
        let (mut biases, mut units, mut peak) = (vec![], vec![], 0_u64);
        for (output, row) in weights.chunks_exact(depth).enumerate() {
            let unit = x.grid.scale * unit_of_weights[output];
            let sum: i64 = row.iter().map(|weight| i64::from(*weight)).sum();
            let reach: u64 = row.iter().map(|weight| u64::from(weight.unsigned_abs())).sum();
            let bias = integer(product.bias[output] / unit).map(|bias| i64::from(bias) - zero_point * sum);
            let bias = bias.and_then(|bias| i32::try_from(bias).ok());
            let bias =
                bias.ok_or_else(|| self.error(step, format!("the bias of output {output} does not fit 32 bits")))?;
            peak = peak.max(reach.saturating_mul(furthest).saturating_add(bias.unsigned_abs().into()));
            biases.push(bias);
            units.push(unit);
        }
        let accumulator = if peak <= i32::MAX.unsigned_abs().into() { DType::I32 } else { DType::I64 };
        Ok(Sums { weights, biases, accumulator, units, outputs: size(product.outputs())? })
    }

    /// Weights as integers with a scale for each output.
    fn weights(&self, step: &Step, product: &Product, x_scale: f64) -> Result<(Vec<i8>, Vec<f64>), ImportError> {
        let depth = product.weights.len() / product.outputs();
        let (mut weights, mut scales) = (Vec::with_capacity(product.weights.len()), vec![]);
        for (output, (row, bias)) in product.weights.chunks_exact(depth).zip(&product.bias).enumerate() {
            let refused = || self.error(step, format!("the weights of output {output} are too large"));
            let row: Vec<f64> = row.iter().map(|weight| f64::from(*weight)).collect();
            // Where a bias dwarfs the weights, the scale is made larger, so that the bias fits.
            let scale = range((magnitude(&row) / 127.0).max(bias.abs() / x_scale / 2.0_f64.powi(29)));
            for weight in row {
                weights.push(integer(weight / scale).and_then(|q| i8::try_from(q).ok()).ok_or_else(refused)?);
            }
            scales.push(scale);
        }
        Ok((weights, scales))
    }
}

/// `[outputs][channels][rows][columns]` to `[outputs][rows][columns][channels]`.
fn channels_last(weights: &[i8], channels: usize, [rows, columns]: [usize; 2]) -> Vec<i8> {
    let taps = rows * columns;
    let outputs = weights.chunks_exact(channels * taps);
    outputs
        .flat_map(|output| {
            (0..taps).flat_map(move |tap| (0..channels).map(move |channel| output[channel * taps + tap]))
        })
        .collect()
}
