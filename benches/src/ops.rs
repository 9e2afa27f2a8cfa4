//! `noema-bench ops`: opcodes beside what does the same with floats or with plain memory.
//!
//! - `candle-f32`: candle's function of the same name on floats (softmax, norms, functions, sums, sums along an axis, transposition,
//!   convolutions);
//! - `copy`: candle copying the tensor that is requantised;
//! - `i8`: our own product of 8 bits, beside those of 16 bits on the left;
//! - `read`: adding up the bytes of the weights that a single row is multiplied with.
//!
//! Every opcode makes a new tensor, as candle's functions do. Before anything is timed the results of candle's functions are
//! compared with ours.

mod images;

use anyhow::{Context, ensure};
use candle_core::{D, Device, Tensor as Floats};
use noema_tensor::kernel::{PackedWeights, linear_i8, linear_i16, linear_i16_narrow};
use noema_tensor::ops::{self, Arg};
use noema_tensor::{DType, Kernels, Level, Shape, Tensor};

use crate::measure::{Contender, Effort, Ring, compare};
use crate::report::{Report, Row, Sense};
use crate::threads;

/// Arguments of `noema-bench ops`.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Only rows whose name contains this.
    #[arg(long)]
    pub only: Option<String>,
    /// Thread counts.
    #[arg(long, value_delimiter = ',', default_values_t = [1])]
    pub threads: Vec<usize>,
    /// Our kernel level; the best one of this machine unless given.
    #[arg(long)]
    pub level: Option<Level>,
    /// How much to measure.
    #[command(flatten)]
    pub effort: Effort,
}

type Float = Box<dyn Fn(&[Floats]) -> candle_core::Result<Floats>>;

/// An opcode, and what is compared with it.
struct Case {
    name: String,
    opcode: &'static str,
    /// Tensors of integers and what a unit of each stands for; then numbers.
    tensors: Vec<(Tensor, f64)>,
    numbers: Vec<Arg<'static>>,
    peer: &'static str,
    float: Float,
    /// What a unit of our result stands for, and how far both may be apart in such units; nothing where they are not the same.
    unit: Option<(f64, f64)>,
    /// Whether tensors are images and windows with their channels last, which candle wants first.
    images: bool,
}

/// Measures every opcode.
///
/// # Errors
/// A level that this machine does not have, a result that is not candle's.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let level = options.level.unwrap_or_else(Level::best);
    let mut report = Report::new("ops");
    report.note(format!("our level: {level}; {} time", options.effort.clock));
    report.extend(threads::for_each(&options.threads, |threads| {
        let kernels = Kernels::new(level, threads)?;
        let wanted = |name: &str| options.only.as_ref().is_none_or(|part| name.contains(part.as_str()));
        let mut rows = Vec::new();
        for case in cases()?.into_iter().chain(images::cases()?).filter(|case| wanted(&case.name)) {
            eprintln!("ops: {}", case.name);
            let name = case.name.clone();
            rows.push(one_case(case, &kernels, threads, options.effort).context(name)?);
        }
        for (k, n) in [(768, 768), (4096, 4096), (16_384, 16_384)] {
            let name = format!("linear i8 1x{k}x{n}");
            if wanted(&name) {
                eprintln!("ops: {name}");
                rows.push(one_row(name, (k, n), &kernels, threads, options.effort)?);
            }
        }
        for wide in [false, true] {
            let name = format!("linear i16 128x768x768, sums of {} bits", if wide { 64 } else { 32 });
            if wanted(&name) {
                eprintln!("ops: {name}");
                rows.push(of_words(name, wide, &kernels, threads, options.effort)?);
            }
        }
        ensure!(!rows.is_empty(), "no row is called like that");
        Ok(rows)
    })?);
    Ok(report)
}

