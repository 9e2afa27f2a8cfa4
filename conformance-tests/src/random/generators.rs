//! Arguments for every opcode: one entry for each `op` row of the table.
//!
//! An entry names the element types of the first tensor that the row takes, and draws arguments that it accepts.
//! Arguments that it must refuse are made from those in `spoil.rs`, the same way for all rows. A row without an entry
//! fails the test `every_opcode_has_a_generator`.

mod elementwise;
mod movement;
mod rows;
mod windows;

use noema_tensor::{
    DType::{self, I8, I16, I32, I64, U8},
    Tensor,
};

use super::draw::{Draw, tensor};
use crate::ops::{Argument, Elements};
use elementwise::{broadcast_pair, mul_requantise};
use rows::rows;

/// How arguments of one opcode are drawn.
pub(crate) struct Generator {
    /// The opcode, as in `ops::NAMES`.
    pub(crate) opcode: &'static str,
    /// Element types to draw for: cases are dealt out evenly among them.
    pub(crate) dtypes: &'static [DType],
    /// Draws arguments; [`Draw::dtype`] is one of `dtypes`.
    pub(crate) arguments: fn(&mut Draw) -> Vec<Argument>,
}

const ANY: &[DType] = &DType::ALL;
const NARROW: &[DType] = &[I8, I16];
const BYTES_AND_I16: &[DType] = &[I8, U8, I16];
const ROWS: &[DType] = &[I8, I16, I32];

