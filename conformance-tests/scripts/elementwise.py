"""Cases of the elementwise rows and of dynamic quantisation, from Python integers and plain indexing."""

from fractions import Fraction
from math import prod

from exact import CODES, RANGES, rne, saturate
from vectors import case, i32, i64, refused, tensor, u32, values

TOP = 1 << 31


def broadcast(*shapes):
    rank = max(map(len, shapes))
    padded = [[1] * (rank - len(shape)) + list(shape) for shape in shapes]
    return [next((d for d in dims if d != 1), 1) for dims in zip(*padded)]


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


PAIRS = [
    ([7], [7]), ([2, 3], [3]), ([3], [2, 3]), ([2, 1], [1, 3]), ([], []), ([], [4]), ([2, 2], []), ([4, 1, 3], [2, 1]),
    ([2, 1, 2, 1, 2, 1, 2, 1], [1, 2, 1, 2, 1, 2, 1, 2]), ([0], [1]), ([1, 0], [3, 1]), ([33], [1]), ([2, 3, 1, 5], [3, 4, 1]),
]


def shape_refusals(good):
    """What two operands of one type are refused for; `good` makes the arguments."""
    zeros = lambda shape: tensor("i8", shape, [0] * prod(shape))
    return [
        refused("dimensions differ", good(zeros([2]), zeros([3])), "ShapeMismatch"),
        refused("dimensions differ in the middle", good(zeros([2, 3, 1]), zeros([2, 2, 1])), "ShapeMismatch"),
        refused("none and two", good(zeros([0]), zeros([2])), "ShapeMismatch"),
    ]


def binary_cases(f, result_type=None, checked=False):
    def cases(rng):
        found = [binary("small numbers", "i16", [2, 3], [1, -2, 3, 0, 5, -6], [3], [2, -2, 3], f, result_type)]
        for dtype in RANGES:
            low, high = RANGES[dtype]
            x, y = [low, high, low, high, high, low, 0, 1], [low, high, high, low, 1, 1, 0, low]
            if not checked:
                found.append(binary(f"{dtype}, the ends", dtype, [8], x, [8], y, f, result_type))
            for a_shape, b_shape in PAIRS:
                a, b = values(rng, dtype, prod(a_shape)), values(rng, dtype, prod(b_shape))
                if checked:
                    # Small enough never to overflow.
                    root = 9 if high < 1000 else 180
                    a, b = ([abs(v) % root + root if low == 0 else v % (2 * root) - root for v in part] for part in (a, b))
                    b = [v - root if low == 0 else v for v in b]
                    a = [min(v, 13) for v in a]
                    b = [min(v, 9) for v in b]
                found.append(binary(f"{dtype} {a_shape} {b_shape}", dtype, a_shape, a, b_shape, b, f, result_type))
            if checked:
                for p, q in zip(x, y):
                    exact = f(p, q)
                    args = [tensor(dtype, [3], [1, p, 1]), tensor(dtype, [3], [1, q, 1])]
                    name = f"{dtype} {p} and {q}"
                    if name in [c["name"] for c in found]:
                        continue
                    if low <= exact <= high:
                        found.append(case(name, args, tensor(dtype, [3], [f(1, 1), exact, f(1, 1)])))
                    else:
                        found.append(refused(name, args, "Overflow"))
        for a in RANGES:
            for b in RANGES:
                if a != b:
                    found.append(refused(f"{a} and {b}", [tensor(a, [1], [1]), tensor(b, [1], [1])], "TypeMismatch"))
        found += shape_refusals(lambda a, b: [a, b])
        found.append(refused("types come before shapes", [tensor("i8", [2], [1, 2]), tensor("u8", [3], [1, 2, 3])], "TypeMismatch"))
        return found

    return cases


