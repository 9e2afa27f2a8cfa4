//! What a unit of work of each opcode takes here, against its price in the table: rows take turns in one process, on one
//! thread and the best level.
//!
//! The last column is what counts: price over time, as a multiple of the same quotient of `op.requantise`. Much
//! below 1 is too cheap.
//!
//! `cargo run --release -p noema-tensor --example row_prices`
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it measures time")]
#![allow(clippy::cast_precision_loss, clippy::as_conversions, reason = "it prints ratios")]

use std::time::Instant;

use noema_tensor::{
    DType, Kernels, Level, OpError, Shape, Tensor,
    ops::{self, Arg},
};

const TURNS: usize = 15;

fn tensor(dtype: DType, dims: &[u32]) -> Result<Tensor, OpError> {
    let shape = Shape::new(dims)?;
    let elements = shape.elements()?;
    let bytes = (0..elements * dtype.size() as u64).map(|i| ((i * 7919 + i / 13) % 251) as u8);
    Tensor::from_le_bytes(dtype, shape, &bytes.collect::<Vec<u8>>())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let kernels = Kernels::new(Level::best(), 1)?;
    let (i8s, u8s) = (tensor(DType::I8, &[128, 768])?, tensor(DType::U8, &[128, 768])?);
    let (i16s, i32s) = (tensor(DType::I16, &[128, 768])?, tensor(DType::I32, &[128, 768])?);
    let few = tensor(DType::I16, &[256])?;
    let gain = tensor(DType::I32, &[768])?;
    let multiplier = Tensor::from_vec(Shape::default(), vec![1i32 << 30])?;
    let shift = Tensor::from_vec(Shape::default(), vec![40u8])?;
    let steps = Tensor::from_vec(Shape::new(&[128, 1])?, vec![3i64 << 40; 128])?;
    let column = tensor(DType::I32, &[128, 1])?;
    let table = tensor(DType::I16, &[256])?;
    let positive = Tensor::from_vec(Shape::new(&[256])?, (1..=256).map(|i: i16| i * 127).collect::<Vec<i16>>())?;
    let heads = tensor(DType::I8, &[12, 128, 64])?;
    let (a, b) = (tensor(DType::I8, &[128, 768])?, tensor(DType::I8, &[768, 768])?);
    let t = Arg::Tensor;
    let mut rows: Vec<(&str, &str, Vec<Arg<'_>>)> = vec![
        ("requantise", "i32 to i8", vec![t(&i32s), t(&multiplier), t(&shift), Arg::I32(0), Arg::U32(0)]),
        ("matmul", "128x768x768", vec![t(&a), t(&b)]),
        ("add", "i32", vec![t(&i32s), t(&i32s)]),
        ("add", "i32, one column", vec![t(&i32s), t(&column)]),
        ("softmax", "i8", vec![t(&i8s), Arg::I32(1 << 30), Arg::U32(35), Arg::U32(15)]),
        ("argmax", "i32", vec![t(&i32s)]),
        ("layer_norm", "i8 to i8", vec![t(&i8s), t(&gain), t(&gain), Arg::U64(1), Arg::U32(20), Arg::U32(0)]),
        ("layer_norm", "i32 to i32", vec![t(&i32s), t(&gain), t(&gain), Arg::U64(1), Arg::U32(4), Arg::U32(3)]),
        ("rms_norm", "i16 to i8", vec![t(&i16s), t(&gain), Arg::U64(1), Arg::U32(20), Arg::U32(0)]),
        ("lookup", "i8 to i16", vec![t(&i8s), t(&table)]),
        ("row_step", "i32", vec![t(&i32s), Arg::U32(0)]),
        ("quantise_rows", "i32 to i8", vec![t(&i32s), t(&steps), Arg::U32(0)]),
        (
            "mul_requantise",
            "i32 by a column",
            vec![t(&i32s), t(&column), Arg::I32(1 << 30), Arg::U32(60), Arg::I32(0), Arg::U32(0)],
        ),
        (
            "mul_requantise",
            "i8 by i8",
            vec![t(&i8s), t(&i8s), Arg::I32(1 << 30), Arg::U32(37), Arg::I32(0), Arg::U32(0)],
        ),
        ("select", "i32", vec![t(&u8s), t(&i32s), t(&i32s)]),
        ("clamp", "i32", vec![t(&i32s), Arg::I64(-5), Arg::I64(1000)]),
        ("shift", "i32", vec![t(&i32s), Arg::I32(-3)]),
        (
            "attention",
            "12 x 128 x 64",
            vec![
                t(&heads),
                t(&heads),
                t(&heads),
                Arg::Bytes(&[]),
                Arg::Bytes(&[]),
                Arg::I32(1 << 30),
                Arg::U32(42),
                Arg::I32(1 << 30),
                Arg::U32(30),
            ],
        ),
    ];
    let small = Tensor::from_vec(Shape::new(&[128, 768])?, vec![9i32; 128 * 768])?;
    rows.push(("mul_checked", "i32", vec![t(&small), t(&small)]));
    for name in ["sub", "mul", "min", "bit_and", "less"] {
        rows.push((name, "i32", vec![t(&i32s), t(&i32s)]));
    }
    rows.push(("mul", "i32, one column", vec![t(&i32s), t(&column)]));
    for name in ["neg", "abs", "bit_not", "relu"] {
        rows.push((name, "i32", vec![t(&i32s)]));
    }
    for name in ["exp", "sigmoid", "tanh", "silu", "gelu", "erf", "sin", "cos"] {
        rows.push((name, "256 of i16", vec![t(&few), Arg::U32(12), Arg::U32(15), Arg::U32(2)]));
    }
    for name in ["log", "sqrt", "rsqrt", "recip"] {
        rows.push((name, "256 of i16", vec![t(&positive), Arg::U32(12), Arg::U32(15), Arg::U32(2)]));
    }
    let mut times = vec![Vec::new(); rows.len()];
    for _ in 0..TURNS {
        for (times, (name, _, args)) in times.iter_mut().zip(&rows) {
            let start = Instant::now();
            std::hint::black_box(ops::call(&kernels, name, args)?);
            times.push(start.elapsed().as_nanos() as f64 * 1000.0);
        }
    }
    let mut unit = None;
    println!("{:<16} {:<18} {:>12} {:>8} {:>8}", "row", "arguments", "ps a unit", "price", "ratio");
    for (times, (name, what, args)) in times.iter_mut().zip(&rows) {
        times.sort_by(f64::total_cmp);
        let row = noema_abi::find("op", name).ok_or("a row that the table does not have")?;
        let work = ops::plan(name, args)?.work;
        let (best, price) = (times[0], row.price.gas(0, work) as f64);
        let quotient = price / best;
        let ratio = quotient / *unit.get_or_insert(quotient);
        println!("{name:<16} {what:<18} {:>12.0} {:>8} {ratio:>8.2}", best / work as f64, row.price.per_work);
    }
    Ok(())
}
