//! Convolutions of the shapes of ResNet and MobileNet beside candle's `conv2d` of `f32` on the same machine, turn by turn in one
//! process and on one thread.
//!
//! The last column is what counts: candle's time over ours, the best of all turns of each.
//!
//! `RAYON_NUM_THREADS=1 cargo run --release -p noema-tensor --example convolution_speed`
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it measures time")]
#![allow(clippy::cast_precision_loss, clippy::as_conversions, reason = "it prints ratios")]

use std::time::Instant;

use noema_tensor::{Kernels, Level, Shape, Tensor, ops};

const TURNS: usize = 9;

/// Name, side of the image, channels, channels of the result, side of the window, stride, groups.
const SHAPES: [(&str, u32, u32, u32, u32, u32, u32); 8] = [
    ("ResNet 3x3 56", 56, 64, 64, 3, 1, 1),
    ("ResNet 3x3 28", 28, 128, 128, 3, 1, 1),
    ("ResNet 3x3 14", 14, 256, 256, 3, 1, 1),
    ("ResNet 3x3 28/2", 28, 128, 256, 3, 2, 1),
    ("ResNet 1x1 56", 56, 64, 256, 1, 1, 1),
    ("MobileNet dw 112", 112, 32, 32, 3, 1, 32),
    ("MobileNet dw 56/2", 56, 128, 128, 3, 2, 128),
    ("MobileNet dw 14", 14, 512, 512, 3, 1, 512),
];

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn bytes(count: usize) -> Vec<i8> {
    (0..count).map(|i| ((i * 7919 + i / 13) % 251) as u8 as i8).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let kernels = Kernels::new(Level::best(), 1)?;
    println!("{:<20} {:>12} {:>12} {:>8}", "convolution", "ours, us", "candle, us", "ratio");
    for (name, side, channels, outputs, window, stride, groups) in SHAPES {
        let pad = window / 2;
        let size = |dims: [u32; 4]| dims.iter().map(|dim| *dim as usize).product::<usize>();
        let (image, weights) = ([1, side, side, channels], [outputs, window, window, channels / groups]);
        let x = Tensor::from_vec(Shape::new(&image)?, bytes(size(image)))?;
        let w = Tensor::from_vec(Shape::new(&weights)?, bytes(size(weights)))?;
        let (strides, pads, one) = (words(&[stride; 2]), words(&[pad; 4]), words(&[1, 1]));
        let plan = ops::conv2d::plan(&x, &w, &strides, &pads, &one, groups, 0)?;

        let device = candle_core::Device::Cpu;
        let floats = |count: usize| bytes(count).into_iter().map(f32::from).collect::<Vec<f32>>();
        let dims = |dims: [u32; 4]| [0, 3, 1, 2].map(|axis: usize| dims[axis] as usize);
        let theirs = candle_core::Tensor::from_vec(floats(size(image)), &dims(image), &device)?;
        let of_theirs = candle_core::Tensor::from_vec(floats(size(weights)), &dims(weights), &device)?;
        let (mut ours, mut candles) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..TURNS {
            let start = Instant::now();
            std::hint::black_box(ops::conv2d::run(&kernels, &plan, &x, &w, &strides, &pads, &one, groups, 0)?);
            ours = ours.min(start.elapsed().as_secs_f64() * 1e6);
            let start = Instant::now();
            let y = theirs.conv2d(&of_theirs, pad as usize, stride as usize, 1, groups as usize)?;
            std::hint::black_box(y);
            candles = candles.min(start.elapsed().as_secs_f64() * 1e6);
        }
        println!("{name:<20} {ours:>12.0} {candles:>12.0} {:>8.2}", candles / ours);
    }
    Ok(())
}