fn one_case(case: Case, kernels: &Kernels, threads: usize, effort: Effort) -> anyhow::Result<Row> {
    let Case { name, opcode, tensors, numbers, peer, float, unit, images } = case;
    let mut floats =
        tensors.iter().map(|(tensor, unit)| to_floats(tensor, *unit)).collect::<anyhow::Result<Vec<_>>>()?;
    if images {
        floats = floats.iter().map(images::channels_first).collect::<Result<_, _>>()?;
    }
    let arguments: Vec<Arg<'_>> = tensors.iter().map(|(tensor, _)| Arg::Tensor(tensor)).chain(numbers).collect();
    if let Some((unit, allowed)) = unit {
        let ours = to_floats(&ops::call(kernels, opcode, &arguments)?, unit)?.flatten_all()?.to_vec1::<f32>()?;
        let theirs = float(&floats)?;
        let theirs = if images { images::channels_last(&theirs)? } else { theirs };
        let theirs = theirs.flatten_all()?.to_vec1::<f32>()?;
        ensure!(ours.len() == theirs.len(), "{} results and {}", ours.len(), theirs.len());
        let apart = ours.iter().zip(&theirs).map(|(a, b)| f64::from((a - b).abs()) / unit).fold(0.0, f64::max);
        ensure!(apart <= allowed, "{apart:.2} units apart");
    }
    let mut contenders = [
        Contender::new("noema", || ops::call(kernels, opcode, &arguments).expect("it did so before")),
        Contender::new(peer, || float(&floats).expect("it did so before")),
    ];
    let ratio = compare(effort, &mut contenders).remove(0);
    Ok(Row { case: name, peer: peer.to_owned(), threads, sense: Sense::Speed, ratio })
}

/// A single row times a matrix, beside reading the matrix.
fn one_row(
    name: String,
    (k, n): (usize, usize),
    kernels: &Kernels,
    threads: usize,
    effort: Effort,
) -> anyhow::Result<Row> {
    // As many matrices as no cache of a core holds.
    let count = (48usize << 20).div_ceil(k * n);
    let x = bytes(k, 1);
    let matrices: Vec<Vec<i8>> = (0..count).map(|seed| bytes(k * n, seed + 2)).collect();
    let pack = |matrix: &Vec<i8>| PackedWeights::pack(kernels.level(), k, n, matrix);
    let mut packed = Ring::new(matrices.iter().map(pack).collect::<Result<Vec<_>, _>>()?);
    let words = |matrix: &Vec<i8>| -> Vec<u64> {
        matrix.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(word.map(i8::cast_unsigned))).collect()
    };
    let mut plain = Ring::new(matrices.iter().map(words).collect());
    let mut out = vec![0; n];
    let mut contenders = [
        Contender::new("noema", move || {
            linear_i8(kernels, &x, 1, packed.take(), &mut out).expect("it does so in the tests");
            out[0]
        }),
        Contender::new("read", move || {
            // Several sums, so that adding is not what takes the time.
            let sum = |sums: [u64; 16], words: &[u64; 16]| std::array::from_fn(|i| sums[i].wrapping_add(words[i]));
            plain.take().as_chunks::<16>().0.iter().fold([0u64; 16], sum)
        }),
    ];
    let ratio = compare(effort, &mut contenders).remove(0);
    Ok(Row { case: name, peer: "read".to_owned(), threads, sense: Sense::Speed, ratio })
}

/// Rows of 16 bits times weights of 8, beside rows of 8 bits times the same weights.
fn of_words(name: String, wide: bool, kernels: &Kernels, threads: usize, effort: Effort) -> anyhow::Result<Row> {
    let (rows, k, n) = (128, 768, 768);
    let x = bytes(rows * k, 1);
    let weights = PackedWeights::pack(kernels.level(), k, n, &bytes(k * n, 2))?;
    // Of 13 bits, so that every sum fits 32: `768 * 2^12 * 2^7 < 2^31`.
    let words: Vec<i16> = x.iter().map(|x| i16::from(*x) * 32).collect();
    let (mut sums, mut narrow, mut long) = (vec![0; rows * n], vec![0; rows * n], vec![0; rows * n]);
    linear_i16(kernels, &words, rows, &weights, &mut long)?;
    linear_i16_narrow(kernels, &words, rows, &weights, &mut narrow)?;
    linear_i8(kernels, &x, rows, &weights, &mut sums)?;
    let same = long.iter().zip(&narrow).zip(&sums).all(|((a, b), c)| *a == i64::from(*b) && *b == 32 * c);
    ensure!(same, "products differ");
    let mut contenders = [
        Contender::new("noema", || {
            let done = match wide {
                true => linear_i16(kernels, &words, rows, &weights, &mut long),
                false => linear_i16_narrow(kernels, &words, rows, &weights, &mut narrow),
            };
            done.expect("it did so before");
        }),
        Contender::new("i8", || linear_i8(kernels, &x, rows, &weights, &mut sums).expect("it did so before")),
    ];
    let ratio = compare(effort, &mut contenders).remove(0);
    Ok(Row { case: name, peer: "i8".to_owned(), threads, sense: Sense::Speed, ratio })
}

