"""The cases of every `op` row."""

import math
import random
from fractions import Fraction
from math import prod

import crfix
import mpmath
import numpy

import attention
import composed
import elementwise
import functions
import lookup
import movement
import norms
import verify
import windows

from exact import CODES, RANGES, matmul, requantise, rne, saturate, softmax
from vectors import case, fill, i32, refused, tensor, u32, values, words


# matmul

MATMUL_TYPES = [("i8", "i8"), ("u8", "i8"), ("i16", "i8"), ("i16", "i16")]
MAX_K = {"i8": 131_071, "u8": 65_793}


def matmul_type(a, k):
    return "i32" if a in MAX_K and k <= MAX_K[a] else "i64"


def matmul_case(name, a_type, a_shape, a, b_type, b_shape, b):
    y, shape = matmul(a, a_shape, b, b_shape)
    dtype = matmul_type(a_type, a_shape[-1])
    assert all(RANGES[dtype][0] <= v <= RANGES[dtype][1] for v in y)
    return case(name, [tensor(a_type, a_shape, a), tensor(b_type, b_shape, b)], tensor(dtype, shape, y))


def matmul_cases(rng):
    cases = [matmul_case("three by two", "i8", [1, 3], [1, -2, 3], "i8", [3, 2], [1, 0, 0, 1, 1, 1])]
    shapes = [(1, 1, 1), (1, 30, 17), (2, 7, 5), (3, 16, 16), (7, 33, 18), (5, 129, 3), (13, 4, 31), (1, 515, 2), (2, 1030, 2)]
    for a_type, b_type in MATMUL_TYPES:
        for m, k, n in shapes:
            a, b = values(rng, a_type, m * k), values(rng, b_type, k * n)
            cases.append(matmul_case(f"{a_type} by {b_type} [{m},{k}] [{k},{n}]", a_type, [m, k], a, b_type, [k, n], b))
        a, b = values(rng, a_type, 24), values(rng, b_type, 16)
        cases.append(matmul_case(f"{a_type} by {b_type}, one right side for the batch", a_type, [2, 3, 4], a, b_type, [4, 4], b))
        a, b = values(rng, a_type, 2 * 1 * 3 * 2), values(rng, b_type, 2 * 1 * 2 * 5)
        cases.append(matmul_case(f"{a_type} by {b_type}, batch", a_type, [2, 1, 3, 2], a, b_type, [2, 1, 2, 5], b))
        dtype = matmul_type(a_type, 0)
        cases.append(case(f"{a_type} by {b_type}, empty sum", [tensor(a_type, [2, 0], []), tensor(b_type, [0, 3], [])], tensor(dtype, [2, 3], [0] * 6)))
        cases.append(case(f"{a_type} by {b_type}, no rows", [tensor(a_type, [0, 2], []), tensor(b_type, [2, 1], [1, 2])], tensor(dtype, [0, 1], [])))
        cases.append(case(f"{a_type} by {b_type}, no columns", [tensor(a_type, [1, 2], [1, 2]), tensor(b_type, [2, 0], [])], tensor(dtype, [1, 0], [])))
    for a_type, a, b, k in [
        ("i8", -128, -128, 131_071), ("i8", 127, -128, 131_071), ("i8", -128, -128, 131_072), ("i8", -128, 127, 200_000),
        ("u8", 255, -128, 65_793), ("u8", 255, 127, 65_793), ("u8", 255, -128, 65_794), ("u8", 255, -128, 131_071),
        ("i16", -32768, -128, 70_000),
    ]:
        cases.append(case(f"{a_type} {a} by i8 {b}, {k} of them", [fill(a_type, [1, k], a), fill("i8", [k, 1], b)], tensor(matmul_type(a_type, k), [1, 1], [a * b * k])))
    cases.append(case("i16 by i16, the largest products", [fill("i16", [2, 1_000], -32768), fill("i16", [1_000, 2], -32768)], tensor("i64", [2, 2], [1_000 << 30] * 4)))

    one = lambda dtype: tensor(dtype, [1, 1], [1])
    for a_type in RANGES:
        for b_type in RANGES:
            if (a_type, b_type) not in MATMUL_TYPES:
                cases.append(refused(f"{a_type} by {b_type}", [one(a_type), one(b_type)], "TypeMismatch"))
    zeros = lambda dtype, shape: tensor(dtype, shape, [0] * prod(shape))
    cases += [
        refused("sides differ", [zeros("i8", [2, 3]), zeros("i8", [2, 3])], "ShapeMismatch"),
        refused("left without rows", [zeros("i8", [3]), zeros("i8", [3, 1])], "ShapeMismatch"),
        refused("right without columns", [zeros("i8", [1, 3]), zeros("i8", [3])], "ShapeMismatch"),
        refused("scalars", [zeros("i8", []), zeros("i8", [])], "ShapeMismatch"),
        refused("batches differ", [zeros("i8", [2, 1, 1]), zeros("i8", [3, 1, 1])], "ShapeMismatch"),
        refused("a batch of one is not repeated", [zeros("i8", [2, 1, 1]), zeros("i8", [1, 1, 1])], "ShapeMismatch"),
        refused("right side with more axes", [zeros("i8", [1, 1]), zeros("i8", [1, 1, 1])], "ShapeMismatch"),
        refused("types come before shapes", [zeros("i32", [3]), zeros("i8", [2])], "TypeMismatch"),
        refused("a result of 2^62 elements", [zeros("i8", [1 << 31, 0]), zeros("i8", [0, 1 << 31])], "LimitExceeded"),
        refused("a result of 2^80 elements", [zeros("i8", [1 << 30, 1 << 30, 0]), zeros("i8", [0, 1 << 20])], "LimitExceeded"),
    ]
    return cases


