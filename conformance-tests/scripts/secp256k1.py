"""secp256k1 in Python integers: slow, short, and independent of the Rust code that it checks."""

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def add(a, b):
    """The sum of two points; None is the point at infinity."""
    if a is None:
        return b
    if b is None:
        return a
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return (x, (slope * (a[0] - x) - a[1]) % P)


def multiply(k, point):
    """k times a point."""
    k %= N
    result = None
    while k:
        if k & 1:
            result = add(result, point)
        point = add(point, point)
        k >>= 1
    return result


def lift(x, odd):
    """The point with this x and this parity of y, or None where there is none."""
    if x >= P:
        return None
    square = (x**3 + 7) % P
    y = pow(square, (P + 1) // 4, P)
    if y * y % P != square:
        return None
    return (x, P - y if y % 2 != odd else y)


def sign(secret, digest, nonce):
    """(r, s, recovery id) with the given nonce."""
    point = multiply(nonce, G)
    r = point[0] % N
    s = pow(nonce, -1, N) * (digest + r * secret) % N
    assert r and s
    return r, s, (point[0] >= N) * 2 + point[1] % 2


def recover(digest, r, s, recovery_id):
    """The public key, or None where the signature is not valid (SEC 1, section 4.1.6)."""
    if not (0 < r < N and 0 < s < N and 0 <= recovery_id <= 3):
        return None
    point = lift(r + N * (recovery_id >> 1), recovery_id & 1)
    if point is None:
        return None
    inverse = pow(r, -1, N)
    return add(multiply(s * inverse, point), multiply(-digest * inverse, G))
