"""Cases of `op.attention`: Python integers, and `mpmath` for exp."""

from fractions import Fraction
from math import prod

import mpmath

from exact import exp30, rne, saturate
from vectors import case, fill, i32, refused, tensor, u32, values, words

HALF, LAST = 1 << 30, (1 << 31) - 1
WORST = [0.0]


def attention_head(q, k, v, sizes, length, position, multiplier, shift, out_multiplier, out_shift):
    """`q` has the rows of one query head."""
    queries, keys, depth, width = sizes
    result = []
    for i in range(queries):
        seen = [j for j in range(length) if position is None or j <= position + i]
        scores = [sum(q[i * depth + l] * k[j * depth + l] for l in range(depth)) for j in seen]
        weights = [exp30(Fraction((s - max(scores)) * multiplier, 1 << shift)) for s in scores]
        total = sum(weights)
        for t in range(width):
            if not seen:
                result.append(0)
                continue
            numerator = sum(w * v[j * width + t] for w, j in zip(weights, seen))
            result.append(saturate(rne(Fraction(numerator * out_multiplier, total << out_shift)), "i8"))
        if seen and len(seen) < 200:
            compare(scores, [[v[j * width + t] for t in range(width)] for j in seen], multiplier, shift, numerator_of=weights)
    return result


def compare(scores, rows, multiplier, shift, numerator_of):
    """How far the weighted mean of the formula is from the real one, in units of `v`."""
    with mpmath.workprec(200):
        c = mpmath.mpf(multiplier) / (1 << shift)
        real = [mpmath.exp((s - max(scores)) * c) for s in scores]
        for t in range(len(rows[0])):
            exact = sum(w * row[t] for w, row in zip(real, rows)) / sum(real)
            ours = Fraction(sum(w * row[t] for w, row in zip(numerator_of, rows)), sum(numerator_of))
            apart = abs(exact - mpmath.mpf(ours.numerator) / ours.denominator)
            assert apart < 0.01
            WORST[0] = max(WORST[0], float(apart))


def attention(q, q_shape, k, k_shape, v, v_shape, lengths, positions, *scales):
    *batch, heads, queries, depth = q_shape
    key_heads, keys, width = k_shape[-3], k_shape[-2], v_shape[-1]
    result = []
    for b in range(prod(batch)):
        for h in range(heads):
            g = h // (heads // key_heads)
            q_at, kv_at = (b * heads + h) * queries, (b * key_heads + g) * keys
            result += attention_head(
                q[q_at * depth : (q_at + queries) * depth], k[kv_at * depth : (kv_at + keys) * depth], v[kv_at * width : (kv_at + keys) * width],
                (queries, keys, depth, width), lengths[b] if lengths else keys, positions[b] if positions else None, *scales,
            )
    return result, [*batch, heads, queries, width]


def arguments(q_shape, q, k_shape, k, v_shape, v, lengths=(), positions=(), scales=(HALF, 40, HALF, 30), types=("i8", "i8", "i8")):
    tensors = [tensor(t, s, x) for t, s, x in zip(types, (q_shape, k_shape, v_shape), (q, k, v))]
    m, s, om, os = scales
    return [*tensors, words(lengths), words(positions), i32(m), u32(s), i32(om), u32(os)]


def attention_case(name, rng, q_shape, k_shape, width, lengths=(), positions=(), scales=(HALF, 40, HALF, 30), data=None):
    v_shape = [*k_shape[:-1], width]
    q, k, v = data or (values(rng, "i8", prod(s)) for s in (q_shape, k_shape, v_shape))
    y, shape = attention(q, q_shape, k, k_shape, v, v_shape, lengths, positions, *scales)
    return case(name, arguments(q_shape, q, k_shape, k, v_shape, v, lengths, positions, scales), tensor("i8", shape, y))


