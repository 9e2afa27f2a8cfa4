"""Writes the known answers of the kernels' self-test as Rust source."""

from exact import Fill, matmul_checksum, requantise, softmax

SIZES = {"i8": 8, "u8": 8, "i16": 16}

# name, x, w, out, rows, k, n, fill of x, fill of w. The lengths sit on both sides of what a level
# treats as a block; the extremes are the largest sums that each result type is used for.
PRODUCTS = [
    ("one by one", "i8", "i8", "i32", 1, 1, 1, Fill(value=-128), Fill(value=127)),
    ("small model", "i8", "i8", "i32", 1, 30, 64, Fill(seed=1), Fill(seed=2)),
    ("odd sides", "i8", "i8", "i32", 5, 7, 17, Fill(seed=3), Fill(seed=4)),
    ("whole blocks", "i8", "i8", "i32", 6, 64, 32, Fill(seed=5), Fill(seed=6)),
    ("past whole blocks", "i8", "i8", "i32", 7, 129, 33, Fill(seed=7), Fill(seed=8)),
    ("many rows", "i8", "i8", "i32", 67, 33, 15, Fill(seed=9), Fill(seed=10)),
    ("long rows", "i8", "i8", "i32", 4, 1027, 18, Fill(seed=11), Fill(seed=12)),
    ("lowest by lowest", "i8", "i8", "i32", 2, 1025, 3, Fill(value=-128), Fill(value=-128)),
    ("largest sum", "i8", "i8", "i32", 1, 131071, 1, Fill(value=-128), Fill(value=-128)),
    ("smallest sum", "i8", "i8", "i32", 1, 131071, 1, Fill(value=127), Fill(value=-128)),
    ("rows for threads", "i8", "i8", "i32", 64, 256, 48, Fill(seed=13), Fill(seed=14)),
    ("columns for threads", "i8", "i8", "i32", 2, 512, 600, Fill(seed=15), Fill(seed=16)),
    ("unsigned", "u8", "i8", "i32", 5, 131, 35, Fill(seed=17), Fill(seed=18)),
    ("unsigned row", "u8", "i8", "i32", 1, 515, 16, Fill(seed=19), Fill(seed=20)),
    ("unsigned smallest sum", "u8", "i8", "i32", 1, 65793, 2, Fill(value=255), Fill(value=-128)),
    ("unsigned largest sum", "u8", "i8", "i32", 1, 65793, 1, Fill(value=255), Fill(value=127)),
    ("wide", "i8", "i8", "i64", 3, 70, 9, Fill(seed=21), Fill(seed=22)),
    ("wide past 32 bits", "i8", "i8", "i64", 1, 131073, 2, Fill(value=-128), Fill(value=-128)),
    ("unsigned wide", "u8", "i8", "i64", 3, 71, 18, Fill(seed=23), Fill(seed=24)),
    ("unsigned wide past 32 bits", "u8", "i8", "i64", 1, 65795, 2, Fill(value=255), Fill(value=-128)),
    ("16-bit", "i16", "i8", "i64", 5, 77, 19, Fill(seed=25), Fill(seed=26)),
    ("16-bit long", "i16", "i8", "i64", 2, 1531, 5, Fill(seed=27), Fill(seed=28)),
    ("16-bit extremes", "i16", "i8", "i64", 4, 1025, 3, Fill(value=-32768), Fill(value=-128)),
    ("16-bit by 16-bit", "i16", "i16", "i64", 4, 67, 21, Fill(seed=29), Fill(seed=30)),
    ("16-bit by 16-bit extremes", "i16", "i16", "i64", 2, 777, 3, Fill(value=-32768), Fill(value=-32768)),
]

HALF, LAST = 1 << 30, (1 << 31) - 1
I32_MIN, I32_MAX, I64_MIN, I64_MAX = -(1 << 31), (1 << 31) - 1, -(1 << 63), (1 << 63) - 1

