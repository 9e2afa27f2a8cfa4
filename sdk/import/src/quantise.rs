//! Post-training quantisation: layers in float become a graph of integers.
//!
//! ```text
//! i32 features (fixed point)          x * 2^f
//!   AddConst, Requantise              standardised, 8 or 16 bits, one scale for all features
//!   Linear, Requantise per channel    8-bit weights with a scale for each output, exact sums, then 8 or 16 bits by a
//!                                     static range; a ReLU is the lower end of u8
//!   ...
//!   Linear, Requantise per channel    scores in fixed point, i32
//!   Softmax, Argmax                   probabilities in fixed point, class
//! ```

use noema_model::{
    graph::{Edge, EdgeId, Graph},
    ops::{AddConst, Linear, Relu, Requantise},
    parameters::{Array, NodeParameters},
};
use noema_tensor::DType;

use crate::{
    ImportError,
    builder::GraphBuilder,
    layers::{Layer, Standardisation},
    scale::{dyadic, integer, magnitude},
};

/// How many bits activations have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// `i8`, or `u8` behind a ReLU.
    Eight,
    /// `i16`.
    Sixteen,
}

/// How many bits the standardised features and the activations between layers have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widths {
    /// The standardised features.
    pub features: Width,
    /// What is between layers.
    pub hidden: Width,
}

/// Fraction bits of probabilities.
pub(crate) const PROBABILITY_BITS: u8 = 16;
/// Fraction bits of scores, where they fit.
pub(crate) const LOGIT_BITS: u8 = 16;
/// How far beyond the calibration rows features and scores must still fit their 32 bits.
pub(crate) const RESERVE: f64 = 4.0;

/// A graph of integers.
#[derive(Clone, Debug)]
pub(crate) struct Quantised {
    pub(crate) graph: Graph,
    pub(crate) parameters: Vec<NodeParameters>,
    /// Names of the outputs and their fraction bits, in order.
    pub(crate) outputs: Vec<(&'static str, u8)>,
}

/// What calibration rows say about the network.
#[derive(Clone, Debug)]
pub(crate) struct Calibration<'a> {
    /// The features of each row.
    pub(crate) rows: &'a [Vec<f64>],
    /// For each layer the largest absolute value of any row.
    pub(crate) layers: Vec<f64>,
}

impl Width {
    /// The element type and the integer that stands for the largest real value.
    pub(crate) fn levels(self, relu: bool) -> (DType, f64) {
        match (self, relu) {
            (Width::Eight, true) => (DType::U8, 255.0),
            (Width::Eight, false) => (DType::I8, 127.0),
            (Width::Sixteen, _) => (DType::I16, 32_767.0),
        }
    }

    /// How far beyond the calibration rows a value is still represented. 16 bits have room to spare.
    pub(crate) fn headroom(self) -> f64 {
        match self {
            Width::Eight => 1.25,
            Width::Sixteen => 4.0,
        }
    }
}

/// The most fraction bits with which `reserve` times `largest` still fits an `i32`, at most `limit`.
pub(crate) fn fraction_bits(what: &str, largest: f64, limit: u8) -> Result<u8, ImportError> {
    let fits = |bits: u8| largest * RESERVE * 2.0_f64.powi(bits.into()) < 2.0_f64.powi(31);
    (0..=limit).rev().find(|bits| fits(*bits)).ok_or_else(|| ImportError::Quantise {
        what: what.into(),
        reason: format!("values up to {largest} do not fit 32 bits"),
    })
}

