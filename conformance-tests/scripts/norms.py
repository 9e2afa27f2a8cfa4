"""Cases of the norms, from Python integers; every expected value is also compared with the rounded real value."""

from fractions import Fraction
from math import isqrt

import crfix
import mpmath
import numpy

from exact import CODES, RANGES, rne, saturate
from vectors import case, fill, refused, tensor, u32, u64, values

# How far the formula was from the correctly rounded value, by the source of that value.
APART = {"mpmath": {}, "crfix": {}}


def nearest_root(numerator, denominator):
    """The integer nearest to sqrt(numerator / denominator), which is never in the middle."""
    below = isqrt(numerator // denominator)
    return below + (1 if 4 * numerator > (2 * below + 1) ** 2 * denominator else 0)


def norm_row(x, gain, bias, epsilon, shift, dtype):
    n = len(x)
    total = 0 if bias is None else sum(x)
    variance = n * sum(v * v for v in x) - total * total
    radicand = (variance << 24) + n * n * epsilon
    e, root = 0, 0
    if radicand:
        e = (radicand.bit_length() - 1) // 2
        normal = Fraction(radicand) * Fraction(4) ** (31 - e)
        normal = normal.numerator // normal.denominator
        assert 1 << 62 <= normal < 1 << 64
        root = nearest_root(1 << 124, normal)
    result = []
    for j in range(n):
        numerator = (n * x[j] - total) * gain[j] * root + (0 if bias is None else bias[j] << (e + 19))
        result.append(saturate(rne(Fraction(numerator, 1 << (e + 19 + shift))), dtype))
    compare(x, gain, bias, epsilon, shift, dtype, result)
    return result


def compare(x, gain, bias, epsilon, shift, dtype, result):
    """Within one unit of the real value rounded once, where the part without the bias fits 32 bits."""
    n = len(x)
    with mpmath.workprec(300):
        mean = mpmath.mpf(0 if bias is None else sum(x)) / n
        variance = sum((v - mean) ** 2 for v in x) / n + mpmath.mpf(epsilon) / (1 << 24)
        for j in range(n):
            part = (x[j] - mean) * gain[j] / mpmath.sqrt(variance) / (1 << shift) if variance else mpmath.mpf(0)
            real = part + (0 if bias is None else mpmath.mpf(bias[j]) / (1 << shift))
            rounded = saturate(int(mpmath.nint(real)), dtype)
            apart = abs(rounded - result[j])
            if abs(part) < 1 << 31:
                assert apart <= 1, (x, gain, bias, epsilon, shift, dtype, j, rounded, result[j])
                APART["mpmath"][apart] = APART["mpmath"].get(apart, 0) + 1
    # crfix has only the layer norm, takes numbers up to 2^15 and results of 32 bits.
    if bias is not None and all(abs(v) < 1 << 15 for v in x) and max(map(abs, gain)) < 1 << 20 and epsilon < 1 << 31 and shift:
        other = crfix.layernorm(numpy.array(x, dtype=numpy.int32), 0, 0, eps=epsilon, fe=24, gamma=numpy.array(gain, dtype=numpy.int32), fg=shift, beta=numpy.array(bias, dtype=numpy.int32), fb=shift)
        for ours, theirs in zip(result, numpy.asarray(other).reshape(-1).tolist()):
            apart = abs(ours - saturate(theirs, dtype))
            assert apart <= 1, (x, gain, bias, epsilon, shift, dtype, ours, theirs)
            APART["crfix"][apart] = APART["crfix"].get(apart, 0) + 1


def arguments(x_type, shape, x, gain, bias, epsilon, shift, dtype):
    args = [tensor(x_type, shape, x), tensor("i32", [len(gain)], gain)]
    if bias is not None:
        args.append(tensor("i32", [len(bias)], bias))
    return [*args, u64(epsilon), u32(shift), u32(CODES[dtype])]


def norm_case(name, x_type, shape, x, gain, bias, epsilon, shift, dtype):
    n, y = shape[-1], []
    for start in range(0, len(x), n):
        y += norm_row(x[start : start + n], gain, bias, epsilon, shift, dtype)
    return case(name, arguments(x_type, shape, x, gain, bias, epsilon, shift, dtype), tensor(dtype, shape, y))


def norm_cases(rng, centred):
    low32, high32 = RANGES["i32"]
    bias_of = lambda values: list(values) if centred else None
    make = lambda name, x_type, shape, x, gain, bias, *rest: norm_case(name, x_type, shape, x, gain, bias_of(bias), *rest)
    cases = [
        make("three numbers", "i8", [1, 3], [1, 2, 6], [1 << 16] * 3, [1 << 15, 0, -(1 << 16)], 168, 10, "i8"),
        make("no variance", "i16", [2, 2], [7, 7, 0, 0], [1 << 20] * 2, [3, 5], 0, 1, "i8"),
        make("one element", "i32", [3, 1], [low32, 5, high32], [high32], [1 << 10], 0, 31, "i32"),
        make("ties to even in the bias", "i8", [8], [0] * 8, [0] * 8, [-7, -5, -3, -1, 1, 3, 5, 7], 0, 1, "i8"),
        make("the largest epsilon", "i8", [2], [127, -128], [high32, low32], [0, 0], (1 << 64) - 1, 0, "i32"),
        make("the smallest epsilon", "i8", [2], [0, 0], [1 << 20] * 2, [0, 1], 1, 0, "i32"),
    ]
    for x_type in ["i8", "i16", "i32"]:
        low, high = RANGES[x_type]
        for dtype in ["i8", "i16", "i32"]:
            bits = {"i8": 6, "i16": 12, "i32": 24}[dtype]
            for n in [2, 7, 24]:
                x = values(rng, x_type, 3 * n)
                shift = rng.randint(1, min(16, 30 - bits))
                gain = [rng.randint(-2 << (bits + shift - 1), 2 << (bits + shift - 1)) for _ in range(n)]
                bias = [rng.randint(-1 << (bits + shift), 1 << (bits + shift)) for _ in range(n)]
                epsilon = rng.choice([0, 1, rng.randint(0, 1 << 20), rng.randint(0, 1 << 50)])
                cases.append(make(f"{x_type} to {dtype}, rows of {n}", x_type, [3, n], x, gain, bias, epsilon, shift, dtype))
            x = [rng.choice([low, high]) for _ in range(9)]
            cases.append(make(f"{x_type} to {dtype}, the ends, saturated", x_type, [1, 9], x, [high32, low32, 1 << 20] * 3, [low32, high32, 0] * 3, 0, 4, dtype))
    for n in [100, 768]:
        x = [max(-128, min(127, round(rng.gauss(3, 20)))) for _ in range(n)]
        gain = [round(rng.gauss(1, 0.2) * (1 << 20)) for _ in range(n)]
        bias = [round(rng.gauss(0, 0.5) * (1 << 20)) for _ in range(n)]
        cases.append(make(f"a row of {n}", "i8", [1, n], x, gain, bias, 10, 15, "i8"))
    zeros = [0, 0]
    none = arguments("i8", [0, 2], [], [1, 2], bias_of(zeros), 0, 0, "i16")
    cases.append(case("no rows", none, tensor("i16", [0, 2], [])))
    long = [fill("i8", [65_536], -128), fill("i32", [65_536], 1 << 20)] + ([fill("i32", [65_536], 1 << 8)] if centred else [])
    expected = norm_row([-128] * 4, [1 << 20] * 4, bias_of([1 << 8] * 4), 1, 8, "i16")[0]
    if centred:
        cases.append(case("the longest row", [*long, u64(1), u32(8), u32(CODES["i16"])], fill("i16", [65_536], expected)))
    else:
        cases.append(case("the longest row", [*long, u64(0), u32(8), u32(CODES["i16"])], fill("i16", [65_536], -(1 << 12))))

    ok = dict(x_type="i8", shape=[2], x=[1, 2], gain=[1, 2], bias=bias_of(zeros), epsilon=0, shift=0, dtype="i8")
    bad = lambda name, status, **changes: refused(name, arguments(**{**ok, **changes}), status)
    other = lambda args, at, value: [*args[:at], value, *args[at + 1 :]]
    good = arguments(**ok)
    cases += [
        bad("u8", "TypeMismatch", x_type="u8"),
        bad("i64", "TypeMismatch", x_type="i64"),
        bad("a result of u8", "TypeMismatch", dtype="u8"),
        bad("a result of i64", "TypeMismatch", dtype="i64"),
        refused("no such result type", other(good, len(good) - 1, u32(5)), "TypeMismatch"),
        refused("a gain of i16", other(good, 1, tensor("i16", [2], [1, 2])), "TypeMismatch"),
        refused("a gain of another length", other(good, 1, tensor("i32", [1], [1])), "ShapeMismatch"),
        refused("a gain of another rank", other(good, 1, tensor("i32", [1, 2], [1, 2])), "ShapeMismatch"),
        refused("a scalar", other(good, 0, tensor("i8", [], [1])), "ShapeMismatch"),
        refused("empty rows", other(good, 0, tensor("i8", [2, 0], [])), "ShapeMismatch"),
        refused("a row too long", [fill("i8", [65_537], 0), *[fill("i32", [65_537], 0)] * (2 if centred else 1), u64(0), u32(0), u32(0)], "ShapeMismatch"),
        bad("a shift of 32", "BadArgument", shift=32),
        bad("the largest shift", "BadArgument", shift=(1 << 32) - 1),
        refused("types come before shapes", other(other(good, 0, tensor("u8", [], [1])), 1, tensor("i32", [1], [1])), "TypeMismatch"),
        refused("shapes come before numbers", other(other(good, 1, tensor("i32", [1], [1])), len(good) - 2, u32(99)), "ShapeMismatch"),
    ]
    if centred:
        cases += [
            refused("a bias of i64", other(good, 2, tensor("i64", [2], [1, 2])), "TypeMismatch"),
            refused("a bias of another length", other(good, 2, tensor("i32", [3], [1, 2, 3])), "ShapeMismatch"),
        ]
    # More rows than the vectors have: the formula against mpmath and crfix only.
    for _ in range(150):
        x_type, dtype, n = rng.choice(["i8", "i16", "i32"]), rng.choice(["i8", "i16", "i32"]), rng.choice([1, 2, 3, 10, 60])
        gain = [rng.randint(-(1 << 19), 1 << 19) for _ in range(n)]
        bias = bias_of(rng.randint(-(1 << 22), 1 << 22) for _ in range(n))
        norm_row(values(rng, x_type, n), gain, bias, rng.choice([0, 1, rng.randint(0, 1 << 30)]), rng.randint(1, 20), dtype)
    return cases


def layer_norm_cases(rng):
    return norm_cases(rng, True)


def rms_norm_cases(rng):
    return norm_cases(rng, False)


def comparison():
    text = lambda source: ", ".join(f"{units} units apart: {count}" for units, count in sorted(APART[source].items()))
    return (
        "Elements of layer, RMS and group norms by the formula of the table, and by the real value rounded once\n"
        f"(mpmath, 300 bits): {text('mpmath')}\n"
        f"and, layer norms only, by libcrfix {crfix.version()}: {text('crfix')}\n"
    )