fn bytes(count: usize, seed: usize) -> Vec<i8> {
    let mut state = u64::try_from(seed).unwrap_or(0);
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0].cast_signed()
    };
    (0..count).map(next).collect()
}

/// A tensor of integers as floats.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::as_conversions,
    reason = "floats are the peer"
)]
fn to_floats(tensor: &Tensor, unit: f64) -> anyhow::Result<Floats> {
    let numbers: Vec<i64> = match tensor.dtype() {
        DType::I8 => tensor.to_vec::<i8>()?.into_iter().map(i64::from).collect(),
        DType::U8 => tensor.to_vec::<u8>()?.into_iter().map(i64::from).collect(),
        DType::I16 => tensor.to_vec::<i16>()?.into_iter().map(i64::from).collect(),
        DType::I32 => tensor.to_vec::<i32>()?.into_iter().map(i64::from).collect(),
        DType::I64 => tensor.to_vec::<i64>()?,
    };
    let dims = tensor.shape().dims().iter().map(|dim| usize::try_from(*dim)).collect::<Result<Vec<_>, _>>()?;
    let floats: Vec<f32> = numbers.into_iter().map(|number| (number as f64 * unit) as f32).collect();
    Ok(Floats::from_vec(floats, dims, &Device::Cpu)?)
}

/// Numbers of so many bits and a sign.
fn integers(dtype: DType, dims: &[u32], bits: u32) -> anyhow::Result<Tensor> {
    let shape = Shape::new(dims)?;
    let mut state = 7u64;
    let numbers = (0..shape.elements()?).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.cast_signed() >> (63 - bits)
    });
    Ok(match dtype {
        DType::I8 => Tensor::from_vec(shape, numbers.map(i8::try_from).collect::<Result<_, _>>()?)?,
        DType::U8 => Tensor::from_vec(shape, numbers.map(|x| u8::try_from(x & 127)).collect::<Result<_, _>>()?)?,
        DType::I16 => Tensor::from_vec(shape, numbers.map(i16::try_from).collect::<Result<_, _>>()?)?,
        DType::I32 => Tensor::from_vec(shape, numbers.map(i32::try_from).collect::<Result<_, _>>()?)?,
        DType::I64 => Tensor::from_vec(shape, numbers.collect())?,
    })
}

fn code(dtype: DType) -> Arg<'static> {
    Arg::U32(dtype.code())
}