REQUANTISE = [
    # name, x, multipliers, shifts, zero point, result type
    ("ties to even", [-7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7], [HALF], [31], 0, "i8"),
    ("quarters", list(range(-9, 10)), [HALF], [32], 3, "i16"),
    ("saturation", [I32_MIN, -1000, -129, -128, 127, 128, 1000, I32_MAX], [HALF], [30], 0, "i8"),
    ("saturation unsigned", [I32_MIN, -300, -5, 0, 250, 251, 252, I32_MAX], [HALF], [30], 5, "u8"),
    ("no shift", [0, 1, -1, 2, -2, 3, I32_MAX, I32_MIN], [LAST], [0], 0, "i32"),
    ("longest shift", [I32_MIN, I32_MAX, 1 << 30, -(1 << 30), 3, 0], [LAST], [62], 0, "i32"),
    ("channels", [100000, 100000, -100000, 77777, 5], [HALF, LAST, 0, 1518500250, 1999999999], [30, 40, 62, 45, 33], -7, "i16"),
    ("64-bit", [I64_MIN, I64_MAX, 1 << 40, -(1 << 40) - 1, 12345678901234567], [LAST], [62], 1, "i32"),
    ("64-bit kept", [I64_MIN, I64_MAX, 3, -3, 1 << 62], [HALF], [31], -1, "i64"),
]

SOFTMAX = [
    # name, x, multiplier, shift, fraction bits
    ("single", [5], HALF, 30, 30),
    ("equal thirds", [-4, -4, -4], LAST, 40, 15),
    ("thirty bits", [0, -1, -2, -3, -20, -21, -22, -23], HALF, 30, 30),
    ("eight bits", [127, 126, 100, 64, 0, -64, -128], 1717986918, 36, 8),
    ("fine steps", [1000000, 999999, 0, -1000000], 1234567891, 50, 24),
    ("extremes", [I32_MAX, I32_MIN, 0], LAST, 62, 30),
    ("steep", [I32_MAX, I32_MIN, I32_MAX], LAST, 0, 16),
    ("constant", [9, -9], 0, 0, 10),
]


def rust_fill(fill):
    return f"Fill::Value({fill.value})" if fill.seed is None else f"Fill::Seed({fill.seed})"


def rust_list(values):
    return "&[" + ", ".join(str(v) for v in values) + "]"


def rust_source():
    lines = [
        "//! Written by `conformance-tests/scripts/generate_vectors.py`; not to be edited by hand.",
        "#![cfg_attr(rustfmt, rustfmt_skip)]",
        "#![allow(clippy::unreadable_literal, reason = \"generated\")]",
        "",
        "use super::{Fill, Product, Requantise, SoftmaxRow};",
        "use crate::DType;",
        "",
        "pub(super) static PRODUCTS: &[Product] = &[",
    ]
    for name, x, w, out, rows, k, n, x_fill, w_fill in PRODUCTS:
        checksum = matmul_checksum(x, w, out, rows, k, n, x_fill, w_fill)
        lines.append(
            f'    Product {{ name: "{name}", x: DType::{x.upper()}, w: DType::{w.upper()}, out: DType::{out.upper()}, '
            f"rows: {rows}, k: {k}, n: {n}, x_fill: {rust_fill(x_fill)}, w_fill: {rust_fill(w_fill)}, "
            f"checksum: {checksum:#018x} }},"
        )
    lines += ["];", "", "pub(super) static REQUANTISE: &[Requantise] = &["]
    for name, x, multipliers, shifts, zero_point, out in REQUANTISE:
        full = lambda values: values * len(x) if len(values) == 1 else values
        expected = [requantise(v, m, s, zero_point, out) for v, m, s in zip(x, full(multipliers), full(shifts))]
        lines.append(
            f'    Requantise {{ name: "{name}", x: {rust_list(x)}, multipliers: {rust_list(multipliers)}, '
            f"shifts: {rust_list(shifts)}, zero_point: {zero_point}, out: DType::{out.upper()}, "
            f"expected: {rust_list(expected)} }},"
        )
    lines += ["];", "", "pub(super) static SOFTMAX: &[SoftmaxRow] = &["]
    for name, x, multiplier, shift, fraction_bits in SOFTMAX:
        expected = softmax(x, multiplier, shift, fraction_bits)
        lines.append(
            f'    SoftmaxRow {{ name: "{name}", x: {rust_list(x)}, multiplier: {multiplier}, shift: {shift}, '
            f"fraction_bits: {fraction_bits}, expected: {rust_list(expected)} }},"
        )
    lines += ["];", ""]
    return "\n".join(lines)