# requantise

HALF, LAST = 1 << 30, (1 << 31) - 1


def requantise_args(x_type, x_shape, x, scale_shape, multipliers, shifts, zero_point, dtype):
    return [tensor(x_type, x_shape, x), tensor("i32", scale_shape, multipliers), tensor("u8", scale_shape, shifts), i32(zero_point), u32(dtype)]


def requantise_case(name, x_type, x_shape, x, scale_shape, multipliers, shifts, zero_point, dtype):
    channels = len(multipliers)
    y = [requantise(v, multipliers[i % channels], shifts[i % channels], zero_point, dtype) for i, v in enumerate(x)]
    args = requantise_args(x_type, x_shape, x, scale_shape, multipliers, shifts, zero_point, CODES[dtype])
    return case(name, args, tensor(dtype, x_shape, y))


def requantise_cases(rng):
    cases = [
        requantise_case("ties to even", "i32", [15], list(range(-7, 8)), [], [HALF], [31], 0, "i8"),
        requantise_case("a scalar", "i32", [], [41], [], [HALF], [32], -3, "i16"),
        requantise_case("nothing", "i64", [2, 0], [], [], [HALF], [32], 0, "i8"),
        requantise_case("no channels", "i64", [2, 0], [], [0], [], [], 0, "i8"),
        requantise_case("multiplier zero", "i32", [2], [RANGES["i32"][0], 7], [], [0], [0], 300, "u8"),
        requantise_case("no shift", "i32", [3], [3, -3, RANGES["i32"][1]], [], [LAST], [0], 0, "i64"),
        requantise_case("64 bits past 64 bits", "i64", [4], [RANGES["i64"][0], RANGES["i64"][1], 1 << 62, -5], [], [LAST], [0], -1, "i64"),
        requantise_case("the zero point comes after rounding and before saturation", "i32", [4], [509, 511, 513, -1], [], [HALF], [31], -128, "i8"),
        requantise_case("the extreme zero points", "i64", [2], [RANGES["i64"][0], RANGES["i64"][1]], [], [LAST], [31], RANGES["i32"][0], "i64"),
    ]
    for x_type in ["i32", "i64"]:
        for dtype in RANGES:
            # Around every tie and around both ends of the target.
            low, high = RANGES[dtype]
            shift = 34
            near = sorted({rne(Fraction(v * (1 << shift), HALF)) + d for v in [low, high, low + 1, high - 1, 0] for d in range(-9, 10)})
            near = [v for v in near if RANGES[x_type][0] <= v <= RANGES[x_type][1]]
            if near:
                cases.append(requantise_case(f"{x_type} to {dtype}, around the ends", x_type, [len(near)], near, [], [HALF], [shift], 0, dtype))
            channels = 6
            x = values(rng, x_type, 4 * channels)
            multipliers = [rng.choice([0, HALF, LAST, rng.randint(HALF, LAST)]) for _ in range(channels)]
            shifts = [rng.choice([0, 1, 30, 31, 62, rng.randint(24, 62)]) for _ in range(channels)]
            cases.append(requantise_case(f"{x_type} to {dtype}, channels", x_type, [2, 2, channels], x, [channels], multipliers, shifts, rng.randint(-200, 200), dtype))
            x = [rng.randint(-(1 << rng.randint(1, 31)), 1 << rng.randint(1, 30)) for _ in range(20)]
            cases.append(requantise_case(f"{x_type} to {dtype}, one scale", x_type, [20], x, [], [rng.randint(HALF, LAST)], [rng.randint(30, 50)], rng.randint(-5, 5), dtype))

    ok = dict(x_type="i32", x_shape=[2], x=[1, 2], scale_shape=[], multipliers=[HALF], shifts=[31], zero_point=0, dtype=0)
    bad = lambda name, status, **changes: refused(name, requantise_args(**{**ok, **changes}), status)
    for x_type in ["i8", "u8", "i16"]:
        cases.append(bad(f"{x_type} to i8", "TypeMismatch", x_type=x_type))
    cases += [
        bad("no such result type", "TypeMismatch", dtype=5),
        bad("no such result type, far off", "TypeMismatch", dtype=(1 << 32) - 1),
        bad("a multiplier below 2^30", "BadArgument", multipliers=[HALF - 1]),
        bad("a multiplier of one", "BadArgument", multipliers=[1]),
        bad("a negative multiplier", "BadArgument", multipliers=[-HALF]),
        bad("the lowest multiplier", "BadArgument", multipliers=[RANGES["i32"][0]]),
        bad("a shift of 63", "BadArgument", shifts=[63]),
        bad("a shift of 255", "BadArgument", shifts=[255]),
        bad("the last of many is bad", "BadArgument", x_shape=[1, 2], scale_shape=[2], multipliers=[HALF, 2], shifts=[0, 0]),
        bad("no elements, a bad multiplier all the same", "BadArgument", x_shape=[0, 1], x=[], scale_shape=[1], multipliers=[2], shifts=[0]),
        bad("channels of another length", "ShapeMismatch", scale_shape=[3], multipliers=[HALF] * 3, shifts=[31] * 3),
        bad("one channel is not repeated", "ShapeMismatch", scale_shape=[1], multipliers=[HALF], shifts=[31]),
        bad("channels of two axes", "ShapeMismatch", scale_shape=[1, 2], multipliers=[HALF] * 2, shifts=[31] * 2),
        bad("channels of a scalar", "ShapeMismatch", x_shape=[], x=[1], scale_shape=[1], multipliers=[HALF], shifts=[31]),
        bad("shapes come before numbers", "ShapeMismatch", scale_shape=[3], multipliers=[1] * 3, shifts=[63] * 3),
        bad("types come before shapes", "TypeMismatch", dtype=9, scale_shape=[3], multipliers=[1] * 3, shifts=[63] * 3),
        refused("multipliers of i64", [tensor("i32", [1], [1]), tensor("i64", [], [HALF]), tensor("u8", [], [31]), i32(0), u32(0)], "TypeMismatch"),
        refused("shifts of i8", [tensor("i32", [1], [1]), tensor("i32", [], [HALF]), tensor("i8", [], [31]), i32(0), u32(0)], "TypeMismatch"),
        refused("shifts of another shape", [tensor("i32", [1], [1]), tensor("i32", [1], [HALF]), tensor("u8", [], [31]), i32(0), u32(0)], "ShapeMismatch"),
    ]
    return cases


