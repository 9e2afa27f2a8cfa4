"""Cases of convolutions and pools: Python integers, element by element from the definitions."""

from fractions import Fraction
from math import prod

from exact import RANGES, rne, saturate
from vectors import case, fill, i32, refused, tensor, u32, values, words

TOP = (1 << 32) - 1
TYPES = [("i8", "i8"), ("u8", "i8"), ("i16", "i8"), ("i16", "i16")]
MAX_K = {"i8": 131_071, "u8": 65_793}


def pixel(x, shape, b, r, s, q, beside):
    _, h, w, c = shape
    return x[((b * h + r) * w + s) * c + q] if 0 <= r < h and 0 <= s < w else beside


def places(size, before, behind, kernel, stride, dilation):
    return (size + before + behind - (kernel - 1) * dilation - 1) // stride + 1


def sum_type(x_type, k):
    return "i32" if x_type in MAX_K and k <= MAX_K[x_type] else "i64"


def conv2d(x, x_shape, w, w_shape, strides, pads, dilations, groups, beside):
    n, h, wide, _ = x_shape
    o, kh, kw, e = w_shape
    rows = places(h, pads[0], pads[2], kh, strides[0], dilations[0])
    columns = places(wide, pads[1], pads[3], kw, strides[1], dilations[1])
    y = []
    for b in range(n):
        for i in range(rows):
            for j in range(columns):
                for q in range(o):
                    g = q // (o // groups)
                    y.append(sum(
                        pixel(x, x_shape, b, i * strides[0] + u * dilations[0] - pads[0], j * strides[1] + v * dilations[1] - pads[1], g * e + d, beside)
                        * w[((q * kh + u) * kw + v) * e + d]
                        for u in range(kh) for v in range(kw) for d in range(e)
                    ))
    return y, [n, rows, columns, o]


def conv_transpose2d(x, x_shape, w, w_shape, strides, pads, more, dilations, groups):
    """By spreading: every element of the image is added wherever it goes."""
    n, h, wide, c = x_shape
    o, kh, kw, e = w_shape
    rows = (h - 1) * strides[0] + (kh - 1) * dilations[0] + 1 - pads[0] - pads[2] + more[0]
    columns = (wide - 1) * strides[1] + (kw - 1) * dilations[1] + 1 - pads[1] - pads[3] + more[1]
    y = [0] * (n * rows * columns * o)
    for b in range(n):
        for r in range(h):
            for s in range(wide):
                for q in range(o):
                    g = q // (o // groups)
                    for u in range(kh):
                        for v in range(kw):
                            i, j = r * strides[0] + u * dilations[0] - pads[0], s * strides[1] + v * dilations[1] - pads[1]
                            if 0 <= i < rows and 0 <= j < columns:
                                for d in range(e):
                                    y[((b * rows + i) * columns + j) * o + q] += x[((b * h + r) * wide + s) * c + g * e + d] * w[((q * kh + u) * kw + v) * e + d]
    return y, [n, rows, columns, o]


def sides(x_type, x_shape, x, w_type, w_shape, w):
    return [tensor(x_type, x_shape, x), tensor(w_type, w_shape, w)]


def conv_args(x, w, strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), groups=1, beside=0):
    return [x, w, words(strides), words(pads), words(dilations), u32(groups), i32(beside)]


def conv2d_case(name, x_type, x_shape, x, w_type, w_shape, w, strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), groups=1, beside=0):
    y, shape = conv2d(x, x_shape, w, w_shape, strides, pads, dilations, groups, saturate(beside, x_type))
    dtype = sum_type(x_type, prod(w_shape[1:]))
    assert all(RANGES[dtype][0] <= v <= RANGES[dtype][1] for v in y)
    return case(name, conv_args(*sides(x_type, x_shape, x, w_type, w_shape, w), strides, pads, dilations, groups, beside), tensor(dtype, shape, y))


