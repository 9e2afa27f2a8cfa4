//! Post-training quantisation of a network of images: steps in float become a graph of integers.
//!
//! ```text
//! i32 pixels (fixed point)            x * 2^f, in the axes of the file
//!   Transpose, AddConst, Requantise   channels last, standardised, 8 or 16 bits
//!   Conv2d, Requantise per channel    8-bit weights with a scale for each output, exact sums; a ReLU is the lower end of u8
//!   pools, Concat                     on the integers as they are
//!   Add                               both sides in 32 bits with one unit, summed exactly, then narrow again
//!   Linear, Requantise per channel, Lstm or Gru   along the steps of a series: 16-bit states
//!   Linear, Requantise per channel    scores in fixed point, i32
//!   Softmax, Argmax                   probabilities in fixed point, class
//! ```
//!
//! Where the file has a grid of its own, its scale and zero point are taken, and its integers as weights. What such a file has in
//! float between two grids is held in 32 bits, so that it is rounded where the file rounds.

use noema_model::{
    graph::{Edge, EdgeId},
    ops::{
        Add, AddConst, AveragePool, Concat, GlobalAveragePool, Lookup, MaxPool, Op, Relu, Requantise, Reshape,
        Transpose, Window,
    },
    parameters::{Array, NodeParameters},
};
use noema_tensor::DType;

mod products;

use super::{
    fold::{self, Fused, Standardisation},
    net::{self, Grid, Net, Sides, Step},
};
use crate::{
    ImportError, Widths,
    builder::GraphBuilder,
    quantise::{LOGIT_BITS, Quantised, RESERVE, fraction_bits, range},
    scale::{dyadic, integer},
};

/// What calibration rows say about an activation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// The largest absolute value.
    pub(crate) largest: f64,
    /// Whether one was below 0.
    pub(crate) negative: bool,
}

impl Seen {
    fn and(self, other: Seen) -> Seen {
        Seen { largest: self.largest.max(other.largest), negative: self.negative || other.negative }
    }
}

/// An activation that the file has as integers, and where the graph has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnGrid {
    pub(crate) edge: EdgeId,
    pub(crate) activation: usize,
    pub(crate) grid: Grid,
}

/// An activation as integers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Held {
    pub(super) edge: EdgeId,
    pub(super) grid: Grid,
}

/// Builds the graph of a network that was folded.
pub(crate) fn quantise(
    net: &Net,
    input: &Standardisation,
    seen: &[Seen],
    input_bits: u8,
    widths: Widths,
) -> Result<(Quantised, Vec<OnGrid>), ImportError> {
    let mut build = Build {
        net,
        readers: net.readers(),
        seen: seen.to_vec(),
        widths,
        logits: logit_grid(net, seen)?,
        builder: GraphBuilder::new(vec![]),
        held: vec![None; net.steps.len() + 1],
        on_grid: vec![],
        is_quantised: net.steps.iter().any(|step| matches!(step.op, net::Op::Quantise(_))),
    };
    build.share_ranges();
    build.input(input, input_bits)?;
    for index in 0..net.steps.len() {
        if build.held[index + 1].is_none() && !build.is_inside(index) {
            build.step(index)?;
        }
    }
    for (index, step) in net.steps.iter().enumerate() {
        if let (net::Op::Quantise(grid), Some(held)) = (&step.op, build.held[index + 1])
            && held.grid == *grid
        {
            build.on_grid.push(OnGrid { edge: held.edge, activation: index + 1, grid: *grid });
        }
    }
    build.outputs()
}

/// What the scores are in.
fn logit_grid(net: &Net, seen: &[Seen]) -> Result<(Grid, u8), ImportError> {
    let what = net.steps.last().map_or("the input", |step| &step.node);
    let bits = if net.exact { 0 } else { fraction_bits(what, seen[net.logits].largest, LOGIT_BITS)? };
    Ok((wide(2.0_f64.powi(-i32::from(bits))), bits))
}