# add, relu, argmax: plain indexing


def broadcast(a_shape, b_shape):
    rank = max(len(a_shape), len(b_shape))
    padded = [[1] * (rank - len(shape)) + list(shape) for shape in (a_shape, b_shape)]
    return [b if a == 1 else a for a, b in zip(*padded)]


def at(data, shape, index):
    """The element of a repeated operand at an index of the result."""
    flat = 0
    for dim, i in zip(shape, index[len(index) - len(shape) :]):
        flat = flat * dim + (0 if dim == 1 else i)
    return data[flat]


def indices(shape):
    result = [[]]
    for dim in shape:
        result = [[*index, i] for index in result for i in range(dim)]
    return result


def add_case(name, dtype, a_shape, a, b_shape, b):
    shape = broadcast(a_shape, b_shape)
    y = [saturate(at(a, a_shape, index) + at(b, b_shape, index), dtype) for index in indices(shape)]
    return case(name, [tensor(dtype, a_shape, a), tensor(dtype, b_shape, b)], tensor(dtype, shape, y))


def add_cases(rng):
    cases = []
    pairs = [
        ([7], [7]), ([2, 3], [2, 3]), ([2, 3], [3]), ([3], [2, 3]), ([2, 3], [2, 1]), ([2, 1], [1, 3]), ([], []), ([], [4]), ([2, 2], []),
        ([4, 1, 3], [2, 1]), ([2, 3, 1, 5], [3, 4, 1]), ([1], [1, 1, 1]), ([2, 1, 2, 1, 2, 1, 2, 1], [1, 2, 1, 2, 1, 2, 1, 2]),
        ([0], [1]), ([1, 0], [3, 1]), ([2, 0], [0]), ([33], [1]),
    ]
    for dtype in RANGES:
        low, high = RANGES[dtype]
        cases.append(add_case(f"{dtype}, saturation", dtype, [6], [low, high, low, high, high, low], [6], [low, high, high, low, 1, -1 if low else 0]))
        for a_shape, b_shape in pairs:
            a, b = values(rng, dtype, prod(a_shape)), values(rng, dtype, prod(b_shape))
            cases.append(add_case(f"{dtype} {a_shape} {b_shape}", dtype, a_shape, a, b_shape, b))
    for a in RANGES:
        for b in RANGES:
            if a != b:
                cases.append(refused(f"{a} and {b}", [tensor(a, [1], [1]), tensor(b, [1], [1])], "TypeMismatch"))
    zeros = lambda shape: tensor("i8", shape, [0] * prod(shape))
    cases += [
        refused("dimensions differ", [zeros([2]), zeros([3])], "ShapeMismatch"),
        refused("dimensions differ in the middle", [zeros([2, 3, 1]), zeros([2, 2, 1])], "ShapeMismatch"),
        refused("none and two", [zeros([0]), zeros([2])], "ShapeMismatch"),
        refused("types come before shapes", [tensor("i8", [2], [1, 2]), tensor("u8", [3], [1, 2, 3])], "TypeMismatch"),
    ]
    return cases