fn cases() -> anyhow::Result<Vec<Case>> {
    use DType::{I8, I16, I32, I64};
    let mut cases = Vec::new();
    let mut case = |name: String, opcode, tensors, numbers, float: Float, unit| {
        cases.push(Case { name, opcode, tensors, numbers, peer: "candle-f32", float, unit, images: false });
    };
    // Softmax of numbers from -8 to 8.
    for (dtype, bits) in [(I8, 7), (I16, 15), (I32, 20)] {
        let unit = 2.0_f64.powi(3 - i32::try_from(bits)?);
        let x = (integers(dtype, &[12, 128, 128], bits)?, unit);
        let numbers = vec![Arg::I32(1 << 30), Arg::U32(27 + bits), Arg::U32(15)];
        let float: Float = Box::new(|x| candle_nn::ops::softmax_last_dim(&x[0]));
        case(format!("softmax {dtype} 12x128x128"), "softmax", vec![x], numbers, float, Some((2.0_f64.powi(-15), 2.0)));
    }
    for columns in [768, 3072] {
        for (dtype, bits) in [(I8, 7), (I16, 15), (I32, 20)] {
            let shape = format!("{dtype} 128x{columns}");
            let x = integers(dtype, &[128, columns], bits)?;
            let gain = Tensor::from_vec(Shape::new(&[columns])?, vec![1 << 20; usize::try_from(columns)?])?;
            let bias = Tensor::from_vec(Shape::new(&[columns])?, vec![3 << 18; usize::try_from(columns)?])?;
            let fine = 2.0_f64.powi(-20);
            let unit = Some((2.0_f64.powi(-10), 1.0));
            let tensors = vec![(x.clone(), 1.0), (gain.clone(), fine), (bias, fine)];
            let numbers = vec![Arg::U64(168), Arg::U32(10), code(I16)];
            let float: Float = Box::new(|x| candle_nn::ops::layer_norm(&x[0], &x[1], &x[2], 1.0e-5));
            case(format!("layer_norm {shape}"), "layer_norm", tensors, numbers, float, unit);
            let numbers = vec![Arg::U64(168), Arg::U32(10), code(I16)];
            let float: Float = Box::new(|x| candle_nn::ops::rms_norm(&x[0], &x[1], 1.0e-5));
            case(format!("rms_norm {shape}"), "rms_norm", vec![(x, 1.0), (gain, fine)], numbers, float, unit);
        }
        for (dtype, bits) in [(I8, 7), (I16, 15)] {
            let x = integers(dtype, &[128, columns], bits)?;
            let functions: [(&str, Float); 4] = [
                ("gelu", Box::new(|x| x[0].gelu_erf())),
                ("tanh", Box::new(|x| x[0].tanh())),
                ("sigmoid", Box::new(|x| candle_nn::ops::sigmoid(&x[0]))),
                ("silu", Box::new(|x| x[0].silu())),
            ];
            for (name, float) in functions {
                let numbers = vec![Arg::U32(bits - 3), Arg::U32(bits - 3), code(dtype)];
                let unit = 2.0_f64.powi(3 - i32::try_from(bits)?);
                let row = format!("{name} {dtype} 128x{columns}");
                case(row, name, vec![(x.clone(), unit)], numbers, float, Some((unit, 1.0)));
            }
        }
    }
    for dtype in [I8, I16, I32, I64] {
        let bits = if dtype == I8 { 5 } else { 11 };
        let (a, b) = (integers(dtype, &[128, 768], bits)?, integers(dtype, &[128, 768], bits)?);
        let pair = || vec![(a.clone(), 1.0), (b.clone(), 1.0)];
        let name = |opcode: &str| format!("{opcode} {dtype} 128x768");
        case(name("add"), "add", pair(), vec![], Box::new(|x| &x[0] + &x[1]), Some((1.0, 0.0)));
        // Products of 8 and of 16 bits saturate, floats do not.
        let exact = matches!(dtype, I32 | I64).then_some((1.0, 0.0));
        case(name("mul"), "mul", pair(), vec![], Box::new(|x| &x[0] * &x[1]), exact);
        case(name("max"), "max", pair(), vec![], Box::new(|x| x[0].maximum(&x[1])), Some((1.0, 0.0)));
        let one = || vec![(a.clone(), 1.0)];
        for axis in [0, 1] {
            let name = |opcode: &str| format!("{opcode} {dtype} 128x768, axis {axis}");
            let along = usize::try_from(axis)?;
            let sum: Float = Box::new(move |x| x[0].sum(along));
            case(name("reduce_sum"), "reduce_sum", one(), vec![Arg::U32(axis)], sum, Some((1.0, 0.0)));
            let max: Float = Box::new(move |x| x[0].max(along));
            case(name("reduce_max"), "reduce_max", one(), vec![Arg::U32(axis)], max, Some((1.0, 0.0)));
        }
        let axes = Arg::Bytes(&[1, 0, 0, 0, 0, 0, 0, 0]);
        let turned: Float = Box::new(|x| x[0].transpose(D::Minus1, D::Minus2)?.contiguous());
        case(name("transpose"), "transpose", one(), vec![axes], turned, Some((1.0, 0.0)));
    }
    let wide = integers(I32, &[128, 3072], 20)?;
    let scales =
        Tensor::from_vec(Shape::new(&[3072])?, (0..3072).map(|i| (1 << 30) + 2 * i + 1).collect::<Vec<i32>>())?;
    let shifts = Tensor::from_vec(Shape::new(&[3072])?, vec![43u8; 3072])?;
    for dtype in [I8, I16] {
        let numbers = vec![Arg::I32(0), code(dtype)];
        let tensors = vec![(wide.clone(), 1.0), (scales.clone(), 1.0), (shifts.clone(), 1.0)];
        let (name, float): (_, Float) = (format!("requantise i32 to {dtype} 128x3072"), Box::new(|x| x[0].copy()));
        let opcode = "requantise";
        cases.push(Case { name, opcode, tensors, numbers, peer: "copy", float, unit: None, images: false });
    }
    Ok(cases)
}
