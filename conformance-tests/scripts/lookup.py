"""Cases of `op.lookup`: plain indexing."""

from math import prod

from exact import RANGES
from vectors import case, fill, refused, tensor, values

SIZES = {"i8": 256, "u8": 256, "i16": 65_536}


def lookup_case(name, x_type, shape, x, dtype, table):
    low = RANGES[x_type][0]
    y = [table[v - low] for v in x]
    return case(name, [tensor(x_type, shape, x), tensor(dtype, [len(table)], table)], tensor(dtype, shape, y))


def lookup_cases(rng):
    cases = []
    for x_type in ["i8", "u8"]:
        low, high = RANGES[x_type]
        for dtype in RANGES:
            table = [rng.randint(*RANGES[dtype]) for _ in range(256)]
            x = [low, high, 0, low + 1, high - 1, *values(rng, x_type, 19)]
            cases.append(lookup_case(f"{x_type} to {dtype}", x_type, [2, 3, 4], x, dtype, table))
        cases.append(lookup_case(f"every {x_type}", x_type, [256], list(range(low, high + 1)), "i16", [i * 7 - 900 for i in range(256)]))
        cases.append(lookup_case(f"{x_type}, a scalar", x_type, [], [high], "i8", [0] * 255 + [5]))
        cases.append(lookup_case(f"{x_type}, nothing", x_type, [0, 2], [], "i8", list(range(-128, 128))))
    # A table of 65536 entries is long in a file: one that is constant.
    for dtype in ["i8", "i64"]:
        x = values(rng, "i16", 9)
        cases.append(case(f"i16 to {dtype}", [tensor("i16", [9], x), fill(dtype, [65_536], -7)], tensor(dtype, [9], [-7] * 9)))
    table = list(range(-128, 128))
    zeros = lambda dtype, shape: tensor(dtype, shape, [0] * prod(shape))
    for wrong in ["i32", "i64"]:
        cases.append(refused(f"x of {wrong}", [zeros(wrong, [1]), tensor("i8", [256], table)], "TypeMismatch"))
    cases += [
        refused("a short table", [zeros("i8", [1]), zeros("i8", [255])], "ShapeMismatch"),
        refused("a long table", [zeros("u8", [1]), zeros("i8", [257])], "ShapeMismatch"),
        refused("a table of two axes", [zeros("i8", [1]), zeros("i8", [16, 16])], "ShapeMismatch"),
        refused("a table for 8 bits", [zeros("i16", [1]), zeros("i8", [256])], "ShapeMismatch"),
        refused("a table for 16 bits", [zeros("i8", [1]), fill("i8", [65_536], 0)], "ShapeMismatch"),
        refused("types come before shapes", [zeros("i32", [1]), zeros("i8", [3])], "TypeMismatch"),
    ]
    return cases


def rows():
    return [("op.lookup", lookup_cases)]