SHAPES = [
    # image, weights, strides, pads, dilations, groups
    ([1, 4, 5, 2], [3, 3, 2, 2], (1, 1), (0, 0, 0, 0), (1, 1), 1),
    ([2, 5, 5, 3], [4, 3, 3, 3], (2, 2), (1, 1, 1, 1), (1, 1), 1),
    ([1, 6, 7, 4], [4, 3, 3, 1], (1, 2), (1, 0, 2, 1), (1, 2), 4),
    ([1, 3, 4, 34], [34, 2, 2, 1], (1, 1), (1, 1, 0, 0), (1, 1), 34),
    ([1, 3, 3, 3], [6, 2, 2, 1], (1, 1), (0, 1, 0, 1), (1, 1), 3),
    ([1, 5, 4, 6], [4, 2, 3, 3], (2, 1), (1, 1, 1, 1), (2, 1), 2),
    ([1, 3, 3, 17], [5, 1, 1, 17], (1, 1), (0, 0, 0, 0), (1, 1), 1),
    ([1, 4, 4, 5], [3, 1, 1, 5], (2, 2), (0, 0, 0, 0), (1, 1), 1),
    ([1, 1, 12, 3], [4, 1, 5, 3], (1, 2), (0, 2, 0, 2), (1, 1), 1),
    ([1, 2, 2, 1], [2, 3, 3, 1], (1, 1), (3, 3, 3, 3), (2, 2), 1),
    ([1, 0, 2, 2], [2, 2, 2, 2], (1, 1), (1, 0, 1, 0), (1, 1), 1),
]