def binary(name, dtype, a_shape, a, b_shape, b, f, result_type):
    shape = broadcast(a_shape, b_shape)
    to = result_type or dtype
    y = [saturate(f(at(a, a_shape, index), at(b, b_shape, index)), to) for index in indices(shape)]
    return case(name, [tensor(dtype, a_shape, a), tensor(dtype, b_shape, b)], tensor(to, shape, y))


def unary_cases(f):
    def cases(rng):
        found = []
        for dtype in RANGES:
            low, high = RANGES[dtype]
            x = [low, high, 0, 1, low + 1, *values(rng, dtype, 28)]
            found.append(case(f"{dtype}", [tensor(dtype, [3, 11], x)], tensor(dtype, [3, 11], [saturate(f(v, dtype), dtype) for v in x])))
            found.append(case(f"{dtype}, nothing", [tensor(dtype, [0, 4], [])], tensor(dtype, [0, 4], [])))
            found.append(case(f"{dtype}, a scalar", [tensor(dtype, [], [low])], tensor(dtype, [], [saturate(f(low, dtype), dtype)])))
        return found

    return cases


def clamp_cases(rng):
    found = []
    for dtype in RANGES:
        type_low, type_high = RANGES[dtype]
        x = [type_low, type_high, 0, 1, *values(rng, dtype, 12)]
        bounds = [(-5, 100), (0, 0), (7, 7), (3, 5), (-(1 << 63), (1 << 63) - 1), (type_high, (1 << 63) - 1), (-(1 << 63), type_low), (-(1 << 63), -(1 << 63)), ((1 << 63) - 1, (1 << 63) - 1)]
        for low, high in dict.fromkeys(bounds):
            y = [saturate(min(max(v, low), high), dtype) for v in x]
            found.append(case(f"{dtype} from {low} to {high}", [tensor(dtype, [4, 4], x), i64(low), i64(high)], tensor(dtype, [4, 4], y)))
        found.append(refused(f"{dtype}, bounds crossed", [tensor(dtype, [1], [1]), i64(2), i64(1)], "BadArgument"))
        found.append(refused(f"{dtype}, nothing, bounds crossed", [tensor(dtype, [0], []), i64(1 << 62), i64(-(1 << 62))], "BadArgument"))
    return found


def shift_cases(rng):
    found = []
    for dtype in RANGES:
        low, high = RANGES[dtype]
        x = [low, high, 0, 1, *sorted({max(low, v) for v in range(-6, 7)}), *values(rng, dtype, 10)]
        for bits in [0, 1, 3, 6, 31, 63, -1, -2, -6, -31, -62, -63]:
            y = [saturate(rne(Fraction(v) * Fraction(2) ** bits), dtype) for v in x]
            found.append(case(f"{dtype} by {bits}", [tensor(dtype, [len(x)], x), i32(bits)], tensor(dtype, [len(x)], y)))
        for bits in [64, -64, (1 << 31) - 1, -(1 << 31)]:
            found.append(refused(f"{dtype} by {bits}", [tensor(dtype, [1], [1]), i32(bits)], "BadArgument"))
    return found


