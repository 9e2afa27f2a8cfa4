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
    let values: Vec<Value> = row.params.iter().map(|param| value(param.kind, &mut cursor)).collect();
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

/// A tensor of at most a few hundred elements.
fn tensor(cursor: &mut Cursor<'_>) -> Tensor {
    let dtype = DType::ALL[usize::from(cursor.byte()) % DType::ALL.len()];
    let rank = usize::from(cursor.byte()) % 4;
    let dims: Vec<u32> = (0..rank).map(|_| u32::from(cursor.byte()) % 9).collect();
    let elements: usize = dims.iter().map(|dim| usize::try_from(*dim).expect("small")).product();
    // One byte of the input makes eight of the data, or rows would be mostly zeros.
    let data: Vec<u8> = (0..elements)
        .flat_map(|_| {
            let byte = cursor.byte();
            let edge = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x40, byte, byte][usize::from(byte) % 8];
            [edge; 8].into_iter().take(dtype.size())
        })
        .collect();
    Tensor::from_le_bytes(dtype, Shape::new(&dims).expect("a small shape"), &data).expect("bytes fit the shape")
}
