//! Speed of the linear kernels of this machine against candle's float product, on one thread, with
//! all contenders taking turns in one process.
//!
//! `RAYON_NUM_THREADS=1 cargo run --release -p noema-tensor --example kernel_speed [LEVEL..]`
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it measures time")]
#![allow(clippy::cast_precision_loss, reason = "it prints ratios")]

use std::{hint::black_box, time::Instant};

use noema_tensor::{Kernels, Level, kernel};

const TURNS: usize = 500;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // candle reads it whenever it multiplies: one thread for everybody.
    assert_eq!(std::env::var("RAYON_NUM_THREADS").as_deref(), Ok("1"), "run with RAYON_NUM_THREADS=1");
    let mut all = Vec::new();
    let named: Vec<String> = std::env::args().skip(1).collect();
    for level in Level::available() {
        if level != Level::Reference && (named.is_empty() || named.iter().any(|name| name == level.name())) {
            all.push(Kernels::new(level, 1)?);
        }
    }
    for (rows, k, n) in [(128, 768, 768), (512, 512, 512), (1, 768, 768), (8, 768, 768), (1, 30, 64), (1, 64, 2)] {
        compare(&all, rows, k, n)?;
    }
    Ok(())
}

fn compare(all: &[Kernels], rows: usize, k: usize, n: usize) -> Result<(), Box<dyn std::error::Error>> {
    let byte = |i: usize| i8::try_from((i * 7919 + i / 13) % 255).map_or(-1, |value| value);
    let x: Vec<i8> = (0..rows * k).map(byte).collect();
    let w: Vec<i8> = (0..n * k).map(|i| byte(i + 5)).collect();
    let floats = |values: &[i8]| values.iter().map(|v| f32::from(*v)).collect::<Vec<_>>();
    let cpu = candle_core::Device::Cpu;
    let float_x = candle_core::Tensor::from_vec(floats(&x), (rows, k), &cpu)?;
    let float_w = candle_core::Tensor::from_vec(floats(&w), (n, k), &cpu)?.t()?.contiguous()?;

    let mut packed = Vec::new();
    for kernels in all {
        packed.push(kernel::PackedWeights::pack(kernels.level(), k, n, &w)?);
    }
    let repeat = (2_000_000 / (rows * k * n)).max(1);
    let mut times = vec![Vec::new(); all.len() + 1];
    let mut out = vec![0i32; rows * n];
    for _ in 0..TURNS {
        let start = Instant::now();
        for _ in 0..repeat {
            black_box(float_x.matmul(&float_w)?);
        }
        times[0].push(start.elapsed().as_nanos() as f64 / repeat as f64);
        for (i, (kernels, w)) in all.iter().zip(&packed).enumerate() {
            let start = Instant::now();
            for _ in 0..repeat {
                kernel::linear_i8(kernels, black_box(&x), rows, w, &mut out)?;
                black_box(&out);
            }
            times[i + 1].push(start.elapsed().as_nanos() as f64 / repeat as f64);
        }
    }
    for times in &mut times {
        times.sort_by(f64::total_cmp);
    }
    let (best, median) = (times[0][0], times[0][TURNS / 2]);
    println!("[{rows}, {k}] x [{k}, {n}]   candle f32: best {best:.0} ns, median {median:.0} ns");
    for (kernels, times) in all.iter().zip(&times[1..]) {
        println!(
            "  {:<12} best {:>10.0} ns ({:.2} x), median {:>10.0} ns ({:.2} x)",
            kernels.level().name(),
            times[0],
            best / times[0],
            times[TURNS / 2],
            median / times[TURNS / 2]
        );
    }
    Ok(())
}
