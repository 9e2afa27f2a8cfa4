"""Cases of opcodes that are compositions of rounded steps, from Python integers; every expected value is also compared with the
rounded real value by `mpmath`."""

from fractions import Fraction
from math import prod

import mpmath

import norms
from exact import CODES, RANGES, exp30, rne, saturate
from vectors import case, fill, i32, refused, tensor, u32, u64, values

HALF, LAST = 1 << 30, (1 << 31) - 1
TOP = (1 << 32) - 1
LN_2 = 3196577161300663915
# How far formulas were from the correctly rounded value.
APART = {"log_softmax": {}, "l2_norm": {}}


def note(row, apart):
    APART[row][apart] = APART[row].get(apart, 0) + 1


# log_softmax


def log2_of_sum(total):
    e = total.bit_length() - 1
    z, log = total << (62 - e), (e - 30) << 48
    for i in range(1, 49):
        z = (z * z) >> 62
        if z >= 1 << 63:
            z >>= 1
            log += 1 << (48 - i)
    return log


def log_softmax(row, multiplier, shift, fraction_bits):
    with mpmath.workprec(200):
        assert LN_2 == int(mpmath.nint(mpmath.ln(2) * (1 << 62)))
    largest = max(row)
    total = sum(exp30(Fraction((x - largest) * multiplier, 1 << shift)) for x in row)
    log = rne(Fraction(log2_of_sum(total) * LN_2, 1 << 48))
    y = [saturate(rne(Fraction(-(largest - x) * multiplier * (1 << (62 - shift)) - log, 1 << (62 - fraction_bits))), "i32") for x in row]
    if len(row) << fraction_bits < 1 << 30 or fraction_bits <= 15:
        with mpmath.workprec(400):
            c = mpmath.mpf(multiplier) / (1 << shift)
            real = mpmath.ln(sum(mpmath.exp((x - largest) * c) for x in row))
            for x, ours in zip(row, y):
                apart = abs(ours - saturate(int(mpmath.nint(((x - largest) * c - real) * (1 << fraction_bits))), "i32"))
                assert apart <= 1, (row, multiplier, shift, fraction_bits, x, ours)
                note("log_softmax", apart)
    return y


def log_softmax_case(name, dtype, shape, x, multiplier, shift, fraction_bits):
    row = shape[-1]
    y = [v for start in range(0, len(x), row) for v in log_softmax(x[start : start + row], multiplier, shift, fraction_bits)]
    return case(name, [tensor(dtype, shape, x), i32(multiplier), u32(shift), u32(fraction_bits)], tensor("i32", shape, y))