def relu_cases(rng):
    cases = []
    for dtype in RANGES:
        low, high = RANGES[dtype]
        x = [low, high, 0, 1, -1 if low else 2, *values(rng, dtype, 28)]
        cases.append(case(f"{dtype}", [tensor(dtype, [3, 11], x)], tensor(dtype, [3, 11], [max(v, 0) for v in x])))
        cases.append(case(f"{dtype}, nothing", [tensor(dtype, [0, 4], [])], tensor(dtype, [0, 4], [])))
        cases.append(case(f"{dtype}, a scalar", [tensor(dtype, [], [low])], tensor(dtype, [], [0])))
    return cases


def argmax_case(name, dtype, shape, x, sign):
    row = shape[-1]
    y = [max(range(row), key=lambda i: (sign * x[start + i], -i)) for start in range(0, len(x), row)]
    return case(name, [tensor(dtype, shape, x)], tensor("i32", shape[:-1], y))


def argmin_cases(rng):
    return argmax_cases(rng, -1)


def argmax_cases(rng, sign=1):
    cases = []
    for dtype in RANGES:
        low, high = RANGES[dtype]
        cases.append(argmax_case(f"{dtype}, equals", dtype, [4, 3], [high, high, high, low, low, low, low, high, high, 5, 7, 7], sign))
        cases.append(argmax_case(f"{dtype}, one element", dtype, [1], [low], sign))
        cases.append(argmax_case(f"{dtype}, no rows", dtype, [0, 3], [], sign))
        for shape in [[9], [3, 17], [2, 2, 5], [1, 130]]:
            cases.append(argmax_case(f"{dtype} {shape}", dtype, shape, values(rng, dtype, prod(shape)), sign))
        cases.append(argmax_case(f"{dtype}, the last", dtype, [70], [0] * 69 + [1], sign))
        cases.append(refused(f"{dtype}, a scalar", [tensor(dtype, [], [1])], "ShapeMismatch"))
        cases.append(refused(f"{dtype}, empty rows", [tensor(dtype, [2, 0], [])], "ShapeMismatch"))
        cases.append(refused(f"{dtype}, no empty rows", [tensor(dtype, [0, 0], [])], "ShapeMismatch"))
    return cases


