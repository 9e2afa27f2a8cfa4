"""Keccak-f[1600] in Python integers. With the padding byte 6 it is SHA3-256, which hashlib has: that is its test."""

import hashlib

MASK = 2**64 - 1


def _rotate(word, by):
    by %= 64
    return ((word << by) | (word >> (64 - by))) & MASK if by else word


def _round_constants():
    """The output of the linear feedback shift register of FIPS 202, section 3.2.5."""
    state, constants = 1, []
    for _ in range(24):
        constant = 0
        for j in range(7):
            if state & 1:
                constant |= 1 << (2**j - 1)
            state <<= 1
            if state & 0x100:
                state ^= 0x171
        constants.append(constant)
    return constants


CONSTANTS = _round_constants()


def _permute(a):
    for constant in CONSTANTS:
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        d = [c[(x - 1) % 5] ^ _rotate(c[(x + 1) % 5], 1) for x in range(5)]
        a = [[a[x][y] ^ d[x] for y in range(5)] for x in range(5)]
        b = [[0] * 5 for _ in range(5)]
        b[0][0] = a[0][0]
        x, y = 1, 0
        for t in range(24):
            b[y][(2 * x + 3 * y) % 5] = _rotate(a[x][y], (t + 1) * (t + 2) // 2)
            x, y = y, (2 * x + 3 * y) % 5
        a = [[b[x][y] ^ (~b[(x + 1) % 5][y] & MASK & b[(x + 2) % 5][y]) for y in range(5)] for x in range(5)]
        a[0][0] ^= constant
    return a


def sponge256(data, padding):
    """32 bytes from a sponge of rate 136."""
    rate = 136
    padded = bytearray(data) + bytes([padding]) + bytes(-(len(data) + 1) % rate)
    padded[-1] |= 0x80
    a = [[0] * 5 for _ in range(5)]
    for start in range(0, len(padded), rate):
        for i in range(rate // 8):
            a[i % 5][i // 5] ^= int.from_bytes(padded[start + 8 * i : start + 8 * i + 8], "little")
        a = _permute(a)
    return b"".join(a[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


def keccak256(data):
    """The hash of Ethereum."""
    return sponge256(data, 1)


for _length in (0, 1, 135, 136, 137, 300):
    _data = bytes(i % 251 for i in range(_length))
    assert sponge256(_data, 6) == hashlib.sha3_256(_data).digest()