def select_cases(rng):
    found = []
    shapes = [([3], [3], [3]), ([2, 1], [3], []), ([], [2, 2], [1, 2]), ([4], [1], [1]), ([1], [2, 3], [2, 1]), ([0], [1], []), ([2, 1, 2], [1, 3, 1], [2, 3, 2])]
    for dtype in RANGES:
        for c_shape, a_shape, b_shape in shapes:
            c = [rng.choice([0, 1, 0, 255, 128]) for _ in range(prod(c_shape))]
            a, b = values(rng, dtype, prod(a_shape)), values(rng, dtype, prod(b_shape))
            shape = broadcast(c_shape, a_shape, b_shape)
            y = [at(a, a_shape, i) if at(c, c_shape, i) else at(b, b_shape, i) for i in indices(shape)]
            found.append(case(f"{dtype} {c_shape} {a_shape} {b_shape}", [tensor("u8", c_shape, c), tensor(dtype, a_shape, a), tensor(dtype, b_shape, b)], tensor(dtype, shape, y)))
    zeros = lambda dtype, shape: tensor(dtype, shape, [0] * prod(shape))
    for wrong in ["i8", "i16", "i32", "i64"]:
        found.append(refused(f"a condition of {wrong}", [zeros(wrong, [1]), zeros("i8", [1]), zeros("i8", [1])], "TypeMismatch"))
    found += [
        refused("two types", [zeros("u8", [1]), zeros("i8", [1]), zeros("u8", [1])], "TypeMismatch"),
        refused("dimensions of a and b", [zeros("u8", [1]), zeros("i8", [2]), zeros("i8", [3])], "ShapeMismatch"),
        refused("dimensions of the condition", [zeros("u8", [3]), zeros("i8", [2]), zeros("i8", [1])], "ShapeMismatch"),
        refused("types come before shapes", [zeros("i8", [3]), zeros("i8", [2]), zeros("i8", [1])], "TypeMismatch"),
    ]
    return found


HALF, LAST = 1 << 30, (1 << 31) - 1


def mul_requantise_cases(rng):
    def good(name, a_type, a_shape, a, b_type, b_shape, b, multiplier, shift, zero_point, dtype):
        shape = broadcast(a_shape, b_shape)
        product = lambda i: at(a, a_shape, i) * at(b, b_shape, i)
        y = [saturate(rne(Fraction(product(i) * multiplier, 1 << shift)) + zero_point, dtype) for i in indices(shape)]
        args = [tensor(a_type, a_shape, a), tensor(b_type, b_shape, b), i32(multiplier), u32(shift), i32(zero_point), u32(CODES[dtype])]
        return case(name, args, tensor(dtype, shape, y))

    found = [
        good("a gate", "i8", [2, 3], [100, -100, 50, -7, 3, 0], "i8", [2, 3], [127, 64, -32, 16, -8, 4], HALF, 37, 0, "i8"),
        good("ties to even", "i8", [8], [-7, -5, -3, -1, 1, 3, 5, 7], "u8", [], [1], HALF, 31, 0, "i16"),
        good("no shift", "i32", [2], [3, -3], "i32", [2], [5, 7], LAST, 0, 1, "i64"),
        good("the largest product", "i64", [2], [-(1 << 63), (1 << 63) - 1], "i32", [2], [-TOP, -TOP], LAST, 94, 5, "i64"),
        good("the largest product, no shift", "i32", [2], [-TOP, -TOP], "i64", [2], [-(1 << 63), (1 << 63) - 1], LAST, 0, -1, "i32"),
        good("multiplier zero", "i16", [1], [-9], "i16", [1], [9], 0, 94, -300, "u8"),
        good("rows and columns", "i32", [3, 4], [100_000 * (i - 5) for i in range(12)], "i64", [3, 1], [1 << 30, 3 << 31, 12_345_678], 1_518_500_250, 78, 3, "i8"),
        good("nothing", "i8", [0, 2], [], "i8", [2], [1, 2], HALF, 30, 0, "i8"),
    ]
    for a_type in RANGES:
        for b_type in RANGES:
            if a_type == b_type == "i64":
                continue
            for dtype in RANGES:
                a, b = values(rng, a_type, 6), values(rng, b_type, 3)
                bits = {"i8": 7, "u8": 8, "i16": 15, "i32": 31, "i64": 63}
                shift = min(94, max(0, 30 + bits[a_type] + bits[b_type] - bits[dtype] + rng.randint(-2, 2)))
                found.append(good(f"{a_type} by {b_type} to {dtype}", a_type, [2, 3], a, b_type, [3], b, rng.randint(HALF, LAST), shift, rng.randint(-9, 9), dtype))
    one = lambda dtype: tensor(dtype, [1], [1])
    args = lambda a, b, m=HALF, s=30, z=0, d=0: [a, b, i32(m), u32(s), i32(z), u32(d)]
    found += shape_refusals(lambda a, b: args(a, b))
    found += [
        refused("i64 by i64", args(one("i64"), one("i64")), "TypeMismatch"),
        refused("no such result type", args(one("i8"), one("i8"), d=5), "TypeMismatch"),
        refused("a multiplier below 2^30", args(one("i8"), one("i8"), m=HALF - 1), "BadArgument"),
        refused("a negative multiplier", args(one("i8"), one("i8"), m=-TOP), "BadArgument"),
        refused("a shift of 95", args(one("i8"), one("i8"), s=95), "BadArgument"),
        refused("the largest shift", args(one("i8"), one("i8"), s=(1 << 32) - 1), "BadArgument"),
        refused("types come before shapes", args(tensor("i64", [2], [1, 2]), tensor("i64", [3], [1, 2, 3])), "TypeMismatch"),
        refused("shapes come before numbers", args(tensor("i8", [2], [1, 2]), tensor("i8", [3], [1, 2, 3]), m=1), "ShapeMismatch"),
    ]
    return found


