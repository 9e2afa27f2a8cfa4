use borsh::{BorshDeserialize, BorshSerialize};
use noema_tensor::{Element, Kernels, Level, OpError};

use super::{
    Operator, ParameterSpec, Shapes, Step, length,
    recurrent::{self, GATE_BITS, Gate, Product, STATE_BITS},
};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::Edge,
    parameters::Parameters,
    prices::Opcode,
};

/// A gated recurrent unit along the first axis of `[steps, 3 * hidden]` of `i32` (16 fraction bits): for every step the products of what is
/// read with its weights, biases included, gates in the order *update, reset, new*. It gives the state, `i16` with 15 fraction
/// bits: `[steps, hidden]`, or that of the last step taken, `[hidden]`.
///
/// With `h` zeros at first (`i32`, 24 fraction bits), and `[z, r, n]` the parts of `x[t]` and of `requantise(R h + b)`, in which `h` has 15
/// fraction bits:
///
/// ```text
/// n = tanh(n_x + sigmoid(r_x + r_h) * n_h)          where the reset comes behind the product, or
/// n = tanh(n_x + requantise(R (sigmoid(r_x + r_h) * h) + b))
/// h = n + sigmoid(z_x + z_h) * (h - n)
/// ```
///
/// Parameters are `R` (`i8`, `[3 * hidden][hidden]`), `b` (`i32`), and the multipliers (`i32`) and shifts (`u8`) of the products. As
/// opcodes: `op.slice`, `op.matmul`, `op.requantise`, `op.add`, `op.sub`, `op.sigmoid`, `op.tanh`, `op.mul_requantise` step by step;
/// docs/spec/models.md has every rounding.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Gru {
    /// How many numbers the state has: 1 to 65,536.
    pub hidden: u32,
    /// Whether the last step is taken first.
    pub reverse: bool,
    /// Whether the state of every step is given, in the order of the steps; otherwise the last one.
    pub all: bool,
    /// Whether the reset gate comes behind the product with the weights of the new state.
    pub reset_after: bool,
}

const GATES: u32 = 3;

impl Operator for Gru {
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String> {
        recurrent::infer(inputs[0], GATES, self.hidden, self.all)
    }

    fn parameters(&self, _: &[&Edge]) -> Vec<ParameterSpec> {
        recurrent::parameters(GATES, self.hidden)
    }

    fn bound(&self, _: &[&Edge], _: &[Interval], parameters: &Parameters<'_>) -> Result<EdgeBound, String> {
        recurrent::bound(self.hidden, parameters)
    }

    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)> {
        recurrent::work(inputs[0], self.hidden, 3, 0)
    }

    fn prepare(&self, level: Level, _: &[&Edge], parameters: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        let product = |first, gates| Product::new(level, self.hidden, (first, gates), parameters);
        let behind = if self.reset_after { None } else { Some(product(2, 1)?) };
        let product = product(0, if self.reset_after { 3 } else { 2 })?;
        Ok(Box::new(GruStep { op: self.clone(), product, behind }))
    }
}

struct GruStep {
    op: Gru,
    /// The products of the state with the weights of all gates, or of all but the new state.
    product: Product,
    /// The product of what the reset gate leaves.
    behind: Option<Product>,
}

impl Step for GruStep {
    fn run(
        &self,
        k: &Kernels,
        shapes: &Shapes<'_>,
        inputs: &[Source<'_>],
        output: &mut Sink<'_>,
    ) -> Result<(), OpError> {
        let (Source::I32(x), Sink::I16(y)) = (inputs[0], output) else { return Err(arena::unexpected()) };
        let (hidden, steps, rows) = (length(self.op.hidden), length(shapes.input(0).dims[0]), shapes.rows);
        let (state, gates) = (rows * hidden, length(GATES));
        let of_product = if self.behind.is_some() { 2 } else { 3 };
        let (mut h, mut wide) = (vec![0_i16; state], vec![0_i32; state]);
        let mut sums = vec![0_i32; of_product * state];
        let (mut gate_args, mut gate) = (vec![0_i16; 2 * state], vec![0_i32; 2 * state]);
        let (mut tanh_args, mut tanh, mut new) = (vec![0_i16; state], vec![0_i32; state], vec![0_i32; state]);
        let mut left = vec![0_i16; if self.behind.is_some() { state } else { 0 }];
        let shape = [steps, gates, hidden];
        for t in recurrent::order(steps, self.op.reverse) {
            self.product.of(k, &h, &mut sums)?;
            recurrent::arguments(Gate::Sigmoid, shape, t, (0, 2), x, (&sums, 0), &mut gate_args);
            Gate::Sigmoid.of(k, &gate_args, &mut gate);
            let resets = || gate.chunks_exact(2 * hidden).map(|gate| &gate[hidden..]);
            match &self.behind {
                None => {
                    let of_rows = resets().zip(sums.chunks_exact(3 * hidden)).zip(new.chunks_exact_mut(hidden));
                    for ((reset, sums), new) in of_rows {
                        for ((new, reset), sum) in new.iter_mut().zip(reset).zip(&sums[2 * hidden..]) {
                            *new = recurrent::gated(*reset, *sum);
                        }
                    }
                }
                Some(behind) => {
                    let of_rows = resets().zip(h.chunks_exact(hidden)).zip(left.chunks_exact_mut(hidden));
                    for ((reset, h), left) in of_rows {
                        for ((left, reset), h) in left.iter_mut().zip(reset).zip(h) {
                            *left = i16::saturate_i64(recurrent::gated(*reset, (*h).into()).into());
                        }
                    }
                    behind.of(k, &left, &mut new)?;
                }
            }
            recurrent::arguments(Gate::Tanh, shape, t, (2, 1), x, (&new, 0), &mut tanh_args);
            Gate::Tanh.of(k, &tanh_args, &mut tanh);
            let of_rows =
                gate.chunks_exact(2 * hidden).zip(wide.chunks_exact_mut(hidden)).zip(tanh.chunks_exact(hidden));
            for ((gate, wide), new) in of_rows {
                for ((wide, update), new) in wide.iter_mut().zip(gate).zip(new) {
                    *wide = new.saturating_add(recurrent::gated(*update, wide.saturating_sub(*new)));
                }
            }
            for (h, wide) in h.iter_mut().zip(&wide) {
                *h = i16::saturate_i64(recurrent::rounded((*wide).into(), GATE_BITS - STATE_BITS));
            }
            recurrent::put(&h, (steps, t), hidden, self.op.all, y);
        }
        Ok(())
    }
}
