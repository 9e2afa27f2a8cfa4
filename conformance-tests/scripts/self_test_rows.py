"""Writes the known answers of the rows that `self_test.py` does not have, as Rust source."""

import random

import attention
import functions
import norms
from self_test import I32_MAX, I32_MIN, rust_list

NORMS = [
    # name, x, gain, bias, epsilon, shift
    ("layer norm", [1, 2, 6, -4], [1 << 16, 70_000, -(1 << 17), 5], [0, 1 << 15, -3, 1 << 20], 168, 6),
    ("layer norm, no variance", [7, 7, 7], [1 << 20, 1, I32_MAX], [3, -5, 1 << 30], 0, 1),
    ("layer norm, extremes", [I32_MIN, I32_MAX, I32_MIN, 0, 1], [I32_MIN, I32_MAX, 1 << 29, 77, 1 << 30], [I32_MAX, 5, I32_MIN, 0, -9], 1, 4),
    ("layer norm, fine", [1_000_003, 1_000_001, 999_983, 1_000_000], [1 << 30, 1 << 29, (1 << 30) - 7, 12_345_678], [17, 1 << 24, -1, 0], 1 << 40, 3),
    ("rms norm", [100, -128, 127, 5, 0, 33], [1 << 18, 250_000, 300_000, 1 << 20, 1, -99_999], None, 10, 8),
    ("rms norm, extremes", [I32_MIN, I32_MIN, I32_MAX], [I32_MAX, I32_MIN, 3], None, (1 << 64) - 1, 0),
    ("rms norm, zeros", [0, 0], [5, 6], None, 0, 0),
]

ATTENTION = [
    # name, queries, keys, depth, width, length, position, softmax scale, result scale
    ("attention", (3, 5, 7, 4), 5, None, (1 << 30, 40), ((1 << 31) - 1, 31)),
    ("attention, causal", (6, 9, 16, 5), 8, 2, (1_518_500_250, 42), ((1 << 31) - 1, 30)),
    ("attention, flat", (2, 40, 3, 33), 40, None, (1 << 30, 62), (1 << 30, 28)),
]

X = [-32768, -20000, -3001, -255, -17, -1, 0, 1, 5, 77, 1234, 9999, 32767]


def rust_source():
    lines = [
        "//! Written by `conformance-tests/scripts/generate_vectors.py`; not to be edited by hand.",
        "#![cfg_attr(rustfmt, rustfmt_skip)]",
        "#![allow(clippy::unreadable_literal, reason = \"generated\")]",
        "",
        "use super::rows::{AttentionHead, NormRow, Values};",
        "use crate::kernel::Function;",
        "",
        "pub(super) static NORMS: &[NormRow] = &[",
    ]
    for name, x, gain, bias, epsilon, shift in NORMS:
        expected = norms.norm_row(x, gain, bias, epsilon, shift, "i32")
        bias = "None" if bias is None else f"Some({rust_list(bias)})"
        lines.append(
            f'    NormRow {{ name: "{name}", x: {rust_list(x)}, gain: {rust_list(gain)}, bias: {bias}, epsilon: {epsilon}, '
            f"shift: {shift}, expected: {rust_list(expected)} }},"
        )
    lines += ["];", "", "pub(super) static FUNCTIONS: &[Values] = &["]
    for row in functions.FUNCTIONS:
        x = [v for v in X if functions.is_defined(row, v)]
        for in_bits, out_bits in [(11, 20), (14, 30)]:
            expected = functions.evaluate_all(row, x, in_bits, out_bits, "i32")
            lines.append(
                f'    Values {{ name: "{row}", function: Function::{row.capitalize()}, in_bits: {in_bits}, out_bits: {out_bits}, '
                f"x: {rust_list(x)}, expected: {rust_list(expected)} }},"
            )
    lines += ["];", "", "pub(super) static ATTENTION: &[AttentionHead] = &["]
    rng = random.Random("attention")
    option = lambda value: "None" if value is None else f"Some({value})"
    for name, sizes, length, position, softmax, scale in ATTENTION:
        queries, keys, depth, width = sizes
        q, k, v = ([rng.randint(-128, 127) for _ in range(count)] for count in (queries * depth, keys * depth, keys * width))
        expected = attention.attention_head(q, k, v, sizes, length, position, *softmax, *scale)
        lines.append(
            f'    AttentionHead {{ name: "{name}", q: {rust_list(q)}, k: {rust_list(k)}, v: {rust_list(v)}, sizes: {list(sizes)}, length: {length}, '
            f"position: {option(position)}, softmax: {softmax}, scale: {scale}, expected: {rust_list(expected)} }},"
        )
    lines += ["];", ""]
    return "\n".join(lines)