/// Builds the graph.
pub(crate) fn quantise(
    features: &Standardisation,
    layers: &[Layer],
    calibration: &Calibration<'_>,
    input_bits: u8,
    widths: Widths,
    with_softmax: bool,
) -> Result<Quantised, ImportError> {
    let (features, layers) = normalise(features, layers, calibration.rows)?;
    let width = u32::try_from(features.mul.len()).map_err(|_| ImportError::Input("too many features".into()))?;
    let mut builder = GraphBuilder::new(vec![Edge::new(DType::I32, &[width])]);
    let (mut x, mut x_scale) = standardise(&mut builder, &features, calibration.rows, input_bits, widths.features)?;
    let mut x_levels = widths.features.levels(features.relu);
    let mut logit_bits = LOGIT_BITS;
    for (index, layer) in layers.iter().enumerate() {
        let (sums, scales) = linear(&mut builder, layer, x, x_levels.0, x_scale)?;
        let largest = calibration.layers[index];
        let last = index + 1 == layers.len();
        let (dtype, scale) = if last {
            logit_bits = fraction_bits(&layer.name, largest, LOGIT_BITS)?;
            (DType::I32, 2.0_f64.powi(-i32::from(logit_bits)))
        } else {
            x_levels = widths.hidden.levels(layer.relu);
            (x_levels.0, range(largest * widths.hidden.headroom()) / x_levels.1)
        };
        x = requantise(&mut builder, &layer.name, sums, scales.iter().map(|sum| sum / scale), dtype)?;
        if layer.relu && dtype != DType::U8 {
            x = builder.node(&format!("{} relu", layer.name), Relu {}, &[x], vec![]);
        }
        x_scale = scale;
    }
    Ok(builder.classifier(x, logit_bits, with_softmax))
}

/// Features of a network that does not scale them are brought to `[-1, 1]` by the calibration rows, and the first
/// layer is changed so that the network stays the same. Negative factors move into the first layer too.
fn normalise(
    features: &Standardisation,
    layers: &[Layer],
    rows: &[Vec<f64>],
) -> Result<(Standardisation, Vec<Layer>), ImportError> {
    let (mut features, mut layers) = (features.clone(), layers.to_vec());
    let first = layers.first_mut().ok_or_else(|| ImportError::Output("there are no layers".into()))?;
    for feature in 0..features.mul.len() {
        if !features.given {
            let values = rows.iter().map(|row| row[feature]);
            let (lo, hi) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), x| (lo.min(x), hi.max(x)));
            let centre = if features.relu { 0.0 } else { (lo + hi) / 2.0 };
            let half = range(if features.relu { lo.abs().max(hi.abs()) } else { (hi - lo) / 2.0 });
            (features.mul[feature], features.add[feature]) = (1.0 / half, -centre / half);
            for (weights, bias) in first.weights.iter_mut().zip(&mut first.bias) {
                *bias += weights[feature] * centre;
                weights[feature] *= half;
            }
        }
        let mul = &mut features.mul[feature];
        let refused = |reason: &str| {
            let reason = format!("feature {feature} is multiplied by {mul}{reason}");
            Err(ImportError::Quantise { what: features.name.clone(), reason })
        };
        if *mul == 0.0 || !mul.is_finite() || !features.add[feature].is_finite() {
            return refused("");
        }
        if *mul < 0.0 {
            if features.relu {
                return refused(" before a Relu");
            }
            *mul = -*mul;
            features.add[feature] = -features.add[feature];
            first.weights.iter_mut().for_each(|weights| weights[feature] = -weights[feature]);
        }
    }
    Ok((features, layers))
}

/// A range that can be divided by.
pub(crate) fn range(largest: f64) -> f64 {
    if largest > 0.0 { largest } else { 1.0 }
}

