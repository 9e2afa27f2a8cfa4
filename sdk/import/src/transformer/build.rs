//! The graph of integers that becomes of layers, from their weights and the ranges of their activations.
//!
//! ```text
//!   query, key, value (i8, a scale for each channel) -> attention (i8) -> back (i16), added to the stream
//!   hidden (i16) -> GELU by table (i16) -> out (i16), added to the stream
//! ```
//!
//! What they read is normalised from the stream, in one of three ways ([`Site`]). In the 8-bit ones channels are brought nearer to each other
//! first, and the weights of each channel take the difference over (Xiao et al., SmoothQuant, 2022).

use noema_model::{
    graph::{Edge, EdgeId},
    ops::{Add, AddRows, Attention, LayerNorm, Linear, Lookup, Mul, Op, QuantiseRows, Requantise, RowStep},
    parameters::{Array, NodeParameters},
};
use noema_tensor::DType;

use super::{
    Site, Sites,
    layer::{Dense, Form, Layer, Normal},
    ranges::{Channels, LayerRanges, largest},
};
use crate::{
    ImportError,
    builder::GraphBuilder,
    scale::{dyadic, integer},
};

/// Room for inputs that reach further than those of calibration.
const ROOM_16: f64 = 2.0;
const ROOM_8: f64 = 1.1;
/// Which part of the difference between channels the weights take over.
const SMOOTHING: f64 = 0.6;

/// An `i16` edge that is added up, and normalised where it is read.
#[derive(Clone, Debug)]
pub(crate) struct Sum {
    pub(crate) edge: EdgeId,
    pub(crate) unit: f64,
    pub(crate) name: String,
}

/// A sum, and how it is normalised for a product.
pub(crate) struct Normalised<'a> {
    pub(crate) from: &'a Sum,
    pub(crate) normal: &'a Normal,
    /// What was seen of the result.
    pub(crate) range: &'a Channels,
    /// What a unit of the result in 16 bits stands for, and its edge where there is one already.
    pub(crate) unit: f64,
    pub(crate) edge: Option<EdgeId>,
}

/// What a product reads: an edge, what a unit of each channel stands for, and the largest value it can have.
pub(crate) struct Read {
    pub(crate) edge: EdgeId,
    pub(crate) units: Vec<f64>,
    pub(crate) largest: u64,
}

/// A size as graphs have it.
pub(crate) fn size(value: usize) -> Result<u32, ImportError> {
    u32::try_from(value).map_err(|_| ImportError::Encoder(format!("a size of {value}")))
}

/// The largest magnitude.
pub(crate) fn most(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(value.abs())).fold(0.0, f64::max)
}

/// The unit with which 16 bits hold values up to `most` and some more.
pub(crate) fn unit_of(most: f64) -> f64 {
    most * ROOM_16 / 32_767.0
}

/// The nearest number of 16 bits.
#[allow(clippy::cast_possible_truncation, reason = "clamped")]
pub(crate) fn to_i16(value: f64) -> i16 {
    value.round_ties_even().clamp(-32_768.0, 32_767.0) as i16
}

/// The graph of a transformer under construction.
pub(crate) struct Builder {
    pub(crate) graph: GraphBuilder,
    form: Form,
    /// Most tokens of a row.
    tokens: u32,
    /// The edge that says how many of them count; without it, all.
    pub(crate) count: Option<EdgeId>,
}

impl Builder {
    /// A graph with nothing but its inputs.
    pub(crate) fn new(inputs: Vec<Edge>, form: Form, tokens: u32) -> Builder {
        Builder { graph: GraphBuilder::new(inputs), form, tokens, count: None }
    }

    /// Adds a node.
    pub(crate) fn node(
        &mut self,
        name: &str,
        op: impl Into<Op>,
        inputs: &[EdgeId],
        parameters: NodeParameters,
    ) -> EdgeId {
        self.graph.node(name, op, inputs, parameters)
    }

    /// Normalises to 16 bits, one unit for all channels.
    pub(crate) fn norm(&mut self, name: &str, from: &Sum, normal: &Normal, unit: f64) -> Result<EdgeId, ImportError> {
        self.norm_to(name, from, normal, &vec![unit; normal.gain.len()], DType::I16)
    }