# softmax


def softmax_case(name, dtype, shape, x, multiplier, shift, fraction_bits):
    row = shape[-1]
    y = []
    for start in range(0, len(x), row):
        here = x[start : start + row]
        result = softmax(here, multiplier, shift, fraction_bits)
        cross_check(name, dtype, here, multiplier, shift, fraction_bits, result)
        y += result
    args = [tensor(dtype, shape, x), i32(multiplier), u32(shift), u32(fraction_bits)]
    return case(name, args, tensor("i32", shape, y))


# Rows compared with crfix, and how many units apart the elements were.
COMPARED = {"rows": 0, "elements": 0, "apart": {}}


def cross_check(name, dtype, x, multiplier, shift, fraction_bits, result):
    """crfix rounds the exact softmax once; our formula has a rounding of each exponential inside.

    Those move the sum of n by at most n / 2 units of 2^-30, so that a result is off by at most
    (n / 2 + 1) * 2^-30 before it is rounded: within one unit of crfix up to 15 fraction bits for every
    row that is allowed, and for short rows beyond.
    """
    if multiplier == 0:
        return
    scale = multiplier / (1 << shift)
    assert Fraction(scale) == Fraction(multiplier, 1 << shift)
    out = crfix.Affine(scale=2.0**-fraction_bits, zero_point=0, bits=32)
    other = crfix.softmax(numpy.array(x, dtype=dtype.replace("i", "int")), scale, out=out)
    allowed = 1 + math.floor(Fraction(len(x) + 2, 2) / (1 << (30 - fraction_bits)))
    for ours, theirs in zip(result, numpy.asarray(other).reshape(-1).tolist()):
        apart = abs(ours - theirs)
        assert apart <= allowed, f"{name}: {ours} and, by crfix, {theirs}"
        COMPARED["apart"][apart] = COMPARED["apart"].get(apart, 0) + 1
        COMPARED["elements"] += 1
    COMPARED["rows"] += 1


