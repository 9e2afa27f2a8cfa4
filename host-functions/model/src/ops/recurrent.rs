//! What [`Lstm`](super::Lstm) and [`Gru`](super::Gru) have in common: the numbers that they compute in, what is checked, the product
//! of the state with its weights, and the two functions of gates.
//!
//! ```text
//! sums before a gate     i32, 16 fraction bits: what is read, plus the requantised product of the state
//! argument of a sigmoid  i16, 11 fraction bits: from -16 to 16
//! argument of a tanh     i16, 12 fraction bits: from -8 to 8
//! gates                  i32, 24 fraction bits, correctly rounded
//! state, as it is read   i16, 15 fraction bits
//! ```

use std::sync::OnceLock;

use noema_abi::DType;
use noema_tensor::{
    Element, Kernels, Level, OpError,
    kernel::{self, Activations, Format, Function, PackedWeights, Scales},
    work,
};

use super::{ParameterSpec, length, requantise::check_scale};
use crate::{
    bounds::{EdgeBound, Interval},
    graph::Edge,
    parameters::Parameters,
    prices::Opcode,
};

/// Fraction bits of a sum before a gate.
pub const SUM_BITS: u32 = 16;
/// Fraction bits of the state, as it is read and given.
pub const STATE_BITS: u32 = 15;
/// Fraction bits of a gate.
pub(super) const GATE_BITS: u32 = 24;
/// Fraction bits of the argument of a sigmoid.
const SIGMOID_BITS: u32 = 11;
/// Fraction bits of the argument of a hyperbolic tangent.
pub(super) const TANH_BITS: u32 = 12;
/// How many numbers a state may have.
pub const MAX_HIDDEN: u32 = 65_536;

/// The edge of an operator with so many gates for each number of the state.
pub(super) fn infer(x: &Edge, gates: u32, hidden: u32, all: bool) -> Result<Edge, String> {
    let [steps, width] = x.dims[..] else {
        return Err(format!("takes steps and gates, not rows of shape {:?}", x.dims));
    };
    if x.dtype != DType::I32 {
        return Err(format!("takes i32, not {}", x.dtype));
    }
    if hidden == 0 || hidden > MAX_HIDDEN || hidden.saturating_mul(gates) != width {
        return Err(format!("{width} numbers for {gates} gates of a state of {hidden}, which is 1 to {MAX_HIDDEN}"));
    }
    Ok(Edge { dtype: DType::I16, dims: if all { vec![steps, hidden] } else { vec![hidden] } })
}

/// Weights `i8[gates * hidden][hidden]`, bias `i32`, multipliers `i32` and shifts `u8` of `[gates * hidden]` each.
pub(super) fn parameters(gates: u32, hidden: u32) -> Vec<ParameterSpec> {
    let rows = u64::from(gates) * u64::from(hidden);
    vec![
        ParameterSpec::new(DType::I8, rows.saturating_mul(hidden.into())),
        ParameterSpec::new(DType::I32, rows),
        ParameterSpec::new(DType::I32, rows),
        ParameterSpec::new(DType::U8, rows),
    ]
}

/// Any state is a number of 16 bits; the peak is that of the sums of its products.
pub(super) fn bound(hidden: u32, parameters: &Parameters<'_>) -> Result<EdgeBound, String> {
    for (row, (multiplier, shift)) in parameters.i32s(2).zip(parameters.u8s(3)).enumerate() {
        check_scale(multiplier, u32::from(*shift)).map_err(|reason| format!("gate {row}: {reason}"))?;
    }
    let interval = Interval::of(DType::I16);
    Ok(EdgeBound { interval, peak: peak(parameters, length(hidden)).max(interval.magnitude()) })
}

/// The largest absolute value that a sum of products with a state can take on the way.
fn peak(parameters: &Parameters<'_>, hidden: usize) -> u64 {
    let of_row = |(row, bias): (&[i8], i32)| {
        let weights: u64 = row.iter().map(|weight| u64::from(weight.unsigned_abs())).sum();
        // At most 2^16 weights of 2^7, times 2^15.
        (weights << STATE_BITS) + u64::from(bias.unsigned_abs())
    };
    parameters.i8s(0).chunks_exact(hidden).zip(parameters.i32s(1)).map(of_row).max().unwrap_or(0)
}

/// The work of so many steps: products with the state, what is done for each gate, and for each number of the state so many
/// products and `more` other gates.
pub(super) fn work(x: &Edge, hidden: u32, products: u64, more: u64) -> Vec<(Opcode, u64)> {
    let (steps, width) = (x.row_elements() / u64::from(x.last()), u64::from(x.last()));
    let hidden = u64::from(hidden);
    let all = |each: u64| steps.saturating_mul(each);
    vec![
        (Opcode::Recurrence, steps),
        (Opcode::Matmul, work::linear([DType::I16, DType::I8], steps, hidden, width)),
        (Opcode::Add, work::bytes(DType::I32, all(2 * width + hidden * products))),
        (Opcode::Requantise, all(2 * width + hidden * (more + 1))),
        (Opcode::Lookup, all(width + hidden * more)),
        (Opcode::MulRequantise, all(hidden * products)),
    ]
}

/// Some rows of the weights of the state, ready to run: `requantise(bias + sum over j of h[j] * weight[i, j])`, as `i32`.
pub(super) struct Product {
    weights: PackedWeights,
    bias: Bias,
    multipliers: Vec<i32>,
    shifts: Vec<u8>,
    at_once: bool,
}

enum Bias {
    Narrow(Vec<i32>),
    Wide(Vec<i64>),
}