    /// Normalises, with a unit for each channel.
    pub(crate) fn norm_to(
        &mut self,
        name: &str,
        from: &Sum,
        normal: &Normal,
        units: &[f64],
        dtype: DType,
    ) -> Result<EdgeId, ImportError> {
        let over = |values: &[f32]| -> Vec<f64> {
            values.iter().zip(units).map(|(value, unit)| f64::from(*value) / unit).collect()
        };
        let (gain, bias) = (over(&normal.gain), over(&normal.bias));
        let top = gain.iter().chain(&bias).fold(1.0e-9, |top: f64, value| top.max(value.abs()));
        // As many bits as leave both inside 31.
        let shift = (30.0 - top.log2().ceil()).clamp(0.0, 24.0);
        let refused = || quantise(name, "its gain or bias does not fit 32 bits");
        let fixed = |values: Vec<f64>| -> Result<Vec<i32>, ImportError> {
            values.into_iter().map(|value| integer(value * shift.exp2()).ok_or_else(refused)).collect()
        };
        let epsilon = (self.form.epsilon / (from.unit * from.unit) * 2.0_f64.powi(24)).round();
        if !(0.0..1.0e18).contains(&epsilon) {
            return Err(quantise(&from.name, "epsilon does not fit 64 bits"));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the ranges are checked")]
        let op = LayerNorm { epsilon: epsilon as u64, shift: shift as u8, dtype };
        let parameters = vec![Array::I32(fixed(gain)?), Array::I32(fixed(bias)?)];
        Ok(self.node(name, op, &[from.edge], parameters))
    }

    /// What products with these weights read of a sum.
    pub(crate) fn read(
        &mut self,
        name: &str,
        x: &Normalised<'_>,
        site: Site,
        layers: &[&Dense],
    ) -> Result<Read, ImportError> {
        if site == Site::Sixteen {
            let edge = match x.edge {
                Some(edge) => edge,
                None => self.norm(name, x.from, x.normal, x.unit)?,
            };
            return Ok(Read { edge, units: vec![x.unit; x.range.len()], largest: 32_768 });
        }
        let factors = smoothing(x.range, layers)?;
        let top = x.range.iter().zip(&factors).map(|(most, factor)| most / factor).fold(0.0, f64::max);
        let unit = if top > 0.0 { top / 127.0 } else { 1.0 };
        let units: Vec<f64> = factors.iter().map(|factor| factor * unit).collect();
        let edge = self.norm_to(name, x.from, x.normal, &units, DType::I8)?;
        Ok(Read { edge, units, largest: 128 })
    }

    /// A linear layer; its edge and what a unit of each output stands for.
    pub(crate) fn linear(&mut self, name: &str, x: &Read, layer: &Dense) -> Result<(EdgeId, Vec<f64>), ImportError> {
        let rows: Vec<Vec<f32>> = layer.weights.to_vec2()?;
        let bias: Vec<f32> = layer.bias.to_vec1()?;
        let (mut weights, mut biases, mut units) = (Vec::with_capacity(rows.len() * x.units.len()), vec![], vec![]);
        let mut peak: u64 = 0;
        for (row, bias) in rows.iter().zip(&bias) {
            let row: Vec<f64> = row.iter().zip(&x.units).map(|(weight, unit)| f64::from(*weight) * unit).collect();
            let bias = f64::from(*bias);
            let top = row.iter().fold(0.0, |top: f64, weight| top.max(weight.abs()));
            // Where a bias dwarfs the weights, the unit is made larger, so that the bias fits.
            let unit = (top / 127.0).max(bias.abs() / 2.0_f64.powi(30)).max(f64::MIN_POSITIVE);
            let mut reach: u64 = 0;
            for weight in row {
                let weight = integer(weight / unit).and_then(|weight| i8::try_from(weight).ok());
                let weight = weight.ok_or_else(|| quantise(name, "a weight does not fit 8 bits"))?;
                reach += u64::from(weight.unsigned_abs());
                weights.push(weight);
            }
            let bias = integer(bias / unit).ok_or_else(|| quantise(name, "a bias does not fit 32 bits"))?;
            peak = peak.max(reach.saturating_mul(x.largest).saturating_add(bias.unsigned_abs().into()));
            biases.push(bias);
            units.push(unit);
        }
        let accumulator = if peak <= i32::MAX.unsigned_abs().into() { DType::I32 } else { DType::I64 };
        let op = Linear { outputs: size(biases.len())?, accumulator };
        Ok((self.node(name, op, &[x.edge], vec![Array::I8(weights), Array::I32(biases)]), units))
    }

    /// Brings sums to other units, channel by channel.
    pub(crate) fn scaled(
        &mut self,
        name: &str,
        sums: EdgeId,
        from: &[f64],
        to: &[f64],
        dtype: DType,
    ) -> Result<EdgeId, ImportError> {
        let (mut multipliers, mut shifts) = (vec![], vec![]);
        for (from, to) in from.iter().zip(to) {
            let (multiplier, shift) = dyadic(from / to).ok_or_else(|| quantise(name, "no scale fits"))?;
            multipliers.push(multiplier);
            shifts.push(shift);
        }
        let op = Requantise { per_channel: true, zero_point: 0, dtype };
        Ok(self.node(name, op, &[sums], vec![Array::I32(multipliers), Array::U8(shifts)]))
    }

    /// Queries, keys and values, their attention, and what goes back into the stream, added to it.
    pub(crate) fn attention(
        &mut self,
        at: &str,
        layer: &Layer,
        range: &LayerRanges,
        x: &Normalised<'_>,
        site: Site,
        stream: &Sum,
    ) -> Result<Sum, ImportError> {
        let name = |part: &str| format!("{at} {part}");
        let read = self.read(&name("attention input"), x, site, &[&layer.query, &layer.key, &layer.value])?;
        let (q_units, k_units, score_unit) = score_units(&range.query, &range.key);
        let (v_units, mixed_units, ratio) = value_units(&range.value, &range.mixed);
        let mut edges = Vec::with_capacity(4);
        for (part, dense, units) in
            [("query", &layer.query, &q_units), ("key", &layer.key, &k_units), ("value", &layer.value, &v_units)]
        {
            let (sums, from) = self.linear(&name(&format!("{part} sums")), &read, dense)?;
            edges.push(self.scaled(&name(part), sums, &from, units, DType::I8)?);
        }
        edges.extend(self.count);
        let heads = size(self.form.heads)?;
        #[allow(clippy::cast_precision_loss, reason = "the width of a head")]
        let depth = (range.query.len() / self.form.heads) as f64;
        let refused = || quantise(at, "no scale fits the scores");
        let (multiplier, shift) = dyadic(score_unit / depth.sqrt()).ok_or_else(refused)?;
        let (out_multiplier, out_shift) = dyadic(1.0 / ratio).ok_or_else(refused)?;
        let op = Attention {
            heads,
            key_heads: heads,
            masked: self.count.is_some(),
            causal: false,
            multiplier,
            shift,
            out_multiplier,
            out_shift,
        };
        let mixed = self.node(&name("attention"), op, &edges, vec![]);
        let mixed = Read { edge: mixed, units: mixed_units, largest: 128 };
        let (sums, from) = self.linear(&name("back sums"), &mixed, &layer.back)?;
        self.added(&name("back"), sums, &from, stream)
    }

    /// Brings sums to the unit of the stream and adds them to it.
    fn added(&mut self, name: &str, sums: EdgeId, from: &[f64], stream: &Sum) -> Result<Sum, ImportError> {
        let back = self.scaled(name, sums, from, &vec![stream.unit; from.len()], DType::I16)?;
        let edge = self.node(&format!("{name} added"), Add {}, &[stream.edge, back], vec![]);
        Ok(Sum { edge, unit: stream.unit, name: name.into() })
    }

    /// The two layers behind attention, added to the stream.
    pub(crate) fn feed_forward(
        &mut self,
        at: &str,
        layer: &Layer,
        range: &LayerRanges,
        x: &Normalised<'_>,
        sites: Sites,
        stream: &Sum,
    ) -> Result<Sum, ImportError> {
        let name = |part: &str| format!("{at} {part}");
        let read = self.read(&name("hidden input"), x, sites.hidden, &[&layer.hidden])?;
        let (sums, from) = self.linear(&name("hidden sums"), &read, &layer.hidden)?;
        let unit = unit_of(largest(&range.hidden));
        let hidden = self.scaled(&name("hidden"), sums, &from, &vec![unit; from.len()], DType::I16)?;
        let table = (i16::MIN..=i16::MAX).map(|x| to_i16(gelu(f64::from(x) * unit) / unit)).collect();
        let bent = self.node(&name("gelu"), Lookup { dtype: DType::I16 }, &[hidden], vec![Array::I16(table)]);
        if sites.out == Site::Sixteen {
            let read = Read { edge: bent, units: vec![unit; from.len()], largest: 32_768 };
            let (sums, from) = self.linear(&name("out sums"), &read, &layer.out)?;
            return self.added(&name("out"), sums, &from, stream);
        }
        let step = self.node(&name("step"), RowStep { dtype: DType::I8 }, &[bent], vec![]);
        let rows = self.node(&name("rows"), QuantiseRows { dtype: DType::I8 }, &[bent, step], vec![]);
        // A unit of the rows stands for one step, which is in units of `bent` with 32 fraction bits.
        let read = Read { edge: rows, units: vec![unit; from.len()], largest: 128 };
        let bias = layer.out.bias.zeros_like()?;
        let (sums, from) =
            self.linear(&name("out sums"), &read, &Dense { weights: layer.out.weights.clone(), bias })?;
        let common = from.iter().copied().fold(f64::MIN_POSITIVE, f64::max) / 64.0;
        let wide = self.scaled(&name("out wide"), sums, &from, &vec![common; from.len()], DType::I32)?;
        let (multiplier, shift) = dyadic(common / stream.unit).ok_or_else(|| quantise(at, "no scale fits"))?;
        let op = Mul { multiplier, shift: shift + 32, zero_point: 0, dtype: DType::I16 };
        let out = self.node(&name("out"), op, &[wide, step], vec![]);
        // The bias does not go through the steps.
        let bias: Vec<f32> = layer.out.bias.to_vec1()?;
        let row: Vec<i16> = bias.iter().map(|bias| to_i16(f64::from(*bias) / stream.unit)).collect();
        let rows = usize::try_from(self.tokens).unwrap_or(0);
        let constants = row.iter().copied().cycle().take(row.len() * rows).collect();
        let op = AddRows { rows: self.tokens };
        let biased = self.node(&name("out bias"), op, &[out], vec![Array::I16(constants)]);
        let edge = self.node(&name("out added"), Add {}, &[stream.edge, biased], vec![]);
        Ok(Sum { edge, unit: stream.unit, name: name("out") })
    }
}

fn quantise(what: &str, reason: &str) -> ImportError {
    ImportError::Quantise { what: what.into(), reason: reason.into() }
}

/// By how much each channel is divided before it is quantised to 8 bits.
fn smoothing(range: &[f64], layers: &[&Dense]) -> Result<Vec<f64>, ImportError> {
    let mut tops = vec![0.0_f64; range.len()];
    for layer in layers {
        let of_layer: Vec<f32> = layer.weights.abs()?.max(0)?.to_vec1()?;
        tops.iter_mut().zip(of_layer).for_each(|(top, weight)| *top = top.max(f64::from(weight)));
    }
    let factor = |(most, top): (&f64, &f64)| most.max(1.0e-5).powf(SMOOTHING) / top.max(1.0e-5).powf(1.0 - SMOOTHING);
    Ok(range.iter().zip(&tops).map(factor).collect())
}

/// Units of queries and keys, whose product is the same for every channel.
fn score_units(query: &[f64], key: &[f64]) -> (Vec<f64>, Vec<f64>, f64) {
    let room = |most: &f64| most.max(1.0e-6) * ROOM_8;
    let pairs: Vec<(f64, f64)> = query.iter().zip(key).map(|(query, key)| (room(query), room(key))).collect();
    let top = pairs.iter().map(|(query, key)| query * key).fold(0.0, f64::max);
    let units = |of: &dyn Fn(&(f64, f64)) -> f64| -> Vec<f64> {
        pairs.iter().map(|pair| of(pair) / 127.0 * (top / (pair.0 * pair.1)).sqrt()).collect()
    };
    (units(&|pair| pair.0), units(&|pair| pair.1), top / (127.0 * 127.0))
}

/// Units of values and of what attention makes of them, the same ratio for every channel.
fn value_units(value: &[f64], mixed: &[f64]) -> (Vec<f64>, Vec<f64>, f64) {
    let room = |most: &f64| most.max(1.0e-6) * ROOM_8;
    let ratio = value.iter().zip(mixed).map(|(value, mixed)| room(mixed) / room(value)).fold(0.0, f64::max);
    let values: Vec<f64> = value.iter().map(|value| room(value) / 127.0).collect();
    let mixed = values.iter().map(|unit| unit * ratio).collect();
    (values, mixed, ratio)
}

/// `x * (1 + erf(x / sqrt(2))) / 2`
fn gelu(x: f64) -> f64 {
    x * 0.5 * (1.0 + candle_core::cpu::erf::erf_f64(x / std::f64::consts::SQRT_2))
}
