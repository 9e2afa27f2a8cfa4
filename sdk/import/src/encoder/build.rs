//! The integer graph of an encoder, from its weights and the ranges of its activations.
//!
//! ```text
//!   tokens -> embedding + positions -> norm -> x (i16)
//!   x -> query, key, value (i8, a scale for each channel) -> attention (i8) -> back (i16)
//!   x + back -> norm -> m (i16) -> hidden (i16) -> GELU by table (i16) -> out (i16)
//!   m + out -> norm -> x of the next layer;  after the last one: pooling, length 1
//! ```
//!
//! A product reads its input in one of three ways ([`Site`]). In the 8-bit ones channels are brought nearer to each other
//! first, and the weights of each channel take the difference over (Xiao et al., SmoothQuant, 2022).

use noema_model::{
    graph::{Edge, EdgeId, Graph, Node, sequence},
    ops::{
        Add, AddRows, Attention, Embedding, L2Norm, LayerNorm, Linear, Lookup, MeanPool, Mul, Op, QuantiseRows,
        Requantise, Reshape, RowStep, Slice,
    },
    parameters::{Array, NodeParameters},
};
use noema_tensor::DType;

use super::{
    Site, Sites,
    float::{Dense, EncoderLayer, Float, Normal},
    folder::Pooling,
    ranges::{Channels, LayerRanges, Ranges, largest},
};
use crate::{
    ImportError,
    scale::{dyadic, integer},
};

/// Fraction bits of the embedding.
pub(crate) const EMBEDDING_BITS: u8 = 15;
/// Room for sentences that reach further than those of calibration.
const ROOM_16: f64 = 2.0;
const ROOM_8: f64 = 1.1;
/// Which part of the difference between channels the weights take over.
const SMOOTHING: f64 = 0.6;
/// Fraction bits of the vectors that are pooled.
const POOLED_BITS: i32 = 16;

/// A graph with what it takes to make a container, and the edges that a report is about.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) graph: Graph,
    pub(crate) parameters: Vec<NodeParameters>,
    /// After the embedding and after each layer: the edge, and what one unit of it stands for.
    pub(crate) checkpoints: Vec<(EdgeId, f64)>,
}

/// Builds the graph for the sites that are given, layer by layer.
pub(crate) fn build(float: &Float, ranges: &Ranges, longest: usize, sites: &[Sites]) -> Result<Built, ImportError> {
    let mut builder = Builder::new(size(longest)?);
    let hidden = float.config.hidden_size;
    let words: Vec<f32> = float.words.flatten_all()?.to_vec1()?;
    let positions: Vec<f32> = float.positions.flatten_all()?.to_vec1()?;
    // The sum of both fits.
    let unit = (most(&words) + most(&positions)).max(f64::MIN_POSITIVE) / 32_767.0;
    let quantised = |values: &[f32]| values.iter().map(|value| to_i16(f64::from(*value) / unit)).collect();
    let (rows, columns) = (size(float.config.vocab_size)?, size(hidden)?);
    let table = Embedding { rows, columns, dtype: DType::I16 };
    let words = builder.node("words", table, &[TOKENS], vec![Array::I16(quantised(&words))]);
    let rows = AddRows { rows: size(longest)? };
    let placed = builder.node("positions", rows, &[words], vec![Array::I16(quantised(&positions))]);

    let mut from = Sum { edge: placed, unit, name: "embeddings".into() };
    let mut normal = &float.norm;
    let mut checkpoints = Vec::with_capacity(float.layers.len() + 1);
    let mut x_range = &ranges.embedded;
    for (index, layer) in float.layers.iter().enumerate() {
        let range = &ranges.layers[index];
        let at = At {
            name: format!("layer {index}"),
            epsilon: float.config.layer_norm_eps,
            heads: float.config.num_attention_heads,
        };
        let unit = unit_of(largest(x_range).max(largest(&range.sum)));
        let x = builder.norm(&format!("{} input", at.name), &from, normal, unit, at.epsilon)?;
        checkpoints.push((x, unit));
        let x = Normalised { edge: x, unit, from: &from, normal, range: x_range };
        let attended = builder.attention(&at, layer, range, &x, sites[index].attention)?;
        let unit = unit_of(largest(&range.middle).max(largest(&range.last_sum)));
        let middle_name = format!("{} middle", at.name);
        let middle = builder.norm(&middle_name, &attended, &layer.norm, unit, at.epsilon)?;
        let middle = Normalised { edge: middle, unit, from: &attended, normal: &layer.norm, range: &range.middle };
        from = builder.feed_forward(&at, layer, range, &middle, sites[index])?;
        (normal, x_range) = (&layer.last_norm, &range.output);
    }
    let unit = 2.0_f64.powi(-POOLED_BITS);
    let last = builder.norm_to("last", &from, normal, &vec![unit; hidden], float.config.layer_norm_eps, DType::I32)?;
    checkpoints.push((last, unit));
    let pooled = match float.pooling {
        Pooling::Mean => builder.node("mean", MeanPool {}, &[last, LENGTH], vec![]),
        Pooling::First => {
            let first = Slice { starts: vec![0, 0], sizes: vec![1, 0] };
            let first = builder.node("first", first, &[last], vec![]);
            builder.node("vector", Reshape { dims: vec![columns] }, &[first], vec![])
        }
    };
    let unit_length = L2Norm { epsilon: 1, fraction_bits: EMBEDDING_BITS, dtype: DType::I16 };
    let embedding = builder.node("embedding", unit_length, &[pooled], vec![]);
    builder.graph.outputs = vec![embedding];
    Ok(Built { graph: builder.graph, parameters: builder.parameters, checkpoints })
}

