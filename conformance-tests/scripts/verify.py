"""Cases of the rows that hash tensors and check products: Keccak from `keccak.py`, Python integers."""

from math import prod

from exact import CODES, RANGES, matmul
from keccak import keccak256
from vectors import case, fill, refused, tensor, values

P = (1 << 61) - 1
SIZES = {"i8": 1, "u8": 1, "i16": 2, "i32": 4, "i64": 8}


def tensor_hash(dtype, shape, x):
    data = b"noema.tensor.v1" + b"".join(n.to_bytes(4, "little") for n in [CODES[dtype], len(shape), *shape])
    return list(keccak256(data + b"".join(v.to_bytes(SIZES[dtype], "little", signed=dtype != "u8") for v in x)))


def tensor_hash_cases(rng):
    cases = []
    for dtype in RANGES:
        for shape in [[3], [], [0], [2, 3], [3, 2], [6], [0, 4], [1] * 8, [137], [50, 90]]:
            x = [rng.randint(*RANGES[dtype])] * prod(shape) if shape == [50, 90] else values(rng, dtype, prod(shape))
            cases.append(case(f"{dtype} {shape}", [tensor(dtype, shape, x)], tensor("u8", [32], tensor_hash(dtype, shape, x))))
    return cases


def challenge(seed, n):
    numbers = []
    for i in range((n + 3) // 4):
        digest = keccak256(b"noema.freivalds.v1" + seed + i.to_bytes(8, "little"))
        numbers += [int.from_bytes(digest[8 * t : 8 * t + 8], "little") % P for t in range(4)]
    return numbers[:n]


def freivalds(a, b, c, m, k, n, seed):
    r = challenge(seed, n)
    br = [sum(b[l * n + j] * r[j] for j in range(n)) % P for l in range(k)]
    rows = []
    for i in range(m):
        small = all(abs(v) <= 1 << 60 for v in c[i * n : (i + 1) * n])
        left = sum(a[i * k + l] * br[l] for l in range(k)) % P
        rows.append(int(small and left == sum(c[i * n + j] * r[j] for j in range(n)) % P))
    return rows


def args(types, shapes, data, seed=b"seed"):
    return [*(tensor(t, s, x) for t, s, x in zip(types, shapes, data)), {"bytes": seed.hex()}]


def freivalds_cases(rng):
    cases = []
    for a_type, b_type in [("i8", "i8"), ("u8", "i8"), ("i16", "i8"), ("i16", "i16")]:
        for outer, m, k, n in [([], 2, 3, 2), ([], 5, 7, 9), ([2], 3, 4, 1), ([1, 2], 2, 33, 17), ([], 3, 0, 4), ([], 0, 3, 2), ([], 3, 2, 0)]:
            rows = prod(outer) * m
            a, b = values(rng, a_type, rows * k), values(rng, b_type, k * n)
            y, _ = matmul(a, [rows, k], b, [k, n])
            for wrong in (False, True):
                c = list(y)
                # One bit of some rows.
                for i in range(rows):
                    if wrong and n and i % 2:
                        c[i * n + rng.randrange(n)] ^= 1 << rng.randrange(31)
                c_type = "i64" if a_type == "i16" or not all(RANGES["i32"][0] <= v <= RANGES["i32"][1] for v in c) else rng.choice(["i32", "i64"])
                seed = bytes(rng.randrange(256) for _ in range(rng.choice([0, 8, 32])))
                found = freivalds(a, b, c, rows, k, n, seed)
                assert found == [int(c[i * n : (i + 1) * n] == y[i * n : (i + 1) * n]) for i in range(rows)]
                cases.append(case(
                    f"{a_type} by {b_type} {outer} {m} {k} {n}{', some rows wrong' if wrong else ''}",
                    args((a_type, b_type, c_type), ([*outer, m, k], [k, n], [*outer, m, n]), (a, b, c), seed), tensor("u8", [*outer, m], found),
                ))
    # Away from the product by the size of the field: equal in it, but no sum of products.
    for far in (P, -P, 3 * P, -3 * P):
        c = [19, 22 + far, 43, 50]
        found = freivalds([1, 2, 3, 4], [5, 6, 7, 8], c, 2, 2, 2, b"")
        assert found == [0, 1]
        cases.append(case(f"{far} too much", args(("i8", "i8", "i64"), ([2, 2], [2, 2], [2, 2]), ([1, 2, 3, 4], [5, 6, 7, 8], c), b""), tensor("u8", [2], found)))
    low, high = RANGES["i64"]
    cases.append(case("the ends of 64 bits", args(("i8", "i8", "i64"), ([2, 1], [1, 1], [2, 1]), ([1, 2], [1], [low, high])), tensor("u8", [2], [0, 0])))
    k = 70_000
    cases.append(case("long sums", [fill("i8", [1, k], -128), fill("i8", [k, 1], 127), tensor("i32", [1, 1], [-128 * 127 * k]), {"bytes": "07"}], tensor("u8", [1], [1])))
    cases.append(case("long sums, off by one", [fill("i8", [1, k], -128), fill("i8", [k, 1], 127), tensor("i32", [1, 1], [-128 * 127 * k + 1]), {"bytes": "07"}], tensor("u8", [1], [0])))
    types, shapes, data = ("i8", "i8", "i32"), ([2, 2], [2, 2], [2, 2]), ([0] * 4,) * 3
    for a_type in RANGES:
        for b_type in RANGES:
            if (a_type, b_type) not in [("i8", "i8"), ("u8", "i8"), ("i16", "i8"), ("i16", "i16")]:
                cases.append(refused(f"{a_type} by {b_type}", args((a_type, b_type, "i32"), shapes, data), "TypeMismatch"))
    cases += [refused(f"a product of {t}", args(("i8", "i8", t), shapes, data), "TypeMismatch") for t in ("i8", "u8", "i16")]
    for wrong in [([2, 3], [2, 2], [2, 2]), ([2, 2], [3, 2], [2, 2]), ([2, 2], [2, 2], [2, 3]), ([2, 2], [2, 2], [3, 2]), ([2], [2, 2], [2]), ([2, 2], [2], [2]), ([2, 2], [1, 2, 2], [2, 2]), ([1, 2, 2], [2, 2], [2, 2]), ([], [], []), ([2, 2], [2, 2], [1, 2, 2])]:
        cases.append(refused(f"{wrong}", args(types, wrong, [[0] * prod(s) for s in wrong]), "ShapeMismatch"))
    cases += [
        refused("too deep", args(types, ([0, (1 << 28) + 1], [(1 << 28) + 1, 0], [0, 0]), ([], [], [])), "ShapeMismatch"),
        refused("types come before shapes", args(("i32", "i8", "i32"), ([2], [2, 2], [2, 2]), ([0] * 2, [0] * 4, [0] * 4)), "TypeMismatch"),
    ]
    return cases


def rows():
    return [("op.tensor_hash", tensor_hash_cases), ("op.freivalds", freivalds_cases)]