/// All generators, in the order of the table.
pub(crate) const GENERATORS: &[Generator] = &[
    Generator { opcode: "matmul", dtypes: &[I8, U8, I16], arguments: matmul },
    Generator { opcode: "requantise", dtypes: &[I32, I64], arguments: requantise },
    Generator { opcode: "add", dtypes: ANY, arguments: broadcast_pair },
    Generator { opcode: "relu", dtypes: ANY, arguments: any_tensor },
    Generator { opcode: "softmax", dtypes: ROWS, arguments: rows::softmax },
    Generator { opcode: "argmax", dtypes: ANY, arguments: rows },
    Generator { opcode: "reshape", dtypes: ANY, arguments: movement::reshape },
    Generator { opcode: "slice", dtypes: ANY, arguments: movement::slice },
    Generator { opcode: "layer_norm", dtypes: ROWS, arguments: rows::layer_norm },
    Generator { opcode: "rms_norm", dtypes: ROWS, arguments: rows::rms_norm },
    Generator { opcode: "log_softmax", dtypes: ROWS, arguments: rows::softmax },
    Generator { opcode: "l2_norm", dtypes: ROWS, arguments: rows::l2_norm },
    Generator { opcode: "group_norm", dtypes: ROWS, arguments: rows::group_norm },
    Generator { opcode: "rotary", dtypes: ROWS, arguments: rows::rotary },
    Generator { opcode: "attention", dtypes: &[I8], arguments: rows::attention },
    Generator { opcode: "lookup", dtypes: BYTES_AND_I16, arguments: elementwise::lookup },
    Generator { opcode: "exp", dtypes: NARROW, arguments: elementwise::function },
    Generator { opcode: "log", dtypes: NARROW, arguments: elementwise::function_above_zero },
    Generator { opcode: "sigmoid", dtypes: NARROW, arguments: elementwise::function },
    Generator { opcode: "tanh", dtypes: NARROW, arguments: elementwise::function },
    Generator { opcode: "silu", dtypes: NARROW, arguments: elementwise::function },
    Generator { opcode: "gelu", dtypes: NARROW, arguments: elementwise::function },
    Generator { opcode: "erf", dtypes: NARROW, arguments: elementwise::function },
    Generator { opcode: "sin", dtypes: NARROW, arguments: elementwise::function },
    Generator { opcode: "cos", dtypes: NARROW, arguments: elementwise::function },
    Generator { opcode: "sqrt", dtypes: NARROW, arguments: elementwise::function_above_zero },
    Generator { opcode: "rsqrt", dtypes: NARROW, arguments: elementwise::function_above_zero },
    Generator { opcode: "recip", dtypes: NARROW, arguments: elementwise::function_not_zero },
    Generator { opcode: "row_step", dtypes: ROWS, arguments: rows::row_step },
    Generator { opcode: "quantise_rows", dtypes: ROWS, arguments: rows::quantise_rows },
    Generator { opcode: "mul_requantise", dtypes: ANY, arguments: mul_requantise },
    Generator { opcode: "sub", dtypes: ANY, arguments: broadcast_pair },
    Generator { opcode: "mul", dtypes: ANY, arguments: broadcast_pair },
    Generator { opcode: "add_checked", dtypes: ANY, arguments: elementwise::checked_pair },
    Generator { opcode: "sub_checked", dtypes: ANY, arguments: elementwise::checked_pair },
    Generator { opcode: "mul_checked", dtypes: ANY, arguments: elementwise::checked_pair },
    Generator { opcode: "min", dtypes: ANY, arguments: broadcast_pair },
    Generator { opcode: "max", dtypes: ANY, arguments: broadcast_pair },
    Generator { opcode: "bit_and", dtypes: ANY, arguments: broadcast_pair },
    Generator { opcode: "bit_or", dtypes: ANY, arguments: broadcast_pair },
    Generator { opcode: "bit_xor", dtypes: ANY, arguments: broadcast_pair },
    Generator { opcode: "equal", dtypes: ANY, arguments: elementwise::close_pair },
    Generator { opcode: "less", dtypes: ANY, arguments: elementwise::close_pair },
    Generator { opcode: "less_or_equal", dtypes: ANY, arguments: elementwise::close_pair },
    Generator { opcode: "select", dtypes: ANY, arguments: elementwise::select },
    Generator { opcode: "neg", dtypes: ANY, arguments: any_tensor },
    Generator { opcode: "abs", dtypes: ANY, arguments: any_tensor },
    Generator { opcode: "bit_not", dtypes: ANY, arguments: any_tensor },
    Generator { opcode: "clamp", dtypes: ANY, arguments: elementwise::clamp },
    Generator { opcode: "shift", dtypes: ANY, arguments: elementwise::shift_bits },
    Generator { opcode: "transpose", dtypes: ANY, arguments: movement::transpose },
    Generator { opcode: "expand", dtypes: ANY, arguments: movement::expand },
    Generator { opcode: "concat", dtypes: ANY, arguments: movement::concat },
    Generator { opcode: "pad", dtypes: ANY, arguments: movement::pad },
    Generator { opcode: "gather", dtypes: ANY, arguments: movement::gather },
    Generator { opcode: "reduce_sum", dtypes: ANY, arguments: rows::sums },
    Generator { opcode: "reduce_mean", dtypes: ANY, arguments: rows::along_axis },
    Generator { opcode: "reduce_min", dtypes: ANY, arguments: rows::along_axis },
    Generator { opcode: "reduce_max", dtypes: ANY, arguments: rows::along_axis },
    Generator { opcode: "cumsum", dtypes: ANY, arguments: rows::sums },
    Generator { opcode: "tile", dtypes: ANY, arguments: movement::tile },
    Generator { opcode: "scatter", dtypes: ANY, arguments: movement::scatter },
    Generator { opcode: "gather_elements", dtypes: ANY, arguments: movement::gather_elements },
    Generator { opcode: "one_hot", dtypes: &[I32], arguments: movement::one_hot },
    Generator { opcode: "range", dtypes: ANY, arguments: movement::range },
    Generator { opcode: "trilu", dtypes: ANY, arguments: movement::trilu },
    Generator { opcode: "resize", dtypes: ANY, arguments: movement::resize },
    Generator { opcode: "argmin", dtypes: ANY, arguments: rows::mostly_rows },
    Generator { opcode: "reduce_prod", dtypes: ANY, arguments: rows::factors },
    Generator { opcode: "sort", dtypes: ANY, arguments: rows::sort },
    Generator { opcode: "topk", dtypes: ANY, arguments: rows::topk },
    Generator { opcode: "conv2d", dtypes: BYTES_AND_I16, arguments: windows::conv2d },
    Generator { opcode: "conv_transpose2d", dtypes: BYTES_AND_I16, arguments: windows::conv_transpose2d },
    Generator { opcode: "max_pool", dtypes: ANY, arguments: windows::max_pool },
    Generator { opcode: "average_pool", dtypes: ANY, arguments: windows::average_pool },
    Generator { opcode: "global_average_pool", dtypes: ANY, arguments: windows::global_average_pool },
    Generator { opcode: "tensor_hash", dtypes: ANY, arguments: any_tensor },
    Generator { opcode: "freivalds", dtypes: BYTES_AND_I16, arguments: freivalds },
];

/// The generator of an opcode.
pub(crate) fn of(opcode: &str) -> Option<&'static Generator> {
    GENERATORS.iter().find(|generator| generator.opcode == opcode)
}