def conv2d_cases(rng):
    found = [conv2d_case("two by two over three by three", "i8", [1, 3, 3, 1], list(range(1, 10)), "i8", [1, 2, 2, 1], [1, 2, 3, 4])]
    for x_type, w_type in TYPES:
        low, high = RANGES[x_type]
        for x_shape, w_shape, strides, pads, dilations, groups in SHAPES:
            x, w = values(rng, x_type, prod(x_shape)), values(rng, w_type, prod(w_shape))
            name = f"{x_type} by {w_type} {x_shape} {w_shape} strides {strides} pads {pads} dilations {dilations} groups {groups}"
            found.append(conv2d_case(name, x_type, x_shape, x, w_type, w_shape, w, strides, pads, dilations, groups, rng.choice([0, 5, low, high])))
        w = values(rng, w_type, 4)
        for beside in [-(1 << 31), (1 << 31) - 1]:
            found.append(conv2d_case(f"{x_type} by {w_type}, pads of {beside}", x_type, [1, 1, 1, 1], [1], w_type, [1, 2, 2, 1], w, pads=(1, 1, 1, 1), beside=beside))
        dtype = sum_type(x_type, 0)
        empty = lambda name, x_shape, w_shape, shape, x_type=x_type, w_type=w_type, dtype=dtype: case(
            f"{x_type} by {w_type}, {name}", conv_args(tensor(x_type, x_shape, [0] * prod(x_shape)), tensor(w_type, w_shape, [0] * prod(w_shape))), tensor(dtype, shape, [0] * prod(shape))
        )
        found += [
            empty("no images", [0, 3, 3, 2], [2, 2, 2, 2], [0, 2, 2, 2]),
            empty("no channels", [1, 3, 3, 0], [2, 2, 2, 0], [1, 2, 2, 2]),
            empty("no outputs", [1, 3, 3, 2], [0, 2, 2, 2], [1, 2, 2, 0]),
        ]
    for x_type, a, b, k in [("i8", -128, -128, 131_071), ("i8", -128, -128, 131_072), ("u8", 255, -128, 65_793), ("u8", 255, -128, 65_794), ("i16", -32768, -128, 70_000)]:
        found.append(case(f"{x_type} {a} by i8 {b}, {k} channels", conv_args(fill(x_type, [1, 1, 1, k], a), fill("i8", [1, 1, 1, k], b)), tensor(sum_type(x_type, k), [1, 1, 1, 1], [a * b * k])))
    found.append(case("i16 by i16, long patches", conv_args(fill("i16", [1, 1, 1, 70_000], -32768), fill("i16", [2, 1, 1, 70_000], -32768)), tensor("i64", [1, 1, 1, 2], [70_000 << 30] * 2)))
    found.append(case("a window of 4100 taps over each channel", conv_args(fill("i8", [1, 1, 4100, 2], 3), fill("i8", [2, 1, 4100, 1], -2), groups=2), tensor("i32", [1, 1, 1, 2], [-24_600] * 2)))
    one = lambda dtype: tensor(dtype, [1, 1, 1, 1], [1])
    found += [refused(f"{a} by {b}", conv_args(one(a), one(b)), "TypeMismatch") for a in RANGES for b in RANGES if (a, b) not in TYPES]
    zeros = lambda dtype, shape: tensor(dtype, shape, [0] * prod(shape))
    x, w = zeros("i8", [1, 3, 3, 2]), zeros("i8", [2, 2, 2, 2])
    found += refusals(lambda **changes: conv_args(x, w, **changes))
    found += [
        refused("an image of three axes", conv_args(zeros("i8", [3, 3, 2]), w), "ShapeMismatch"),
        refused("weights of three axes", conv_args(x, zeros("i8", [2, 2, 2])), "ShapeMismatch"),
        refused("a window of no rows", conv_args(x, zeros("i8", [2, 0, 2, 2])), "ShapeMismatch"),
        refused("a window of no columns", conv_args(x, zeros("i8", [2, 2, 0, 2])), "ShapeMismatch"),
        refused("other channels", conv_args(x, zeros("i8", [2, 2, 2, 1])), "ShapeMismatch"),
        refused("groups that leave a remainder", conv_args(x, zeros("i8", [3, 2, 2, 1]), groups=2), "ShapeMismatch"),
        refused("more groups than channels", conv_args(x, w, groups=TOP), "ShapeMismatch"),
        refused("a window larger than the image", conv_args(x, zeros("i8", [2, 4, 1, 2])), "ShapeMismatch"),
        refused("no image at all", conv_args(zeros("i8", [1, 0, 3, 2]), w), "ShapeMismatch"),
        refused("rows past 32 bits", conv_args(zeros("i8", [0, 1, 1, 0]), tensor("i8", [1 << 31, 1, 1, 0], []), pads=(1 << 31, 1 << 31, 1 << 31, 0)), "ShapeMismatch"),
        refused("a result of 2^93 bytes", conv_args(tensor("i8", [1 << 29, 1, 1, 0], []), tensor("i8", [1 << 31, 1, 1, 0], []), pads=(1 << 31, 1 << 31, 0, 0)), "LimitExceeded"),
        refused("types come before shapes", conv_args(zeros("i32", [3]), w), "TypeMismatch"),
        refused("numbers come before sizes", conv_args(x, zeros("i8", [3, 9, 9, 1]), strides=(0, 1)), "BadArgument"),
    ]
    return found


def refusals(args):
    """Of strides, pads, dilations and groups."""
    found = [refused(f"{name} of {numbers}", args(**{name: numbers}), "ShapeMismatch") for name, numbers in [
        ("strides", (1,)), ("strides", (1, 1, 1)), ("strides", ()), ("pads", (0, 0)), ("pads", (0, 0, 0)), ("pads", (0,) * 5), ("dilations", (1,)), ("dilations", (1, 1, 1, 1)), ("dilations", (1, TOP)),
    ]]
    found += [refused(f"{name} of {numbers}", args(**{name: numbers}), "BadArgument") for name, numbers in [
        ("strides", (0, 1)), ("strides", (1, 0)), ("dilations", (0, 1)), ("dilations", (1, 0)), ("groups", 0),
    ]]
    return found