def compare_random_rows(rng):
    """More rows than the vectors have: the formula and crfix only, nothing is written."""
    for _ in range(400):
        dtype = rng.choice(["i8", "i16", "i32"])
        x = values(rng, dtype, rng.choice([1, 2, 3, 10, 50]))
        multiplier, fraction_bits = rng.randint(HALF, LAST), rng.randint(0, 15)
        shift = {"i8": 35, "i16": 43, "i32": 58}[dtype] + rng.randint(-4, 4)
        cross_check("random row", dtype, x, multiplier, shift, fraction_bits, softmax(x, multiplier, shift, fraction_bits))


def comparison():
    """What the comparison found, as text."""
    apart = ", ".join(f"{units} units apart: {count}" for units, count in sorted(COMPARED["apart"].items()))
    return (
        f"Softmax of {COMPARED['rows']} rows, {COMPARED['elements']} elements, by the formula of the table (mpmath) and by\n"
        f"libcrfix {crfix.version()} (correctly rounded softmax), up to 30 fraction bits.\n{apart}\n"
    )


def near_ties(rng, count):
    """Arguments whose exponential is unusually close to the middle between two integers."""
    found = []
    for _ in range(count):
        multiplier, shift = rng.randint(HALF, LAST), rng.choice([30, 31, 33, 40, 52, 62])
        best = None
        for _ in range(60):
            limit = min((1 << 32) - 1, 21 * (1 << shift) // multiplier)
            d = rng.randint(1, max(1, limit))
            with mpmath.workprec(200):
                value = mpmath.exp(-mpmath.mpf(d * multiplier) / (1 << shift)) * (1 << 30)
                distance = abs(value - mpmath.floor(value) - mpmath.mpf(1) / 2)
            if best is None or distance < best[0]:
                best = (distance, d)
        found.append((best[1], multiplier, shift))
    return found


def softmax_cases(rng):
    cases = []
    i32_low, i32_high = RANGES["i32"]
    for dtype in ["i8", "i16", "i32"]:
        low, high = RANGES[dtype]
        cases += [
            softmax_case(f"{dtype}, one element", dtype, [1], [low], LAST, 31, 30),
            softmax_case(f"{dtype}, equals", dtype, [2, 3], [low] * 3 + [high] * 3, LAST, 40, 15),
            softmax_case(f"{dtype}, the ends", dtype, [3], [low, 0, high], HALF, 36, 24),
            softmax_case(f"{dtype}, multiplier zero", dtype, [4], [low, high, 0, 1], 0, 7, 30),
            softmax_case(f"{dtype}, steep", dtype, [4], [high, high, high - 1, low], LAST, 0, 12),
            softmax_case(f"{dtype}, flat", dtype, [3], [high, 0, low], HALF, 62, 30),
            softmax_case(f"{dtype}, no fraction bits", dtype, [4], [3, 1, 3, 2], HALF, 30, 0),
            softmax_case(f"{dtype}, tie in the quotient", dtype, [2], [1, 1], HALF, 30, 0),
            case(f"{dtype}, no rows", [tensor(dtype, [0, 3], []), i32(HALF), u32(30), u32(8)], tensor("i32", [0, 3], [])),
        ]
        for shape in [[5], [2, 10], [3, 1, 7], [64]]:
            bits = rng.choice([7, 8, 15, 16, 24, 30])
            shift = {"i8": 34, "i16": 40, "i32": 56}[dtype]
            x = values(rng, dtype, prod(shape))
            cases.append(softmax_case(f"{dtype} {shape}", dtype, shape, x, rng.randint(HALF, LAST), shift + rng.randint(-2, 2), bits))
    # Two elements with 30 bits show the exponential itself.
    for d, multiplier, shift in near_ties(rng, 60):
        cases.append(softmax_case(f"near a tie: {d} * {multiplier} / 2^{shift}", "i32", [2], [0, -d] if d < 1 << 31 else [i32_high, i32_high - d], multiplier, shift, 30))
    for d in range(0, 24):
        cases.append(softmax_case(f"exp(-{d})", "i8", [2], [d, 0], HALF, 30, 30))
    cases.append(softmax_case("just above and below one half of the last unit", "i32", [5], [0, -21487562, -21487563, -21487564, -22000000], 1125899907, 50, 30))
    cases.append(softmax_case("a long row", "i8", [1, 700], values(rng, "i8", 700), 1518500250, 35, 16))
    equal = fill("i8", [1, 65_536], 3)
    cases.append(case("the longest row", [equal, i32(HALF), u32(30), u32(30)], fill("i32", [1, 65_536], 1 << 14)))
    cases.append(case("the longest row, ties", [equal, i32(HALF), u32(30), u32(15)], fill("i32", [1, 65_536], 0)))

    x = tensor("i8", [2], [1, 2])
    bad = lambda name, status, x=x, m=HALF, s=30, f=8: refused(name, [x, i32(m), u32(s), u32(f)], status)
    cases += [
        bad("u8", "TypeMismatch", x=tensor("u8", [2], [1, 2])),
        bad("i64", "TypeMismatch", x=tensor("i64", [2], [1, 2])),
        bad("a scalar", "ShapeMismatch", x=tensor("i8", [], [1])),
        bad("empty rows", "ShapeMismatch", x=tensor("i8", [2, 0], [])),
        bad("no empty rows", "ShapeMismatch", x=tensor("i8", [0, 0], [])),
        bad("a row too long", "ShapeMismatch", x=fill("i8", [65_537], 0)),
        bad("a multiplier below 2^30", "BadArgument", m=HALF - 1),
        bad("a multiplier of one", "BadArgument", m=1),
        bad("a negative multiplier", "BadArgument", m=-1),
        bad("the lowest multiplier", "BadArgument", m=i32_low),
        bad("a shift of 63", "BadArgument", s=63),
        bad("the largest shift", "BadArgument", s=(1 << 32) - 1),
        bad("31 fraction bits", "BadArgument", f=31),
        bad("the most fraction bits", "BadArgument", f=(1 << 32) - 1),
        bad("no rows, a bad multiplier all the same", "BadArgument", x=tensor("i8", [0, 1], []), m=5),
        bad("types come before shapes", "TypeMismatch", x=tensor("i64", [], [1]), m=1),
        bad("shapes come before numbers", "ShapeMismatch", x=tensor("i8", [], [1]), m=1),
    ]
    compare_random_rows(rng)
    assert COMPARED["rows"] > 400, "too few rows compared with crfix"
    return cases


# reshape, slice


def reshape_cases(rng):
    cases = []
    for dtype in RANGES:
        for old, new in [([2, 3], [3, 2]), ([6], [1, 2, 3, 1]), ([], [1, 1]), ([1], []), ([0, 5], [7, 0]), ([2] * 8, [256]), ([4], [4])]:
            x = values(rng, dtype, prod(old))
            cases.append(case(f"{dtype} {old} to {new}", [tensor(dtype, old, x), words(new)], tensor(dtype, new, x)))
    x = tensor("i8", [2, 3], [1, 2, 3, 4, 5, 6])
    cases += [
        case("dimensions whose product has no end, and a zero", [tensor("i8", [0], []), words([(1 << 32) - 1] * 7 + [0])], tensor("i8", [(1 << 32) - 1] * 7 + [0], [])),
        refused("too many", [x, words([7])], "ShapeMismatch"),
        refused("too few", [x, words([2, 2])], "ShapeMismatch"),
        refused("a scalar", [x, words([])], "ShapeMismatch"),
        refused("nothing", [x, words([0])], "ShapeMismatch"),
        refused("nine axes", [x, words([6, 1, 1, 1, 1, 1, 1, 1, 1])], "ShapeMismatch"),
        refused("a product past 64 bits that wraps to the right number", [tensor("i8", [0], []), words([1 << 16] * 4)], "ShapeMismatch"),
        refused("half a number", [x, {"bytes": "0600"}], "ShapeMismatch"),
        refused("a number and a byte", [x, {"bytes": "0600000000"}], "ShapeMismatch"),
    ]
    return cases


def slice_case(name, dtype, shape, x, starts, sizes):
    y = [at_exact(x, shape, [s + i for s, i in zip(starts, index)]) for index in indices(sizes)]
    return case(name, [tensor(dtype, shape, x), words(starts), words(sizes)], tensor(dtype, sizes, y))


def at_exact(data, shape, index):
    flat = 0
    for dim, i in zip(shape, index):
        assert i < dim
        flat = flat * dim + i
    return data[flat]


def slice_cases(rng):
    cases = []
    boxes = [
        ([5], [1], [3]), ([5], [0], [5]), ([5], [5], [0]), ([3, 4], [1, 1], [2, 2]), ([3, 4], [0, 3], [3, 1]), ([3, 4], [2, 0], [1, 4]),
        ([2, 3, 4], [0, 1, 2], [2, 2, 2]), ([2, 3, 4], [1, 0, 0], [1, 3, 4]), ([2, 3, 4], [0, 0, 1], [2, 3, 3]), ([], [], []),
        ([2, 0, 3], [0, 0, 1], [1, 0, 2]), ([3, 3], [1, 1], [0, 2]), ([2] * 8, [1, 0, 1, 0, 1, 0, 1, 0], [1, 2] * 4), ([3, 2, 3, 2, 3], [1, 0, 1, 0, 1], [2, 2, 2, 1, 2]),
    ]
    for dtype in RANGES:
        for shape, starts, sizes in boxes:
            cases.append(slice_case(f"{dtype} {shape} from {starts} of {sizes}", dtype, shape, values(rng, dtype, prod(shape)), starts, sizes))
    x = tensor("i16", [3, 4], list(range(12)))
    top = (1 << 32) - 1
    cases += [
        refused("one past the end", [x, words([1, 1]), words([2, 4])], "IndexOutOfRange"),
        refused("a start past the end", [x, words([4, 0]), words([0, 1])], "IndexOutOfRange"),
        refused("a sum past 32 bits", [x, words([2, 0]), words([top, 1])], "IndexOutOfRange"),
        refused("a start of all ones", [x, words([top, 0]), words([1, 1])], "IndexOutOfRange"),
        refused("starts of one axis", [x, words([0]), words([1, 1])], "ShapeMismatch"),
        refused("sizes of one axis", [x, words([0, 0]), words([1])], "ShapeMismatch"),
        refused("three axes", [x, words([0, 0, 0]), words([1, 1, 1])], "ShapeMismatch"),
        refused("half a number", [x, {"bytes": "000000000000"}, words([1, 1])], "ShapeMismatch"),
        refused("nine axes", [x, words([0] * 9), words([1] * 9)], "ShapeMismatch"),
        refused("shapes come before indices", [x, words([9, 9]), words([1])], "ShapeMismatch"),
    ]
    return cases


def all_rows(only=()):
    rows = [
        ("op.matmul", matmul_cases), ("op.requantise", requantise_cases), ("op.add", add_cases), ("op.relu", relu_cases),
        ("op.softmax", softmax_cases), ("op.argmax", argmax_cases), ("op.argmin", argmin_cases), ("op.reshape", reshape_cases), ("op.slice", slice_cases),
        ("op.layer_norm", norms.layer_norm_cases), ("op.rms_norm", norms.rms_norm_cases), *functions.rows(), *lookup.rows(), *attention.rows(), *elementwise.rows(), *movement.rows(), *windows.rows(), *composed.rows(), *verify.rows(),
    ]
    # A seed of its own for each row: a new case in one leaves the others as they are.
    return [(row, cases(random.Random(row))) for row, cases in rows if not only or row in only]
