//! Written by `conformance-tests/scripts/generate_vectors.py`; not to be edited by hand.
#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(clippy::unreadable_literal, reason = "generated")]

use super::{Fill, Product, Requantise, SoftmaxRow};
use crate::DType;

pub(super) static PRODUCTS: &[Product] = &[
    Product { name: "one by one", x: DType::I8, w: DType::I8, out: DType::I32, rows: 1, k: 1, n: 1, x_fill: Fill::Value(-128), w_fill: Fill::Value(127), checksum: 0xffffffffffffc080 },
    Product { name: "small model", x: DType::I8, w: DType::I8, out: DType::I32, rows: 1, k: 30, n: 64, x_fill: Fill::Seed(1), w_fill: Fill::Seed(2), checksum: 0xfffffffffed80ee8 },
    Product { name: "odd sides", x: DType::I8, w: DType::I8, out: DType::I32, rows: 5, k: 7, n: 17, x_fill: Fill::Seed(3), w_fill: Fill::Seed(4), checksum: 0xfffffffffe7b0a21 },
    Product { name: "whole blocks", x: DType::I8, w: DType::I8, out: DType::I32, rows: 6, k: 64, n: 32, x_fill: Fill::Seed(5), w_fill: Fill::Seed(6), checksum: 0x0000000004420cef },
    Product { name: "past whole blocks", x: DType::I8, w: DType::I8, out: DType::I32, rows: 7, k: 129, n: 33, x_fill: Fill::Seed(7), w_fill: Fill::Seed(8), checksum: 0x000000001efade6b },
    Product { name: "many rows", x: DType::I8, w: DType::I8, out: DType::I32, rows: 67, k: 33, n: 15, x_fill: Fill::Seed(9), w_fill: Fill::Seed(10), checksum: 0xffffffffe33e58b0 },
    Product { name: "long rows", x: DType::I8, w: DType::I8, out: DType::I32, rows: 4, k: 1027, n: 18, x_fill: Fill::Seed(11), w_fill: Fill::Seed(12), checksum: 0xffffffffffb5e7e6 },
    Product { name: "lowest by lowest", x: DType::I8, w: DType::I8, out: DType::I32, rows: 2, k: 1025, n: 3, x_fill: Fill::Value(-128), w_fill: Fill::Value(-128), checksum: 0x0000000024090000 },
    Product { name: "largest sum", x: DType::I8, w: DType::I8, out: DType::I32, rows: 1, k: 131071, n: 1, x_fill: Fill::Value(-128), w_fill: Fill::Value(-128), checksum: 0x000000007fffc000 },
    Product { name: "smallest sum", x: DType::I8, w: DType::I8, out: DType::I32, rows: 1, k: 131071, n: 1, x_fill: Fill::Value(127), w_fill: Fill::Value(-128), checksum: 0xffffffff81003f80 },
    Product { name: "rows for threads", x: DType::I8, w: DType::I8, out: DType::I32, rows: 64, k: 256, n: 48, x_fill: Fill::Seed(13), w_fill: Fill::Seed(14), checksum: 0x000000047dda431a },
    Product { name: "columns for threads", x: DType::I8, w: DType::I8, out: DType::I32, rows: 2, k: 512, n: 600, x_fill: Fill::Seed(15), w_fill: Fill::Seed(16), checksum: 0xfffffffff00c4c9f },
    Product { name: "unsigned", x: DType::U8, w: DType::I8, out: DType::I32, rows: 5, k: 131, n: 35, x_fill: Fill::Seed(17), w_fill: Fill::Seed(18), checksum: 0x0000000009befccc },
    Product { name: "unsigned row", x: DType::U8, w: DType::I8, out: DType::I32, rows: 1, k: 515, n: 16, x_fill: Fill::Seed(19), w_fill: Fill::Seed(20), checksum: 0x00000000007a0ff7 },
    Product { name: "unsigned smallest sum", x: DType::U8, w: DType::I8, out: DType::I32, rows: 1, k: 65793, n: 2, x_fill: Fill::Value(255), w_fill: Fill::Value(-128), checksum: 0xfffffffe00000200 },
    Product { name: "unsigned largest sum", x: DType::U8, w: DType::I8, out: DType::I32, rows: 1, k: 65793, n: 1, x_fill: Fill::Value(255), w_fill: Fill::Value(127), checksum: 0x000000007effff81 },
    Product { name: "wide", x: DType::I8, w: DType::I8, out: DType::I64, rows: 3, k: 70, n: 9, x_fill: Fill::Seed(21), w_fill: Fill::Seed(22), checksum: 0x0000000000872bfd },
    Product { name: "wide past 32 bits", x: DType::I8, w: DType::I8, out: DType::I64, rows: 1, k: 131073, n: 2, x_fill: Fill::Value(-128), w_fill: Fill::Value(-128), checksum: 0x0000000200010000 },
    Product { name: "unsigned wide", x: DType::U8, w: DType::I8, out: DType::I64, rows: 3, k: 71, n: 18, x_fill: Fill::Seed(23), w_fill: Fill::Seed(24), checksum: 0xffffffffff5958a7 },
    Product { name: "unsigned wide past 32 bits", x: DType::U8, w: DType::I8, out: DType::I64, rows: 1, k: 65795, n: 2, x_fill: Fill::Value(255), w_fill: Fill::Value(-128), checksum: 0xfffffffdfffc0600 },
    Product { name: "16-bit", x: DType::I16, w: DType::I8, out: DType::I64, rows: 5, k: 77, n: 19, x_fill: Fill::Seed(25), w_fill: Fill::Seed(26), checksum: 0x000000077dbdf29a },
    Product { name: "16-bit long", x: DType::I16, w: DType::I8, out: DType::I64, rows: 2, k: 1531, n: 5, x_fill: Fill::Seed(27), w_fill: Fill::Seed(28), checksum: 0xffffffff91be9c55 },
    Product { name: "16-bit extremes", x: DType::I16, w: DType::I8, out: DType::I64, rows: 4, k: 1025, n: 3, x_fill: Fill::Value(-32768), w_fill: Fill::Value(-128), checksum: 0x0000009024000000 },
    Product { name: "16-bit by 16-bit", x: DType::I16, w: DType::I16, out: DType::I64, rows: 4, k: 67, n: 21, x_fill: Fill::Seed(29), w_fill: Fill::Seed(30), checksum: 0xffffffdd2df1e6b4 },
    Product { name: "16-bit by 16-bit extremes", x: DType::I16, w: DType::I16, out: DType::I64, rows: 2, k: 777, n: 3, x_fill: Fill::Value(-32768), w_fill: Fill::Value(-32768), checksum: 0x00001b5100000000 },
];