def transpose_args(x, w, strides=(1, 1), pads=(0, 0, 0, 0), more=(0, 0), dilations=(1, 1), groups=1):
    return [x, w, words(strides), words(pads), words(more), words(dilations), u32(groups)]


def conv_transpose2d_case(name, x_type, x_shape, x, w_type, w_shape, w, strides=(1, 1), pads=(0, 0, 0, 0), more=(0, 0), dilations=(1, 1), groups=1):
    y, shape = conv_transpose2d(x, x_shape, w, w_shape, strides, pads, more, dilations, groups)
    dtype = sum_type(x_type, prod(w_shape[1:]))
    return case(name, transpose_args(*sides(x_type, x_shape, x, w_type, w_shape, w), strides, pads, more, dilations, groups), tensor(dtype, shape, y))


def conv_transpose2d_cases(rng):
    found = [conv_transpose2d_case("two by two, two apart", "i8", [1, 2, 2, 1], [1, 2, 3, 4], "i8", [1, 2, 2, 1], [1, 10, 100, -1], strides=(2, 2))]
    shapes = [
        ([1, 3, 4, 2], [3, 3, 3, 2], (1, 1), (0, 0, 0, 0), (0, 0), (1, 1), 1),
        ([2, 3, 2, 3], [2, 3, 2, 3], (2, 2), (1, 0, 1, 1), (1, 0), (1, 1), 1),
        ([1, 3, 3, 4], [4, 3, 3, 1], (2, 3), (1, 1, 0, 2), (0, 1), (2, 1), 4),
        ([1, 2, 3, 6], [4, 2, 2, 3], (3, 1), (0, 0, 0, 0), (2, 0), (1, 2), 2),
        ([1, 1, 5, 2], [3, 1, 4, 2], (1, 2), (0, 1, 0, 1), (0, 1), (1, 1), 1),
        ([1, 2, 2, 3], [2, 1, 1, 3], (1, 1), (0, 0, 0, 0), (0, 0), (1, 1), 1),
        ([1, 2, 2, 1], [2, 2, 2, 1], (1, 1), (1, 1, 1, 1), (0, 0), (1, 1), 1),
    ]
    for x_type, w_type in TYPES:
        for x_shape, w_shape, strides, pads, more, dilations, groups in shapes:
            x, w = values(rng, x_type, prod(x_shape)), values(rng, w_type, prod(w_shape))
            name = f"{x_type} by {w_type} {x_shape} {w_shape} strides {strides} pads {pads} more {more} dilations {dilations} groups {groups}"
            found.append(conv_transpose2d_case(name, x_type, x_shape, x, w_type, w_shape, w, strides, pads, more, dilations, groups))
    zeros = lambda dtype, shape: tensor(dtype, shape, [0] * prod(shape))
    x, w = zeros("i8", [1, 2, 2, 2]), zeros("i8", [2, 2, 2, 2])
    found += [
        case("no result left", transpose_args(x, w, pads=(1, 0, 2, 0)), tensor("i32", [1, 0, 3, 2], [])),
        case("no images", transpose_args(zeros("i8", [0, 2, 2, 2]), w), tensor("i32", [0, 3, 3, 2], [])),
        case("no channels", transpose_args(zeros("i16", [1, 2, 2, 0]), zeros("i16", [1, 2, 2, 0])), tensor("i64", [1, 3, 3, 1], [0] * 9)),
        refused("types", transpose_args(zeros("i8", [1, 2, 2, 2]), zeros("u8", [2, 2, 2, 2])), "TypeMismatch"),
        refused("an image of three axes", transpose_args(zeros("i8", [2, 2, 2]), w), "ShapeMismatch"),
        refused("no rows", transpose_args(zeros("i8", [1, 0, 2, 2]), w), "ShapeMismatch"),
        refused("pads larger than the result", transpose_args(x, w, pads=(2, 0, 2, 0)), "ShapeMismatch"),
        refused("one number more", transpose_args(x, w, more=(1,)), "ShapeMismatch"),
        refused("rows past 32 bits", transpose_args(x, w, strides=(TOP, 1)), "ShapeMismatch"),
        refused("columns past 64 bits", transpose_args(x, w, strides=(1, TOP), dilations=(1, TOP), more=(0, TOP)), "ShapeMismatch"),
        refused("a stride of 0", transpose_args(x, w, strides=(1, 0)), "BadArgument"),
        refused("no groups", transpose_args(x, w, groups=0), "BadArgument"),
        refused("a result of 2^60 elements", transpose_args(zeros("i8", [1, 2, 2, 0]), zeros("i8", [1, 2, 2, 0]), strides=(1 << 30, 1 << 30)), "LimitExceeded"),
    ]
    return found


