//! Programs of operations that graphs have, on the device of this machine and on the simulated one.

use noema_tensor::{
    cuda::{Cuda, Options, ProductUnit},
    device::Loaded,
    kernel::{Pool, ProductScale, Softmax, Window},
    program::{
        Attention, Extent, Filters, Heads, Length, Operation, Positions, Program, Seen, Sides, ValueId, ValueType,
    },
};

use super::*;

fn size(numbers: &mut Numbers, least: usize, below: usize) -> usize {
    least + usize::try_from(numbers.below(u64::try_from(below - least).unwrap())).unwrap()
}

fn bytes(numbers: &mut Numbers, dtype: DType, count: usize) -> Vec<u8> {
    numbers.tensor(dtype, &[u32::try_from(count).unwrap()]).to_le_bytes().unwrap()
}

fn small(numbers: &mut Numbers, count: usize, below: usize) -> Vec<i32> {
    (0..count).map(|_| i32::try_from(size(numbers, 0, below)).unwrap()).collect()
}

fn le(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Runs a program on both, three times: launched one by one, recorded, and replayed.
fn both(loaded: [&dyn Loaded; 2], extent: Extent, inputs: &[Vec<u8>], length: usize, what: &str) {
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    for time in 1..=3 {
        let [card, cpu] = loaded.map(|loaded| {
            let mut answers = [vec![0x5a; length]];
            loaded.run(extent, &inputs, &mut answers).unwrap();
            answers
        });
        assert_eq!(card, cpu, "{what}, {extent:?}, time {time}");
    }
}

/// A program of one operation on both.
fn operation(card: &Cuda, operation: Operation<'_>, operands: &[(ValueType, Vec<u8>)], y: ValueType, extent: Extent) {
    let mut program = Program::default();
    let ids: Vec<_> = operands.iter().map(|(value, _)| program.input(*value)).collect();
    let what = format!("{} of {:?} to {y:?}", operation.name(), program.values());
    let id = program.push(operation, &ids, y);
    program.output(id);
    let (card, cpu) = (card.load(&program).unwrap(), SimulatedDevice::new().load(&program).unwrap());
    let inputs: Vec<_> = operands.iter().map(|(_, bytes)| bytes.clone()).collect();
    both([&*card, &*cpu], extent, &inputs, y.bytes(extent).unwrap(), &what);
}

/// What encoders have around their products.
#[test]
fn operations_of_encoders_give_the_same_bits() {
    let Some(card) = card(Options::default()) else { return };
    let mut numbers = Numbers(7);
    let n = &mut numbers;
    for _ in 0..20 {
        let extent = Extent { rows: size(n, 1, 5), length: size(n, 1, 40) };
        let (rows, tokens) = (extent.rows, extent.rows * extent.length);
        for dtype in DType::ALL {
            let columns = size(n, 1, 40);
            let (each, of_row) =
                (ValueType { dtype, row: columns, per_token: true }, ValueType::of_row(dtype, columns));
            let constants = bytes(n, dtype, columns * extent.length);
            let x = bytes(n, dtype, columns * tokens);
            operation(&card, Operation::AddRows { constants: constants.into() }, &[(each, x.clone())], each, extent);

            let entries = size(n, 1, 300);
            let index = ValueType { dtype: DType::I32, row: 1, per_token: true };
            let (table, indices) = (bytes(n, dtype, entries * columns), le(&small(n, tokens, entries)));
            operation(&card, Operation::Gather { table: table.into(), columns }, &[(index, indices)], each, extent);

            let seen: Vec<i32> = small(n, rows, extent.length).iter().map(|seen| seen + 1).collect();
            let mean = Operation::MeanPool { length: Length::Sequence, columns };
            operation(&card, mean, &[(each, x), (ValueType::of_row(DType::I32, 1), le(&seen))], of_row, extent);
        }
        let (key_heads, depth) = (size(n, 1, 4), size(n, 1, 20));
        let heads = key_heads * size(n, 1, 4);
        // Widths of every number of bytes that are moved at once.
        let width = [size(n, 1, 20), 8, 16, 4, 2][size(n, 0, 5)];
        let of = |row: usize| ValueType { dtype: DType::I8, row, per_token: true };
        let widths = [heads * depth, key_heads * depth, key_heads * width];
        let mut operands: Vec<_> = widths.iter().map(|row| (of(*row), bytes(n, DType::I8, row * tokens))).collect();
        let masked = size(n, 0, 2) == 1;
        if masked {
            operands.push((ValueType::of_row(DType::I32, 1), le(&small(n, rows, extent.length + 1))));
        }
        let attention = Attention {
            batches: 1,
            heads: (heads, key_heads),
            lengths: (Length::Sequence, Length::Sequence),
            widths: (depth, width),
            layout: Heads::SideBySide,
            seen: if masked { Seen::Operand } else { Seen::All },
            positions: if size(n, 0, 2) == 1 { Positions::Same } else { Positions::Nowhere },
            softmax: Softmax::new(1 << 30, u32::try_from(size(n, 20, 45)).unwrap(), 0).unwrap(),
            scale: (1 << 30, u32::try_from(size(n, 28, 34)).unwrap()),
        };
        operation(&card, Operation::Attention(attention), &operands, of(heads * width), extent);
    }
}

/// What moves elements inside of rows and tokens, and products of what is computed.
#[test]
fn operations_of_rows_give_the_same_bits() {
    let Some(card) = card(Options::default()) else { return };
    let mut numbers = Numbers(9);
    let n = &mut numbers;
    for _ in 0..20 {
        let extent = Extent { rows: size(n, 1, 5), length: size(n, 1, 9) };
        let tokens = extent.rows * extent.length;
        let of = |dtype, row| ValueType { dtype, row, per_token: true };
        let value = |n: &mut Numbers, dtype, row: usize| (of(dtype, row), bytes(n, dtype, row * tokens));
        for dtype in DType::ALL {
            let (outer, parts) = (size(n, 1, 5), [size(n, 1, 12), size(n, 1, 12)]);
            let operands = parts.map(|part| value(n, dtype, outer * part));
            operation(&card, Operation::Concat(parts), &operands, of(dtype, outer * (parts[0] + parts[1])), extent);

            // A box of a row, its axes turned around.
            let (a, b) = (size(n, 2, 9), size(n, 2, 9));
            let (dims, strides) = (vec![b - 1, a - 1], vec![1, b]);
            let copy = Operation::CopyStrided { dims, strides, start: b + 1 };
            operation(&card, copy, &[value(n, dtype, a * b)], of(dtype, (a - 1) * (b - 1)), extent);

            let (each, rows) = (size(n, 1, 20), size(n, 1, 4));
            let scale =
                ProductScale { multiplier: 1 << 30, shift: u32::try_from(size(n, 20, 80)).unwrap(), zero_point: 3 };
            let operands = [value(n, dtype, rows * each), value(n, DType::I32, rows)];
            operation(&card, Operation::MulEach { scale, each }, &operands, of(DType::I16, rows * each), extent);
        }
        let (batches, m, k, columns) = (size(n, 1, 4), size(n, 1, 9), size(n, 1, 40), size(n, 1, 9));
        let product = Operation::MatMul(Sides { m, k, n: columns });
        let operands = [batches * m * k, batches * k * columns].map(|row| value(n, DType::I8, row));
        operation(&card, product, &operands, of(DType::I32, batches * m * columns), extent);
    }
}

/// Windows over images.
#[test]
fn operations_of_images_give_the_same_bits() {
    let Some(card) = card(Options::default()) else { return };
    let mut numbers = Numbers(8);
    let n = &mut numbers;
    for _ in 0..40 {
        let extent = Extent::of_rows(size(n, 1, 5));
        let mut pair = |least, below| [size(n, least, below), size(n, least, below)];
        let (input, kernel, strides, pads, dilations) = (pair(1, 12), pair(1, 4), pair(1, 4), pair(0, 3), pair(1, 3));
        let mut output = [0; 2];
        for axis in 0..2 {
            let reach = (kernel[axis] - 1) * dilations[axis];
            output[axis] = (input[axis] + 2 * pads[axis]).saturating_sub(reach + 1) / strides[axis] + 1;
        }
        let window = Window { input, output, kernel, strides, pads, dilations, transposed: false };
        let groups = size(n, 1, 4);
        let (inputs, outputs) = (groups * size(n, 1, 6), groups * size(n, 1, 12));
        let (pixels, places) = (input[0] * input[1], output[0] * output[1]);
        for (x, y) in [DType::I8, DType::U8, DType::I16].into_iter().flat_map(|x| [(x, DType::I32), (x, DType::I64)]) {
            let filters = Filters { window, channels: (inputs, outputs), groups };
            let weights = bytes(n, DType::I8, outputs * filters.depth());
            let weights = weights.iter().map(|w| w.cast_signed()).collect::<Vec<_>>().into();
            let (bias, pad) = (small(n, outputs, 1000).into(), i64::from(size(n, 0, 100) == 7));
            let operand = (ValueType::of_row(x, pixels * inputs), bytes(n, x, extent.rows * pixels * inputs));
            let convolution = Operation::Conv2d { sides: filters, pad, weights, bias };
            operation(&card, convolution, &[operand], ValueType::of_row(y, places * outputs), extent);
        }
        for dtype in DType::ALL {
            let pool = [Pool::Max, Pool::Average, Pool::AverageSeen][size(n, 0, 3)];
            let operand = (ValueType::of_row(dtype, pixels * inputs), bytes(n, dtype, extent.rows * pixels * inputs));
            let y = ValueType::of_row(dtype, places * inputs);
            operation(&card, Operation::Pool { window, channels: inputs, pool }, &[operand], y, extent);
        }
    }
}

/// A layer of a network: a product, its requantisation and perhaps a lookup, which are one pass on the card where
/// nothing else reads what is between.
fn layer(numbers: &mut Numbers, program: &mut Program<'_>, (x, k, n): (ValueId, usize, usize), to: DType) -> ValueId {
    let mut list = |count: usize, from: i64, below: u64| -> Vec<i64> {
        (0..count).map(|_| from + i64::try_from(numbers.below(below)).unwrap()).collect()
    };
    let weights = list(n * k, -128, 256).iter().map(|w| i8::try_from(*w).unwrap()).collect::<Vec<_>>();
    let biased = list(1, 0, 2)[0] == 1;
    let bias = list(n, -100_000, if biased { 200_000 } else { 1 });
    let bias: Vec<i32> = bias.iter().map(|b| if biased { i32::try_from(*b).unwrap() } else { 0 }).collect();
    let scales = if list(1, 0, 2)[0] == 0 { 1 } else { n };
    let multipliers: Vec<i32> = list(scales, 1 << 30, 1 << 30).iter().map(|m| i32::try_from(*m).unwrap()).collect();
    // Results of about seven bits; sometimes far more, which saturate.
    let shifts: Vec<u8> = list(scales, 30, 14).iter().map(|s| u8::try_from(*s).unwrap()).collect();
    let zero_point = i32::try_from(list(1, -20, 41)[0]).unwrap();
    let table = list(256 * to.size(), 0, 256).iter().map(|b| u8::try_from(*b).unwrap()).collect::<Vec<_>>();
    let looked_up = matches!(to, DType::I8 | DType::U8) && list(1, 0, 2)[0] == 1;
    let (sums, values) = (ValueType::of_row(DType::I32, n), ValueType::of_row(to, n));
    let linear = Operation::Linear { k, n, weights: weights.into(), bias: bias.into() };
    let y = program.push(linear, &[x], sums);
    let requantise = Operation::Requantise { multipliers: multipliers.into(), shifts: shifts.into(), zero_point };
    let y = program.push(requantise, &[y], values);
    if looked_up { program.push(Operation::Lookup { table: table.into() }, &[y], values) } else { y }
}

/// Networks of two layers, again and again with other inputs: launched one by one, recorded, and replayed.
#[test]
fn networks_give_the_same_bits_launched_and_replayed() {
    for unit in [ProductUnit::Int8, ProductUnit::Bf16, ProductUnit::F64] {
        let Some(card) = card(Options { unit, ..Options::default() }) else { return };
        let mut numbers = Numbers(6);
        for _ in 0..60 {
            let [k, n, m] = [(); 3].map(|()| usize::try_from(numbers.side() + 1).unwrap());
            let mut program = Program::default();
            let x_type = numbers.dtype(&[DType::I8, DType::U8]);
            let x = program.input(ValueType::of_row(x_type, k));
            let hidden = numbers.dtype(&[DType::I8, DType::U8]);
            let y = layer(&mut numbers, &mut program, (x, k, n), hidden);
            let last = numbers.dtype(&[DType::I8, DType::U8, DType::I16, DType::I32]);
            let y = layer(&mut numbers, &mut program, (y, n, m), last);
            program.output(y);
            let (card, cpu) = (card.load(&program).unwrap(), SimulatedDevice::new().load(&program).unwrap());
            // A number of rows that comes back has lost its recording.
            for rows in [3, 3, 3, 40, 40, 40, 1, 3, 3, 3] {
                let input = numbers.tensor(x_type, &[rows, u32::try_from(k).unwrap()]).to_le_bytes().unwrap();
                let rows = usize::try_from(rows).unwrap();
                let mut answers = [vec![0x5a; rows * m * last.size()], vec![0xa5; rows * m * last.size()]];
                for (loaded, answer) in [&card, &cpu].into_iter().zip(&mut answers) {
                    loaded.run(Extent::of_rows(rows), &[&input], std::slice::from_mut(answer)).unwrap();
                }
                assert_eq!(answers[0], answers[1], "{unit:?}: {rows} rows of {x_type} {k}, {hidden} {n}, {last} {m}");
            }
        }
    }
}
