"""Cases of the functions of one number, rounded from `mpmath`, with `crfix` as a second opinion."""

import json
from fractions import Fraction
from math import isqrt

import crfix
import mpmath
import numpy

from exact import CODES, RANGES, rne, saturate
from vectors import case, refused, tensor, u32, values

PRECISION = 160
COMPARED = {}


def real(name, v):
    """The function at a Fraction, as an mpf of PRECISION bits."""
    x = mpmath.mpf(v.numerator) / v.denominator
    match name:
        case "exp" | "log" | "tanh" | "erf" | "sin" | "cos" | "sqrt":
            return getattr(mpmath, {"log": "ln"}.get(name, name))(x)
        case "sigmoid":
            return 1 / (1 + mpmath.exp(-x)) if x >= 0 else mpmath.exp(x) / (1 + mpmath.exp(x))
        case "silu":
            return x * real("sigmoid", v)
        case "gelu":
            return x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2
        case "rsqrt":
            return 1 / mpmath.sqrt(x)
        case "recip":
            return 1 / x


def rational(name, v):
    """The value where it is a rational number with a short binary fraction, else None."""
    if name == "recip":
        return 1 / v
    if name in ("sqrt", "rsqrt"):
        root = Fraction(isqrt(v.numerator * v.denominator), v.denominator)
        if root * root != v:
            return None
        return root if name == "sqrt" else 1 / root
    at_zero = {"exp": 1, "sigmoid": Fraction(1, 2), "tanh": 0, "silu": 0, "gelu": 0, "erf": 0, "sin": 0, "cos": 1}
    if v == 0 and name in at_zero:
        return Fraction(at_zero[name])
    return Fraction(0) if name == "log" and v == 1 else None


def is_defined(name, x):
    return {"log": x > 0, "rsqrt": x > 0, "sqrt": x >= 0, "recip": x != 0}.get(name, True)


def evaluate(name, x, in_bits, out_bits, dtype):
    v = Fraction(x, 1 << in_bits)
    exact = rational(name, v)
    if exact is not None:
        return saturate(rne(exact * (1 << out_bits)), dtype)
    if name == "exp" and v > 22:
        return RANGES[dtype][1]
    with mpmath.workprec(PRECISION):
        scaled = mpmath.ldexp(real(name, v), out_bits)
        # What is far above 1 in magnitude has fewer bits behind the point.
        nearest = int(mpmath.floor(scaled + mpmath.mpf(1) / 2))
        distance = abs(scaled - nearest)
        # gelu and silu come as close to x, which may be a boundary, as their arguments let them.
        if abs(distance - mpmath.mpf(1) / 2) < mpmath.mpf(2) ** -90:
            assert name in ("gelu", "silu"), (name, x, in_bits, out_bits)
            return saturate(close(name, v, out_bits), dtype)
        return saturate(nearest, dtype)


def close(name, v, out_bits):
    """What is next to a boundary: that is x itself, and the value is below it."""
    assert v > 7, (name, v)
    edge = v * (1 << out_bits)
    assert edge.denominator == 2
    return edge.numerator // 2


BY_CRFIX = ["exp", "log", "sigmoid", "tanh", "silu", "gelu", "sqrt", "rsqrt", "recip"]


def check_with_crfix(name, xs, in_bits, out_bits, dtype, results):
    if name not in BY_CRFIX or dtype == "u8":
        return
    other = getattr(crfix, name)(numpy.array(xs, dtype=numpy.int32), in_bits, out_bits, bits={"i8": 8, "i16": 16, "i32": 32}[dtype])
    for x, ours, theirs in zip(xs, results, numpy.asarray(other).reshape(-1).tolist()):
        assert ours == theirs, f"{name}({x} / 2^{in_bits}) to {out_bits} bits: {ours}, and by crfix {theirs}"
    COMPARED[name] = COMPARED.get(name, 0) + len(xs)


def evaluate_all(name, xs, in_bits, out_bits, dtype):
    results = [evaluate(name, x, in_bits, out_bits, dtype) for x in xs]
    check_with_crfix(name, xs, in_bits, out_bits, dtype, results)
    return results


def function_case(name, row, x_type, shape, x, in_bits, out_bits, dtype):
    args = [tensor(x_type, shape, x), u32(in_bits), u32(out_bits), u32(CODES[dtype])]
    return case(name, args, tensor(dtype, shape, evaluate_all(row, x, in_bits, out_bits, dtype)))


FORMATS_8 = [(4, 4, "i8"), (5, 7, "u8"), (3, 12, "i16"), (0, 0, "i32"), (7, 30, "i32"), (16, 30, "i32")]


