//! Arguments that an opcode may have to refuse, made from ones that it accepts.

use noema_tensor::{DType, Tensor};

use super::draw::Draw;
use crate::ops::Argument;

/// Changes one argument, or their number. What comes of it may still be right.
pub(crate) fn spoil(d: &mut Draw, arguments: &mut Vec<Argument>) {
    if arguments.is_empty() || d.once_in(32) {
        let extra = Argument::U32(0);
        if d.once_in(2) {
            arguments.push(extra)
        } else {
            drop(arguments.pop())
        }
        return;
    }
    let at = usize::try_from(d.below(arguments.len() as u64)).expect("below a length");
    let spoilt = match &arguments[at] {
        Argument::Tensor(tensor) => spoil_tensor(d, tensor),
        Argument::Bytes(bytes) => Argument::Bytes(spoil_bytes(d, bytes.clone())),
        Argument::U32(number) => Argument::U32(spoil_number(d, u64::from(*number), DType::I32).0),
        Argument::I32(number) => {
            Argument::I32(spoil_number(d, u64::from(number.cast_unsigned()), DType::I32).0.cast_signed())
        }
        Argument::U64(number) => Argument::U64(spoil_number(d, *number, DType::I64).1),
        Argument::I64(number) => Argument::I64(spoil_number(d, number.cast_unsigned(), DType::I64).1.cast_signed()),
    };
    arguments[at] = spoilt;
}

/// Another type, another shape, or other elements.
fn spoil_tensor(d: &mut Draw, tensor: &Tensor) -> Argument {
    let (mut dtype, mut dims) = (tensor.dtype(), tensor.shape().dims().to_vec());
    let axis = usize::try_from(d.below(dims.len().max(1) as u64)).expect("below a length");
    match (d.below(6), dims.get(axis).copied()) {
        (0 | 1, _) => dtype = d.pick(&DType::ALL),
        (2, Some(dim)) => dims[axis] = dim.saturating_sub(1),
        (3, Some(dim)) => dims[axis] = dim.saturating_add(1),
        (4, Some(_)) => drop(dims.remove(axis)),
        (_, _) if dims.len() < 8 && d.once_in(2) => dims.insert(axis.min(dims.len()), d.pick(&[0, 1, 2])),
        _ => {}
    }
    // The other axes may not fit any more; a tensor of the wrong shape needs no elements.
    if dims.iter().map(|dim| u64::from(*dim)).product::<u64>() > 1 << 17 {
        dims = vec![d.dim()];
    }
    d.tensor(dtype, &dims)
}

fn spoil_bytes(d: &mut Draw, mut bytes: Vec<u8>) -> Vec<u8> {
    match d.below(4) {
        0 => drop(bytes.pop()),
        1 => bytes.extend(d.dim().to_le_bytes()),
        2 if !bytes.is_empty() => {
            let at = usize::try_from(d.below(bytes.len() as u64)).expect("below a length");
            bytes[at] = d.pick(&[0, 1, 2, 127, 128, 255]);
        }
        _ => bytes.truncate(bytes.len().saturating_sub(4)),
    }
    bytes
}

/// A neighbour, an edge, or anything: as 32 and as 64 bits.
fn spoil_number(d: &mut Draw, number: u64, dtype: DType) -> (u32, u64) {
    let number = match d.below(4) {
        0 => number.wrapping_add(1),
        1 => number.wrapping_sub(1),
        2 => d.pick(&[0, 1, 30, 31, 32, 62, 63, 64, 1 << 30, 1 << 31]),
        _ => d.element(dtype).cast_unsigned(),
    };
    let [a, b, c, e, ..] = number.to_le_bytes();
    (u32::from_le_bytes([a, b, c, e]), number)
}
