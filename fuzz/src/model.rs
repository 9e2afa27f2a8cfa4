//! Models with inputs.

use noema_model::{Extent, Model};
use noema_tensor::{OpError, Shape, Tensor};

use crate::cursor::Cursor;
use crate::opcode::levels;

/// Rows that a batch has at most.
const MAX_ROWS: u32 = 5;

/// Runs that are too large to be tried many times: elements of a row.
const MAX_ELEMENTS: u64 = 1 << 16;

/// Runs that would take too long: windows that are larger than any image.
const MAX_GAS: u64 = 200_000_000_000;

/// An input of [`model`]: the length of the container, the container, what the inputs are made of.
pub(crate) fn input(container: &[u8], inputs: &[u8]) -> Vec<u8> {
    let length = u32::try_from(container.len()).expect("a seed is small");
    [&length.to_le_bytes(), container, inputs].concat()
}

/// The bytes hold a container and inputs for it. What opens as a model runs on every kernel level to the tensors or the
/// status of the reference level, whose arithmetic would panic where a sum leaves its bounds.
///
/// # Panics
/// Where two levels differ, or one reports a fault of the node.
pub fn model(bytes: &[u8]) {
    let mut cursor = Cursor(bytes);
    let length = usize::try_from(u32::from_le_bytes(cursor.array())).unwrap_or(usize::MAX);
    let (container, inputs) = cursor.0.split_at(length.min(cursor.0.len()));
    let Ok(model) = Model::from_bytes(container.to_vec()) else { return };
    let elements: u64 =
        model.edges().iter().map(|edge| edge.dims.iter().map(|dim| u64::from(*dim)).product::<u64>()).sum();
    if elements > MAX_ELEMENTS {
        return;
    }

    let mut cursor = Cursor(inputs);
    let rows = 1 + u32::from(cursor.byte()) % MAX_ROWS;
    let length = 1 + u32::from(cursor.byte()) % model.longest();
    let cost = model.cost_of(noema_abi::ProtocolVersion::LATEST, Extent { batch: rows, length });
    if cost.is_ok_and(|gas| gas > MAX_GAS) || cost == Err(noema_abi::Status::LimitExceeded) {
        return;
    }
    let tensors: Vec<Tensor> = model
        .graph()
        .inputs
        .iter()
        .map(|edge| edge.at(length))
        .map(|edge| {
            let dims = [&[rows][..], &edge.dims].concat();
            let shape = Shape::new(&dims).expect("the model was admitted with it");
            let bytes = usize::try_from(edge.row_bytes() * u64::from(rows)).expect("limited");
            Tensor::from_le_bytes(edge.dtype, shape, &data(&mut cursor, edge.dtype.size(), bytes)).expect("as long")
        })
        .collect();
    let tensors: Vec<&Tensor> = tensors.iter().collect();
    let run = |kernels| match model.run(kernels, &tensors) {
        Ok(outputs) => Ok(outputs
            .into_iter()
            .map(|output| (output.dtype(), output.shape().clone(), output.to_le_bytes().expect("it was computed")))
            .collect::<Vec<_>>()),
        Err(OpError::Status(status)) => Err(status),
        Err(error) => panic!("a fault of the node: {error}"),
    };
    let (reference, others) = levels().split_first().expect("the reference is everywhere");
    let expected = run(reference);
    for kernels in others {
        assert_eq!(run(kernels), expected, "level {}", kernels.level());
    }
}

/// Elements from bytes: a byte is one element, at the edges of its type or in the middle.
fn data(cursor: &mut Cursor<'_>, size: usize, bytes: usize) -> Vec<u8> {
    (0..bytes / size)
        .flat_map(|_| {
            let byte = cursor.byte();
            let mut element = [byte, byte.rotate_left(3), byte ^ 0x55, 0, 0, 0, 0, 0];
            match byte % 4 {
                0 => element = [0xff; 8],
                1 => {
                    // The largest, or the smallest where the byte is even more so.
                    element = [if byte > 127 { 0xff } else { 0 }; 8];
                    element[size - 1] = if byte > 127 { 0x7f } else { 0x80 };
                }
                _ => {}
            }
            element.into_iter().take(size)
        })
        .collect()
}
