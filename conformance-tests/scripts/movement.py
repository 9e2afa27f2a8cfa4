"""Cases of the rows that move elements or reduce along an axis: `numpy` for movement, Python integers for sums."""

import math
from fractions import Fraction
from math import prod

import numpy

from exact import CODES, RANGES, rne, saturate
from vectors import case, fill, i32, i64, refused, tensor, u32, values, words

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


def prod_cases(rng):
    found = []
    for dtype in RANGES:
        for shape, axis in SHAPES:
            x = [min(max(v, -20), 20) for v in values(rng, dtype, prod(shape))]
            y = [prod(r) for r in along(shape, axis, x)]
            found.append(case(f"{dtype} {shape} along {axis}", [tensor(dtype, shape, x), u32(axis)], tensor("i64", shape[:axis] + shape[axis + 1 :], y)))
        found.append(case(f"{dtype}, an empty axis", [tensor(dtype, [2, 0], []), u32(1)], tensor("i64", [2], [1, 1])))
    low, high = RANGES["i64"]
    for x in [[low, 1], [low, -1], [high, -1], [1 << 62, 2, -1], [1 << 62, -2], [1 << 62, 2], [high, high, 0], [high, high, high, high, 0, 7], [0, high, high], [low, low, low], [-(1 << 62), -2, -1], [1 << 32, 1 << 31, -1], [low, low, low, 0]]:
        y, args = prod(x), [tensor("i64", [len(x)], x), u32(0)]
        found.append(case(f"{x}", args, tensor("i64", [], [y])) if low <= y <= high else refused(f"{x}", args, "Overflow"))
    return found + refusals()


def ordered(row, order):
    """The indices of a row in order, ties by the lower index."""
    return sorted(range(len(row)), key=lambda i: (row[i] if order else -row[i], i))


ROWS = [[5], [3, 4], [2, 3, 7], [1, 130], [4, 1], [0, 3]]


def row_values(rng, dtype, count):
    return values(rng, dtype, count) if rng.random() < 0.6 else [rng.randint(0, 3) for _ in range(count)]


def by_rows(shape, x):
    return [x[i : i + shape[-1]] for i in range(0, len(x), shape[-1])] if shape[-1] else []


def sort_cases(rng):
    found = []
    for dtype in RANGES:
        for order in (0, 1):
            for shape in ROWS + [[2, 0]]:
                x = row_values(rng, dtype, prod(shape))
                y = [row[i] for row in by_rows(shape, x) for i in ordered(row, order)]
                found.append(case(f"{dtype} {shape} order {order}", [tensor(dtype, shape, x), u32(order)], tensor(dtype, shape, y)))
    x = zeros("i8", [2, 3])
    found += [
        refused("no axis at all", [zeros("i8", []), u32(0)], "ShapeMismatch"),
        refused("order 2", [x, u32(2)], "BadArgument"),
        refused("the largest order", [x, u32(TOP)], "BadArgument"),
        refused("shapes come before numbers", [zeros("i8", []), u32(9)], "ShapeMismatch"),
    ]
    return found


