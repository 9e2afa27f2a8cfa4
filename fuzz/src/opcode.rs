//! Opcodes with arbitrary arguments.

use std::sync::OnceLock;

use noema_abi::{Kind, ROWS};
use noema_tensor::ops::{Arg, call};
use noema_tensor::{DType, Kernels, Level, OpError, Shape, Tensor};

use crate::cursor::Cursor;

/// Every level of this machine, the reference first.
pub(crate) fn levels() -> &'static [Kernels] {
    static LEVELS: OnceLock<Vec<Kernels>> = OnceLock::new();
    LEVELS.get_or_init(|| {
        Level::available().into_iter().map(|level| Kernels::new(level, 1).expect("it says it is available")).collect()
    })
}

enum Value {
    Tensor(Tensor),
    Bytes(Vec<u8>),
    U32(u32),
    I32(i32),
    U64(u64),
    I64(i64),
}

/// The first byte names an opcode, the rest become its arguments: every level must give the
/// reference's answer, tensor or status alike.
///
/// # Panics
/// Where two levels differ, or one reports a fault of the node.
pub fn opcode(bytes: &[u8]) {
    let mut cursor = Cursor(bytes);
    let rows: Vec<_> = ROWS.iter().filter(|row| row.group == "op").collect();
    let row = rows[usize::from(cursor.byte()) % rows.len()];
    let mut values: Vec<Value> = Vec::with_capacity(row.params.len());
    for param in row.params {
        values.push(match (param.name, values.first()) {
            ("weights", Some(Value::Tensor(x))) => Value::Tensor(weights(x, &mut cursor)),
            ("groups", Some(Value::Tensor(x))) => Value::U32(groups(x, &mut cursor)),
            (name, _) if param.kind == Kind::bytes => Value::Bytes(numbers(name, &mut cursor)),
            _ => value(param.kind, &mut cursor),
        });
    }
    let args: Vec<Arg<'_>> = values
        .iter()
        .map(|value| match value {
            Value::Tensor(tensor) => Arg::Tensor(tensor),
            Value::Bytes(bytes) => Arg::Bytes(bytes),
            Value::U32(number) => Arg::U32(*number),
            Value::I32(number) => Arg::I32(*number),
            Value::U64(number) => Arg::U64(*number),
            Value::I64(number) => Arg::I64(*number),
        })
        .collect();
    let answer = |kernels| match call(kernels, row.name, &args) {
        Ok(tensor) => Ok((tensor.dtype(), tensor.shape().clone(), tensor.to_le_bytes().expect("it was computed"))),
        Err(OpError::Status(status)) => Err(status),
        Err(error) => panic!("{} reports a fault of the node: {error}", row.name),
    };
    let (reference, others) = levels().split_first().expect("the reference is everywhere");
    let expected = answer(reference);
    for kernels in others {
        assert_eq!(answer(kernels), expected, "{} on level {}", row.name, kernels.level());
    }
}

fn value(kind: Kind, cursor: &mut Cursor<'_>) -> Value {
    match kind {
        Kind::tensor => Value::Tensor(tensor(cursor)),
        Kind::bytes => Value::Bytes(cursor.bytes(40).to_vec()),
        Kind::i32 => Value::I32(i32::from_le_bytes(cursor.array())),
        Kind::u64 => Value::U64(u64::from_le_bytes(cursor.array())),
        Kind::i64 => Value::I64(i64::from_le_bytes(cursor.array())),
        // Small numbers are the meaningful ones.
        _ if !cursor.byte().is_multiple_of(4) => Value::U32(u32::from(cursor.byte())),
        _ => Value::U32(u32::from_le_bytes(cursor.array())),
    }
}

/// Arbitrary bytes, or small numbers: as many as rows of that parameter want, where they always want the same.
fn numbers(name: &str, cursor: &mut Cursor<'_>) -> Vec<u8> {
    if cursor.byte().is_multiple_of(4) {
        return cursor.bytes(40).to_vec();
    }
    let (count, least) = match name {
        "strides" | "dilations" | "window" => (2, 1),
        "more" => (2, 0),
        "pads" => (4, 0),
        _ => (cursor.below(6), 0),
    };
    (0..count).flat_map(|_| (least + u32::from(cursor.byte()) % 4).to_le_bytes()).collect()
}

/// Weights for an image: of its channels, or of one for each.
fn weights(x: &Tensor, cursor: &mut Cursor<'_>) -> Tensor {
    let channels = x.shape().dims().last().copied().unwrap_or(1).min(64);
    let (outputs, width) =
        if cursor.byte().is_multiple_of(2) { (u32::from(cursor.byte()) % 9, channels) } else { (channels, 1) };
    let kernel = [(); 2].map(|()| u32::from(cursor.byte()) % 4);
    filled(cursor, &[outputs, kernel[0], kernel[1], width])
}

/// One, one for each channel, or anything.
fn groups(x: &Tensor, cursor: &mut Cursor<'_>) -> u32 {
    let channels = x.shape().dims().last().copied().unwrap_or(1);
    match cursor.byte() % 8 {
        0..4 => 1,
        4..7 => channels,
        _ => u32::from(cursor.byte()),
    }
}

/// A tensor of at most a few thousand elements.
fn tensor(cursor: &mut Cursor<'_>) -> Tensor {
    let rank = usize::from(cursor.byte()) % 5;
    let dims: Vec<u32> = (0..rank).map(|_| u32::from(cursor.byte()) % 9).collect();
    filled(cursor, &dims)
}

/// A tensor of this shape.
fn filled(cursor: &mut Cursor<'_>, dims: &[u32]) -> Tensor {
    let dtype = DType::ALL[usize::from(cursor.byte()) % DType::ALL.len()];
    let elements: usize = dims.iter().map(|dim| usize::try_from(*dim).expect("small")).product();
    // One byte of the input makes eight of the data, or rows would be mostly zeros.
    let data: Vec<u8> = (0..elements)
        .flat_map(|_| {
            let byte = cursor.byte();
            let edge = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x40, byte, byte][usize::from(byte) % 8];
            [edge; 8].into_iter().take(dtype.size())
        })
        .collect();
    Tensor::from_le_bytes(dtype, Shape::new(dims).expect("a small shape"), &data).expect("bytes fit the shape")
}