def attention_cases(rng):
    at = lambda name, *rest, **named: attention_case(name, rng, *rest, **named)
    cases = [
        at("a length and a position", [1, 1, 2, 4], [1, 1, 3, 4], 2, lengths=[3], positions=[1]),
        at("two queries, three keys", [1, 2, 4], [1, 3, 4], 2, data=([5, -3, 7, 100, -100, 50, 2, 9], [1, 2, 3, 4, -5, 6, -7, 8, 90, -10, 11, 12], [10, 20, -30, 40, 50, -60])),
        at("one key gives its value", [1, 1, 2], [1, 1, 2], 3),
        at("equal keys give the mean, ties to even", [1, 1, 1], [1, 2, 1], 2, data=([1], [3, 3], [1, 2, 2, 5])),
        at("multiplier zero: the mean", [1, 2, 3], [1, 4, 3], 2, scales=(0, 5, HALF, 30)),
        at("a result of zero", [1, 2, 3], [1, 4, 3], 2, scales=(HALF, 36, 0, 0)),
        at("saturated", [1, 3, 4], [1, 5, 4], 4, scales=(LAST, 38, LAST, 0)),
        at("steep", [1, 4, 4], [1, 6, 4], 3, scales=(LAST, 0, LAST, 31)),
        at("flat", [1, 4, 4], [1, 6, 4], 3, scales=(HALF, 62, 1_600_000_000, 31)),
        at("the longest shifts", [1, 2, 4], [1, 3, 4], 2, scales=(LAST, 62, LAST, 62)),
        at("causal", [2, 5, 4], [2, 5, 4], 3, positions=[0]),
        at("causal, from the middle", [2, 3, 4], [2, 9, 4], 3, positions=[4]),
        at("causal, one query behind the keys", [2, 1, 8], [2, 7, 8], 3, positions=[6]),
        at("a position far beyond", [1, 2, 2], [1, 3, 2], 2, positions=[(1 << 32) - 1]),
        at("padding", [3, 2, 2, 4], [3, 2, 5, 4], 3, lengths=[5, 3, 1]),
        at("no key at all for one of the batch", [3, 1, 2, 4], [3, 1, 4, 4], 2, lengths=[4, 0, 2]),
        at("causal and padding", [2, 2, 6, 3], [2, 2, 6, 3], 2, lengths=[4, 6], positions=[0, 2]),
        at("grouped queries", [6, 3, 5], [2, 4, 5], 3),
        at("grouped queries, causal", [2, 4, 3, 5], [2, 2, 4, 5], 3, positions=[1, 0]),
        at("one key head for all", [5, 2, 3], [1, 3, 3], 4),
        at("two axes of batch", [2, 2, 2, 2, 3], [2, 2, 1, 3, 3], 2, lengths=[3, 2, 1, 0], positions=[0, 1, 2, 3]),
        at("no depth", [1, 2, 0], [1, 3, 0], 2),
        at("rows of 64", [2, 10, 64], [1, 20, 64], 64, scales=(HALF, 42, LAST, 31)),
        at("rows of 33 and 17", [1, 18, 33], [1, 35, 33], 17, positions=[17], scales=(1_518_500_250, 42, LAST, 31)),
        at("more keys than a block", [1, 3, 8], [1, 150, 8], 5, scales=(HALF, 41, LAST, 31)),
    ]
    empty = lambda name, q_shape, k_shape, v_shape, shape: case(name, arguments(q_shape, [0] * prod(q_shape), k_shape, [0] * prod(k_shape), v_shape, [0] * prod(v_shape)), tensor("i8", shape, [0] * prod(shape)))
    cases += [
        empty("no keys", [1, 2, 3], [1, 0, 3], [1, 0, 2], [1, 2, 2]),
        empty("no queries", [1, 0, 3], [1, 2, 3], [1, 2, 2], [1, 0, 2]),
        empty("no heads", [0, 2, 3], [0, 2, 3], [0, 2, 2], [0, 2, 2]),
        empty("no batch", [0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 2], [0, 1, 2, 2]),
        empty("no width", [1, 2, 3], [1, 2, 3], [1, 2, 0], [1, 2, 0]),
        empty("no query head for a key head", [0, 2, 3], [2, 2, 3], [2, 2, 2], [0, 2, 2]),
        case(
            "the most keys", [fill("i8", [1, 1, 1], -128), fill("i8", [1, 65_536, 1], -128), fill("i8", [1, 65_536, 1], -128), words([]), words([]), i32(LAST), u32(0), i32(LAST), u32(31)],
            tensor("i8", [1, 1, 1], [-128]),
        ),
    ]

    ok = dict(q_shape=[1, 1, 2], q=[1, 2], k_shape=[1, 2, 2], k=[1, 2, 3, 4], v_shape=[1, 2, 1], v=[5, 6])
    bad = lambda name, status, **changes: refused(name, arguments(**{**ok, **changes}), status)
    good = arguments(**ok)
    for i, which in enumerate("qkv"):
        for wrong in ["u8", "i16"]:
            cases.append(bad(f"{which} of {wrong}", "TypeMismatch", types=["i8"] * i + [wrong] + ["i8"] * (2 - i)))
    zeros = lambda name, shape: {f"{name}_shape": shape, name: [0] * prod(shape)}
    cases += [
        bad("queries of two axes", "ShapeMismatch", **zeros("q", [1, 2])),
        bad("keys of two axes", "ShapeMismatch", **zeros("k", [2, 2])),
        bad("values of two axes", "ShapeMismatch", **zeros("v", [2, 1])),
        bad("another depth", "ShapeMismatch", **zeros("q", [1, 1, 3])),
        bad("another number of values", "ShapeMismatch", **zeros("v", [1, 3, 1])),
        bad("another number of value heads", "ShapeMismatch", **zeros("v", [2, 2, 1])),
        bad("another batch", "ShapeMismatch", **zeros("q", [2, 1, 1, 2])),
        bad("heads that do not divide", "ShapeMismatch", **zeros("q", [3, 1, 2]), **zeros("k", [2, 2, 2]), **zeros("v", [2, 2, 1])),
        bad("no key head", "ShapeMismatch", **zeros("k", [0, 2, 2]), **zeros("v", [0, 2, 1])),
        bad("too many lengths", "ShapeMismatch", lengths=[1, 1]),
        bad("too many positions", "ShapeMismatch", positions=[1, 1]),
        refused("half a length", [*good[:3], {"bytes": "0100"}, *good[4:]], "ShapeMismatch"),
        refused("a position and a byte", [*good[:4], {"bytes": "0100000000"}, *good[5:]], "ShapeMismatch"),
        refused("too many keys", [good[0], fill("i8", [1, 65_537, 2], 0), fill("i8", [1, 65_537, 1], 0), *good[3:]], "ShapeMismatch"),
        refused("too deep", [fill("i8", [1, 1, 131_072], 0), fill("i8", [1, 2, 131_072], 0), *good[2:]], "ShapeMismatch"),
        bad("a length past the keys", "IndexOutOfRange", lengths=[3]),
        bad("a multiplier below 2^30", "BadArgument", scales=(HALF - 1, 30, HALF, 30)),
        bad("a shift of 63", "BadArgument", scales=(HALF, 63, HALF, 30)),
        bad("a negative result multiplier", "BadArgument", scales=(HALF, 30, -HALF, 30)),
        bad("a result shift of 63", "BadArgument", scales=(HALF, 30, HALF, 63)),
        bad("types come before shapes", "TypeMismatch", types=("u8", "i8", "i8"), **zeros("q", [1, 2])),
        bad("shapes come before numbers", "ShapeMismatch", scales=(1, 99, 1, 99), lengths=[1, 1]),
        refused("a result of 2^93 elements", [*(tensor("i8", [1 << 31, s, 1 << 31, 0], []) for s in (1 << 31,)), tensor("i8", [1 << 31, 1 << 31, 0, 0], []), tensor("i8", [1 << 31, 1 << 31, 0, 1], []), *good[3:]], "LimitExceeded"),
    ]
    return cases


def rows():
    return [("op.attention", attention_cases)]