const TOKENS: EdgeId = EdgeId(0);
const LENGTH: EdgeId = EdgeId(1);

/// An `i16` edge that is normalised next.
struct Sum {
    edge: EdgeId,
    unit: f64,
    name: String,
}

/// A normalised edge (`i16`), and how it was made.
struct Normalised<'a> {
    edge: EdgeId,
    unit: f64,
    from: &'a Sum,
    normal: &'a Normal,
    range: &'a Channels,
}

/// What every node of a layer needs.
struct At {
    name: String,
    epsilon: f64,
    heads: usize,
}

/// What a product reads: an edge, what a unit of each channel stands for, and the largest value it can have.
struct Read {
    edge: EdgeId,
    units: Vec<f64>,
    largest: u64,
}

fn size(value: usize) -> Result<u32, ImportError> {
    u32::try_from(value).map_err(|_| ImportError::Encoder(format!("a size of {value}")))
}

fn most(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(value.abs())).fold(0.0, f64::max)
}

/// The unit with which 16 bits hold values up to `most` and some more.
fn unit_of(most: f64) -> f64 {
    most * ROOM_16 / 32_767.0
}

#[allow(clippy::cast_possible_truncation, reason = "clamped")]
fn to_i16(value: f64) -> i16 {
    value.round_ties_even().clamp(-32_768.0, 32_767.0) as i16
}

struct Builder {
    graph: Graph,
    parameters: Vec<NodeParameters>,
}

impl Builder {
    fn new(longest: u32) -> Builder {
        let inputs = vec![Edge::new(DType::I32, &[sequence(longest)]), Edge::new(DType::I32, &[])];
        Builder { graph: Graph { inputs, nodes: vec![], outputs: vec![] }, parameters: vec![] }
    }

    fn node(&mut self, name: &str, op: impl Into<Op>, inputs: &[EdgeId], parameters: NodeParameters) -> EdgeId {
        self.graph.nodes.push(Node { name: name.into(), op: op.into(), inputs: inputs.to_vec() });
        self.parameters.push(parameters);
        // The number of layers is limited when the folder is read.
        EdgeId(u32::try_from(self.graph.nodes.len() + 1).unwrap_or(u32::MAX))
    }

    /// Normalises to 16 bits, one unit for all channels.
    fn norm(
        &mut self,
        name: &str,
        from: &Sum,
        normal: &Normal,
        unit: f64,
        epsilon: f64,
    ) -> Result<EdgeId, ImportError> {
        self.norm_to(name, from, normal, &vec![unit; normal.gain.len()], epsilon, DType::I16)
    }

