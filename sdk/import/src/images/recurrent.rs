//! Recurrent layers in float, and as integers.

use noema_model::{
    graph::EdgeId,
    ops::{self, Concat, Gru, Lstm, Op, STATE_BITS, SUM_BITS},
    parameters::Array,
};
use noema_tensor::DType;

use super::{
    float::dot,
    net::{Cell, Grid, Product, Recurrent, Step, Way},
    quantise::{Build, Held, size, wide},
};
use crate::{ImportError, scale::dyadic};

/// The names of the nodes that a layer becomes: for each way the products of what it reads, and the cells.
pub(crate) fn names(node: &str, layer: &Recurrent) -> Vec<String> {
    layer.ways.iter().map(|way| name(node, layer, way)).flat_map(|name| [format!("{name} input"), name]).collect()
}

fn name(node: &str, layer: &Recurrent, way: &Way) -> String {
    match layer.ways.len() {
        1 => node.to_owned(),
        _ => format!("{node} {}", if way.reverse { "backward" } else { "forward" }),
    }
}

/// The states of a layer for a series of shape `dims`, step after step.
pub(crate) fn states(layer: &Recurrent, x: &[f32], dims: &[usize]) -> Vec<f32> {
    let (hidden, steps) = (layer.hidden, dims[0]);
    let width = layer.ways.len() * hidden;
    let mut states = vec![0.0; steps * width];
    for (at, way) in layer.ways.iter().enumerate() {
        let (mut h, mut c) = (vec![0.0_f32; hidden], vec![0.0_f32; hidden]);
        for step in 0..steps {
            let t = if way.reverse { steps - 1 - step } else { step };
            let of_input = product(&way.input, &x[t * dims[1]..][..dims[1]]);
            match layer.cell {
                Cell::Lstm => lstm(&of_input, &product(&way.state, &h), &mut h, &mut c),
                Cell::Gru { reset_after } => gru(&of_input, &way.state, reset_after, &mut h),
            }
            states[t * width + at * hidden..][..hidden].copy_from_slice(&h);
        }
    }
    states
}

