//! Our side.

use std::time::Duration;

use anyhow::ensure;
use noema_tensor::{
    DType,
    cuda::LoadedProgram,
    device::Loaded as _,
    kernel::{self, Binary, Softmax},
    program::{Attention, Extent, Heads, Length, Operation, Positions, Program, Seen, ValueId, ValueType},
};

use crate::gemm::Shape;

/// Bytes that follow from a seed.
pub(super) fn bytes(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn weights(shape: Shape) -> Vec<i8> {
    bytes(shape.n * shape.k, 1).into_iter().map(u8::cast_signed).collect()
}

/// The scale of every output of [`product`].
const SCALE: (i32, u8) = (1 << 30, 42);

/// `y = x w`, `i32`; or rounded to `i8`.
pub(super) fn product(shape: Shape, requantised: bool) -> Program<'static> {
    let Shape { k, n, .. } = shape;
    let mut program = Program::default();
    let x = program.input(ValueType::of_row(DType::I8, k));
    let linear = Operation::Linear { k, n, weights: weights(shape).into(), bias: vec![0; n].into() };
    let mut y = program.push(linear, &[x], ValueType::of_row(DType::I32, n));
    if requantised {
        let (multipliers, shifts) = (vec![SCALE.0; n].into(), vec![SCALE.1; n].into());
        let operation = Operation::Requantise { multipliers, shifts, zero_point: 0 };
        y = program.push(operation, &[y], ValueType::of_row(DType::I8, n));
    }
    program.output(y);
    program
}

/// The sides of an encoder of BERT's form, without embeddings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Encoder {
    pub(super) name: &'static str,
    pub(super) batch: usize,
    pub(super) tokens: usize,
    pub(super) layers: usize,
    pub(super) width: usize,
    pub(super) heads: usize,
    pub(super) inner: usize,
}

/// All layers: activations of 8 bits, attention of exact exponentials, GELU by its table. Weights and scales follow from a
/// seed; they change no time.
pub(super) fn encoder(sides: Encoder) -> Program<'static> {
    let Encoder { layers, width, heads, inner, .. } = sides;
    let depth = width / heads;
    let of = |dtype, columns: usize| ValueType { dtype, row: columns, per_token: true };
    let mut program = Program::default();
    let mut x = program.input(of(DType::I8, width));
    let mut seed = 1;
    let mut linear = |program: &mut Program<'static>, x, k: usize, n: usize, shift| {
        seed += 1;
        let weights: Vec<i8> = bytes(n * k, seed).into_iter().map(u8::cast_signed).collect();
        let operation = Operation::Linear { k, n, weights: weights.into(), bias: vec![1; n].into() };
        let sums = program.push(operation, &[x], of(DType::I32, n));
        let (multipliers, shifts) = (vec![1 << 30; n].into(), vec![shift; n].into());
        program.push(Operation::Requantise { multipliers, shifts, zero_point: 0 }, &[sums], of(DType::I8, n))
    };
    let gelu: Vec<u8> = (i8::MIN..=i8::MAX).map(|value| value.max(0).cast_unsigned()).collect();
    for _ in 0..layers {
        let [q, k, v] = [(); 3].map(|()| linear(&mut program, x, width, width, 41));
        let attention = Operation::Attention(Attention {
            batches: 1,
            heads: (heads, heads),
            lengths: (Length::Sequence, Length::Sequence),
            widths: (depth, depth),
            layout: Heads::SideBySide,
            seen: Seen::All,
            positions: Positions::Nowhere,
            softmax: Softmax::new(1 << 30, 40, 0).expect("in range"),
            scale: (1 << 30, 30),
        });
        let attended = program.push(attention, &[q, k, v], of(DType::I8, width));
        let projected = linear(&mut program, attended, width, width, 41);
        let normed = normalised(&mut program, x, projected, width, of(DType::I8, width));
        let wide = linear(&mut program, normed, width, inner, 41);
        let wide = program.push(Operation::Lookup { table: gelu.clone().into() }, &[wide], of(DType::I8, inner));
        let narrow = linear(&mut program, wide, inner, width, 42);
        x = normalised(&mut program, normed, narrow, width, of(DType::I8, width));
    }
    program.output(x);
    program
}

/// `layer_norm(a + b)`.
fn normalised(program: &mut Program<'static>, a: ValueId, b: ValueId, width: usize, of: ValueType) -> ValueId {
    let sum = program.push(Operation::Binary(Binary::Add), &[a, b], of);
    let (gain, bias) = (vec![32 << 8; width].into(), Some(vec![0; width].into()));
    program.push(Operation::Norm { gain, bias, epsilon: 1 << 20, shift: 8, row: width }, &[sum], of)
}

/// Compares some rows with sums that are written out.
pub(super) fn check(loaded: &LoadedProgram, shape: Shape, requantised: bool, input: &[u8]) -> anyhow::Result<()> {
    let Shape { m, k, n } = shape;
    let mut outputs = loaded.outputs(Extent::of_rows(m))?;
    loaded.run(Extent::of_rows(m), &[input], &mut outputs)?;
    let weights = weights(shape);
    for row in [0, m / 3, m - 1] {
        for column in [0, n / 2, n - 1] {
            let x = &input[row * k..][..k];
            let w = &weights[column * k..][..k];
            let sum: i64 = x.iter().zip(w).map(|(x, w)| i64::from(x.cast_signed()) * i64::from(*w)).sum();
            let at = row * n + column;
            let (expected, found) = if requantised {
                let rounded = kernel::round_shift(sum, SCALE.0, u32::from(SCALE.1)).clamp(-128, 127);
                (rounded, i64::from(outputs[0][at].cast_signed()))
            } else {
                let bytes = outputs[0][4 * at..].first_chunk().copied().unwrap_or_default();
                (sum, i64::from(i32::from_le_bytes(bytes)))
            };
            ensure!(expected == found, "row {row}, column {column}: {found} on the device, not {expected}");
        }
    }
    Ok(())
}

/// How long so many runs take on the device.
pub(super) fn time(loaded: &LoadedProgram, extent: Extent, input: &[u8], times: u64) -> anyhow::Result<Duration> {
    let each = loaded.time(extent, &[input], u32::try_from(times)?)?;
    Ok(Duration::from_secs_f64(f64::from(each) / 1e3).saturating_mul(u32::try_from(times)?))
}
