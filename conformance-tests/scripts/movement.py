"""Cases of the rows that move elements or reduce along an axis: `numpy` for movement, Python integers for sums."""

from fractions import Fraction
from math import prod

import numpy

from exact import RANGES, rne, saturate
from vectors import case, i64, refused, tensor, u32, values, words

TYPES = {"i8": numpy.int8, "u8": numpy.uint8, "i16": numpy.int16, "i32": numpy.int32, "i64": numpy.int64}
TOP = (1 << 32) - 1


def array(dtype, shape, x):
    return numpy.array(x, dtype=TYPES[dtype]).reshape(shape)


def of_array(dtype, y):
    return tensor(dtype, list(y.shape), [int(v) for v in y.reshape(-1)])


def zeros(dtype, shape):
    return tensor(dtype, shape, [0] * prod(shape))


def transpose_cases(rng):
    found = []
    shapes = [([2, 3], [1, 0]), ([2, 3, 4], [2, 0, 1]), ([2, 3, 4], [0, 2, 1]), ([2, 3, 4], [0, 1, 2]), ([5], [0]), ([], []), ([0, 3], [1, 0]), ([1, 4, 1], [2, 1, 0]), ([2] * 8, [7, 0, 6, 1, 5, 2, 4, 3]), ([3, 2, 2, 5], [0, 2, 1, 3])]
    for dtype in RANGES:
        for shape, axes in shapes:
            x = values(rng, dtype, prod(shape))
            found.append(case(f"{dtype} {shape} by {axes}", [tensor(dtype, shape, x), words(axes)], of_array(dtype, array(dtype, shape, x).transpose(axes))))
    x = zeros("i8", [2, 3])
    for axes in [[0], [0, 0], [1, 1], [0, 2], [2, 1], [0, 1, 2], [], [TOP, 0], list(range(9))]:
        found.append(refused(f"axes {axes}", [x, words(axes)], "ShapeMismatch"))
    found.append(refused("half an axis", [x, {"bytes": "010000000000"}], "ShapeMismatch"))
    return found


def expand_cases(rng):
    found = []
    shapes = [([3], [2, 3]), ([2, 1], [2, 4]), ([1, 3], [2, 3]), ([], [2, 2]), ([1], []), ([2, 3], [2, 3]), ([1, 2, 1], [3, 1, 3, 2, 3]), ([1], [0]), ([0], [2, 0]), ([1, 1], [4, 5]), ([2, 1, 2, 1], [2, 3, 2, 3])]
    for dtype in RANGES:
        for shape, to in shapes:
            if shape == [1] and to == []:
                found.append(refused(f"{dtype} to fewer axes", [zeros(dtype, shape), words(to)], "ShapeMismatch"))
                continue
            x = values(rng, dtype, prod(shape))
            found.append(case(f"{dtype} {shape} to {to}", [tensor(dtype, shape, x), words(to)], of_array(dtype, numpy.broadcast_to(array(dtype, shape, x), to))))
    for shape, to in [([2], [3]), ([2, 3], [3]), ([2, 3], [2, 1]), ([3, 1], [2, 3]), ([2], [0]), ([0], [1])]:
        found.append(refused(f"{shape} to {to}", [zeros("i8", shape), words(to)], "ShapeMismatch"))
    found += [
        refused("nine axes", [zeros("i8", [1]), words([1] * 9)], "ShapeMismatch"),
        refused("half a number", [zeros("i8", [1]), {"bytes": "0100"}], "ShapeMismatch"),
        refused("a result of 2^96 elements", [zeros("i8", [1]), words([TOP] * 3)], "LimitExceeded"),
        refused("a result of 2^40 elements", [zeros("i8", [1]), words([1 << 20, 1 << 20])], "LimitExceeded"),
    ]
    return found


def concat_cases(rng):
    found = []
    pairs = [([2], [3], 0), ([2, 3], [1, 3], 0), ([2, 3], [2, 2], 1), ([2, 1, 3], [2, 4, 3], 1), ([2, 2, 2], [2, 2, 1], 2), ([0], [2], 0), ([2, 0], [2, 3], 1), ([0, 3], [0, 3], 0), ([0, 3], [0, 2], 1), ([1] * 8, [1] * 8, 5)]
    for dtype in RANGES:
        for a_shape, b_shape, axis in pairs:
            a, b = values(rng, dtype, prod(a_shape)), values(rng, dtype, prod(b_shape))
            y = numpy.concatenate([array(dtype, a_shape, a), array(dtype, b_shape, b)], axis=axis)
            found.append(case(f"{dtype} {a_shape} {b_shape} along {axis}", [tensor(dtype, a_shape, a), tensor(dtype, b_shape, b), u32(axis)], of_array(dtype, y)))
    for a in RANGES:
        for b in RANGES:
            if a != b:
                found.append(refused(f"{a} and {b}", [zeros(a, [1]), zeros(b, [1]), u32(0)], "TypeMismatch"))
    for a, b, axis in [([2], [2], 1), ([], [], 0), ([2], [2], TOP), ([2, 3], [2, 4], 0), ([2, 3], [3, 3], 1), ([2, 3], [3], 0), ([2], [1, 2], 0)]:
        found.append(refused(f"{a} {b} along {axis}", [zeros("i8", a), zeros("i8", b), u32(axis)], "ShapeMismatch"))
    found += [
        refused("a dimension past 32 bits", [zeros("i8", [TOP, 0]), zeros("i8", [1, 0]), u32(0)], "ShapeMismatch"),
        refused("types come before shapes", [zeros("i8", [2]), zeros("u8", [2]), u32(9)], "TypeMismatch"),
    ]
    return found


