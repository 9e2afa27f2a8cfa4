"""The formulas of the opcodes in Python integers and fractions, and `mpmath` for exp.

Nothing here is taken from the Rust code; both are written from the table of host functions.
"""

from fractions import Fraction
from math import prod

import mpmath

RANGES = {
    "i8": (-(1 << 7), (1 << 7) - 1),
    "u8": (0, (1 << 8) - 1),
    "i16": (-(1 << 15), (1 << 15) - 1),
    "i32": (-(1 << 31), (1 << 31) - 1),
    "i64": (-(1 << 63), (1 << 63) - 1),
}
CODES = {"i8": 0, "u8": 1, "i16": 2, "i32": 3, "i64": 4}


def rne(value):
    """Nearest integer, ties to even: what Python's round does to a Fraction."""
    return round(Fraction(value))


def saturate(value, dtype):
    low, high = RANGES[dtype]
    return min(max(value, low), high)


def requantise(x, multiplier, shift, zero_point, dtype):
    return saturate(rne(Fraction(x * multiplier, 1 << shift)) + zero_point, dtype)


def exp30(argument):
    """rne(2^30 * exp(argument)) of a Fraction <= 0.

    With 400 bits, so that the nearest integer is certain once the value is further from the middle
    between two integers than 2^-300. (The closest midpoint of the whole input range is at about
    2^-60 of a unit.)
    """
    if argument == 0:
        return 1 << 30
    with mpmath.workprec(400):
        value = mpmath.exp(mpmath.mpf(argument.numerator) / argument.denominator) * (1 << 30)
        nearest = int(mpmath.floor(value + mpmath.mpf(1) / 2))
        assert abs(value - nearest) < mpmath.mpf(1) / 2 - mpmath.mpf(2) ** -300
        return nearest


def softmax(row, multiplier, shift, fraction_bits):
    largest = max(row)
    exponentials = [exp30(Fraction((x - largest) * multiplier, 1 << shift)) for x in row]
    total = sum(exponentials)
    return [rne(Fraction(e << fraction_bits, total)) for e in exponentials]


class Fill:
    """Operands that need no list: one value, or the upper bits of a linear congruential sequence."""

    def __init__(self, value=None, seed=None):
        self.value, self.seed = value, seed

    def list(self, dtype, count):
        if self.seed is None:
            return [self.value] * count
        state, bits, values = self.seed, {"i8": 8, "u8": 8, "i16": 16}[dtype], []
        for _ in range(count):
            state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
            value = state >> (64 - bits)
            values.append(value - (1 << bits) if dtype != "u8" and value >> (bits - 1) else value)
        return values


def matmul_checksum(x_type, w_type, out_type, rows, k, n, x_fill, w_fill):
    """The sum of (2 i + 1) * out_i modulo 2^64, with weights `[n][k]`."""
    x, w = x_fill.list(x_type, rows * k), w_fill.list(w_type, n * k)
    low, high = RANGES[out_type]
    checksum = 0
    for row in range(rows):
        for column in range(n):
            pairs = zip(x[row * k : (row + 1) * k], w[column * k : (column + 1) * k])
            total = sum(a * b for a, b in pairs)
            assert low <= total <= high
            checksum += (2 * (row * n + column) + 1) * total
    return checksum % (1 << 64)


def matmul(a, a_shape, b, b_shape):
    """Elements and shape of a matrix product over the last two axes."""
    *outer, m, k = a_shape
    *b_outer, _, n = b_shape
    result = []
    for batch in range(prod(outer)):
        b_start = batch * k * n if b_outer else 0
        for i in range(m):
            for j in range(n):
                row = (batch * m + i) * k
                result.append(sum(a[row + l] * b[b_start + l * n + j] for l in range(k)))
    return result, [*outer, m, n]
