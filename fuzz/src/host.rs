//! Host calls with arguments that nobody would choose.

use noema_abi::{DType, Kind};
use noema_vm::{Outcome, ReceiptStatus};

use crate::contract::{Argument, BUFFER_AT, Image, MEMORY, MODEL_AT, World, address_at, functions, number, trap};
use crate::cursor::Cursor;

/// Calls of a script.
const MAX_CALLS: usize = 40;

/// The bytes choose host calls and their arguments: pointers, lengths and numbers at edges and elsewhere, handles that may
/// belong to something. Two machines agree on the outcome, as a call and as a view, and no call is a fault of the node.
///
/// # Panics
/// Where that does not hold.
pub fn host(bytes: &[u8]) {
    let input = script(&mut Cursor(bytes));
    let [first, second] = World::two().each_ref().map(|world| shared(world.call(&input)));
    assert_eq!(first, second, "two machines disagree");
    let (used, limit) = (first.receipt.gas_used(), first.receipt.gas_limit);
    assert!(used <= limit && (first.receipt.status != ReceiptStatus::Fault || used == limit), "{used} of {limit}");
    let [first, second] = World::two().each_ref().map(|world| shared(world.view(&input)));
    assert_eq!(first, second, "two machines disagree about a view");
    assert!(first.writes.is_empty() && first.receipt.events.is_empty(), "a view changes something");
}

/// What a node says about a call is its own, not part of the comparison.
fn shared(outcome: Outcome) -> Outcome {
    Outcome { diagnostic: None, logs: vec![], ..outcome }
}

/// Shapes of tensors that a script can make.
const SHAPES: [&[u32]; 8] = [&[], &[3], &[2, 3], &[3, 2], &[1, 30], &[2, 30], &[4, 0], &[2, 3, 4]];

struct Places {
    /// Where each shape is.
    shapes: Vec<u32>,
    /// Small numbers, which may be handles.
    handles: u32,
    /// Bytes of the input.
    data: u32,
    length: u32,
}