/// One tensor of any shape.
fn any_tensor(d: &mut Draw) -> Vec<Argument> {
    let shape = d.shape(0, 8);
    vec![d.tensor(d.dtype, &shape)]
}

fn matmul(d: &mut Draw) -> Vec<Argument> {
    let outer = d.shape(0, 2).into_iter().map(|dim| dim.min(3)).collect::<Vec<_>>();
    let room = d.budget;
    let k = d.dim_to(room);
    let m = d.dim_to(room / u64::from(k.max(1)));
    let n = d.dim_to(room / u64::from(k.max(1)));
    let right = match d.dtype {
        I16 => d.pick(&[I8, I16]),
        _ => I8,
    };
    let a: Vec<u32> = outer.iter().copied().chain([m, k]).collect();
    let shared = d.once_in(2);
    let b: Vec<u32> = outer.iter().copied().filter(|_| !shared).chain([k, n]).collect();
    vec![d.tensor(d.dtype, &a), d.tensor(right, &b)]
}

/// Operands and their product, mostly with a wrong bit somewhere.
fn freivalds(d: &mut Draw) -> Vec<Argument> {
    let mut operands = matmul(d);
    // One right side for all.
    while let [Argument::Tensor(a), Argument::Tensor(b)] = &operands[..] {
        if b.shape().rank() == 2 && a.shape().rank() > 1 {
            break;
        }
        operands = matmul(d);
    }
    let [Argument::Tensor(a), Argument::Tensor(b)] = &operands[..] else { return operands };
    let lengths = |tensor: &Tensor| tensor.shape().dims().to_vec();
    let (a_dims, b_dims) = (lengths(a), lengths(b));
    let (k, n) = (b_dims[0], b_dims[1]);
    let numbers = |tensor: &Tensor| Elements::of(tensor).map(Elements::numbers).unwrap_or_default();
    let (a, b) = (numbers(a), numbers(b));
    let side = |length: u32| usize::try_from(length).expect("a small side");
    let mut c = Vec::new();
    if k == 0 {
        let rows: u32 = a_dims[..a_dims.len() - 1].iter().product();
        c = vec![0; side(rows) * side(n)];
    } else {
        for row in a.chunks_exact(side(k)) {
            c.extend((0..side(n)).map(|j| row.iter().enumerate().map(|(l, a)| a * b[l * side(n) + j]).sum::<i64>()));
        }
    }
    if !c.is_empty() && d.once_in(2) {
        let at = usize::try_from(d.below(c.len() as u64)).expect("below a length");
        c[at] ^= 1 << d.below(30);
    }
    let narrow = c.iter().all(|c| i32::try_from(*c).is_ok()) && d.once_in(2);
    let mut dims = a_dims;
    *dims.last_mut().expect("two axes") = n;
    let seed = (0..d.below(40)).map(|_| d.bits().to_le_bytes()[0]).collect();
    let c = tensor(if narrow { I32 } else { I64 }, &dims, &c);
    operands.extend([c, Argument::Bytes(seed)]);
    operands
}

/// 0, or a number of `[2^30, 2^31)`.
fn multiplier(d: &mut Draw) -> i64 {
    match d.below(8) {
        0 => d.pick(&[0, 1 << 30, (1 << 30) + 1, i64::from(i32::MAX)]),
        _ => (1 << 30) + i64::try_from(d.below(1 << 30)).expect("30 bits"),
    }
}

/// 0 to 62, mostly where something is left of the value.
fn shift(d: &mut Draw) -> u64 {
    match d.below(8) {
        0 => d.pick(&[0, 1, 61, 62]),
        1 | 2 => d.below(63),
        _ => d.range(24, 50),
    }
}

fn requantise(d: &mut Draw) -> Vec<Argument> {
    let shape = d.shape(1, 8);
    let channels: Vec<u32> = shape.last().copied().filter(|_| d.once_in(2)).into_iter().collect();
    let count = channels.first().map_or(1, |channels| *channels);
    let multipliers: Vec<i64> = (0..count).map(|_| multiplier(d)).collect();
    let shifts: Vec<i64> = (0..count).map(|_| i64::try_from(shift(d)).expect("at most 62")).collect();
    let zero_point = match d.below(4) {
        0 => d.element(I32),
        1 => 0,
        _ => d.any(I8),
    };
    vec![
        d.tensor(d.dtype, &shape),
        tensor(I32, &channels, &multipliers),
        tensor(U8, &channels, &shifts),
        Argument::I32(i32::try_from(zero_point).expect("an i32")),
        Argument::U32(d.pick(&DType::ALL).code()),
    ]
}