def log_softmax_cases(rng):
    cases = []
    for dtype in ["i8", "i16", "i32"]:
        low, high = RANGES[dtype]
        cases += [
            log_softmax_case(f"{dtype}, two numbers", dtype, [1, 2], [3, 5], HALF, 30, 16),
            log_softmax_case(f"{dtype}, one element", dtype, [1], [low], LAST, 31, 30),
            log_softmax_case(f"{dtype}, equals", dtype, [2, 3], [low] * 3 + [high] * 3, LAST, 40, 15),
            log_softmax_case(f"{dtype}, four equals", dtype, [4], [7] * 4, LAST, 40, 28),
            log_softmax_case(f"{dtype}, the ends", dtype, [3], [low, 0, high], HALF, 36, 15),
            log_softmax_case(f"{dtype}, saturated", dtype, [3], [low, 0, high], LAST, 0, 30),
            log_softmax_case(f"{dtype}, multiplier zero", dtype, [4], [low, high, 0, 1], 0, 7, 27),
            log_softmax_case(f"{dtype}, steep", dtype, [4], [high, high, high - 1, low], LAST, 0, 12),
            log_softmax_case(f"{dtype}, flat", dtype, [3], [high, 0, low], HALF, 62, 27),
            log_softmax_case(f"{dtype}, no fraction bits", dtype, [4], [3, 1, 3, 2], HALF, 30, 0),
            case(f"{dtype}, no rows", [tensor(dtype, [0, 3], []), i32(HALF), u32(30), u32(8)], tensor("i32", [0, 3], [])),
        ]
        for shape in [[5], [2, 10], [3, 1, 7], [64]]:
            shift = {"i8": 34, "i16": 40, "i32": 56}[dtype]
            x = values(rng, dtype, prod(shape))
            cases.append(log_softmax_case(f"{dtype} {shape}", dtype, shape, x, rng.randint(HALF, LAST), shift + rng.randint(-2, 2), rng.choice([7, 8, 15, 20, 23])))
    for bits in (0, 10, 20, 30):
        cases.append(log_softmax_case(f"{bits} bits of two", "i8", [2], [1, 0], HALF, 30, bits))
    cases.append(log_softmax_case("a long row", "i8", [1, 700], values(rng, "i8", 700), 1518500250, 35, 15))
    equal = rne(Fraction(-rne(Fraction((16 << 48) * LN_2, 1 << 48)), 1 << (62 - 20)))
    cases.append(case("the longest row", [fill("i8", [1, 65_536], 3), i32(HALF), u32(30), u32(20)], fill("i32", [1, 65_536], equal)))
    x = tensor("i8", [2], [1, 2])
    bad = lambda name, status, x=x, m=HALF, s=30, f=8: refused(name, [x, i32(m), u32(s), u32(f)], status)
    cases += [
        bad("u8", "TypeMismatch", x=tensor("u8", [2], [1, 2])),
        bad("i64", "TypeMismatch", x=tensor("i64", [2], [1, 2])),
        bad("a scalar", "ShapeMismatch", x=tensor("i8", [], [1])),
        bad("empty rows", "ShapeMismatch", x=tensor("i8", [2, 0], [])),
        bad("a row too long", "ShapeMismatch", x=fill("i8", [65_537], 0)),
        bad("a multiplier below 2^30", "BadArgument", m=HALF - 1),
        bad("a negative multiplier", "BadArgument", m=-1),
        bad("a shift of 63", "BadArgument", s=63),
        bad("the largest shift", "BadArgument", s=TOP),
        bad("31 fraction bits", "BadArgument", f=31),
        bad("types come before shapes", "TypeMismatch", x=tensor("i64", [], [1]), m=1),
        bad("shapes come before numbers", "ShapeMismatch", x=tensor("i8", [], [1]), m=1),
    ]
    for _ in range(300):
        dtype, n = rng.choice(["i8", "i16", "i32"]), rng.choice([1, 2, 3, 10, 50])
        log_softmax(values(rng, dtype, n), rng.randint(HALF, LAST), {"i8": 35, "i16": 43, "i32": 58}[dtype] + rng.randint(-4, 4), rng.randint(0, 15))
    return cases


# l2_norm


