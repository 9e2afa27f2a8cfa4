//! How long a run of a model takes on one thread. With `perf record` it shows where the time goes.
//!
//! `cargo run --release -p noema-model --example graph_speed -- model.noema [TOKENS] [LEVEL]`
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it measures time")]

use std::time::Instant;

use noema_model::{Model, graph::SEQUENCE};
use noema_tensor::{DType, Kernels, Level, Shape, Tensor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().ok_or("a container, and where it takes sequences a length")?;
    let model = Model::from_bytes(std::fs::read(path)?)?;
    let length: u32 = arguments.get(1).map_or(Ok(128), |text| text.parse())?;
    let level: Level = arguments.get(2).map_or(Ok(Level::best()), |text| text.parse())?;
    let runs = 60;
    let kernels = Kernels::new(level, 1)?;
    let mut inputs = Vec::new();
    for edge in &model.graph().inputs {
        let axis = |dim: &u32| if dim & SEQUENCE == 0 { *dim } else { length };
        let dims: Vec<u32> = std::iter::once(1).chain(edge.dims.iter().map(axis)).collect();
        let count: u64 = dims.iter().map(|dim| u64::from(*dim)).product();
        let numbers = (0..count).map(|i| if count == 1 { i64::from(length) } else { (i * 31 % 101).cast_signed() });
        inputs.push(of(edge.dtype, &dims, numbers)?);
    }
    let inputs: Vec<&Tensor> = inputs.iter().collect();
    let mut times = Vec::new();
    for _ in 0..runs {
        let start = Instant::now();
        std::hint::black_box(model.run(&kernels, &inputs)?);
        times.push(start.elapsed());
    }
    times.sort();
    println!("{level}: best {:?}, median {:?}", times[0], times[times.len() / 2]);
    Ok(())
}

fn of(dtype: DType, dims: &[u32], numbers: impl Iterator<Item = i64>) -> Result<Tensor, Box<dyn std::error::Error>> {
    let shape = Shape::new(dims)?;
    Ok(match dtype {
        DType::I32 => Tensor::from_vec(shape, numbers.map(|x| i32::try_from(x).unwrap_or(0)).collect())?,
        DType::I16 => Tensor::from_vec(shape, numbers.map(|x| i16::try_from(x).unwrap_or(0)).collect())?,
        _ => Tensor::from_vec(shape, numbers.map(|x| i8::try_from(x).unwrap_or(0)).collect())?,
    })
}