    /// Normalises, with a unit for each channel.
    fn norm_to(
        &mut self,
        name: &str,
        from: &Sum,
        normal: &Normal,
        units: &[f64],
        epsilon: f64,
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
        let epsilon = (epsilon / (from.unit * from.unit) * 2.0_f64.powi(24)).round();
        if !(0.0..1.0e18).contains(&epsilon) {
            return Err(quantise(&from.name, "epsilon does not fit 64 bits"));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the ranges are checked")]
        let op = LayerNorm { epsilon: epsilon as u64, shift: shift as u8, dtype };
        let parameters = vec![Array::I32(fixed(gain)?), Array::I32(fixed(bias)?)];
        Ok(self.node(name, op, &[from.edge], parameters))
    }

    /// What a product reads of a normalised edge.
    fn read(
        &mut self,
        name: &str,
        x: &Normalised<'_>,
        site: Site,
        layers: &[&Dense],
        epsilon: f64,
    ) -> Result<Read, ImportError> {
        let channels = x.range.len();
        if site == Site::Sixteen {
            return Ok(Read { edge: x.edge, units: vec![x.unit; channels], largest: 32_768 });
        }
        let factors = smoothing(x.range, layers)?;
        let top = x.range.iter().zip(&factors).map(|(most, factor)| most / factor).fold(0.0, f64::max);
        let unit = if top > 0.0 { top / 127.0 } else { 1.0 };
        let units: Vec<f64> = factors.iter().map(|factor| factor * unit).collect();
        let edge = self.norm_to(name, x.from, x.normal, &units, epsilon, DType::I8)?;
        Ok(Read { edge, units, largest: 128 })
    }

    /// A linear layer; its edge and what a unit of each output stands for.
    fn linear(&mut self, name: &str, x: &Read, layer: &Dense) -> Result<(EdgeId, Vec<f64>), ImportError> {
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
    fn scaled(
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
    fn attention(
        &mut self,
        at: &At,
        layer: &EncoderLayer,
        range: &LayerRanges,
        x: &Normalised<'_>,
        site: Site,
    ) -> Result<Sum, ImportError> {
        let name = |part: &str| format!("{} {part}", at.name);
        let read =
            self.read(&name("attention input"), x, site, &[&layer.query, &layer.key, &layer.value], at.epsilon)?;
        let (q_units, k_units, score_unit) = score_units(&range.query, &range.key);
        let (v_units, mixed_units, ratio) = value_units(&range.value, &range.mixed);
        let mut edges = Vec::with_capacity(4);
        for (part, dense, units) in
            [("query", &layer.query, &q_units), ("key", &layer.key, &k_units), ("value", &layer.value, &v_units)]
        {
            let (sums, from) = self.linear(&name(&format!("{part} sums")), &read, dense)?;
            edges.push(self.scaled(&name(part), sums, &from, units, DType::I8)?);
        }
        edges.push(LENGTH);
        let heads = size(at.heads)?;
        #[allow(clippy::cast_precision_loss, reason = "the width of a head")]
        let depth = (range.query.len() / at.heads) as f64;
        let refused = || quantise(&at.name, "no scale fits the scores");
        let (multiplier, shift) = dyadic(score_unit / depth.sqrt()).ok_or_else(refused)?;
        let (out_multiplier, out_shift) = dyadic(1.0 / ratio).ok_or_else(refused)?;
        let op = Attention {
            heads,
            key_heads: heads,
            masked: true,
            causal: false,
            multiplier,
            shift,
            out_multiplier,
            out_shift,
        };
        let mixed = self.node(&name("attention"), op, &edges, vec![]);
        let mixed = Read { edge: mixed, units: mixed_units, largest: 128 };
        let (sums, from) = self.linear(&name("back sums"), &mixed, &layer.back)?;
        self.added(&name("back"), sums, &from, x)
    }

    /// Brings sums to the unit of the stream and adds them to it.
    fn added(&mut self, name: &str, sums: EdgeId, from: &[f64], x: &Normalised<'_>) -> Result<Sum, ImportError> {
        let back = self.scaled(name, sums, from, &vec![x.unit; from.len()], DType::I16)?;
        let edge = self.node(&format!("{name} added"), Add {}, &[x.edge, back], vec![]);
        Ok(Sum { edge, unit: x.unit, name: name.into() })
    }

    /// The two layers behind attention, added to the stream.
    fn feed_forward(
        &mut self,
        at: &At,
        layer: &EncoderLayer,
        range: &LayerRanges,
        x: &Normalised<'_>,
        sites: Sites,
    ) -> Result<Sum, ImportError> {
        let name = |part: &str| format!("{} {part}", at.name);
        let read = self.read(&name("hidden input"), x, sites.hidden, &[&layer.hidden], at.epsilon)?;
        let (sums, from) = self.linear(&name("hidden sums"), &read, &layer.hidden)?;
        let unit = unit_of(largest(&range.hidden));
        let hidden = self.scaled(&name("hidden"), sums, &from, &vec![unit; from.len()], DType::I16)?;
        let table = (i16::MIN..=i16::MAX).map(|x| to_i16(gelu(f64::from(x) * unit) / unit)).collect();
        let bent = self.node(&name("gelu"), Lookup { dtype: DType::I16 }, &[hidden], vec![Array::I16(table)]);
        if sites.out == Site::Sixteen {
            let read = Read { edge: bent, units: vec![unit; from.len()], largest: 32_768 };
            let (sums, from) = self.linear(&name("out sums"), &read, &layer.out)?;
            return self.added(&name("out"), sums, &from, x);
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
        let (multiplier, shift) = dyadic(common / x.unit).ok_or_else(|| quantise(&at.name, "no scale fits"))?;
        let op = Mul { multiplier, shift: shift + 32, zero_point: 0, dtype: DType::I16 };
        let out = self.node(&name("out"), op, &[wide, step], vec![]);
        // The bias does not go through the steps.
        let bias: Vec<f32> = layer.out.bias.to_vec1()?;
        let row: Vec<i16> = bias.iter().map(|bias| to_i16(f64::from(*bias) / x.unit)).collect();
        let longest = self.graph.inputs[0].dims[0] & !noema_model::graph::SEQUENCE;
        let constants = row.iter().copied().cycle().take(row.len() * usize::try_from(longest).unwrap_or(0)).collect();
        let biased = self.node(&name("out bias"), AddRows { rows: longest }, &[out], vec![Array::I16(constants)]);
        let edge = self.node(&name("out added"), Add {}, &[x.edge, biased], vec![]);
        Ok(Sum { edge, unit: x.unit, name: name("out") })
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
