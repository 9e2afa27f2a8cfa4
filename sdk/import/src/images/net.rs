//! A network of images as the file means it: steps in float, each on one or more activations.
//!
//! Images are `[channels, rows, columns]` here, as ONNX has them; series are `[steps, channels]`. What is quantised in the file is still float: a step
//! [`Op::Quantise`] rounds to the file's grid, and weights remember the integers that they came from.

use noema_tensor::DType;

/// A network.
#[derive(Clone, Debug)]
pub(crate) struct Net {
    /// The name of its input.
    pub(crate) input: String,
    /// Shape of a row of the input: an image, or one axis.
    pub(crate) dims: Vec<usize>,
    /// What the integers of the input stand for, where the file takes integers.
    pub(crate) integers: Option<Grid>,
    pub(crate) steps: Vec<Step>,
    /// The activation that holds the scores: 0 is the input, `i + 1` the result of step `i`.
    pub(crate) logits: usize,
    /// Whether the network turns the scores into probabilities.
    pub(crate) softmax: bool,
    /// Whether the scores are sums of integers, which the file gives as such.
    pub(crate) exact: bool,
}

impl Net {
    /// Shape of a row of an activation.
    pub(crate) fn dims(&self, at: usize) -> &[usize] {
        at.checked_sub(1).map_or(&self.dims, |step| &self.steps[step].dims)
    }

    /// Where a recurrent layer makes `at`: the step that picks the last state of every way, if nobody reads another one.
    pub(crate) fn last_states(&self, readers: &[Vec<usize>], at: usize) -> Option<usize> {
        let Op::Recurrent(recurrent) = &self.steps.get(at.checked_sub(1)?)?.op else { return None };
        let [reader] = readers[at][..] else { return None };
        match &self.steps.get(reader)?.op {
            Op::Pick(steps) if *steps == recurrent.last_steps(self.dims(at)[0]) => Some(reader),
            _ => None,
        }
    }

    /// Which steps read each activation. The scores count as read once more.
    pub(crate) fn readers(&self) -> Vec<Vec<usize>> {
        let mut readers = vec![vec![]; self.steps.len() + 1];
        for (index, step) in self.steps.iter().enumerate() {
            step.from.iter().for_each(|from| readers[*from].push(index));
        }
        readers[self.logits].push(usize::MAX);
        readers
    }
}

/// An operator applied to activations.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The node that it comes from.
    pub(crate) node: String,
    /// Its operator in the file.
    pub(crate) operator: String,
    pub(crate) op: Op,
    pub(crate) from: Vec<usize>,
    /// Shape of a row of the result.
    pub(crate) dims: Vec<usize>,
}

/// What a step computes.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Conv(Conv),
    /// Of rows with one axis.
    Linear(Product),
    /// `x * mul + add`, one of each for each channel (or element of rows with one axis).
    Affine {
        mul: Vec<f32>,
        add: Vec<f32>,
    },
    Relu,
    /// Between 0 and this.
    Clip(f32),
    MaxPool(Sides),
    AveragePool {
        sides: Sides,
        count_pads: bool,
    },
    GlobalAveragePool,
    Add,
    /// Of channels (or of elements of rows with one axis).
    Concat,
    /// Zeros above, to the left, below and to the right.
    Pad([usize; 4]),
    /// To rows with one axis.
    Flatten,
    /// To the file's grid and back.
    Quantise(Grid),
    /// Changes no number.
    Same,
    Softmax,
    ArgMax,
    /// Along the steps of a series.
    Recurrent(Recurrent),
    /// One step of a series for each of so many equal parts of its channels.
    Pick(Vec<usize>),
    /// So many numbers of the last axis, from the first of them on.
    Part {
        first: usize,
        count: usize,
    },
    /// So many steps of a series, from the first of them on.
    Steps {
        first: usize,
        count: usize,
    },
}

impl Op {
    /// Whether it has weights.
    pub(crate) fn is_layer(&self) -> bool {
        matches!(self, Op::Conv(_) | Op::Linear(_) | Op::Recurrent(_))
    }
}

/// A recurrent layer: one way through the series or both, whose states stand side by side.
#[derive(Clone, Debug)]
pub(crate) struct Recurrent {
    pub(crate) cell: Cell,
    pub(crate) hidden: usize,
    pub(crate) ways: Vec<Way>,
}