def pad_cases(rng):
    found = []
    for dtype in RANGES:
        low, high = RANGES[dtype]
        for shape, before, behind in [([3], [1], [2]), ([2, 3], [0, 1], [1, 0]), ([2, 3], [0, 0], [0, 0]), ([2, 2, 2], [1, 0, 2], [0, 1, 1]), ([], [], []), ([0], [2], [1]), ([2, 0], [0, 1], [1, 1]), ([1, 1, 1, 1], [1, 0, 1, 0], [0, 2, 0, 1])]:
            x, value = values(rng, dtype, prod(shape)), rng.choice([0, low, high, 7])
            y = numpy.pad(array(dtype, shape, x), list(zip(before, behind)), constant_values=value) if shape else array(dtype, shape, x)
            found.append(case(f"{dtype} {shape} by {before} and {behind}", [tensor(dtype, shape, x), words(before), words(behind), i64(value)], of_array(dtype, y)))
        for value in [-(1 << 63), (1 << 63) - 1]:
            y = [saturate(value, dtype), 5, saturate(value, dtype)]
            found.append(case(f"{dtype}, {value} saturated", [tensor(dtype, [1], [5]), words([1]), words([1]), i64(value)], tensor(dtype, [3], y)))
    x = zeros("i8", [2, 3])
    for before, behind in [([1], [1, 1]), ([1, 1], [1]), ([1, 1, 1], [1, 1, 1]), ([], []), ([0] * 9, [0] * 9), ([TOP, 0], [0, 0]), ([0, 1], [0, TOP - 3])]:
        found.append(refused(f"by {before} and {behind}", [x, words(before), words(behind), i64(0)], "ShapeMismatch"))
    found += [
        refused("half a number", [x, {"bytes": "010000000000"}, words([0, 0]), i64(0)], "ShapeMismatch"),
        refused("a result of 2^96 elements", [zeros("i8", [1, 1, 1]), words([TOP - 1] * 3), words([0] * 3), i64(0)], "LimitExceeded"),
    ]
    return found


def gather_cases(rng):
    found = []
    for dtype in RANGES:
        for shape, i_shape, axis in [([5], [3], 0), ([4, 3], [2], 0), ([4, 3], [2], 1), ([4, 3], [2, 2], 0), ([2, 3, 4], [5], 1), ([2, 3, 4], [], 1), ([3], [], 0), ([3, 2], [0], 0), ([3, 0], [2], 0), ([0, 3], [2], 1), ([1, 2, 1, 2], [2, 1, 2], 1)]:
            x, indices = values(rng, dtype, prod(shape)), [rng.randrange(shape[axis]) for _ in range(prod(i_shape))]
            y = numpy.take(array(dtype, shape, x), array("i32", i_shape, indices), axis=axis)
            found.append(case(f"{dtype} {shape} at {i_shape} along {axis}", [tensor(dtype, shape, x), tensor("i32", i_shape, indices), u32(axis)], of_array(dtype, numpy.asarray(y))))
    x = zeros("i16", [3, 2])
    for wrong in ["i8", "u8", "i16", "i64"]:
        found.append(refused(f"indices of {wrong}", [x, zeros(wrong, [1]), u32(0)], "TypeMismatch"))
    for index in [3, -1, (1 << 31) - 1, -(1 << 31)]:
        found.append(refused(f"index {index}", [x, tensor("i32", [2], [0, index]), u32(0)], "IndexOutOfRange"))
    found += [
        refused("an index into nothing", [zeros("i8", [0]), tensor("i32", [1], [0]), u32(0)], "IndexOutOfRange"),
        refused("no such axis", [x, zeros("i32", [1]), u32(2)], "ShapeMismatch"),
        refused("a scalar", [zeros("i8", []), zeros("i32", [1]), u32(0)], "ShapeMismatch"),
        refused("too many axes", [zeros("i8", [1] * 5), zeros("i32", [1] * 5), u32(0)], "ShapeMismatch"),
        refused("a result of 2^64 elements", [zeros("i8", [1 << 31, 1 << 31, 0]), zeros("i32", [4]), u32(2)], "LimitExceeded"),
        refused("types come before shapes", [x, zeros("i8", [1]), u32(9)], "TypeMismatch"),
        refused("shapes come before elements", [x, tensor("i32", [1], [9]), u32(9)], "ShapeMismatch"),
    ]
    return found