def seen(x, shape, b, i, j, q, window, strides, pads, dilations):
    found = []
    for u in range(window[0]):
        for v in range(window[1]):
            value = pixel(x, shape, b, i * strides[0] + u * dilations[0] - pads[0], j * strides[1] + v * dilations[1] - pads[1], q, None)
            found += [] if value is None else [value]
    return found


def pool(x, shape, f, window, strides, pads, dilations):
    n, h, w, c = shape
    rows, columns = (places(size, pads[a], pads[a + 2], window[a], strides[a], dilations[a]) for a, size in enumerate((h, w)))
    return [f(seen(x, shape, b, i, j, q, window, strides, pads, dilations)) for b in range(n) for i in range(rows) for j in range(columns) for q in range(c)], [n, rows, columns, c]


def pool_args(x, window=(2, 2), strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1)):
    return [x, words(window), words(strides), words(pads), words(dilations)]


POOLS = [
    ([1, 4, 5, 2], (2, 2), (2, 2), (0, 0, 0, 0), (1, 1)),
    ([2, 5, 4, 3], (3, 2), (2, 1), (1, 0, 1, 1), (1, 1)),
    ([1, 6, 6, 1], (2, 3), (1, 1), (1, 2, 1, 2), (2, 2)),
    ([1, 1, 1, 2], (2, 2), (1, 1), (1, 1, 1, 1), (2, 2)),
    ([1, 3, 3, 70], (3, 3), (1, 1), (1, 1, 1, 1), (1, 1)),
    ([1, 1, 2, 1], (1, 1), (1, 1), (2, 0, 0, 3), (1, 1)),
    ([0, 3, 3, 2], (2, 2), (1, 1), (0, 0, 0, 0), (1, 1)),
    ([1, 3, 3, 0], (2, 2), (1, 1), (0, 0, 0, 0), (1, 1)),
]