pub(super) static REQUANTISE: &[Requantise] = &[
    Requantise { name: "ties to even", x: &[-7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7], multipliers: &[1073741824], shifts: &[31], zero_point: 0, out: DType::I8, expected: &[-4, -3, -2, -2, -2, -1, 0, 0, 0, 1, 2, 2, 2, 3, 4] },
    Requantise { name: "quarters", x: &[-9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9], multipliers: &[1073741824], shifts: &[32], zero_point: 3, out: DType::I16, expected: &[1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 4, 4, 4, 5, 5, 5, 5] },
    Requantise { name: "saturation", x: &[-2147483648, -1000, -129, -128, 127, 128, 1000, 2147483647], multipliers: &[1073741824], shifts: &[30], zero_point: 0, out: DType::I8, expected: &[-128, -128, -128, -128, 127, 127, 127, 127] },
    Requantise { name: "saturation unsigned", x: &[-2147483648, -300, -5, 0, 250, 251, 252, 2147483647], multipliers: &[1073741824], shifts: &[30], zero_point: 5, out: DType::U8, expected: &[0, 0, 0, 5, 255, 255, 255, 255] },
    Requantise { name: "no shift", x: &[0, 1, -1, 2, -2, 3, 2147483647, -2147483648], multipliers: &[2147483647], shifts: &[0], zero_point: 0, out: DType::I32, expected: &[0, 2147483647, -2147483647, 2147483647, -2147483648, 2147483647, 2147483647, -2147483648] },
    Requantise { name: "longest shift", x: &[-2147483648, 2147483647, 1073741824, -1073741824, 3, 0], multipliers: &[2147483647], shifts: &[62], zero_point: 0, out: DType::I32, expected: &[-1, 1, 0, 0, 0, 0] },
    Requantise { name: "channels", x: &[100000, 100000, -100000, 77777, 5], multipliers: &[1073741824, 2147483647, 0, 1518500250, 1999999999], shifts: &[30, 40, 62, 45, 33], zero_point: -7, out: DType::I16, expected: &[32767, 188, -7, -4, -6] },
    Requantise { name: "64-bit", x: &[-9223372036854775808, 9223372036854775807, 1099511627776, -1099511627777, 12345678901234567], multipliers: &[2147483647], shifts: &[62], zero_point: 1, out: DType::I32, expected: &[-2147483648, 2147483647, 513, -511, 5748906] },
    Requantise { name: "64-bit kept", x: &[-9223372036854775808, 9223372036854775807, 3, -3, 4611686018427387904], multipliers: &[1073741824], shifts: &[31], zero_point: -1, out: DType::I64, expected: &[-4611686018427387905, 4611686018427387903, 1, -3, 2305843009213693951] },
];

pub(super) static SOFTMAX: &[SoftmaxRow] = &[
    SoftmaxRow { name: "single", x: &[5], multiplier: 1073741824, shift: 30, fraction_bits: 30, expected: &[1073741824] },
    SoftmaxRow { name: "equal thirds", x: &[-4, -4, -4], multiplier: 2147483647, shift: 40, fraction_bits: 15, expected: &[10923, 10923, 10923] },
    SoftmaxRow { name: "thirty bits", x: &[0, -1, -2, -3, -20, -21, -22, -23], multiplier: 1073741824, shift: 30, fraction_bits: 30, expected: &[691397671, 254350989, 93570500, 34422663, 1, 1, 0, 0] },
    SoftmaxRow { name: "eight bits", x: &[127, 126, 100, 64, 0, -64, -128], multiplier: 1717986918, shift: 36, fraction_bits: 8, expected: &[93, 91, 48, 19, 4, 1, 0] },
    SoftmaxRow { name: "fine steps", x: &[1000000, 999999, 0, -1000000], multiplier: 1234567891, shift: 50, fraction_bits: 24, expected: &[6860137, 6860130, 2291510, 765439] },
    SoftmaxRow { name: "extremes", x: &[2147483647, -2147483648, 0], multiplier: 2147483647, shift: 62, fraction_bits: 30, expected: &[714297037, 96669592, 262775195] },
    SoftmaxRow { name: "steep", x: &[2147483647, -2147483648, 2147483647], multiplier: 2147483647, shift: 0, fraction_bits: 16, expected: &[32768, 0, 32768] },
    SoftmaxRow { name: "constant", x: &[9, -9], multiplier: 0, shift: 0, fraction_bits: 10, expected: &[512, 512] },
];