def l2_norm(x, epsilon, fraction_bits, dtype):
    radicand = (sum(v * v for v in x) << 24) + epsilon
    e, root = 0, 0
    if radicand:
        e = (radicand.bit_length() - 1) // 2
        normal = Fraction(radicand) * Fraction(4) ** (31 - e)
        root = norms.nearest_root(1 << 124, normal.numerator // normal.denominator)
    y = [saturate(rne(Fraction(v * root << fraction_bits, 1 << (e + 19))), dtype) for v in x]
    with mpmath.workprec(300):
        length = mpmath.sqrt(mpmath.mpf(radicand) / (1 << 24))
        for v, ours in zip(x, y):
            real = mpmath.mpf(v << fraction_bits) / length if radicand else 0
            apart = abs(ours - saturate(int(mpmath.nint(real)), dtype))
            assert apart <= 1, (x, epsilon, fraction_bits, dtype, v, ours)
            note("l2_norm", apart)
    return y


def l2_args(x_type, shape, x, epsilon, fraction_bits, dtype):
    return [tensor(x_type, shape, x), u64(epsilon), u32(fraction_bits), u32(dtype)]


def l2_norm_cases(rng):
    def make(name, x_type, shape, x, epsilon, fraction_bits, dtype):
        row = shape[-1]
        y = [v for start in range(0, len(x), row) for v in l2_norm(x[start : start + row], epsilon, fraction_bits, dtype)]
        return case(name, l2_args(x_type, shape, x, epsilon, fraction_bits, CODES[dtype]), tensor(dtype, shape, y))

    cases = [
        make("three and four", "i8", [1, 2], [3, 4], 0, 10, "i16"),
        make("nothing but zeros", "i16", [2, 2], [0, 0, 0, 5], 0, 7, "i8"),
        make("zeros and an epsilon", "i8", [3], [0, 0, 0], 1 << 24, 15, "i32"),
        make("the largest epsilon", "i8", [2], [127, -128], (1 << 64) - 1, 30, "i32"),
        make("one element", "i32", [3, 1], [-(1 << 31), 1, LAST], 0, 30, "i32"),
        make("saturated", "i32", [3, 1], [-(1 << 31), 1, LAST], 0, 7, "i8"),
    ]
    for x_type in ["i8", "i16", "i32"]:
        low, high = RANGES[x_type]
        for dtype in ["i8", "i16", "i32"]:
            for n in [2, 7, 24]:
                bits = rng.choice({"i8": [6, 7], "i16": [12, 15], "i32": [20, 30]}[dtype])
                cases.append(make(f"{x_type} to {dtype}, rows of {n}", x_type, [3, n], values(rng, x_type, 3 * n), rng.choice([0, 1, rng.randint(0, 1 << 40)]), bits, dtype))
            cases.append(make(f"{x_type} to {dtype}, the ends", x_type, [1, 9], [rng.choice([low, high]) for _ in range(9)], 0, 30, dtype))
    cases.append(make("a row of 768", "i8", [1, 768], [max(-128, min(127, round(rng.gauss(3, 20)))) for _ in range(768)], 10, 15, "i16"))
    cases.append(case("no rows", l2_args("i8", [0, 2], [], 0, 0, 2), tensor("i16", [0, 2], [])))
    cases.append(case("the longest row", [fill("i8", [65_536], -128), u64(0), u32(15), u32(2)], fill("i16", [65_536], -128)))
    good = l2_args("i8", [2], [1, 2], 0, 8, 0)
    other = lambda at, value: [*good[:at], value, *good[at + 1 :]]
    cases += [
        refused("u8", other(0, tensor("u8", [2], [1, 2])), "TypeMismatch"),
        refused("i64", other(0, tensor("i64", [2], [1, 2])), "TypeMismatch"),
        refused("a result of u8", other(3, u32(1)), "TypeMismatch"),
        refused("a result of i64", other(3, u32(4)), "TypeMismatch"),
        refused("no such result type", other(3, u32(5)), "TypeMismatch"),
        refused("a scalar", other(0, tensor("i8", [], [1])), "ShapeMismatch"),
        refused("empty rows", other(0, tensor("i8", [2, 0], [])), "ShapeMismatch"),
        refused("a row too long", other(0, fill("i8", [65_537], 0)), "ShapeMismatch"),
        refused("31 fraction bits", other(2, u32(31)), "BadArgument"),
        refused("the most fraction bits", other(2, u32(TOP)), "BadArgument"),
    ]
    for _ in range(300):
        l2_norm(values(rng, rng.choice(["i8", "i16", "i32"]), rng.choice([1, 2, 3, 10, 60])), rng.choice([0, 1, rng.randint(0, 1 << 50)]), rng.randint(0, 30), "i32")
    return cases


# group_norm


def group_norm(x, shape, gain, bias, groups, epsilon, shift, dtype):
    images, channels = shape[0], shape[-1]
    places, width = prod(shape[1:-1]), channels // groups
    y = [None] * len(x)
    for b in range(images):
        for g in range(groups):
            at = [(b * places + p) * channels + g * width + i for p in range(places) for i in range(width)]
            row = norms.norm_row([x[i] for i in at], [gain[i % channels] for i in at], [bias[i % channels] for i in at], epsilon, shift, dtype)
            for i, v in zip(at, row):
                y[i] = v
    return y


def group_args(x_type, shape, x, gain, bias, groups, epsilon, shift, dtype):
    return [tensor(x_type, shape, x), tensor("i32", [len(gain)], gain), tensor("i32", [len(bias)], bias), u32(groups), u64(epsilon), u32(shift), u32(CODES[dtype])]


def group_norm_cases(rng):
    def make(name, x_type, shape, x, gain, bias, groups, epsilon, shift, dtype):
        y = group_norm(x, shape, gain, bias, groups, epsilon, shift, dtype)
        return case(name, group_args(x_type, shape, x, gain, bias, groups, epsilon, shift, dtype), tensor(dtype, shape, y))

    one = lambda c: [1 << 16] * c
    cases = [
        make("two groups of two channels", "i8", [1, 2, 4], [1, 2, 3, 4, 5, 6, 7, 100], one(4), [0] * 4, 2, 168, 10, "i8"),
        make("instances", "i16", [2, 3, 2], values(rng, "i16", 12), one(2), [1 << 15, 5], 2, 1, 8, "i16"),
        make("no places between", "i8", [2, 6], values(rng, "i8", 12), one(6), [0] * 6, 3, 10, 12, "i8"),
    ]
    for x_type in ["i8", "i16", "i32"]:
        low, high = RANGES[x_type]
        for dtype in ["i8", "i16", "i32"]:
            bits = {"i8": 6, "i16": 12, "i32": 24}[dtype]
            for shape, groups in [([2, 3, 2, 6], 3), ([1, 5, 4], 1), ([2, 2, 1, 3, 4], 4)]:
                c, shift = shape[-1], rng.randint(1, min(16, 30 - bits))
                gain = [rng.randint(-2 << (bits + shift - 1), 2 << (bits + shift - 1)) for _ in range(c)]
                bias = [rng.randint(-1 << (bits + shift), 1 << (bits + shift)) for _ in range(c)]
                cases.append(make(f"{x_type} to {dtype} {shape} in {groups}", x_type, shape, values(rng, x_type, prod(shape)), gain, bias, groups, rng.choice([0, 1, rng.randint(0, 1 << 50)]), shift, dtype))
            cases.append(make(f"{x_type} to {dtype}, the ends", x_type, [1, 3, 4], [rng.choice([low, high]) for _ in range(12)], [LAST, -(1 << 31)] * 2, [-(1 << 31), LAST] * 2, 2, 0, 4, dtype))
    cases.append(make("many groups", "i8", [1, 2, 150], values(rng, "i8", 300), one(150), [7] * 150, 75, 3, 10, "i8"))
    cases.append(case("no images", group_args("i8", [0, 3, 2], [], [1, 2], [0, 0], 1, 0, 0, "i16"), tensor("i16", [0, 3, 2], [])))
    large = [fill("i8", [1, 40_000, 2], 5), tensor("i32", [2], [1 << 20] * 2), tensor("i32", [2], [1 << 8, -(1 << 8)]), u32(1), u64(1), u32(8), u32(2)]
    cases.append(refused("a group too large for i32", [fill("i32", [1, 65_537, 1], 5), tensor("i32", [1], [1]), tensor("i32", [1], [1]), *large[3:]], "ShapeMismatch"))
    cases.append(refused("a group too large", [fill("i8", [1, (1 << 24) + 1, 1], 5), tensor("i32", [1], [1]), tensor("i32", [1], [1]), *large[3:]], "ShapeMismatch"))
    cases.append(case("a group of one channel of many places", [fill("i8", [1, 70_000, 1], 5), tensor("i32", [1], [1 << 20]), tensor("i32", [1], [3 << 8]), *large[3:]], fill("i16", [1, 70_000, 1], 3)))
    ok = dict(x_type="i8", shape=[1, 2, 2], x=[1, 2, 3, 4], gain=[1, 2], bias=[0, 0], groups=1, epsilon=0, shift=0, dtype="i8")
    bad = lambda name, status, **changes: refused(name, group_args(**{**ok, **changes}), status)
    good = group_args(**ok)
    other = lambda at, value: [*good[:at], value, *good[at + 1 :]]
    cases += [
        bad("u8", "TypeMismatch", x_type="u8"),
        bad("i64", "TypeMismatch", x_type="i64"),
        bad("a result of u8", "TypeMismatch", dtype="u8"),
        refused("no such result type", other(6, u32(5)), "TypeMismatch"),
        refused("a gain of i16", other(1, tensor("i16", [2], [1, 2])), "TypeMismatch"),
        refused("a bias of i64", other(2, tensor("i64", [2], [1, 2])), "TypeMismatch"),
        refused("a gain of another length", other(1, tensor("i32", [1], [1])), "ShapeMismatch"),
        refused("a bias of another rank", other(2, tensor("i32", [1, 2], [1, 2])), "ShapeMismatch"),
        refused("one axis", other(0, tensor("i8", [2], [1, 2])), "ShapeMismatch"),
        refused("a scalar", other(0, tensor("i8", [], [1])), "ShapeMismatch"),
        refused("no places", other(0, tensor("i8", [1, 0, 2], [])), "ShapeMismatch"),
        refused("no channels", group_args("i8", [1, 2, 0], [], [], [], 1, 0, 0, "i8"), "ShapeMismatch"),
        bad("groups that leave a remainder", "ShapeMismatch", groups=3),
        bad("more groups than channels", "ShapeMismatch", groups=TOP),
        bad("no groups", "BadArgument", groups=0),
        bad("a shift of 32", "BadArgument", shift=32),
        bad("numbers come before the size of a group", "BadArgument", groups=3, shift=99),
        refused("types come before shapes", other(0, tensor("u8", [], [1])), "TypeMismatch"),
    ]
    return cases


# rotary


def rotary(x, rows, row, cos, sin, bits, interleaved, dtype):
    half, y = row // 2, list(x)
    for start in range(0, len(x), row or 1):
        r = start // row % rows
        for i in range(half):
            a, b = (start + 2 * i, start + 2 * i + 1) if interleaved else (start + i, start + i + half)
            c, s = cos[r * half + i], sin[r * half + i]
            y[a] = saturate(rne(Fraction(x[a] * c - x[b] * s, 1 << bits)), dtype)
            y[b] = saturate(rne(Fraction(x[b] * c + x[a] * s, 1 << bits)), dtype)
    return y


def rotary_args(dtype, shape, x, table, cos, sin, bits, interleaved):
    return [tensor(dtype, shape, x), tensor("i16", table, cos), tensor("i16", table, sin), u32(bits), u32(interleaved)]


def rotary_cases(rng):
    cases = []
    for dtype in ["i8", "i16", "i32"]:
        low, high = RANGES[dtype]
        for interleaved in (0, 1):
            for shape in [[2, 4], [3, 2], [2, 3, 6], [1, 2, 2, 8], [0, 2, 4], [2, 0, 4], [2, 3, 0]]:
                m, half = shape[-2], shape[-1] // 2
                angles = [(r + 1) * mpmath.mpf(10000) ** (-mpmath.mpf(i) / max(half, 1)) for r in range(m) for i in range(half)]
                cos, sin = ([int(mpmath.nint(f(t) * (1 << 14))) for t in angles] for f in (mpmath.cos, mpmath.sin))
                x = values(rng, dtype, prod(shape))
                y = rotary(x, m, shape[-1], cos, sin, 14, interleaved, dtype)
                cases.append(case(f"{dtype} {shape}, interleaved {interleaved}", rotary_args(dtype, shape, x, [m, half], cos, sin, 14, interleaved), tensor(dtype, shape, y)))
            for bits in (0, 1, 15):
                x, cos, sin = [rng.choice([low, high]) for _ in range(12)], [rng.choice([-32768, 32767]) for _ in range(6)], [rng.choice([-32768, 32767]) for _ in range(6)]
                y = rotary(x, 2, 6, cos, sin, bits, interleaved, dtype)
                cases.append(case(f"{dtype}, the ends, {bits} bits, interleaved {interleaved}", rotary_args(dtype, [2, 6], x, [2, 3], cos, sin, bits, interleaved), tensor(dtype, [2, 6], y)))
        x = [1, 3, 5, -1, -3, -5, 7, 0]
        cases.append(case(f"{dtype}, ties to even", rotary_args(dtype, [2, 4], x, [2, 2], [1] * 4, [0] * 4, 1, 0), tensor(dtype, [2, 4], rotary(x, 2, 4, [1] * 4, [0] * 4, 1, 0, dtype))))
    good = rotary_args("i8", [2, 4], [0] * 8, [2, 2], [0] * 4, [0] * 4, 14, 0)
    other = lambda at, value: [*good[:at], value, *good[at + 1 :]]
    zeros = lambda dtype, shape: tensor(dtype, shape, [0] * prod(shape))
    cases += [refused(f"x of {t}", other(0, zeros(t, [2, 4])), "TypeMismatch") for t in ("u8", "i64")]
    cases += [refused(f"cosines of {t}", other(1, zeros(t, [2, 2])), "TypeMismatch") for t in ("i8", "u8", "i32", "i64")]
    cases += [refused(f"sines of {t}", other(2, zeros(t, [2, 2])), "TypeMismatch") for t in ("i8", "i32")]
    cases += [refused(f"cosines {s}", other(1, zeros("i16", s)), "ShapeMismatch") for s in ([2, 4], [1, 2], [4], [1, 2, 2], [2, 1])]
    cases += [refused(f"sines {s}", other(2, zeros("i16", s)), "ShapeMismatch") for s in ([2, 4], [1, 2], [4])]
    cases += [
        refused("odd rows", rotary_args("i8", [2, 3], [0] * 6, [2, 1], [0] * 2, [0] * 2, 14, 0), "ShapeMismatch"),
        refused("one axis", other(0, zeros("i8", [4])), "ShapeMismatch"),
        refused("16 bits", other(3, u32(16)), "BadArgument"),
        refused("the most bits", other(3, u32(TOP)), "BadArgument"),
        refused("interleaved 2", other(4, u32(2)), "BadArgument"),
        refused("types come before shapes", other(0, zeros("u8", [4])), "TypeMismatch"),
        refused("shapes come before numbers", [zeros("i8", [4]), *good[1:3], u32(99), u32(9)], "ShapeMismatch"),
    ]
    return cases


def comparison():
    text = lambda row: ", ".join(f"{units} units apart: {count}" for units, count in sorted(APART[row].items()))
    return f"Elements by the formula of the table, and by the real value rounded once (mpmath):\nlog_softmax: {text('log_softmax')}\nl2_norm: {text('l2_norm')}\n"


def rows():
    return [("op.log_softmax", log_softmax_cases), ("op.l2_norm", l2_norm_cases), ("op.group_norm", group_norm_cases), ("op.rotary", rotary_cases)]