def pool_cases(functions):
    def cases(rng):
        found = []
        for label, more, f in functions:
            for dtype in RANGES:
                low, high = RANGES[dtype]
                for shape, *window in POOLS:
                    x = values(rng, dtype, prod(shape))
                    y, to = pool(x, shape, lambda seen: f(seen, dtype, prod(window[0])), *window)
                    found.append(case(f"{label}{dtype} {shape} by {window}", [*pool_args(tensor(dtype, shape, x), *window), *more], tensor(dtype, to, y)))
                for x in [[low] * 4, [high] * 4, [high, high, low, low], [1, 0, 0, 1], [1, 1, 0, 1], [3, 1, 1, 1]]:
                    y, to = pool(x, [1, 2, 2, 1], lambda seen: f(seen, dtype, 4), (2, 2), (1, 1), (0, 0, 0, 0), (1, 1))
                    name = f"{label}{dtype} {x}"
                    if name not in [c["name"] for c in found]:
                        found.append(case(name, [*pool_args(tensor(dtype, [1, 2, 2, 1], x)), *more], tensor(dtype, to, y)))
        x = tensor("i8", [1, 3, 3, 2], [0] * 18)
        more = functions[0][1]
        bad = lambda name, status, x=x, more=more, **changes: refused(name, [*pool_args(x, **changes), *more], status)
        found += [bad(f"{name} of {numbers}", status, **{name: numbers}) for name, numbers, status in [
            ("window", (2,), "ShapeMismatch"), ("window", (2, 2, 2), "ShapeMismatch"), ("strides", (1,), "ShapeMismatch"), ("pads", (0, 0), "ShapeMismatch"), ("dilations", (1, 1, 1), "ShapeMismatch"),
            ("window", (4, 1), "ShapeMismatch"), ("window", (1, TOP), "ShapeMismatch"), ("dilations", (3, 1), "ShapeMismatch"), ("pads", (TOP, 0, TOP, 0), "ShapeMismatch"),
            ("window", (0, 1), "BadArgument"), ("window", (1, 0), "BadArgument"), ("strides", (0, 1), "BadArgument"), ("dilations", (1, 0), "BadArgument"),
        ]]
        found += [
            bad("three axes", "ShapeMismatch", x=tensor("i8", [3, 3, 2], [0] * 18)),
            bad("five axes", "ShapeMismatch", x=tensor("i8", [1, 1, 3, 3, 2], [0] * 18)),
            bad("a result of 2^61 elements", "LimitExceeded", x=tensor("i8", [1, 1, 1, 1], [0]), window=(1, 1), pads=(1 << 31, 1 << 31, 0, 0)),
            bad("numbers come before sizes", "BadArgument", window=(9, 9), strides=(0, 1)),
        ]
        if more:
            found.append(bad("count_pads come before limits", "BadArgument", more=[u32(2)], x=tensor("i8", [1, 1, 1, 1], [0]), window=(1, 1), pads=(1 << 31, 1 << 31, 0, 0)))
            found += [bad(f"count_pads of {number}", "BadArgument", more=[u32(number)]) for number in (2, TOP)]
        return found

    return cases


def global_average_cases(rng):
    found = []
    mean = lambda values: rne(Fraction(sum(values), len(values)))
    for dtype in RANGES:
        low, high = RANGES[dtype]
        for shape in [[1, 2, 2, 3], [2, 5, 4], [1, 2, 1, 3, 2], [0, 3, 3, 2], [2, 3, 3, 0], [1, 1, 1, 1, 1, 1, 3, 2]]:
            x = values(rng, dtype, prod(shape))
            count, channels = prod(shape[1:-1]), shape[-1]
            y = [mean([x[(b * count + p) * channels + q] for p in range(count)]) for b in range(shape[0]) for q in range(channels)]
            found.append(case(f"{dtype} {shape}", [tensor(dtype, shape, x)], tensor(dtype, [shape[0]] + [1] * (len(shape) - 2) + [channels], y)))
        for x in [[low, low], [high, high], [low, high], [1, 0], [1, 2]]:
            found.append(case(f"{dtype} {x}", [tensor(dtype, [1, 2, 1], x)], tensor(dtype, [1, 1, 1], [mean(x)])))
        for shape in [[], [2], [2, 3], [2, 0, 3], [0, 2, 0, 3]]:
            found.append(refused(f"{dtype} {shape}", [tensor(dtype, shape, [0] * prod(shape))], "ShapeMismatch"))
    found.append(refused("nothing, of 2^96 places", [tensor("i8", [0, TOP, TOP, TOP, 1], [])], "LimitExceeded"))
    return found


def rows():
    mean = lambda values, count: rne(Fraction(sum(values), count)) if values else 0
    return [
        ("op.conv2d", conv2d_cases), ("op.conv_transpose2d", conv_transpose2d_cases),
        ("op.max_pool", pool_cases([("", [], lambda seen, dtype, taps: max(seen, default=RANGES[dtype][0]))])),
        ("op.average_pool", pool_cases([
            ("all taps, ", [u32(1)], lambda seen, dtype, taps: mean(seen, taps)),
            ("elements seen, ", [u32(0)], lambda seen, dtype, taps: mean(seen, len(seen))),
        ])),
        ("op.global_average_pool", global_average_cases),
    ]
