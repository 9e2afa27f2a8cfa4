//! How fast products of 8-bit integers are on the first CUDA device, weights and activations on it.
//!
//! `cargo run --release -p noema-tensor --features cuda --example cuda_speed`

use noema_tensor::{
    DType,
    cuda::{Cuda, Options, ProductUnit},
    program::{Operation, Program, ValueType},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for (unit, check_products) in [(ProductUnit::Int8, false), (ProductUnit::Int8, true), (ProductUnit::Bf16, false)] {
        let cuda = Cuda::open(0, Options { unit, check_products, ..Options::default() })?;
        for (m, k, n, scaled) in [
            (4096, 4096, 4096, false),
            (8192, 8192, 8192, false),
            (4096, 4096, 4096, true),
            (8192, 8192, 8192, true),
            (16384, 384, 1536, true),
            (16384, 2048, 8192, true),
        ] {
            let mut state = 1u64;
            let mut byte = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state.to_be_bytes()[0]
            };
            let weights: Vec<i8> = (0..n * k).map(|_| byte().cast_signed()).collect();
            let mut program = Program::default();
            let x = program.input(ValueType { dtype: DType::I8, row: k });
            let linear = Operation::Linear { k, n, weights: weights.into(), bias: vec![0; n].into() };
            let mut y = program.push(linear, &[x], ValueType { dtype: DType::I32, row: n });
            if scaled {
                let (multipliers, shifts) = (vec![1 << 30; n].into(), vec![40; n].into());
                let operation = Operation::Requantise { multipliers, shifts, zero_point: 0 };
                y = program.push(operation, &[y], ValueType { dtype: DType::I8, row: n });
            }
            program.output(y);
            let loaded = cuda.load_program(&program)?;
            let input: Vec<u8> = (0..m * k).map(|_| byte()).collect();
            let times = 20;
            let mut all: Vec<f32> =
                (0..5).map(|_| loaded.time(m, &[&input], times)).collect::<Result<_, _>>()?;
            all.sort_by(f32::total_cmp);
            let operations = 2.0 * m as f64 * k as f64 * n as f64;
            println!(
                "{unit:?} checked={check_products} requantised={scaled} {m}x{k}x{n}: {:.4} ms, {:.0} T operations/s",
                all[2],
                operations / f64::from(all[2]) / 1e9
            );
        }
    }
    Ok(())
}