def cases_of(row):
    def cases(rng):
        name = f"{row} of a few numbers"
        defined = lambda xs: [x for x in xs if is_defined(row, x)]
        few = defined([1, 0, -1, 2, -2, 100])
        found = [function_case(name, row, "i8", [len(few)], few, 4, 8, "i32")]
        every = defined(range(-128, 128))
        for in_bits, out_bits, dtype in FORMATS_8:
            found.append(function_case(f"all of i8 with {in_bits} bits to {dtype} with {out_bits}", row, "i8", [len(every)], every, in_bits, out_bits, dtype))
        for in_bits, out_bits, dtype in [(12, 12, "i16"), (8, 7, "i8"), (14, 30, "i32"), (0, 0, "i32"), (0, 30, "i16"), (16, 16, "u8"), (10, 0, "i16")]:
            x = defined([-32768, -32767, 32767, 32766, 1, 0, -1, *values(rng, "i16", 25), *(rng.randint(-300, 300) for _ in range(10))])
            found.append(function_case(f"i16 with {in_bits} bits to {dtype} with {out_bits}", row, "i16", [len(x)], x, in_bits, out_bits, dtype))
        # More elements than the type has values: from a table.
        many = [x for x in every for _ in range(2)][:300]
        found.append(function_case("more elements than values", row, "i8", [2, len(many) // 2], many[: len(many) // 2 * 2], 5, 6, "i8"))
        nothing = [tensor("i16", [0, 3], []), u32(8), u32(8), u32(0)]
        found.append(case("nothing", nothing, tensor("i8", [0, 3], [])))
        found.append(function_case("a scalar", row, "i16", [], [2000], 11, 20, "i32"))
        x = tensor("i8", [1], [1])
        for wrong in ["u8", "i32", "i64"]:
            found.append(refused(f"x of {wrong}", [tensor(wrong, [1], [1]), u32(0), u32(0), u32(0)], "TypeMismatch"))
        found += [
            refused("a result of i64", [x, u32(0), u32(0), u32(CODES["i64"])], "TypeMismatch"),
            refused("no such result type", [x, u32(0), u32(0), u32(77)], "TypeMismatch"),
            refused("17 fraction bits of x", [x, u32(17), u32(0), u32(0)], "BadArgument"),
            refused("31 fraction bits of the result", [x, u32(0), u32(31), u32(0)], "BadArgument"),
            refused("the most fraction bits", [x, u32((1 << 32) - 1), u32((1 << 32) - 1), u32(0)], "BadArgument"),
            refused("types come before numbers", [tensor("u8", [1], [1]), u32(99), u32(0), u32(0)], "TypeMismatch"),
        ]
        status = "DivisionByZero" if row == "recip" else "BadArgument"
        for x_type in ["i8", "i16"]:
            for outside in [v for v in [0, -1, RANGES[x_type][0]] if not is_defined(row, v)]:
                found.append(refused(f"{outside} of {x_type}, which has no {row}", [tensor(x_type, [3], [1, 2, outside]), u32(4), u32(4), u32(0)], status))
        return found

    return cases


FUNCTIONS = ["exp", "log", "sigmoid", "tanh", "silu", "gelu", "erf", "sin", "cos", "sqrt", "rsqrt", "recip"]


def rows():
    return [(f"op.{row}", cases_of(row)) for row in FUNCTIONS]


FORMATS_16 = [(11, 14, "i16"), (8, 30, "i32"), (13, 7, "i8")]


def every_16_bit_number():
    """A checksum of the values at all 16-bit numbers: the sum of (2 i + 1) * y_i modulo 2^64, i in their order."""
    lines = []
    for row in FUNCTIONS:
        xs = [x for x in range(-32768, 32768) if is_defined(row, x)]
        for in_bits, out_bits, dtype in FORMATS_16:
            ys = evaluate_all(row, xs, in_bits, out_bits, dtype)
            checksum = sum((2 * i + 1) * y for i, y in enumerate(ys)) % (1 << 64)
            entry = {"function": row, "in_bits": in_bits, "out_bits": out_bits, "dtype": dtype, "elements": len(xs), "checksum": f"{checksum:016x}"}
            lines.append("  " + json.dumps(entry))
    return "[\n" + ",\n".join(lines) + "\n]\n"


def comparison():
    counts = ", ".join(f"{row} {count}" for row, count in COMPARED.items())
    return (
        f"Values of functions rounded from mpmath ({PRECISION} bits) that libcrfix {crfix.version()} gave as well, none of them\n"
        f"different (crfix has no erf, sin and cos):\n{counts}\n"
    )
