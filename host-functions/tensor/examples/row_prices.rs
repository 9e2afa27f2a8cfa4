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
    let (a, square) = (tensor(DType::I8, &[128, 768])?, tensor(DType::I8, &[768, 768])?);
    let t = Arg::Tensor;
    let mut rows: Vec<(&str, &str, Vec<Arg<'_>>)> = vec![
        ("requantise", "i32 to i8", vec![t(&i32s), t(&multiplier), t(&shift), Arg::I32(0), Arg::U32(0)]),
        ("matmul", "128x768x768", vec![t(&a), t(&square)]),
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
    let image = tensor(DType::I8, &[1, 56, 56, 64])?;
    let (bytes, wide) = (tensor(DType::I8, &[1, 112, 112, 3])?, tensor(DType::I16, &[1, 28, 28, 64])?);
    let (w3, w1) = (tensor(DType::I8, &[64, 3, 3, 64])?, tensor(DType::I8, &[64, 1, 1, 64])?);
    let (each, stem) = (tensor(DType::I8, &[64, 3, 3, 1])?, tensor(DType::I8, &[32, 7, 7, 3])?);
    let (gray, of_gray) = (tensor(DType::I8, &[1, 96, 96, 1])?, tensor(DType::I8, &[1, 3, 3, 1])?);
    let grouped = tensor(DType::I8, &[64, 3, 3, 4])?;
    let (wide128, pairs) = (tensor(DType::I8, &[1, 28, 28, 128])?, tensor(DType::I8, &[64, 3, 3, 2])?);
    let words = |numbers: &[u32]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
    let (one, two, three) = (words(&[1, 1]), words(&[2, 2]), words(&[3, 3]));
    let (none, around) = (words(&[0; 4]), words(&[1; 4]));
    let (half, tiles) = (words(&[64, 384]), words(&[2, 3]));
    let b = Arg::Bytes;
    let mut conv = |what, x, w, strides, pads, groups| {
        rows.push(("conv2d", what, vec![t(x), t(w), b(strides), b(pads), b(&one), Arg::U32(groups), Arg::I32(0)]));
    };
    conv("3x3 of 64 to 64", &image, &w3, &one, &around, 1);
    conv("1x1 of 64 to 64", &image, &w1, &one, &none, 1);
    conv("7x7 of 3 to 32", &bytes, &stem, &two, &none, 1);
    conv("depthwise 3x3", &image, &each, &one, &around, 64);
    conv("16 groups 3x3", &image, &grouped, &one, &around, 16);
    conv("3x3 of 1 to 1", &gray, &of_gray, &one, &around, 1);
    conv("64 groups of 2 to 1", &wide128, &pairs, &one, &around, 64);
    conv("3x3, i16", &wide, &w3, &one, &around, 1);
    let no_more = words(&[0, 0]);
    rows.push((
        "conv_transpose2d",
        "3x3 of 64, stride 2",
        vec![t(&image), t(&w3), b(&two), b(&around), b(&no_more), b(&one), Arg::U32(1)],
    ));
    for (what, x) in [("3x3 of 64", &image), ("3x3 of 1", &gray), ("3x3 of 64, i16", &wide)] {
        rows.push(("max_pool", what, vec![t(x), b(&three), b(&two), b(&around), b(&one)]));
        rows.push(("average_pool", what, vec![t(x), b(&three), b(&two), b(&around), b(&one), Arg::U32(0)]));
    }
    rows.push(("global_average_pool", "56x56 of 64", vec![t(&image)]));
    let i64s = tensor(DType::I64, &[128, 768])?;
    for (what, x) in [("i8", &i8s), ("i32", &i32s), ("i64", &i64s)] {
        rows.push(("sort", what, vec![t(x), Arg::U32(0)]));
        rows.push(("topk", what, vec![t(x), Arg::U32(5), Arg::U32(0)]));
        rows.push(("reduce_mean", what, vec![t(x), Arg::U32(0)]));
        rows.push(("tile", what, vec![t(x), b(&tiles)]));
        rows.push(("trilu", what, vec![t(x), Arg::I32(3), Arg::U32(0)]));
        rows.push(("resize", what, vec![t(x), b(&half), Arg::U32(1)]));
        rows.push(("tensor_hash", what, vec![t(x)]));
    }
    let signs = Tensor::from_vec(Shape::new(&[128, 768])?, [1i64, -1, 1].repeat(128 * 256))?;
    for name in ["reduce_sum", "reduce_prod"] {
        rows.push((name, "i64", vec![t(&signs), Arg::U32(1)]));
    }
    rows.push(("topk", "i32, all of it", vec![t(&i32s), Arg::U32(768), Arg::U32(0)]));
    let places = Tensor::from_vec(Shape::new(&[128])?, (0..128).rev().collect::<Vec<i32>>())?;
    let spots = Tensor::from_vec(Shape::new(&[128, 768])?, (0..128 * 768).map(|i| i * 7 % 768).collect::<Vec<i32>>())?;
    rows.push(("scatter", "rows of i32", vec![t(&i32s), t(&places), t(&i32s), Arg::U32(0)]));
    rows.push(("gather_elements", "i32", vec![t(&i32s), t(&spots), Arg::U32(1)]));
    rows.push(("one_hot", "128 of 768", vec![t(&places), Arg::U32(768), Arg::I64(1), Arg::I64(0), Arg::U32(3)]));
    rows.push(("range", "i32", vec![Arg::I64(3), Arg::I64(7), Arg::U32(100_000), Arg::U32(3)]));
    rows.push(("log_softmax", "i8", vec![t(&i8s), Arg::I32(1 << 30), Arg::U32(35), Arg::U32(15)]));
    for (what, x) in [("i8 to i16", &i8s), ("i32 to i16", &i32s)] {
        rows.push(("l2_norm", what, vec![t(x), Arg::U64(1), Arg::U32(15), Arg::U32(2)]));
        rows.push((
            "group_norm",
            what,
            vec![t(x), t(&gain), t(&gain), Arg::U32(32), Arg::U64(1), Arg::U32(20), Arg::U32(2)],
        ));
        rows.push((
            "group_norm",
            "instances",
            vec![t(x), t(&gain), t(&gain), Arg::U32(768), Arg::U64(1), Arg::U32(20), Arg::U32(2)],
        ));
    }
    let angles = tensor(DType::I16, &[128, 384])?;
    rows.push(("rotary", "i16", vec![t(&i16s), t(&angles), t(&angles), Arg::U32(14), Arg::U32(0)]));
    rows.push(("rotary", "i8, interleaved", vec![t(&i8s), t(&angles), t(&angles), Arg::U32(14), Arg::U32(1)]));
    rows.push(("freivalds", "128x768x768", vec![t(&a), t(&square), t(&i32s), b(b"seed")]));
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
    println!("{:<20} {:<20} {:>12} {:>8} {:>8}", "row", "arguments", "ps a unit", "price", "ratio");
    for (times, (name, what, args)) in times.iter_mut().zip(&rows) {
        times.sort_by(f64::total_cmp);
        let row = noema_abi::find("op", name).ok_or("a row that the table does not have")?;
        let work = ops::plan(name, args)?.work;
        let (best, price) = (times[0], row.price.gas(0, work) as f64);
        let quotient = price / best;
        let ratio = quotient / *unit.get_or_insert(quotient);
        println!("{name:<20} {what:<20} {:>12.0} {:>8} {ratio:>8.2}", best / work as f64, row.price.per_work);
    }
    Ok(())
}
