//! Our side.

use std::time::Duration;

use anyhow::ensure;
use noema_tensor::{
    DType,
    cuda::LoadedProgram,
    device::Loaded as _,
    kernel,
    program::{Operation, Program, ValueType},
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
    let x = program.input(ValueType { dtype: DType::I8, row: k });
    let linear = Operation::Linear { k, n, weights: weights(shape).into(), bias: vec![0; n].into() };
    let mut y = program.push(linear, &[x], ValueType { dtype: DType::I32, row: n });
    if requantised {
        let (multipliers, shifts) = (vec![SCALE.0; n].into(), vec![SCALE.1; n].into());
        let operation = Operation::Requantise { multipliers, shifts, zero_point: 0 };
        y = program.push(operation, &[y], ValueType { dtype: DType::I8, row: n });
    }
    program.output(y);
    program
}

/// Compares some rows with sums that are written out.
pub(super) fn check(loaded: &LoadedProgram, shape: Shape, requantised: bool, input: &[u8]) -> anyhow::Result<()> {
    let Shape { m, k, n } = shape;
    let mut outputs = loaded.outputs(m)?;
    loaded.run(m, &[input], &mut outputs)?;
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
pub(super) fn time(loaded: &LoadedProgram, rows: usize, input: &[u8], times: u64) -> anyhow::Result<Duration> {
    let each = loaded.time(rows, &[input], u32::try_from(times)?)?;
    Ok(Duration::from_secs_f64(f64::from(each) / 1e3).saturating_mul(u32::try_from(times)?))
}