fn standardise(
    builder: &mut GraphBuilder,
    features: &Standardisation,
    rows: &[Vec<f64>],
    input_bits: u8,
    width: Width,
) -> Result<(EdgeId, f64), ImportError> {
    let refused = |feature: usize, reason: String| ImportError::Quantise {
        what: features.name.clone(),
        reason: format!("feature {feature}: {reason}"),
    };
    let unit = 2.0_f64.powi(-i32::from(input_bits));
    // x * mul + add = mul * (x + add / mul)
    let offsets = features.mul.iter().zip(&features.add).enumerate().map(|(feature, (mul, add))| {
        let reason = || format!("its offset {} does not fit 32 bits with {input_bits} fraction bits", add / mul);
        integer(add / mul / unit).ok_or_else(|| refused(feature, reason()))
    });
    let offsets = offsets.collect::<Result<Vec<_>, _>>()?;
    let standardised = |row: &Vec<f64>| {
        let values = row.iter().zip(&features.mul).zip(&features.add).map(|((x, mul), add)| x * mul + add);
        values.fold(0.0, |largest: f64, value| largest.max(if features.relu { value } else { value.abs() }))
    };
    let largest = rows.iter().map(standardised).fold(0.0, f64::max);
    let (dtype, levels) = width.levels(features.relu);
    let scale = range(largest * width.headroom()) / levels;

    let mut x = EdgeId(0);
    if offsets.iter().any(|offset| *offset != 0) {
        x = builder.node("centre", AddConst {}, &[x], vec![Array::I32(offsets)]);
    }
    x = requantise(builder, &features.name, x, features.mul.iter().map(|mul| mul * unit / scale), dtype)?;
    if features.relu && dtype != DType::U8 {
        x = builder.node("features relu", Relu {}, &[x], vec![]);
    }
    Ok((x, scale))
}

/// Adds a linear node; its edge and the real value of one unit of each output.
fn linear(
    builder: &mut GraphBuilder,
    layer: &Layer,
    x: EdgeId,
    x_dtype: DType,
    x_scale: f64,
) -> Result<(EdgeId, Vec<f64>), ImportError> {
    let mut scales = Vec::with_capacity(layer.weights.len());
    let mut weights: Vec<i8> = Vec::with_capacity(layer.weights.len() * layer.weights.first().map_or(0, Vec::len));
    let mut biases = Vec::with_capacity(layer.weights.len());
    let mut peak: u64 = 0;
    let largest_x = x_dtype.min().unsigned_abs().max(x_dtype.max().unsigned_abs());
    for (output, (row, bias)) in layer.weights.iter().zip(&layer.bias).enumerate() {
        let refused = || ImportError::Quantise {
            what: layer.name.clone(),
            reason: format!("the weights of output {output} are too large"),
        };
        // Where a bias dwarfs the weights, the scale is made larger, so that the bias fits.
        let scale = range((magnitude(row) / 127.0).max(bias.abs() / x_scale / 2.0_f64.powi(30)));
        let mut reach: u64 = 0;
        for weight in row {
            let weight = integer(weight / scale).and_then(|weight| i8::try_from(weight).ok()).ok_or_else(refused)?;
            reach = reach.saturating_add(u64::from(weight.unsigned_abs()));
            weights.push(weight);
        }
        let bias = integer(bias / (x_scale * scale)).ok_or_else(refused)?;
        peak = peak.max(reach.saturating_mul(largest_x).saturating_add(bias.unsigned_abs().into()));
        biases.push(bias);
        scales.push(x_scale * scale);
    }
    let narrow = x_dtype != DType::I16 && peak <= i32::MAX.unsigned_abs().into();
    let op = Linear {
        outputs: u32::try_from(biases.len()).map_err(|_| ImportError::Output("too many outputs".into()))?,
        accumulator: if narrow { DType::I32 } else { DType::I64 },
    };
    Ok((builder.node(&layer.name, op, &[x], vec![Array::I8(weights), Array::I32(biases)]), scales))
}

fn requantise(
    builder: &mut GraphBuilder,
    name: &str,
    x: EdgeId,
    scales: impl Iterator<Item = f64>,
    dtype: DType,
) -> Result<EdgeId, ImportError> {
    let (mut multipliers, mut shifts) = (Vec::new(), Vec::new());
    for (channel, scale) in scales.enumerate() {
        let (multiplier, shift) = dyadic(scale).ok_or_else(|| ImportError::Quantise {
            what: name.into(),
            reason: format!("channel {channel} would be scaled by {scale}, which no multiplier and shift can say"),
        })?;
        multipliers.push(multiplier);
        shifts.push(shift);
    }
    let op = Requantise { per_channel: true, zero_point: 0, dtype };
    Ok(builder.node(&format!("{name} requantise"), op, &[x], vec![Array::I32(multipliers), Array::U8(shifts)]))
}