impl Product {
    /// The rows of gates `first` to `first + gates`.
    pub(super) fn new(
        level: Level,
        hidden: u32,
        (first, gates): (usize, usize),
        parameters: &Parameters<'_>,
    ) -> Result<Product, OpError> {
        let width = length(hidden);
        let (skip, rows) = (first * width, gates * width);
        let bias = || parameters.i32s(1).skip(skip).take(rows);
        let narrow = i32::try_from(peak(parameters, width)).is_ok();
        let weights = &parameters.i8s(0)[skip * width..][..rows * width];
        Ok(Product {
            weights: PackedWeights::pack(level, width, rows, weights)?,
            bias: if narrow { Bias::Narrow(bias().collect()) } else { Bias::Wide(bias().map(i64::from).collect()) },
            multipliers: parameters.i32s(2).skip(skip).take(rows).collect(),
            shifts: parameters.u8s(3)[skip..][..rows].to_vec(),
            at_once: kernel::requantises_at_once(level),
        })
    }

    /// Of a state for each row of the batch. The bound has excluded that a sum leaves its type.
    pub(super) fn of(&self, k: &Kernels, h: &[i16], y: &mut [i32]) -> Result<(), OpError> {
        let Product { weights, multipliers, shifts, .. } = self;
        let rows = h.len() / weights.k();
        let scales = Scales { multipliers, shifts, zero_point: 0 };
        match &self.bias {
            Bias::Narrow(bias) if self.at_once => {
                kernel::linear_requantised(k, Activations::I16(h), rows, weights, bias, scales, y)
            }
            Bias::Narrow(bias) => {
                let mut sums = vec![0_i32; y.len()];
                kernel::linear_biased(k, Activations::I16(h), rows, weights, bias, &mut sums)?;
                kernel::requantise_rows(k, &sums, weights.n(), scales, y);
                Ok(())
            }
            Bias::Wide(bias) => {
                let mut sums = vec![0_i64; y.len()];
                kernel::linear_biased_wide(k, Activations::I16(h), rows, weights, bias, &mut sums)?;
                kernel::requantise_rows(k, &sums, weights.n(), scales, y);
                Ok(())
            }
        }
    }
}

/// The function of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Sigmoid,
    Tanh,
}

impl Gate {
    fn argument_bits(self) -> u32 {
        match self {
            Gate::Sigmoid => SIGMOID_BITS,
            Gate::Tanh => TANH_BITS,
        }
    }

    /// The argument for a sum.
    pub(super) fn argument(self, sum: i32) -> i16 {
        i16::saturate_i64(rounded(sum.into(), SUM_BITS - self.argument_bits()))
    }

    /// The function of each argument. The arguments are few enough that every value is computed once, when the first gate of the
    /// process opens, so a gate is priced as the entry of a table that it is; the reference computes each.
    pub(super) fn of(self, k: &Kernels, x: &[i16], y: &mut [i32]) {
        static TABLES: [OnceLock<Vec<i32>>; 2] = [OnceLock::new(), OnceLock::new()];
        let (function, slot) = match self {
            Gate::Sigmoid => (Function::Sigmoid, &TABLES[0]),
            Gate::Tanh => (Function::Tanh, &TABLES[1]),
        };
        let format = Format { in_bits: self.argument_bits(), out_bits: GATE_BITS };
        if k.level() == Level::Reference {
            return kernel::apply_function(k, function, format, x, y);
        }
        let table = slot.get_or_init(|| {
            let arguments: Vec<i16> = (i16::MIN..=i16::MAX).collect();
            let mut values = vec![0; arguments.len()];
            kernel::apply_function(k, function, format, &arguments, &mut values);
            values
        });
        kernel::lookup(k, x, table, y);
    }
}

/// `rne(x / 2^shift)` of a number of at most 62 bits.
#[inline(always)]
pub(super) fn rounded(x: i64, shift: u32) -> i64 {
    let odd = (x >> shift) & 1;
    (x + ((1 << (shift - 1)) - 1) + odd) >> shift
}

/// The product of a gate with a number of 32 bits, in the unit of the number: rounded and cut to 32 bits.
#[inline(always)]
pub(super) fn gated(gate: i32, x: i32) -> i32 {
    i32::saturate_i64(rounded(i64::from(gate) * i64::from(x), GATE_BITS))
}

/// The steps in the order in which they are taken.
pub(super) fn order(steps: usize, reverse: bool) -> impl Iterator<Item = usize> {
    (0..steps).map(move |step| if reverse { steps - 1 - step } else { step })
}

/// The gates `first` to `first + count` of step `t` of each row of the batch, plus those of `sums`, as arguments of a function.
pub(super) fn arguments(
    gate: Gate,
    [steps, gates, hidden]: [usize; 3],
    t: usize,
    (first, count): (usize, usize),
    x: &[i32],
    (sums, sums_first): (&[i32], usize),
    y: &mut [i16],
) {
    let (width, of_sums) = (gates * hidden, sums.len() / (x.len() / (steps * gates * hidden)));
    for ((x, sums), y) in
        x.chunks_exact(steps * width).zip(sums.chunks_exact(of_sums)).zip(y.chunks_exact_mut(count * hidden))
    {
        let x = &x[t * width + first * hidden..][..y.len()];
        let sums = &sums[sums_first * hidden..][..y.len()];
        for ((y, x), sum) in y.iter_mut().zip(x).zip(sums) {
            *y = gate.argument(x.saturating_add(*sum));
        }
    }
}

/// Writes the state of step `t` of each row where it belongs.
pub(super) fn put(state: &[i16], (steps, t): (usize, usize), hidden: usize, all: bool, y: &mut [i16]) {
    if all {
        for (row, state) in y.chunks_exact_mut(steps * hidden).zip(state.chunks_exact(hidden)) {
            row[t * hidden..][..hidden].copy_from_slice(state);
        }
    } else {
        y.copy_from_slice(state);
    }
}

#[cfg(test)]
mod tests;
