//! One inference of the screening network, and the int8 matrix product beside candle's in float.
#![allow(missing_docs, reason = "criterion's macros")]

use criterion::{Criterion, criterion_group, criterion_main};
use noema_tensor::kernel::{PackedWeights, linear_i8};
use noema_tensor::{Kernels, Level, Shape, Tensor};

fn inference(criterion: &mut Criterion) {
    let model = noema_bench::screening::model().expect("the committed model can be imported");
    for rows in [1u32, 64] {
        let elements = usize::try_from(30 * rows).expect("small");
        let x = Tensor::from_vec(Shape::new(&[rows, 30]).expect("a shape"), vec![1i32 << 16; elements]).expect("fits");
        for level in Level::available() {
            let kernels = Kernels::new(level, 1).expect("it is available");
            criterion.bench_function(&format!("screening network, {rows} rows, {level}"), |bencher| {
                bencher.iter(|| model.run(&kernels, &[&x]).expect("the input fits"));
            });
        }
    }
}

fn product(criterion: &mut Criterion) {
    for (m, k, n) in [(128usize, 768usize, 768usize), (512, 512, 512)] {
        let mut group = criterion.benchmark_group(format!("{m}x{k}x{n}, one thread"));
        group.sample_size(20);
        let bytes = |len: usize| -> Vec<i8> { (0..len).map(|i| i8::try_from(i * 31 % 255).unwrap_or(-7)).collect() };
        let (x, weights, mut out) = (bytes(m * k), bytes(k * n), vec![0i32; m * n]);
        for level in Level::available().into_iter().filter(|level| *level != Level::Reference) {
            let kernels = Kernels::new(level, 1).expect("it is available");
            let packed = PackedWeights::pack(level, k, n, &weights).expect("it fits in memory");
            group.bench_function(format!("int8, {level}"), |bencher| {
                bencher.iter(|| linear_i8(&kernels, &x, m, &packed, &mut out));
            });
        }
        let device = candle_core::Device::Cpu;
        let a = candle_core::Tensor::zeros((m, k), candle_core::DType::F32, &device).expect("fits");
        let b = candle_core::Tensor::zeros((k, n), candle_core::DType::F32, &device).expect("fits");
        // candle takes its threads from the environment: RAYON_NUM_THREADS=1 for a fair row.
        group.bench_function("candle f32", |bencher| bencher.iter(|| a.matmul(&b).expect("fits")));
        group.finish();
    }
}

criterion_group!(benches, inference, product);
criterion_main!(benches);
