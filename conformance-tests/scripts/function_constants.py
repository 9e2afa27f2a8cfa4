"""Writes the constants of the kernels' functions as Rust source, from `mpmath`."""

import mpmath


def truncated(value, bits):
    """floor(2^bits * value) of a value that is known with 400 bits."""
    return int(mpmath.floor(mpmath.mpf(value) * mpmath.mpf(2) ** bits))


def hexadecimal(value):
    digits = f"{value:x}"
    digits = digits.zfill(-(-len(digits) // 4) * 4)
    return "0x" + "_".join(digits[i : i + 4] for i in range(0, len(digits), 4))


def number(name, doc, value):
    return [f"/// {doc}", f"pub(super) const {name}: {'u64' if value < 1 << 64 else 'u128'} = {hexadecimal(value)};", ""]


def table(name, doc, values):
    lines = [f"/// {doc}", f"pub(super) const {name}: [u64; {len(values)}] = ["]
    fours = [values[i : i + 4] for i in range(0, len(values), 4)]
    return lines + ["    " + " ".join(f"{hexadecimal(value)}," for value in four) for four in fours] + ["];", ""]


def wide(name, doc, value):
    limbs = [(value >> (64 * i)) % (1 << 64) for i in range(5)]
    return [f"/// {doc}", f"pub(super) const {name}: Wide = Wide([{', '.join(hexadecimal(limb) for limb in limbs)}]);", ""]


def rust_source():
    with mpmath.workprec(500):
        pi, root = mpmath.pi, mpmath.sqrt
        sixteenths = lambda count, f: [truncated(f(mpmath.mpf(i) / 16), 62) for i in range(count)]
        middles = [mpmath.mpf((128 + i) * 256 + 128) / 2**15 for i in range(128)]
        lines = [
            "//! Written by `conformance-tests/scripts/generate_vectors.py`; not to be edited by hand. All are truncated.",
            "#![cfg_attr(rustfmt, rustfmt_skip)]",
            "",
            "use super::reference::Wide;",
            "",
            *number("LN_2", "`ln 2`, with 64 fraction bits.", truncated(mpmath.log(2), 64)),
            *number("TWO_OVER_PI", "`2 / pi`, with 112 fraction bits.", truncated(2 / pi, 112)),
            *number("HALF_PI", "`pi / 2`, with 63 fraction bits.", truncated(pi / 2, 63)),
            *wide("PI_256", "`pi`, with 256 fraction bits.", truncated(pi, 256)),
            *wide("TWO_OVER_SQRT_PI_256", "`2 / sqrt(pi)`, with 256 fraction bits.", truncated(2 / root(pi), 256)),
            *wide("ONE_OVER_SQRT_TWO_PI_256", "`1 / sqrt(2 pi)`, with 256 fraction bits.", truncated(1 / root(2 * pi), 256)),
            *table("LOG_CENTRES", "`ln c` of `c = 1 + i / 128 + 1 / 256`, with 62 fraction bits.", [truncated(mpmath.log(c), 62) for c in middles]),
            *table("ERF_SIXTEENTHS", "`erf(i / 16)`, with 62 fraction bits.", sixteenths(97, mpmath.erf)),
            *table("DENSITY", "`2 / sqrt(pi) * exp(-(i / 16)^2)`, with 62 fraction bits.", sixteenths(97, lambda c: 2 / root(pi) * mpmath.exp(-c * c))),
            *table("NORMAL_SIXTEENTHS", "The standard normal distribution at `i / 16` less one half, with 62 fraction bits.", sixteenths(129, lambda c: mpmath.erf(c / root(2)) / 2)),
            *table("NORMAL_DENSITY", "`1 / sqrt(2 pi) * exp(-(i / 16)^2 / 2)`, with 62 fraction bits.", sixteenths(129, lambda c: mpmath.exp(-c * c / 2) / root(2 * pi))),
        ]
    return "\n".join(lines[:-1]) + "\n"
