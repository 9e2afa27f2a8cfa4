//! Programs that compute with tensors: one opcode again and again.

use std::fmt::Write as _;

use noema_abi::DType;

use super::program::{Class, Program};

/// An argument of an opcode: a tensor of this type and shape, or a number.
#[derive(Clone, Copy)]
enum Argument<'a> {
    Tensor(DType, &'a [u32]),
    /// The same of zeros.
    Zeros(DType, &'a [u32]),
    /// One number, of no axes.
    One(DType, i64),
    I32(i64),
    I64(i64),
    /// Little-endian numbers in memory.
    List(&'a [u32]),
}

/// Where in memory there are numbers of all sizes, and where there are none but zeros.
const NUMBERS: u32 = 4096;
const ZEROS: u32 = 20 << 20;

use Argument::{I32, I64, List, One, Tensor, Zeros};
use DType::{I8, I16, I32 as T32, I64 as T64, U8};

pub(super) fn programs() -> Vec<Program> {
    let rows: &[u32] = &[128, 768];
    let wide: &[u32] = &[128, 3072];
    let int8 = I32(0);
    let mut programs = vec![
        op("matmul", "i8 128x768x768", &[Tensor(I8, rows), Tensor(I8, &[768, 768])]),
        op("matmul", "i8 1x768x768", &[Tensor(I8, &[1, 768]), Tensor(I8, &[768, 768])]),
        op("matmul", "i8 1x4096x4096", &[Tensor(I8, &[1, 4096]), Tensor(I8, &[4096, 4096])]),
        op("matmul", "i8 64x64x64", &[Tensor(I8, &[64, 64]), Tensor(I8, &[64, 64])]),
        op("matmul", "i16 64x256x256", &[Tensor(I16, &[64, 256]), Tensor(I16, &[256, 256])]),
        op("requantise", "i32 128x3072", &[Tensor(T32, wide), One(T32, 1 << 30), One(U8, 50), I32(0), int8]),
        op("add", "i8 128x768", &[Tensor(I8, rows), Tensor(I8, rows)]),
        op("add", "i64 128x768", &[Tensor(T64, rows), Tensor(T64, rows)]),
        op("mul", "i32 128x768", &[Tensor(T32, rows), Tensor(T32, rows)]),
        op("mul_checked", "i32 128x768", &[Tensor(T32, rows), One(T32, 1)]),
        op("select", "i32 128x768", &[Tensor(U8, rows), Tensor(T32, rows), Tensor(T32, rows)]),
        op("relu", "i8 128x3072", &[Tensor(I8, wide)]),
        op("softmax", "i8 1536x128", &[Tensor(I8, &[1536, 128]), I32(1 << 30), I32(30), I32(8)]),
        op("softmax", "i32 1536x128", &[Tensor(T32, &[1536, 128]), I32(1 << 30), I32(30), I32(15)]),
        op("argmax", "i32 128x768", &[Tensor(T32, rows)]),
        op(
            "layer_norm",
            "i32 128x768",
            &[Tensor(T32, rows), Tensor(T32, &[768]), Tensor(T32, &[768]), I64(1), I32(10), int8],
        ),
        op(
            "layer_norm",
            "i16 128x768",
            &[Tensor(I16, rows), Tensor(T32, &[768]), Tensor(T32, &[768]), I64(1), I32(10), int8],
        ),
        op("rms_norm", "i32 128x768", &[Tensor(T32, rows), Tensor(T32, &[768]), I64(1), I32(10), int8]),
        op("row_step", "i32 128x768", &[Tensor(T32, rows), I32(0)]),
        op(
            "mul_requantise",
            "i16 128x768",
            &[Tensor(I16, rows), Tensor(I16, rows), I32(1 << 30), I32(40), I32(0), int8],
        ),
        op("transpose", "i8 128x768", &[Tensor(I8, rows), List(&[1, 0])]),
        op("transpose", "i64 128x768", &[Tensor(T64, rows), List(&[1, 0])]),
        op("slice", "i8 128x768", &[Tensor(I8, rows), List(&[0, 1]), List(&[128, 766])]),
        op("concat", "i8 128x768", &[Tensor(I8, rows), Tensor(I8, rows), I32(1)]),
        op("gather", "64 rows of i8 128x768", &[Tensor(I8, rows), Zeros(T32, &[64]), I32(0)]),
        op("lookup", "i8 128x3072", &[Tensor(I8, wide), Tensor(I8, &[256])]),
        op("reduce_sum", "i8 128x768", &[Tensor(I8, rows), I32(1)]),
        op("reduce_sum", "i32 128x768, first axis", &[Tensor(T32, rows), I32(0)]),
        op("reduce_max", "i32 128x768", &[Tensor(T32, rows), I32(1)]),
        op("reduce_mean", "i32 128x768", &[Tensor(T32, rows), I32(1)]),
        op("cumsum", "i32 128x768", &[Tensor(T32, rows), I32(1)]),
        op("sort", "i32 128x768", &[Tensor(T32, rows), I32(0)]),
        op("topk", "i32 128x768", &[Tensor(T32, rows), I32(10), I32(0)]),
        op("one_hot", "i8 of 1024", &[Zeros(T32, &[1024]), I32(128), I64(1), I64(0), int8]),
        op("neg", "i8 128x3072", &[Tensor(I8, wide)]),
        op("equal", "i64 128x768", &[Tensor(T64, rows), Tensor(T64, rows)]),
    ];
    for function in ["exp", "sigmoid", "tanh", "gelu", "erf", "sin", "sqrt"] {
        for (dtype, name, in_bits, out_bits) in [(I8, "i8", 4, 5), (I16, "i16", 10, 10)] {
            let code = i64::from(dtype.code());
            let arguments = [Tensor(dtype, wide), I32(in_bits), I32(out_bits), I32(code)];
            programs.push(op(function, &format!("{name} 128x3072"), &arguments));
        }
    }
    // So few that no node keeps their values.
    for function in ["exp", "silu", "gelu", "sin", "rsqrt"] {
        let arguments = [Tensor(I16, &[1000]), I32(12), I32(12), I32(i64::from(I16.code()))];
        programs.push(op(function, "i16 of 1000", &arguments));
    }
    programs
}

fn op(name: &str, of: &str, arguments: &[Argument<'_>]) -> Program {
    // Memory: shapes and lists from 64 on, the data of tensors from 4096 on, the same for all.
    let (mut setup, mut call, mut at) = (String::new(), String::new(), 64u32);
    let (mut types, mut locals, mut elements) = (Vec::new(), String::new(), 0u32);
    let list = |setup: &mut String, numbers: &[u32], at: &mut u32| {
        let begin = *at;
        for number in numbers {
            write!(setup, "(i32.store (i32.const {at}) (i32.const {number}))").expect("writing to memory");
            *at += 4;
        }
        (begin, *at - begin)
    };
    for (place, argument) in arguments.iter().enumerate() {
        match *argument {
            Tensor(dtype, _) | Zeros(dtype, _) | One(dtype, _) => {
                let shape = if let Tensor(_, shape) | Zeros(_, shape) = *argument { shape } else { &[] };
                let (begin, length) = list(&mut setup, shape, &mut at);
                let data = match *argument {
                    Zeros(..) => ZEROS,
                    One(_, number) => {
                        // Aligned, for the shape of the next one.
                        at += 16;
                        write!(setup, "(i64.store (i32.const {}) (i64.const {number}))", at - 16)
                            .expect("writing to memory");
                        at - 16
                    }
                    _ => NUMBERS,
                };
                let count: u32 = shape.iter().product();
                elements += count;
                let bytes = count * u32::try_from(dtype.size()).expect("at most 8");
                write!(locals, "(local $t{place} i32)").expect("writing to memory");
                write!(
                    setup,
                    "(local.set $t{place} (i32.wrap_i64 (call $create (i32.const {}) (i32.const {begin}) (i32.const {length}) (i32.const {data}) (i32.const {bytes}))))",
                    dtype.code()
                )
                .expect("writing to memory");
                write!(call, "(local.get $t{place})").expect("writing to memory");
                types.push("i32");
            }
            I32(number) => {
                write!(call, "(i32.const {number})").expect("writing to memory");
                types.push("i32");
            }
            I64(number) => {
                write!(call, "(i64.const {number})").expect("writing to memory");
                types.push("i64");
            }
            List(numbers) => {
                let (begin, length) = list(&mut setup, numbers, &mut at);
                write!(call, "(i32.const {begin}) (i32.const {length})").expect("writing to memory");
                types.extend(["i32", "i32"]);
            }
        }
    }
    let times = (20_000_000 / elements.max(1)).clamp(8, 2000);
    let text = format!(
        r#"(module
             (import "tensor" "create" (func $create (param i32 i32 i32 i32 i32) (result i64)))
             (import "tensor" "drop" (func $drop (param i32) (result i64)))
             (import "op" "{name}" (func $op (param {types}) (result i64)))
             (memory (export "memory") 600)
             (func (export "call") (local $i i32) (local $x i64) {locals}
               ;; Numbers of all sizes, none of them zero, small ones where a shift is read.
               (local.set $i (i32.const 1000000))
               (loop $fill
                 (i32.store (i32.add (i32.const {NUMBERS}) (i32.shl (i32.sub (local.get $i) (i32.const 1)) (i32.const 2)))
                   (i32.or (i32.and (i32.mul (local.get $i) (i32.const 0x9e3779b1)) (i32.const 0x3f3f3f3f)) (i32.const 0x01010101)))
                 (br_if $fill (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
               {setup}
               (local.set $i (i32.const {times}))
               (loop $again
                 (local.set $x (call $op {call}))
                 (if (i64.lt_s (local.get $x) (i64.const 0)) (then unreachable))
                 (drop (call $drop (i32.wrap_i64 (local.get $x))))
                 (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))))"#,
        types = types.join(" "),
    );
    Program::new(format!("{name} {of}"), Class::Tensor, &text)
}