/// What a step of a recurrent layer computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Gates *input, output, forget, cell*.
    Lstm,
    /// Gates *update, reset, new*.
    Gru {
        /// Whether the reset gate comes behind the product of the state.
        reset_after: bool,
    },
}

impl Cell {
    pub(crate) fn gates(self) -> usize {
        match self {
            Cell::Lstm => 4,
            Cell::Gru { .. } => 3,
        }
    }
}

/// Weights of one way, gate after gate: of what is read, and of the state.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) reverse: bool,
    pub(crate) input: Product,
    pub(crate) state: Product,
}

impl Recurrent {
    /// The step that each way takes last.
    pub(crate) fn last_steps(&self, steps: usize) -> Vec<usize> {
        self.ways.iter().map(|way| if way.reverse { 0 } else { steps - 1 }).collect()
    }
}

/// Integers of the file: `q` stands for `(q - zero_point) * scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Grid {
    /// `i8` or `u8`.
    pub(crate) dtype: DType,
    pub(crate) scale: f64,
    pub(crate) zero_point: i32,
}

impl Grid {
    /// The nearest number of the grid.
    pub(crate) fn round(&self, x: f32) -> f32 {
        ((self.integer(x) - f64::from(self.zero_point)) * self.scale) as f32
    }

    /// The integer that stands for it.
    #[allow(clippy::cast_precision_loss, reason = "the ends of 8-bit types")]
    pub(crate) fn integer(&self, x: f32) -> f64 {
        let q = (x / self.scale as f32).round_ties_even() + self.zero_point as f32;
        f64::from(q).clamp(self.dtype.min() as f64, self.dtype.max() as f64)
    }
}

/// How a window moves over an image; rows first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sides {
    pub(crate) kernel: [usize; 2],
    pub(crate) strides: [usize; 2],
    /// Above, to the left, below, to the right.
    pub(crate) pads: [usize; 4],
    pub(crate) dilations: [usize; 2],
}

impl Sides {
    /// Places of the window along an axis (0 for rows) of this length, if there are any.
    pub(crate) fn places(&self, axis: usize, length: usize) -> Option<usize> {
        let padded = length.checked_add(self.pads[axis])?.checked_add(self.pads[axis + 2])?;
        let extent = (self.kernel[axis].checked_sub(1)?).checked_mul(self.dilations[axis])?.checked_add(1)?;
        (padded.checked_sub(extent)?).checked_div(self.strides[axis])?.checked_add(1)
    }

    /// Which row or column a tap reads at a place, if it lies in the image.
    pub(crate) fn source(&self, axis: usize, place: usize, tap: usize, length: usize) -> Option<usize> {
        let at = (place * self.strides[axis] + tap * self.dilations[axis]).checked_sub(self.pads[axis])?;
        (at < length).then_some(at)
    }
}

/// A convolution.
#[derive(Clone, Debug)]
pub(crate) struct Conv {
    pub(crate) sides: Sides,
    pub(crate) groups: usize,
    /// `[outputs][channels / groups][rows][columns]`, and a bias for each output.
    pub(crate) product: Product,
}

/// Weights, output after output, and a bias for each.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    pub(crate) weights: Vec<f32>,
    pub(crate) bias: Vec<f64>,
    /// The integers of the weights and what a unit of each output's stands for, where the file has integers.
    pub(crate) integers: Option<(Vec<i8>, Vec<f64>)>,
}

impl Product {
    /// How many outputs there are.
    pub(crate) fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// The same, followed by `x * mul + add`, which has one of each for each output or one for all.
    pub(crate) fn followed_by(&mut self, mul: &[f32], add: &[f32]) {
        let depth = self.weights.len() / self.outputs().max(1);
        let of = |values: &[f32], output: usize| *values.get(output).unwrap_or(&values[0]);
        for (output, (row, bias)) in self.weights.chunks_mut(depth.max(1)).zip(&mut self.bias).enumerate() {
            let (mul, add) = (of(mul, output), of(add, output));
            row.iter_mut().for_each(|weight| *weight *= mul);
            *bias = *bias * f64::from(mul) + f64::from(add);
        }
        match &mut self.integers {
            Some((_, scales)) if mul.iter().all(|mul| *mul > 0.0) => {
                scales.iter_mut().enumerate().for_each(|(output, scale)| *scale *= f64::from(of(mul, output)));
            }
            integers => *integers = None,
        }
    }
}