LARGEST = {"i8": 127, "i16": 32_767}


def steps_of(x, row, dtype):
    rows = [x[start : start + row] for start in range(0, len(x), row)]
    return [max(1, -((-max(map(abs, r)) << 32) // LARGEST[dtype])) for r in rows]


def row_step_cases(rng):
    found = []
    for x_type in ["i8", "i16", "i32"]:
        low, high = RANGES[x_type]
        for dtype in ["i8", "i16"]:
            for shape in [[5], [3, 4], [2, 2, 9], [4, 1], [0, 3]]:
                x = values(rng, x_type, prod(shape))
                y = steps_of(x, shape[-1], dtype) if x else []
                found.append(case(f"{x_type} to {dtype} {shape}", [tensor(x_type, shape, x), u32(CODES[dtype])], tensor("i64", [*shape[:-1], 1], y)))
            x = [low, 0, high, high, 0, 0, 1, -1, 0, 2, -127, 127]
            found.append(case(f"{x_type} to {dtype}, the ends", [tensor(x_type, [6, 2], x), u32(CODES[dtype])], tensor("i64", [6, 1], steps_of(x, 2, dtype))))
    x = tensor("i8", [2], [1, 2])
    for wrong in ["u8", "i64"]:
        found.append(refused(f"x of {wrong}", [tensor(wrong, [1], [1]), u32(0)], "TypeMismatch"))
    for wrong in [1, 3, 4, 5, (1 << 32) - 1]:
        found.append(refused(f"to type {wrong}", [x, u32(wrong)], "TypeMismatch"))
    found += [
        refused("a scalar", [tensor("i8", [], [1]), u32(0)], "ShapeMismatch"),
        refused("empty rows", [tensor("i8", [2, 0], []), u32(0)], "ShapeMismatch"),
        refused("types come before shapes", [tensor("i8", [], [1]), u32(1)], "TypeMismatch"),
    ]
    return found


def quantise_rows_cases(rng):
    def good(name, x_type, shape, x, steps, dtype):
        row = shape[-1]
        y = [saturate(rne(Fraction(v << 32, steps[i // row])), dtype) for i, v in enumerate(x)]
        args = [tensor(x_type, shape, x), tensor("i64", [*shape[:-1], 1], steps), u32(CODES[dtype])]
        return case(name, args, tensor(dtype, shape, y))

    found = []
    for x_type in ["i8", "i16", "i32"]:
        low, high = RANGES[x_type]
        for dtype in ["i8", "i16"]:
            for shape in [[5], [3, 4], [2, 2, 9], [4, 1]]:
                x = values(rng, x_type, prod(shape))
                steps = steps_of(x, shape[-1], dtype)
                made = good(f"{x_type} to {dtype} {shape}", x_type, shape, x, steps, dtype)
                y = made["result"]["tensor"]["data"]
                assert max(map(abs, y)) <= LARGEST[dtype]
                found.append(made)
            x = [low, high, 0, 1, -1, 3, -3, 5]
            for steps in [[1], [1 << 33], [3 << 32], [(1 << 63) - 1], [1 << 62], [0xFFFF_FFFF]]:
                found.append(good(f"{x_type} to {dtype} by {steps[0]}", x_type, [1, 8], x, steps, dtype))
    found.append(case("no rows", [tensor("i8", [0, 2], []), tensor("i64", [0, 1], []), u32(0)], tensor("i8", [0, 2], [])))
    found.append(case("empty rows", [tensor("i8", [2, 0], []), tensor("i64", [2, 1], [1, 1]), u32(2)], tensor("i16", [2, 0], [])))
    x, step = tensor("i8", [2, 2], [1, 2, 3, 4]), tensor("i64", [2, 1], [1 << 32, 1 << 32])
    for wrong in ["u8", "i64"]:
        found.append(refused(f"x of {wrong}", [tensor(wrong, [2, 2], [1, 2, 3, 4]), step, u32(0)], "TypeMismatch"))
    for wrong in [1, 3, 4, 5]:
        found.append(refused(f"to type {wrong}", [x, step, u32(wrong)], "TypeMismatch"))
    found += [
        refused("steps of i32", [x, tensor("i32", [2, 1], [1, 1]), u32(0)], "TypeMismatch"),
        refused("one step", [x, tensor("i64", [1, 1], [1]), u32(0)], "ShapeMismatch"),
        refused("steps without the last axis", [x, tensor("i64", [2], [1, 1]), u32(0)], "ShapeMismatch"),
        refused("steps for each element", [x, tensor("i64", [2, 2], [1] * 4), u32(0)], "ShapeMismatch"),
        refused("a scalar", [tensor("i8", [], [1]), tensor("i64", [], [1]), u32(0)], "ShapeMismatch"),
        refused("a step of 0", [x, tensor("i64", [2, 1], [1, 0]), u32(0)], "DivisionByZero"),
        refused("a step below 0", [x, tensor("i64", [2, 1], [-(1 << 63), 1]), u32(0)], "DivisionByZero"),
        refused("types come before shapes", [x, tensor("i32", [1, 1], [1]), u32(0)], "TypeMismatch"),
        refused("shapes come before elements", [x, tensor("i64", [1, 1], [0]), u32(0)], "ShapeMismatch"),
    ]
    return found


def rows():
    add, sub, mul = (lambda a, b: a + b), (lambda a, b: a - b), (lambda a, b: a * b)
    return [
        ("op.row_step", row_step_cases), ("op.quantise_rows", quantise_rows_cases), ("op.mul_requantise", mul_requantise_cases),
        ("op.sub", binary_cases(sub)), ("op.mul", binary_cases(mul)),
        ("op.add_checked", binary_cases(add, checked=True)), ("op.sub_checked", binary_cases(sub, checked=True)), ("op.mul_checked", binary_cases(mul, checked=True)),
        ("op.min", binary_cases(min)), ("op.max", binary_cases(max)),
        ("op.bit_and", binary_cases(lambda a, b: a & b)), ("op.bit_or", binary_cases(lambda a, b: a | b)), ("op.bit_xor", binary_cases(lambda a, b: a ^ b)),
        ("op.equal", binary_cases(lambda a, b: int(a == b), "u8")), ("op.less", binary_cases(lambda a, b: int(a < b), "u8")), ("op.less_or_equal", binary_cases(lambda a, b: int(a <= b), "u8")),
        ("op.select", select_cases),
        ("op.neg", unary_cases(lambda v, _: -v)), ("op.abs", unary_cases(lambda v, _: abs(v))),
        ("op.bit_not", unary_cases(lambda v, dtype: 255 - v if dtype == "u8" else ~v)),
        ("op.clamp", clamp_cases), ("op.shift", shift_cases),
    ]