fn script(cursor: &mut Cursor<'_>) -> Vec<u8> {
    let mut image = Image::new();
    let shapes = SHAPES.map(|shape| image.put(&shape.iter().flat_map(|dim| dim.to_le_bytes()).collect::<Vec<u8>>()));
    let handles = image.put(&(0..16u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    // Half of the input is data, which repeats to fill what tensors of a usual size need.
    let (data, rest) = cursor.0.split_at(cursor.0.len().min(4096) / 2);
    cursor.0 = rest;
    let repeated: Vec<u8> = data.iter().copied().cycle().take(if data.is_empty() { 0 } else { 2048 }).collect();
    let data = image.put(&repeated);
    let places = Places { shapes: shapes.to_vec(), handles, data, length: 2048 };
    image.put(&[0; 64]);

    let mut calls = 0;
    while !cursor.is_empty() && calls < MAX_CALLS {
        calls = match cursor.byte() % 8 {
            0 => tensor(&mut image, cursor, &places),
            1 => infer(&mut image, cursor, &places),
            _ => any(&mut image, cursor, &places, calls),
        };
    }
    image.finish()
}

/// Makes a tensor, rightly.
fn tensor(image: &mut Image, cursor: &mut Cursor<'_>, places: &Places) -> usize {
    let dtype = cursor.choose(&DType::ALL);
    let which = cursor.below(SHAPES.len());
    created(image, places, dtype, which) + 1
}

fn created(image: &mut Image, places: &Places, dtype: DType, which: usize) -> usize {
    let shape = SHAPES[which];
    let bytes = shape.iter().product::<u32>() * u32::try_from(dtype.size()).expect("small");
    let rank = u32::try_from(shape.len()).expect("small");
    let arguments = [dtype.code(), places.shapes[which], 4 * rank, places.data, bytes].map(Argument::from);
    image.call(number("tensor", "create"), &arguments)
}

/// Runs the model on a tensor made for it, or on something else.
fn infer(image: &mut Image, cursor: &mut Cursor<'_>, places: &Places) -> usize {
    let dtype = cursor.choose(&[DType::I32, DType::I32, DType::I32, DType::I16]);
    created(image, places, dtype, cursor.choose(&[4, 5, 4, 5, 3]));
    let model = image.call(number("model", "open"), &[Argument::from(MODEL_AT)]);
    let input = places.handles + 4 * u32::from(cursor.byte() % 16);
    let run: [Argument; 4] =
        [input, cursor.choose(&[4, 4, 4, 0, 8, 3]), BUFFER_AT + 64, cursor.choose(&[64, 64, 64, 4])]
            .map(Argument::from);
    image.call(number("model", "run"), &[&[Argument::Result(model)][..], &run].concat()) + 1
}

/// Calls any function with arguments of the right number.
fn any(image: &mut Image, cursor: &mut Cursor<'_>, places: &Places, calls: usize) -> usize {
    let which = cursor.below(functions().len() + 1);
    if which == trap() || (functions()[which].name == "abort" && !cursor.byte().is_multiple_of(4)) {
        // These end everything, so they are not for every turn.
        return calls;
    }
    let mut arguments = Vec::new();
    for param in functions()[which].params {
        match param.kind {
            Kind::tensor | Kind::model => arguments.push(handle(cursor, calls)),
            Kind::bytes => arguments.extend([pointer(cursor, places), length(cursor)]),
            Kind::out => arguments.extend([target(cursor), length(cursor)]),
            kind if kind.is_output() => arguments.push(target(cursor)),
            kind if kind.fixed_length().is_some() => arguments.push(pointer(cursor, places)),
            Kind::u64 | Kind::i64 => arguments.push(Argument::Literal(i64::from_le_bytes(cursor.array()))),
            _ if !cursor.byte().is_multiple_of(4) => arguments.push(Argument::from(u32::from(cursor.byte() % 64))),
            _ => arguments.push(Argument::from(u32::from_le_bytes(cursor.array()))),
        }
    }
    image.call(which, &arguments) + 1
}

fn handle(cursor: &mut Cursor<'_>, calls: usize) -> Argument {
    match cursor.byte() % 16 {
        0 => Argument::from(u32::from_le_bytes(cursor.array())),
        1 | 2 => Argument::from(u32::from(cursor.byte() % 8)),
        _ => Argument::Result(calls.saturating_sub(1 + usize::from(cursor.byte() % 8))),
    }
}

/// Where to read. What lies outside ends the script, so it comes seldom.
fn pointer(cursor: &mut Cursor<'_>, places: &Places) -> Argument {
    match cursor.byte() {
        0 | 1 => Argument::from(u32::from_le_bytes(cursor.array())),
        2 | 3 => Argument::from(MEMORY - u32::from(cursor.byte())),
        byte => match byte % 8 {
            0 | 1 => Argument::from(address_at(cursor.below(5))),
            2 => Argument::from(cursor.choose(&places.shapes)),
            3 => Argument::from(places.handles + 4 * u32::from(cursor.byte() % 16)),
            4 => Argument::from(BUFFER_AT + u32::from(cursor.byte())),
            _ => Argument::from(places.data + 8 * u32::from(cursor.byte()) % places.length),
        },
    }
}

/// Where to write.
fn target(cursor: &mut Cursor<'_>) -> Argument {
    match cursor.byte() {
        0 | 1 => Argument::from(u32::from_le_bytes(cursor.array())),
        2 | 3 => Argument::from(MEMORY - u32::from(cursor.byte())),
        // Over its own script, which must not matter to anybody else.
        4..=9 => Argument::from(16 * u32::from(cursor.byte())),
        _ => Argument::from(BUFFER_AT + u32::from(cursor.byte() % 128)),
    }
}

fn length(cursor: &mut Cursor<'_>) -> Argument {
    match cursor.byte() {
        0 | 1 => Argument::from(u32::from_le_bytes(cursor.array())),
        2..=9 => Argument::from(u32::from(cursor.byte()) * 16),
        byte if byte % 2 == 0 => Argument::from(4 * u32::from(cursor.byte() % 4)),
        _ => Argument::from(u32::from(cursor.byte() % 65)),
    }
}

#[cfg(test)]
mod tests {
    use noema_vm::ReceiptStatus;

    use super::script;
    use crate::Mutator;
    use crate::contract::{Image, World};
    use crate::cursor::Cursor;

    #[test]
    fn scripts_get_somewhere() {
        let (mut succeeded, mut tensors, mut wrote) = (0, 0, 0);
        for seed in 0..400 {
            let outcome = World::two()[0].call(&script(&mut Cursor(&Mutator::new(seed).bytes(300))));
            succeeded += u32::from(outcome.receipt.status == ReceiptStatus::Success);
            tensors += u32::from(outcome.receipt.tensor_bytes > 0);
            wrote += u32::from(!outcome.writes.is_empty());
        }
        assert!(succeeded > 20 && tensors > 100 && wrote > 5, "{succeeded} {tensors} {wrote}");
    }

    #[test]
    fn a_script_can_run_the_model() {
        let input = {
            let mut image = Image::new();
            let shapes = super::SHAPES
                .map(|shape| image.put(&shape.iter().flat_map(|dim| dim.to_le_bytes()).collect::<Vec<u8>>()))
                .to_vec();
            let handles = image.put(&(0..16u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
            let data = image.put(&[0; 240]);
            let places = super::Places { shapes, handles, data, length: 240 };
            super::created(&mut image, &places, noema_abi::DType::I32, 4);
            // Handles are small numbers: one of these is it.
            for handle in 0..4 {
                super::infer(&mut image, &mut Cursor(&[0, 0, handle, 0]), &places);
            }
            image.finish()
        };
        let outcome = World::two()[0].call(&input);
        assert_eq!(outcome.receipt.status, ReceiptStatus::Success, "{:?}", outcome.diagnostic);
        let model = noema_model::Model::from_bytes(crate::seeds::screening()).unwrap();
        // Besides what it pays for looking: an arena is held only while a model runs.
        assert!(outcome.receipt.tensor_bytes >= 4 * 120 + model.arena_bytes(1).unwrap(), "{:?}", outcome.receipt);
    }
}
