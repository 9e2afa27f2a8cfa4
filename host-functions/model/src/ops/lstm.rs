use borsh::{BorshDeserialize, BorshSerialize};
use noema_tensor::{Element, Kernels, Level, OpError};

use super::{
    Operator, ParameterSpec, Shapes, Step, length,
    recurrent::{self, GATE_BITS, Gate, Product, STATE_BITS, TANH_BITS},
};
use crate::{
    arena::{self, Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::Edge,
    parameters::Parameters,
    prices::Opcode,
};

/// Long short-term memory along the first axis of `[steps, 4 * hidden]` of `i32` (16 fraction bits): for every step the products of what
/// is read with its weights, biases included, gates in the order *input, output, forget, cell*. It gives the state, `i16` with 15
/// fraction bits: `[steps, hidden]`, or that of the last step taken, `[hidden]`.
///
/// With `h` and `c` zeros at first, and `[i, o, f, n]` the parts of `x[t] + requantise(R h + b)`:
///
/// ```text
/// c = sigmoid(f) * c + sigmoid(i) * tanh(n)        i32, 20 fraction bits
/// h = sigmoid(o) * tanh(c)
/// ```
///
/// Parameters are `R` (`i8`, `[4 * hidden][hidden]`), `b` (`i32`), and the multipliers (`i32`) and shifts (`u8`) of the products. As
/// opcodes: `op.slice`, `op.matmul`, `op.requantise`, `op.add`, `op.sigmoid`, `op.tanh`, `op.mul_requantise` step by step; docs/spec/models.md has
/// every rounding.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Lstm {
    /// How many numbers the state has: 1 to 65,536.
    pub hidden: u32,
    /// Whether the last step is taken first.
    pub reverse: bool,
    /// Whether the state of every step is given, in the order of the steps; otherwise the last one.
    pub all: bool,
}

/// Fraction bits of the cell.
const CELL_BITS: u32 = 20;
const GATES: u32 = 4;

impl Operator for Lstm {
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
        recurrent::work(inputs[0], self.hidden, 3, 1)
    }

    fn prepare(&self, level: Level, _: &[&Edge], parameters: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
        let product = Product::new(level, self.hidden, (0, length(GATES)), parameters)?;
        Ok(Box::new(LstmStep { op: self.clone(), product }))
    }
}

struct LstmStep {
    op: Lstm,
    product: Product,
}

impl Step for LstmStep {
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
        let (mut h, mut c) = (vec![0_i16; state], vec![0_i32; state]);
        let mut sums = vec![0_i32; gates * state];
        let (mut gate_args, mut gate) = (vec![0_i16; 3 * state], vec![0_i32; 3 * state]);
        let (mut tanh_args, mut tanh) = (vec![0_i16; state], vec![0_i32; state]);
        let shape = [steps, gates, hidden];
        for t in recurrent::order(steps, self.op.reverse) {
            self.product.of(k, &h, &mut sums)?;
            recurrent::arguments(Gate::Sigmoid, shape, t, (0, 3), x, (&sums, 0), &mut gate_args);
            recurrent::arguments(Gate::Tanh, shape, t, (3, 1), x, (&sums, 3), &mut tanh_args);
            Gate::Sigmoid.of(k, &gate_args, &mut gate);
            Gate::Tanh.of(k, &tanh_args, &mut tanh);
            let of_rows = gate.chunks_exact(3 * hidden).zip(c.chunks_exact_mut(hidden));
            for ((gate, c), new) in of_rows.zip(tanh.chunks_exact(hidden)) {
                let (input, forget) = (&gate[..hidden], &gate[2 * hidden..][..hidden]);
                for (((c, new), input), forget) in c.iter_mut().zip(new).zip(input).zip(forget) {
                    *c = cell(*c, *forget, *input, *new);
                }
            }
            for (argument, c) in tanh_args.iter_mut().zip(&c) {
                *argument = i16::saturate_i64(recurrent::rounded((*c).into(), CELL_BITS - TANH_BITS));
            }
            Gate::Tanh.of(k, &tanh_args, &mut tanh);
            let of_rows = gate.chunks_exact(3 * hidden).zip(h.chunks_exact_mut(hidden));
            for ((gate, h), tanh) in of_rows.zip(tanh.chunks_exact(hidden)) {
                for ((h, output), tanh) in h.iter_mut().zip(&gate[hidden..][..hidden]).zip(tanh) {
                    let product = i64::from(*output) * i64::from(*tanh);
                    *h = i16::saturate_i64(recurrent::rounded(product, 2 * GATE_BITS - STATE_BITS));
                }
            }
            recurrent::put(&h, (steps, t), hidden, self.op.all, y);
        }
        Ok(())
    }
}

/// `forget * c + input * new`, each rounded to the cell's fraction bits.
#[inline(always)]
fn cell(c: i32, forget: i32, input: i32, new: i32) -> i32 {
    let kept = recurrent::gated(forget, c);
    let added = recurrent::rounded(i64::from(input) * i64::from(new), 2 * GATE_BITS - CELL_BITS);
    kept.saturating_add(i32::saturate_i64(added))
}