def topk_cases(rng):
    found = []
    for dtype in RANGES:
        low, high = RANGES[dtype]
        for order in (0, 1):
            for shape in ROWS:
                for count in sorted({1, (shape[-1] + 1) // 2, shape[-1]}):
                    x = row_values(rng, dtype, prod(shape))
                    y = [i for row in by_rows(shape, x) for i in ordered(row, order)[:count]]
                    found.append(case(f"{dtype} {shape}, {count} in order {order}", [tensor(dtype, shape, x), u32(count), u32(order)], tensor("i32", [*shape[:-1], count], y)))
            x = [low, high, high, low, high, 1]
            found.append(case(f"{dtype}, equals in order {order}", [tensor(dtype, [6], x), u32(6), u32(order)], tensor("i32", [6], ordered(x, order))))
    x = zeros("i8", [2, 3])
    found += [
        case("the longest row", [fill("i8", [1, 1 << 20], 7), u32(3), u32(1)], tensor("i32", [1, 3], [0, 1, 2])),
        refused("a row too long", [fill("i8", [(1 << 20) + 1], 7), u32(3), u32(1)], "ShapeMismatch"),
        refused("no axis at all", [zeros("i8", []), u32(1), u32(0)], "ShapeMismatch"),
        refused("empty rows", [zeros("i8", [2, 0]), u32(0), u32(0)], "ShapeMismatch"),
        refused("none", [x, u32(0), u32(0)], "BadArgument"),
        refused("more than a row", [x, u32(4), u32(0)], "BadArgument"),
        refused("very many", [x, u32(TOP), u32(0)], "BadArgument"),
        refused("order 2", [x, u32(1), u32(2)], "BadArgument"),
        refused("shapes come before numbers", [zeros("i8", [2, 0]), u32(1), u32(2)], "ShapeMismatch"),
    ]
    return found


def tile_cases(rng):
    found = []
    for dtype in RANGES:
        for shape, repeats in [([3], [2]), ([2, 3], [1, 2]), ([2, 3], [2, 1]), ([2, 3], [3, 2]), ([2, 1, 2], [2, 3, 1]), ([], []), ([2], [0]), ([0, 2], [3, 2]), ([2, 2, 2], [1, 1, 1]), ([1, 2, 1, 3], [2, 1, 2, 2]), ([2] * 8, [1, 2, 1, 1, 2, 1, 1, 2]), ([5, 1], [1, 4])]:
            x = values(rng, dtype, prod(shape))
            found.append(case(f"{dtype} {shape} by {repeats}", [tensor(dtype, shape, x), words(repeats)], of_array(dtype, numpy.tile(array(dtype, shape, x), repeats))))
    x = zeros("i8", [2, 3])
    for repeats in [[2], [1, 1, 1], [], [1] * 9, [1 << 31, 1], [1, TOP]]:
        found.append(refused(f"by {repeats}", [x, words(repeats)], "ShapeMismatch"))
    found += [
        refused("half a number", [x, {"bytes": "010000000000"}], "ShapeMismatch"),
        refused("a result of 2^90 elements", [zeros("i8", [1, 1, 1]), words([1 << 30] * 3)], "LimitExceeded"),
    ]
    return found


def scatter_cases(rng):
    found = []
    for dtype in RANGES:
        for shape, i_shape, axis in [([5], [3], 0), ([4, 3], [2], 0), ([4, 3], [2], 1), ([4, 3], [2, 2], 0), ([2, 3, 4], [5], 1), ([2, 3, 4], [], 1), ([3], [], 0), ([3, 2], [0], 0), ([3, 0], [2], 0), ([0, 3], [2], 1), ([1, 2, 1, 2], [2, 1, 2], 1)]:
            x, indices = values(rng, dtype, prod(shape)), [rng.randrange(shape[axis]) for _ in range(prod(i_shape))]
            u_shape = [*shape[:axis], *i_shape, *shape[axis + 1 :]]
            updates = values(rng, dtype, prod(u_shape))
            y, flat = array(dtype, shape, x).copy(), array(dtype, [*shape[:axis], len(indices), *shape[axis + 1 :]], updates)
            for i, index in enumerate(indices):
                y[(slice(None),) * axis + (index,)] = flat[(slice(None),) * axis + (i,)]
            args = [tensor(dtype, shape, x), tensor("i32", i_shape, indices), tensor(dtype, u_shape, updates), u32(axis)]
            found.append(case(f"{dtype} {shape} at {i_shape} along {axis}", args, of_array(dtype, y)))
    x, u = zeros("i16", [3, 2]), zeros("i16", [1, 2])
    found.append(case("one place twice", [x, tensor("i32", [3], [1, 2, 1]), tensor("i16", [3, 2], [1, 2, 3, 4, 5, 6]), u32(0)], tensor("i16", [3, 2], [0, 0, 5, 6, 3, 4])))
    for wrong in ["i8", "u8", "i16", "i64"]:
        found.append(refused(f"indices of {wrong}", [x, zeros(wrong, [1]), u, u32(0)], "TypeMismatch"))
    for wrong in ["i8", "u8", "i32", "i64"]:
        found.append(refused(f"updates of {wrong}", [x, zeros("i32", [1]), zeros(wrong, [1, 2]), u32(0)], "TypeMismatch"))
    for index in [3, -1, (1 << 31) - 1, -(1 << 31)]:
        found.append(refused(f"index {index}", [x, tensor("i32", [2], [0, index]), zeros("i16", [2, 2]), u32(0)], "IndexOutOfRange"))
    for shape in [[2], [2, 2], [1, 3], [1, 1, 2], []]:
        found.append(refused(f"updates of {shape}", [x, zeros("i32", [1]), zeros("i16", shape), u32(0)], "ShapeMismatch"))
    found += [
        refused("an index into nothing", [zeros("i8", [0]), zeros("i32", [1]), zeros("i8", [1]), u32(0)], "IndexOutOfRange"),
        refused("no such axis", [x, zeros("i32", [1]), u, u32(2)], "ShapeMismatch"),
        refused("a scalar", [zeros("i8", []), zeros("i32", []), zeros("i8", []), u32(0)], "ShapeMismatch"),
        refused("types come before shapes", [x, zeros("i8", [1]), u, u32(9)], "TypeMismatch"),
    ]
    return found


def gather_elements_cases(rng):
    found = []
    for dtype in RANGES:
        for shape, along_axis, axis in [([5], 3, 0), ([4, 3], 2, 0), ([4, 3], 5, 1), ([2, 3, 4], 5, 1), ([2, 3, 4], 0, 2), ([0, 3], 2, 1), ([3, 0], 2, 0), ([2] * 8, 3, 4)]:
            x = values(rng, dtype, prod(shape))
            i_shape = [*shape[:axis], along_axis, *shape[axis + 1 :]]
            indices = [rng.randrange(shape[axis]) for _ in range(prod(i_shape))]
            y = numpy.take_along_axis(array(dtype, shape, x), array("i32", i_shape, indices).astype(numpy.int64), axis=axis)
            found.append(case(f"{dtype} {shape} at {i_shape} along {axis}", [tensor(dtype, shape, x), tensor("i32", i_shape, indices), u32(axis)], of_array(dtype, y)))
    x = zeros("i16", [3, 2])
    for wrong in ["i8", "u8", "i16", "i64"]:
        found.append(refused(f"indices of {wrong}", [x, zeros(wrong, [1, 2]), u32(0)], "TypeMismatch"))
    for index in [3, -1, (1 << 31) - 1, -(1 << 31)]:
        found.append(refused(f"index {index}", [x, tensor("i32", [1, 2], [0, index]), u32(0)], "IndexOutOfRange"))
    for shape in [[2], [1, 3], [1, 2, 1], []]:
        found.append(refused(f"indices {shape}", [x, zeros("i32", shape), u32(0)], "ShapeMismatch"))
    found += [
        refused("an index into nothing", [zeros("i8", [0]), zeros("i32", [1]), u32(0)], "IndexOutOfRange"),
        refused("no such axis", [x, x, u32(0)], "TypeMismatch"),
        refused("no such axis either", [x, zeros("i32", [3, 2]), u32(2)], "ShapeMismatch"),
        refused("a scalar", [zeros("i8", []), zeros("i32", []), u32(0)], "ShapeMismatch"),
    ]
    return found


def one_hot_cases(rng):
    found = []
    args = lambda shape, indices, depth, on, off, dtype: [tensor("i32", shape, indices), u32(depth), i64(on), i64(off), u32(dtype)]
    for dtype in RANGES:
        low, high = RANGES[dtype]
        for shape, depth in [([3], 4), ([], 2), ([2, 2], 1), ([0], 3), ([0], 0), ([2, 1, 2], 5), ([1] * 7, 3)]:
            on, off = rng.choice([(1, 0), (low, high), (-(1 << 63), (1 << 63) - 1), (7, 9)])
            indices = [rng.randrange(depth) for _ in range(prod(shape))]
            y = [saturate(on if k == index else off, dtype) for index in indices for k in range(depth)]
            found.append(case(f"{dtype} {shape} of {depth}", args(shape, indices, depth, on, off, CODES[dtype]), tensor(dtype, [*shape, depth], y)))
    ok = args([1], [0], 3, 1, 0, 0)
    for wrong in ["i8", "u8", "i16", "i64"]:
        found.append(refused(f"indices of {wrong}", [zeros(wrong, [1]), *ok[1:]], "TypeMismatch"))
    for index in [3, -1, (1 << 31) - 1, -(1 << 31)]:
        found.append(refused(f"index {index}", args([2], [0, index], 3, 1, 0, 0), "IndexOutOfRange"))
    found += [
        refused("no such type", args([1], [0], 3, 1, 0, 5), "TypeMismatch"),
        refused("an index into nothing", args([1], [0], 0, 1, 0, 0), "IndexOutOfRange"),
        refused("nine axes", args([1] * 8, [0], 3, 1, 0, 0), "ShapeMismatch"),
        refused("a result of 2^32 elements", [tensor("i32", [1], [0]), u32(TOP), i64(1), i64(0), u32(4)], "LimitExceeded"),
    ]
    return found


def range_cases(rng):
    found = []
    args = lambda start, step, count, dtype: [i64(start), i64(step), u32(count), u32(dtype)]
    for dtype in RANGES:
        low, high = RANGES[dtype]
        for start, step, count in [(0, 1, 5), (high, -1, 4), (low, 3, 6), (low, high - low if dtype != "i64" else high, 2), (7, 0, 3), (3, 1 << 60, 1), (1000, 1, 0), (high, 0, 2)]:
            fits = count == 0 or low <= start <= high and low <= start + step * (count - 1) <= high
            if fits:
                found.append(case(f"{dtype} {start} {step} {count}", args(start, step, count, CODES[dtype]), tensor(dtype, [count], [start + i * step for i in range(count)])))
        for start, step, count in [(high, 1, 2), (low, -1, 2), (0, high, 3), (0, -(1 << 63), TOP), (0, (1 << 63) - 1, TOP)] + ([(high + 1, -1, 2), (low - 1, 1, 2)] if dtype != "i64" else []):
            found.append(refused(f"{dtype} {start} {step} {count}", args(start, step, count, CODES[dtype]), "Overflow"))
    found += [refused("no such type", args(0, 1, 2, 5), "TypeMismatch"), refused("types come first", args(1 << 62, 1 << 62, 9, TOP), "TypeMismatch")]
    return found


def trilu_cases(rng):
    found = []
    args = lambda x, diagonal, upper: [x, i32(diagonal), u32(upper)]
    for dtype in RANGES:
        for shape in [[3, 3], [2, 4], [5, 2], [2, 3, 4], [0, 3], [3, 0], [1, 1, 2, 2]]:
            for upper in (0, 1):
                for diagonal in rng.sample([0, 1, -1, 2, -3, 10, -10], 2) + [rng.choice([(1 << 31) - 1, -(1 << 31)])]:
                    x = values(rng, dtype, prod(shape))
                    y = (numpy.triu if upper else numpy.tril)(array(dtype, shape, x), max(-20, min(20, diagonal)))
                    found.append(case(f"{dtype} {shape} at {diagonal}, upper {upper}", args(tensor(dtype, shape, x), diagonal, upper), of_array(dtype, y)))
    found += [
        refused("one axis", args(zeros("i8", [3]), 0, 0), "ShapeMismatch"),
        refused("a scalar", args(zeros("i8", []), 0, 9), "ShapeMismatch"),
        refused("upper 2", args(zeros("i8", [2, 2]), 0, 2), "BadArgument"),
        refused("the largest upper", args(zeros("i8", [2, 2]), 0, TOP), "BadArgument"),
    ]
    return found


def nearest(i, n, m, mode):
    if mode == 0:
        return math.floor(Fraction(i * n, m))
    # The nearest to the centre of the place, the lower one of two.
    at = (i + Fraction(1, 2)) * Fraction(n, m) - Fraction(1, 2)
    return min(max(math.ceil(at - Fraction(1, 2)), 0), n - 1)


def resize_cases(rng):
    found = []
    for dtype in RANGES:
        for shape, to in [([4], [8]), ([4], [7]), ([7], [3]), ([2, 3], [4, 6]), ([3, 5], [2, 9]), ([1, 2, 3, 2], [1, 4, 5, 2]), ([5], [5]), ([], []), ([3], [0]), ([0], [0]), ([1], [4]), ([2, 3, 2], [3, 3, 1]), ([6, 1], [9, 1])]:
            for mode in (0, 1):
                x = values(rng, dtype, prod(shape))
                y = array(dtype, shape, x)
                for axis, m in enumerate(to):
                    y = numpy.take(y, [nearest(i, shape[axis], m, mode) for i in range(m)], axis=axis) if m or shape[axis] else y
                found.append(case(f"{dtype} {shape} to {to}, mode {mode}", [tensor(dtype, shape, x), words(to), u32(mode)], of_array(dtype, y)))
    x = zeros("i8", [2, 3])
    for to in [[2], [2, 3, 1], [], [1] * 9]:
        found.append(refused(f"to {to}", [x, words(to), u32(0)], "ShapeMismatch"))
    found += [
        refused("something out of nothing", [zeros("i8", [2, 0]), words([2, 1]), u32(0)], "ShapeMismatch"),
        refused("half a number", [x, {"bytes": "010000000000"}, u32(0)], "ShapeMismatch"),
        refused("mode 2", [x, words([2, 2]), u32(2)], "BadArgument"),
        refused("the largest mode", [x, words([2, 2]), u32(TOP)], "BadArgument"),
        refused("a result of 2^90 elements", [zeros("i8", [1, 1, 1]), words([1 << 30] * 3), u32(0)], "LimitExceeded"),
        refused("shapes come before numbers", [x, words([2]), u32(2)], "ShapeMismatch"),
    ]
    return found


def rows():
    mean = lambda r: rne(Fraction(sum(r), len(r)))
    return [
        ("op.transpose", transpose_cases), ("op.expand", expand_cases), ("op.concat", concat_cases), ("op.pad", pad_cases), ("op.gather", gather_cases),
        ("op.reduce_sum", reduce_cases(sum, empty_is_refused=False, result_type="i64")), ("op.reduce_mean", reduce_cases(mean)),
        ("op.reduce_min", reduce_cases(min)), ("op.reduce_max", reduce_cases(max)), ("op.cumsum", cumsum_cases),
        ("op.reduce_prod", prod_cases), ("op.sort", sort_cases), ("op.topk", topk_cases), ("op.tile", tile_cases), ("op.scatter", scatter_cases), ("op.gather_elements", gather_elements_cases),
        ("op.one_hot", one_hot_cases), ("op.range", range_cases), ("op.trilu", trilu_cases), ("op.resize", resize_cases),
    ]
