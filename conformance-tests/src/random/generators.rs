//! Arguments for every opcode: one entry for each `op` row of the table.
//!
//! An entry names the element types of the first tensor that the row takes, and draws arguments that it accepts.
//! Arguments that it must refuse are made from those in `spoil.rs`, the same way for all rows. A row without an entry
//! fails the test `every_opcode_has_a_generator`.

use noema_tensor::DType::{self, I8, I16, I32, I64, U8};

use super::draw::{Draw, tensor, words};
use crate::ops::Argument;

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

/// All generators, in the order of the table.
pub(crate) const GENERATORS: &[Generator] = &[
    Generator { opcode: "matmul", dtypes: &[I8, U8, I16], arguments: matmul },
    Generator { opcode: "requantise", dtypes: &[I32, I64], arguments: requantise },
    Generator { opcode: "add", dtypes: ANY, arguments: broadcast_pair },
    Generator { opcode: "relu", dtypes: ANY, arguments: any_tensor },
    Generator { opcode: "softmax", dtypes: &[I8, I16, I32], arguments: softmax },
    Generator { opcode: "argmax", dtypes: ANY, arguments: rows },
    Generator { opcode: "reshape", dtypes: ANY, arguments: reshape },
    Generator { opcode: "slice", dtypes: ANY, arguments: slice },
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

/// One tensor whose last axis is there and not empty.
fn rows(d: &mut Draw) -> Vec<Argument> {
    let mut shape = d.shape(1, 8);
    if let Some(last) = shape.last_mut() {
        *last = (*last).max(1);
    }
    vec![d.tensor(d.dtype, &shape)]
}

/// Two tensors of one type whose shapes broadcast.
fn broadcast_pair(d: &mut Draw) -> Vec<Argument> {
    let shape = d.shape(0, 8);
    let mut sides = [shape.clone(), shape];
    if d.once_in(2) {
        for side in &mut sides {
            // Leading axes may be missing, and any axis may be 1.
            let missing = usize::try_from(d.below(side.len() as u64 + 1)).unwrap_or(0);
            if d.once_in(2) {
                side.drain(..missing);
            }
            side.iter_mut().filter(|_| d.once_in(3)).for_each(|dim| *dim = 1);
        }
    }
    sides.map(|side| d.tensor(d.dtype, &side)).into()
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

fn softmax(d: &mut Draw) -> Vec<Argument> {
    // The reference is slow here.
    d.budget = d.budget.min(4096);
    let mut arguments = rows(d);
    arguments.push(Argument::I32(i32::try_from(multiplier(d)).expect("31 bits")));
    arguments.push(Argument::U32(u32::try_from(shift(d)).expect("at most 62")));
    arguments.push(Argument::U32(u32::try_from(d.below(31)).expect("at most 30")));
    arguments
}

fn reshape(d: &mut Draw) -> Vec<Argument> {
    let shape = d.shape(0, 8);
    let mut other = shape.clone();
    // The same axes in another order, some joined, some ones put in.
    other.reverse();
    if other.len() > 1 && d.once_in(2) {
        let last = other.remove(0);
        other[0] *= last;
    }
    while other.len() < 8 && d.once_in(2) {
        let at = usize::try_from(d.below(other.len() as u64 + 1)).unwrap_or(0);
        other.insert(at, 1);
    }
    vec![d.tensor(d.dtype, &shape), words(&other)]
}

fn slice(d: &mut Draw) -> Vec<Argument> {
    let shape = d.shape(0, 8);
    let part = |d: &mut Draw, dim: &u32| {
        let start = d.below(u64::from(*dim) + 1);
        let size = d.below(u64::from(*dim) - start + 1);
        [start, size].map(|number| u32::try_from(number).expect("within the axis"))
    };
    let parts: Vec<[u32; 2]> = shape.iter().map(|dim| part(d, dim)).collect();
    let column = |at: usize| parts.iter().map(|part| part[at]).collect::<Vec<u32>>();
    vec![d.tensor(d.dtype, &shape), words(&column(0)), words(&column(1))]
}