fn product(product: &Product, x: &[f32]) -> Vec<f32> {
    let rows = product.weights.chunks_exact(x.len()).zip(&product.bias);
    rows.map(|(row, bias)| dot(row, x) + *bias as f32).collect()
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

fn lstm(of_input: &[f32], of_state: &[f32], h: &mut [f32], c: &mut [f32]) {
    let hidden = h.len();
    let z = |gate: usize, j: usize| of_input[gate * hidden + j] + of_state[gate * hidden + j];
    for j in 0..hidden {
        c[j] = sigmoid(z(2, j)) * c[j] + sigmoid(z(0, j)) * z(3, j).tanh();
        h[j] = sigmoid(z(1, j)) * c[j].tanh();
    }
}

fn gru(of_input: &[f32], state: &Product, reset_after: bool, h: &mut [f32]) {
    let hidden = h.len();
    let of_state = product(state, h);
    let gate = |gate: usize, j: usize| sigmoid(of_input[gate * hidden + j] + of_state[gate * hidden + j]);
    let reset: Vec<f32> = (0..hidden).map(|j| gate(1, j)).collect();
    let new: Vec<f32> = if reset_after {
        reset.iter().zip(&of_state[2 * hidden..]).map(|(reset, sum)| reset * sum).collect()
    } else {
        let left: Vec<f32> = reset.iter().zip(&*h).map(|(reset, h)| reset * h).collect();
        product(state, &left)[2 * hidden..].to_vec()
    };
    for j in 0..hidden {
        let (update, new) = (gate(0, j), (of_input[2 * hidden + j] + new[j]).tanh());
        h[j] = (1.0 - update) * new + update * h[j];
    }
}

impl Build<'_> {
    /// A recurrent layer: of every state, or of the last one of each way where nobody reads another.
    pub(super) fn recurrent(&mut self, step: &Step, layer: &Recurrent, at: usize) -> Result<(), ImportError> {
        let all = self.net.last_states(&self.readers, at).is_none();
        let x = self.narrow(step, self.held[step.from[0]])?;
        let mut states: Option<EdgeId> = None;
        for way in &layer.ways {
            let name = name(&step.node, layer, way);
            let of_way = self.way(step, &name, layer, way, x, all)?;
            states = Some(match states {
                None => of_way,
                Some(before) => self.node(&step.node, Concat { axis: u32::from(all) }, &[before, of_way], vec![]),
            });
        }
        let edge = states.ok_or_else(|| self.error(step, "goes no way"))?;
        let grid = Grid { dtype: DType::I16, scale: 2.0_f64.powi(-(STATE_BITS.cast_signed())), zero_point: 0 };
        self.held[at] = Some(Held { edge, grid });
        Ok(())
    }

    fn way(
        &mut self,
        step: &Step,
        name: &str,
        layer: &Recurrent,
        way: &Way,
        x: Held,
        all: bool,
    ) -> Result<EdgeId, ImportError> {
        let unit = 2.0_f64.powi(-(SUM_BITS.cast_signed()));
        let sums = self.sums(step, &way.input, x)?;
        let input = format!("{name} input");
        let edge = self.node(&input, sums.linear(), &[x.edge], sums.parameters());
        let factors = sums.units.iter().map(|of_sum| of_sum / unit);
        let edge = self.requantise(&input, edge, factors, wide(unit))?;
        let state_unit = 2.0_f64.powi(-(STATE_BITS.cast_signed()));
        let held = Held { edge, grid: Grid { dtype: DType::I16, scale: state_unit, zero_point: 0 } };
        let sums = self.sums(step, &way.state, held)?;
        let (mut multipliers, mut shifts) = (vec![], vec![]);
        for of_sum in &sums.units {
            let (multiplier, shift) = dyadic(of_sum / unit)
                .ok_or_else(|| self.error(step, "has weights of a state that no scale can say"))?;
            multipliers.push(multiplier);
            shifts.push(shift);
        }
        let (hidden, reverse) = (size(layer.hidden)?, way.reverse);
        let op: Op = match layer.cell {
            Cell::Lstm => Lstm { hidden, reverse, all }.into(),
            Cell::Gru { reset_after } => Gru { hidden, reverse, all, reset_after }.into(),
        };
        let parameters = [sums.parameters(), vec![Array::I32(multipliers), Array::U8(shifts)]].concat();
        Ok(self.node(name, op, &[edge], parameters))
    }

    /// One step for each part of the channels, side by side in one axis.
    pub(super) fn pick(&mut self, step: &Step, steps: &[usize], at: usize) -> Result<(), ImportError> {
        let x = self.held(step.from[0])?;
        if self.net.last_states(&self.readers, step.from[0]).is_some() {
            self.held[at] = Some(x);
            return Ok(());
        }
        let part = size(self.net.dims(step.from[0])[1] / steps.len())?;
        let mut parts: Option<EdgeId> = None;
        for (index, t) in steps.iter().enumerate() {
            let op = ops::Slice { starts: vec![size(*t)?, size(index)? * part], sizes: vec![1, part] };
            let one = self.node(&step.node, op, &[x.edge], vec![]);
            parts = Some(match parts {
                None => one,
                Some(before) => self.node(&step.node, Concat { axis: 1 }, &[before, one], vec![]),
            });
        }
        let edge = parts.ok_or_else(|| self.error(step, "of nothing"))?;
        let edge = self.node(&step.node, ops::Reshape { dims: vec![size(step.dims[0])?] }, &[edge], vec![]);
        self.held[at] = Some(Held { edge, ..x });
        Ok(())
    }

    /// A part of the last axis, or of the steps.
    pub(super) fn part(
        &mut self,
        step: &Step,
        of_steps: bool,
        first: usize,
        count: usize,
        at: usize,
    ) -> Result<(), ImportError> {
        let x = self.held(step.from[0])?;
        let rank = self.net.dims(step.from[0]).len();
        let (mut starts, mut sizes) = (vec![0; rank], vec![0; rank]);
        let axis = if of_steps { 0 } else { rank - 1 };
        (starts[axis], sizes[axis]) = (size(first)?, size(count)?);
        let edge = self.node(&step.node, ops::Slice { starts, sizes }, &[x.edge], vec![]);
        self.held[at] = Some(Held { edge, ..x });
        Ok(())
    }
}