/// 32 bits with a unit.
pub(super) fn wide(unit: f64) -> Grid {
    Grid { dtype: DType::I32, scale: unit, zero_point: 0 }
}

pub(super) struct Build<'a> {
    pub(super) net: &'a Net,
    pub(super) readers: Vec<Vec<usize>>,
    seen: Vec<Seen>,
    widths: Widths,
    logits: (Grid, u8),
    builder: GraphBuilder,
    /// Every activation that is there so far.
    pub(super) held: Vec<Option<Held>>,
    /// Activations that the file has as integers.
    on_grid: Vec<OnGrid>,
    /// Whether there are any: what the file has in float between them is then held in 32 bits.
    is_quantised: bool,
}

impl Build<'_> {
    pub(super) fn node(
        &mut self,
        name: &str,
        op: impl Into<Op>,
        inputs: &[EdgeId],
        parameters: NodeParameters,
    ) -> EdgeId {
        self.builder.node(name, op, inputs, parameters)
    }

    pub(super) fn error(&self, step: &Step, reason: impl Into<String>) -> ImportError {
        ImportError::Quantise { what: step.node.clone(), reason: reason.into() }
    }

    pub(super) fn held(&self, at: usize) -> Result<Held, ImportError> {
        self.held[at].ok_or_else(|| ImportError::Output(format!("activation {at} is read before it is made")))
    }

    /// Whether a step was fused into one before it, whose result nobody else reads.
    fn is_inside(&self, index: usize) -> bool {
        self.held[self.net.steps[index].from[0]].is_none()
    }

    /// What is put side by side has one range, so that it needs no other scale.
    fn share_ranges(&mut self) {
        for step in &self.net.steps {
            if !matches!(step.op, net::Op::Concat) {
                continue;
            }
            let sources: Vec<usize> = step.from.iter().map(|from| self.source(*from)).collect();
            let all = sources.iter().fold(Seen::default(), |all, at| all.and(self.seen[*at]));
            for at in sources {
                // A ReLU stays what it is.
                self.seen[at].largest = all.largest;
            }
        }
    }

    /// Where an activation gets its scale from.
    fn source(&self, mut at: usize) -> usize {
        while let Some(step) = at.checked_sub(1).map(|step| &self.net.steps[step]) {
            match step.op {
                net::Op::MaxPool(_) | net::Op::AveragePool { .. } | net::Op::GlobalAveragePool | net::Op::Same => {
                    at = step.from[0];
                }
                _ => break,
            }
        }
        at
    }

    /// The input, standardised where the network does that, or as the integers of the file.
    fn input(&mut self, input: &Standardisation, input_bits: u8) -> Result<(), ImportError> {
        let dims = &self.net.dims;
        let name = self.net.input.clone();
        let sizes = sizes(dims)?;
        let dtype = self.net.integers.map_or(DType::I32, |grid| grid.dtype);
        self.builder.graph.inputs.push(Edge::new(dtype, &sizes));
        let mut x = EdgeId(0);
        if let [channels, rows, columns] = sizes[..] {
            x = if channels == 1 {
                self.node("channels last", Reshape { dims: vec![rows, columns, 1] }, &[x], vec![])
            } else {
                self.node("channels last", Transpose { axes: vec![1, 2, 0] }, &[x], vec![])
            };
        }
        let end = fold::fused(self.net, &self.readers, 0);
        if let Some(grid) = self.net.integers {
            self.held[0] = Some(Held { edge: x, grid });
            return Ok(());
        }
        let refused = |reason: String| ImportError::Quantise { what: name.clone(), reason };
        let unit = 2.0_f64.powi(-i32::from(input_bits));
        let channels = if let [_, channels] = dims[..] { channels } else { dims[0] };
        let of = |values: &[f32], channel: usize| f64::from(*values.get(channel).unwrap_or(&values[0]));
        let mut offsets = Vec::with_capacity(channels);
        let mut factors = Vec::with_capacity(channels);
        for channel in 0..channels {
            let (mul, add) = (of(&input.mul, channel), of(&input.add, channel));
            if mul <= 0.0 || !mul.is_finite() {
                return Err(refused(format!("channel {channel} is multiplied by {mul}; a number above 0 is needed")));
            }
            // x * mul + add = mul * (x + add / mul)
            let offset = integer(add / mul / unit);
            offsets
                .push(offset.ok_or_else(|| refused(format!("the offset of channel {channel} does not fit 32 bits")))?);
            factors.push(mul * unit);
        }
        let (grid, end) = match (end.grid, end.clip) {
            (Some(step), None) => (self.grid_of(step), end.end),
            _ => {
                // Behind the steps that were folded into it.
                let mut at = 0;
                while let [reader] = self.readers[at][..]
                    && let Some(net::Op::Same) = self.net.steps.get(reader).map(|step| &step.op)
                {
                    at = reader + 1;
                }
                let (dtype, levels) = self.widths.features.levels(!self.seen[at].negative);
                let scale = range(self.seen[at].largest * self.widths.features.headroom()) / levels;
                (Grid { dtype, scale, zero_point: 0 }, at)
            }
        };
        if offsets.iter().any(|offset| *offset != 0) {
            x = self.node("centre", AddConst {}, &[x], vec![Array::I32(offsets)]);
        }
        let factors = factors.iter().map(|factor| factor / grid.scale);
        x = self.requantise(&name, x, factors, grid)?;
        self.held[end] = Some(Held { edge: x, grid });
        Ok(())
    }

    fn grid_of(&self, step: usize) -> Grid {
        match self.net.steps[step].op {
            net::Op::Quantise(grid) => grid,
            _ => wide(1.0),
        }
    }

    fn step(&mut self, index: usize) -> Result<(), ImportError> {
        let step = &self.net.steps[index];
        let at = index + 1;
        let from = self.held(step.from[0])?;
        let name = step.node.as_str();
        self.held[at] = Some(match &step.op {
            net::Op::Conv(net::Conv { product, .. }) | net::Op::Linear(product) => {
                return self.product(step, product, at);
            }
            net::Op::Recurrent(layer) => return self.recurrent(step, layer, at),
            net::Op::Pick(steps) => return self.pick(step, steps, at),
            net::Op::Part { first, count } => return self.part(step, false, *first, *count, at),
            net::Op::Steps { first, count } => return self.part(step, true, *first, *count, at),
            net::Op::Add => return self.add(step, at),
            net::Op::Concat => return self.concat(step, at),
            net::Op::Same => from,
            net::Op::Relu => self.clip(name, from, f32::INFINITY, at)?,
            net::Op::Clip(most) => self.clip(name, from, *most, at)?,
            net::Op::MaxPool(sides) => {
                Held { edge: self.node(name, MaxPool { window: window(sides)? }, &[from.edge], vec![]), ..from }
            }
            net::Op::AveragePool { sides, count_pads } => {
                let mut x = from;
                if x.grid.zero_point != 0 && *count_pads && sides.pads != [0; 4] {
                    // Pads are zeros, and so must the zero point be.
                    x = self.convert(
                        name,
                        x,
                        Grid { dtype: DType::I16, zero_point: 0, ..x.grid },
                        f32::NEG_INFINITY,
                        f32::INFINITY,
                    )?;
                }
                let op = AveragePool { window: window(sides)?, count_pads: *count_pads };
                Held { edge: self.node(name, op, &[x.edge], vec![]), ..x }
            }
            net::Op::GlobalAveragePool => {
                let mut x = from;
                if x.grid.dtype.size() == 1 && fold::fused(self.net, &self.readers, at).grid.is_none() {
                    // A mean of many is known far better than each of them.
                    let finer = Grid { dtype: DType::I16, scale: x.grid.scale / 128.0, zero_point: 0 };
                    x = self.convert(name, x, finer, f32::NEG_INFINITY, f32::INFINITY)?;
                }
                Held { edge: self.node(name, GlobalAveragePool {}, &[x.edge], vec![]), ..x }
            }
            net::Op::Flatten => Held { edge: self.flatten(step, from.edge)?, ..from },
            net::Op::Quantise(grid) => self.convert(name, from, *grid, f32::NEG_INFINITY, f32::INFINITY)?,
            net::Op::Affine { .. } | net::Op::Pad(_) | net::Op::Softmax | net::Op::ArgMax => {
                return Err(self.error(step, "was not folded"));
            }
        });
        Ok(())
    }

    /// Rows of one axis, in the order of the file.
    fn flatten(&mut self, step: &Step, mut x: EdgeId) -> Result<EdgeId, ImportError> {
        let from = self.net.dims(step.from[0]).to_vec();
        if let [channels, rows, columns] = from[..]
            && channels > 1
            && rows * columns > 1
        {
            x = self.node(&format!("{} transpose", step.node), Transpose { axes: vec![2, 0, 1] }, &[x], vec![]);
        }
        if from.len() > 1 {
            x = self.node(&step.node, Reshape { dims: sizes(&step.dims)? }, &[x], vec![]);
        }
        Ok(x)
    }

    /// What the result of a product or sum becomes.
    fn target(&self, fused: &Fused) -> Grid {
        if let Some(step) = fused.grid {
            return self.grid_of(step);
        }
        // Scores, perhaps behind what only moves or averages them.
        let mut at = fused.end;
        loop {
            if at == self.net.logits && self.readers[at] == [usize::MAX] {
                return self.logits.0;
            }
            let [reader] = self.readers[at][..] else { break };
            match self.net.steps.get(reader).map(|step| &step.op) {
                Some(net::Op::Same | net::Op::Flatten | net::Op::GlobalAveragePool) => at = reader + 1,
                _ => break,
            }
        }
        let largest = self.seen[fused.end].largest;
        let unbounded = fused.clip.is_none_or(f32::is_infinite);
        if let [reader] = self.readers[fused.end][..]
            && self.net.steps.get(reader).is_some_and(|step| matches!(step.op, net::Op::Add))
            && unbounded
        {
            return wide(self.unit_of_sum(reader));
        }
        if self.is_quantised {
            return wide(range(largest) * RESERVE / 2.0_f64.powi(30));
        }
        let (dtype, levels) = self.widths.hidden.levels(fused.clip.is_some());
        let most = largest * self.widths.hidden.headroom();
        let most = fused.clip.map_or(most, |clip| most.min(f64::from(clip)));
        Grid { dtype, scale: range(most) / levels, zero_point: 0 }
    }

    /// The unit in which both sides of an `Add` are summed.
    fn unit_of_sum(&self, index: usize) -> f64 {
        let step = &self.net.steps[index];
        let seen = step.from.iter().fold(self.seen[index + 1], |seen, from| seen.and(self.seen[*from]));
        range(seen.largest) * RESERVE / 2.0_f64.powi(30)
    }

    /// What a product reads in 8 or 16 bits, if it is held in 32.
    pub(super) fn narrow(&mut self, step: &Step, x: Option<Held>) -> Result<Held, ImportError> {
        let x = x.ok_or_else(|| self.error(step, "reads what is not made yet"))?;
        if x.grid.dtype != DType::I32 {
            return Ok(x);
        }
        let seen = self.seen[step.from[0]];
        let (dtype, levels) = self.widths.hidden.levels(!seen.negative);
        let scale = range(seen.largest * self.widths.hidden.headroom()) / levels;
        let narrow = Grid { dtype, scale, zero_point: 0 };
        self.convert(&format!("{} input", step.node), x, narrow, f32::NEG_INFINITY, f32::INFINITY)
    }

    /// Cuts at 0, and above where there is an end that the type does not cut at.
    fn finish(&mut self, step: &Step, held: Held, fused: Fused) -> Result<(), ImportError> {
        self.held[fused.end] = Some(match fused.clip {
            Some(most) => self.clip(&step.node, held, most, fused.end)?,
            None => held,
        });
        Ok(())
    }

    fn clip(&mut self, name: &str, mut x: Held, most: f32, at: usize) -> Result<Held, ImportError> {
        let Grid { dtype, scale, zero_point } = x.grid;
        if dtype == DType::I32 {
            // Sums saturate: what is moved up to the end of the type is cut there, and moved back.
            let most = integer((f64::from(most) / scale).min(i32::MAX.into())).unwrap_or(i32::MAX);
            let beyond = i32::MAX - most.max(0);
            if beyond > 0 {
                let channels = self.net.dims(at)[0];
                for (way, constant) in [("up", beyond), ("down", -beyond)] {
                    let constants = vec![Array::I32(vec![constant; channels])];
                    x.edge = self.node(&format!("{name} {way}"), AddConst {}, &[x.edge], constants);
                }
            }
            return Ok(Held { edge: self.node(&format!("{name} relu"), Relu {}, &[x.edge], vec![]), ..x });
        }
        // The largest number of the type, or one that is as good: where both are the same but for rounding.
        let top = (dtype.max() - i64::from(zero_point)) as f64 * scale;
        let cuts_above = f64::from(most) < top * (1.0 - 1e-6);
        let cuts_below = i64::from(zero_point) > dtype.min();
        if !cuts_above && !cuts_below {
            return Ok(x);
        }
        if !cuts_above && zero_point == 0 {
            return Ok(Held { edge: self.node(&format!("{name} relu"), Relu {}, &[x.edge], vec![]), ..x });
        }
        self.convert(name, x, x.grid, 0.0, most)
    }

    fn add(&mut self, step: &Step, at: usize) -> Result<(), ImportError> {
        let unit = self.unit_of_sum(at - 1);
        let mut sides = [EdgeId(0); 2];
        for (side, from) in sides.iter_mut().zip(&step.from) {
            let x = self.held(*from)?;
            *side = self.convert(&step.node, x, wide(unit), f32::NEG_INFINITY, f32::INFINITY)?.edge;
        }
        let fused = fold::fused(self.net, &self.readers, at);
        let target = self.target(&fused);
        let sum = self.node(&step.node, Add {}, &sides, vec![]);
        let edge = if target == wide(unit) {
            sum
        } else {
            self.requantise(&step.node, sum, std::iter::once(unit / target.scale), target)?
        };
        self.finish(step, Held { edge, grid: target }, fused)
    }

    fn concat(&mut self, step: &Step, at: usize) -> Result<(), ImportError> {
        let parts = step.from.iter().map(|from| self.held(*from)).collect::<Result<Vec<_>, _>>()?;
        let fused = fold::fused(self.net, &self.readers, at);
        let first = parts[0].grid;
        // A ReLU behind it cuts what was put together.
        let grid = match fused.grid {
            Some(step) if fused.clip.is_none() => self.grid_of(step),
            _ if parts.iter().all(|part| part.grid == first) => first,
            _ if self.is_quantised => wide(range(self.seen[at].largest) * RESERVE / 2.0_f64.powi(30)),
            _ => {
                let negative = parts.iter().any(|part| part.grid.dtype.min() < i64::from(part.grid.zero_point));
                let (dtype, levels) = self.widths.hidden.levels(!negative);
                let scale = range(self.seen[at].largest * self.widths.hidden.headroom()) / levels;
                Grid { dtype, scale, zero_point: 0 }
            }
        };
        let mut whole: Option<EdgeId> = None;
        for part in parts {
            let part = self.convert(&step.node, part, grid, f32::NEG_INFINITY, f32::INFINITY)?.edge;
            let axis = if step.dims.len() == 3 { 2 } else { 0 };
            whole = Some(match whole {
                None => part,
                Some(before) => self.node(&step.node, Concat { axis }, &[before, part], vec![]),
            });
        }
        let edge = whole.ok_or_else(|| self.error(step, "of nothing"))?;
        // What follows is a step of its own, except the grid that all parts have now.
        let end = if fused.clip.is_none() { fused.end } else { at };
        self.held[end] = Some(Held { edge, grid });
        Ok(())
    }

    /// The same numbers on another grid, cut at both ends.
    fn convert(&mut self, name: &str, x: Held, grid: Grid, least: f32, most: f32) -> Result<Held, ImportError> {
        if x.grid == grid && least == f32::NEG_INFINITY && most == f32::INFINITY {
            return Ok(x);
        }
        if x.grid.dtype == DType::I32 {
            // Nobody cuts 32 bits on the way to another grid.
            let edge = self.requantise(name, x.edge, std::iter::once(x.grid.scale / grid.scale), grid)?;
            return Ok(Held { edge, grid });
        }
        let (from, to) = (x.grid, grid);
        let entry = |q: i64| {
            let real = ((q - i64::from(from.zero_point)) as f64 * from.scale).clamp(f64::from(least), f64::from(most));
            let value = (real / to.scale).round_ties_even() + f64::from(to.zero_point);
            value.clamp(to.dtype.min() as f64, to.dtype.max() as f64)
        };
        let entries = (from.dtype.min()..=from.dtype.max()).map(entry);
        #[allow(clippy::cast_possible_truncation, reason = "clamped to the range of the type")]
        let (dtype, table) = match to.dtype {
            DType::I8 => (DType::I8, Array::I8(entries.map(|value| value as i8).collect())),
            DType::I16 => (DType::I16, Array::I16(entries.map(|value| value as i16).collect())),
            _ => (DType::I32, Array::I32(entries.map(|value| value as i32).collect())),
        };
        let mut edge = self.node(&format!("{name} scale"), Lookup { dtype }, &[x.edge], vec![table]);
        if dtype != to.dtype {
            // Tables have signed numbers: these are already those of the type.
            let plain = Grid { zero_point: 0, ..to };
            edge = self.requantise(&format!("{name} scale"), edge, std::iter::once(1.0), plain)?;
        }
        Ok(Held { edge, grid })
    }

    /// One factor for all, or one for each channel.
    pub(super) fn requantise(
        &mut self,
        name: &str,
        x: EdgeId,
        factors: impl ExactSizeIterator<Item = f64>,
        grid: Grid,
    ) -> Result<EdgeId, ImportError> {
        let per_channel = factors.len() > 1;
        let (mut multipliers, mut shifts) = (Vec::new(), Vec::new());
        for (channel, factor) in factors.enumerate() {
            let (multiplier, shift) = dyadic(factor).ok_or_else(|| ImportError::Quantise {
                what: name.into(),
                reason: format!("channel {channel} would be scaled by {factor}, which no multiplier and shift can say"),
            })?;
            multipliers.push(multiplier);
            shifts.push(shift);
        }
        let op = Requantise { per_channel, zero_point: grid.zero_point, dtype: grid.dtype };
        Ok(self.node(&format!("{name} requantise"), op, &[x], vec![Array::I32(multipliers), Array::U8(shifts)]))
    }

    fn outputs(mut self) -> Result<(Quantised, Vec<OnGrid>), ImportError> {
        let held = self.held(self.net.logits)?;
        let (grid, bits) = self.logits;
        let x = self.convert("scores", held, grid, f32::NEG_INFINITY, f32::INFINITY)?.edge;
        Ok((self.builder.classifier(x, bits, self.net.softmax), self.on_grid))
    }
}

fn window(sides: &Sides) -> Result<Window, ImportError> {
    let pair = |[a, b]: [usize; 2]| Ok::<_, ImportError>([size(a)?, size(b)?]);
    let [above, left, below, right] = sides.pads;
    let ([above, left], [below, right]) = (pair([above, left])?, pair([below, right])?);
    Ok(Window {
        kernel: pair(sides.kernel)?,
        strides: pair(sides.strides)?,
        pads: [above, left, below, right],
        dilations: pair(sides.dilations)?,
    })
}

pub(super) fn size(value: usize) -> Result<u32, ImportError> {
    u32::try_from(value).map_err(|_| ImportError::Options(format!("{value} does not fit 32 bits")))
}

fn sizes(dims: &[usize]) -> Result<Vec<u32>, ImportError> {
    dims.iter().map(|dim| size(*dim)).collect()
}