SHAPES = [([5], 0), ([3, 4], 0), ([3, 4], 1), ([2, 3, 4], 1), ([2, 3, 4], 0), ([1, 7], 0), ([0, 3], 1), ([3, 0], 0), ([2] * 8, 4)]


def along(shape, axis, x):
    """The elements along the axis, for each element of the result."""
    count, inner = shape[axis], prod(shape[axis + 1 :])
    return [[x[(o * count + i) * inner + k] for i in range(count)] for o in range(prod(shape[:axis])) for k in range(inner)]


def refusals():
    return [
        refused("no such axis", [zeros("i8", [2, 3]), u32(2)], "ShapeMismatch"),
        refused("no axis at all", [zeros("i8", []), u32(0)], "ShapeMismatch"),
        refused("the largest axis", [zeros("i8", [2, 3]), u32(TOP)], "ShapeMismatch"),
    ]


def reduce_cases(f, empty_is_refused=True, result_type=None):
    def cases(rng):
        found = []
        for dtype in RANGES:
            low, high = RANGES[dtype]
            to = result_type or dtype
            for shape, axis in SHAPES:
                x = values(rng, dtype, prod(shape))
                if result_type and dtype == "i64":
                    x = [v >> 8 for v in x]
                found.append(case(f"{dtype} {shape} along {axis}", [tensor(dtype, shape, x), u32(axis)], tensor(to, shape[:axis] + shape[axis + 1 :], [f(r) for r in along(shape, axis, x)])))
            for x in [[low, low, low], [high, high, high], [low, high, high], [1, 0, 0], [1, 1, 0], [3, 3, 3], [low, high]]:
                name = f"{dtype} {x}"
                y = f(x)
                args = [tensor(dtype, [len(x)], x), u32(0)]
                fits = RANGES[to][0] <= y <= RANGES[to][1]
                if name not in [c["name"] for c in found]:
                    found.append(case(name, args, tensor(to, [], [y])) if fits else refused(name, args, "Overflow"))
            if empty_is_refused:
                found.append(refused(f"{dtype}, an empty axis", [tensor(dtype, [2, 0], []), u32(1)], "ShapeMismatch"))
                found.append(refused(f"{dtype}, an empty axis of nothing", [tensor(dtype, [0, 0], []), u32(0)], "ShapeMismatch"))
            else:
                found.append(case(f"{dtype}, an empty axis", [tensor(dtype, [2, 0], []), u32(1)], tensor(to, [2], [0, 0])))
        return found + refusals()

    return cases


def cumsum_cases(rng):
    found = []
    for dtype in RANGES:
        for shape, axis in SHAPES:
            x = [v >> 8 if dtype == "i64" else v for v in values(rng, dtype, prod(shape))]
            y = numpy.cumsum(array("i64", shape, x), axis=axis)
            found.append(case(f"{dtype} {shape} along {axis}", [tensor(dtype, shape, x), u32(axis)], of_array("i64", y)))
        found.append(case(f"{dtype}, an empty axis", [tensor(dtype, [2, 0], []), u32(1)], tensor("i64", [2, 0], [])))
    low, high = RANGES["i64"]
    found += [
        case("up to the end", [tensor("i64", [3], [high - 3, 1, 2]), u32(0)], tensor("i64", [3], [high - 3, high - 2, high])),
        refused("one too far", [tensor("i64", [3], [high - 3, 1, 3]), u32(0)], "Overflow"),
        refused("too far in between", [tensor("i64", [3], [low, -1, 1]), u32(0)], "Overflow"),
    ]
    return found + refusals()


def rows():
    mean = lambda r: rne(Fraction(sum(r), len(r)))
    return [
        ("op.transpose", transpose_cases), ("op.expand", expand_cases), ("op.concat", concat_cases), ("op.pad", pad_cases), ("op.gather", gather_cases),
        ("op.reduce_sum", reduce_cases(sum, empty_is_refused=False, result_type="i64")), ("op.reduce_mean", reduce_cases(mean)),
        ("op.reduce_min", reduce_cases(min)), ("op.reduce_max", reduce_cases(max)), ("op.cumsum", cumsum_cases),
    ]
