"""What opcodes count as work, and what a unit of it costs, from docs/spec/opcodes.md and docs/spec/models.md: a second way to the prices of models.
Dimensions are lists, types names."""

from math import prod

SIZES = {"i8": 1, "u8": 1, "i16": 2, "i32": 4, "i64": 8}

PRICE = {
    "matmul": 10, "requantise": 730, "add": 120, "relu": 90, "softmax": 14_500, "argmax": 48, "gather": 60, "slice": 75, "transpose": 87,
    "concat": 87, "layer_norm": 1_100, "l2_norm": 9_100, "gelu": 810, "lookup": 660, "attention": 50, "mul_requantise": 1_900, "row_step": 38,
    "quantise_rows": 1_600, "reduce_mean": 54, "conv2d": 10, "max_pool": 49, "average_pool": 360, "recurrence": 1_000_000, "word_piece": 10_000, "byte_pairs": 20_000,
}


def size(dtype, dims):
    return SIZES[dtype] * prod(dims)


def rows(dims):
    return prod(dims[:-1])


def runs(result, *operands):
    """Groups of last axes along which the same operands are repeated."""
    filled = [[1] * (len(result) - len(operand)) + list(operand) for operand in operands]
    axes = [(dim, tuple(operand[axis] == 1 for operand in filled)) for axis, dim in enumerate(result) if dim != 1]
    outer = 0
    while outer < len(axes) and any(axis[1] != axes[-1][1] for axis in axes[outer:]):
        outer += 1
    return prod(dim for dim, _ in axes[:outer])


def add(dtype, result, *operands):
    return size(dtype, result) + 32 * runs(result, *operands)


def box(dtype, sizes, dims):
    cut = max((axis for axis, (part, whole) in enumerate(zip(sizes, dims)) if part != whole), default=0)
    return size(dtype, sizes) + 32 * prod(sizes[:cut])


def row_of_product(left, k, n):
    """A row of `matmul` by weights of `i8`."""
    factor, panel = (4, 4_000) if left == "i16" else (1, 1_500)
    return -(-n // 16) * (16 * factor * max(k, 16) + panel)


def matmul(types, m, k, n):
    factor, panel, weight = {"i8": (4, 4_000, 100), "i16": (8, 12_000, 120)}[types[1]] if types[0] == "i16" else (1, 1_500, 60)
    return m * -(-n // 16) * (16 * factor * max(k, 16) + panel) + 50 * m * k + weight * k * 16 * -(-n // 16) + 200_000


def transpose(dtype, dims, axes):
    long = [axis for axis, dim in enumerate(dims) if dim != 1]
    stays = not long or [axis for axis in axes if axis in long][-1] == long[-1]
    each = 32 * prod(dims[axis] for axis in long[:-1]) if stays else 24 * prod(dims)
    return size(dtype, dims) + each


def places(dtype, count, taps, channels, outputs, groups):
    """A convolution with weights of `i8`, of so many places."""
    width = channels // groups
    if width == 1 and groups > 1:
        each = 200 + (16 if dtype == "i16" else 8) * outputs + 64 * (channels % 32) * (outputs // channels)
        return count * (6_000 + 100 * outputs + taps * each)
    product = groups * row_of_product(dtype, taps * width, outputs // groups)
    return count * (product + 2_000 * groups + taps * (10 * channels + 1_500 * groups))


def average_pool(dtype, count, taps, channels):
    return (2 if dtype == "i64" else 1) * count * (taps * (channels + 16) + 16 * channels + 32)
