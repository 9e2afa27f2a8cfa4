"""Ed25519 in Python integers: signing by RFC 8032, verification by ZIP-215."""

import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1)


def add(a, b):
    """The sum of two points of -x^2 + y^2 = 1 + d x^2 y^2."""
    product = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + a[1] * b[0]) * pow(1 + product, -1, P) % P
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P) % P
    return (x, y)


def multiply(k, point):
    """k times a point."""
    result = IDENTITY
    while k:
        if k & 1:
            result = add(result, point)
        point = add(point, point)
        k >>= 1
    return result


def decode(data):
    """The point of an encoding, canonical or not, or None where there is none (ZIP-215)."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, (number & (2**255 - 1)) % P
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    if x * x % P != square:
        return None
    return (P - x if x & 1 != sign and x else x, y)


def encode(point):
    """The canonical encoding."""
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


B = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def sign(secret, message):
    """(public key, signature)."""
    h = hashlib.sha512(secret).digest()
    a = int.from_bytes(h[:32], "little") & (2**254 - 8) | 2**254
    key = encode(multiply(a, B))
    r = int.from_bytes(hashlib.sha512(h[32:] + message).digest(), "little") % L
    nonce = encode(multiply(r, B))
    k = int.from_bytes(hashlib.sha512(nonce + key + message).digest(), "little") % L
    return key, nonce + ((r + k * a) % L).to_bytes(32, "little")


def verify(key, signature, message):
    """ZIP-215: 8 s B = 8 R + 8 k A, with s reduced and any encoding of A and R."""
    a, r = decode(key), decode(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    return multiply(8 * s, B) == add(multiply(8, r), multiply(8 * k, a))


def small_order_encodings():
    """Every encoding of every point of the torsion subgroup: 8 canonical ones and those that are not."""
    encodings = set()
    # A point of order 8: any point times L, until its order is 8.
    y = 2
    while True:
        y += 1
        point = decode(y.to_bytes(32, "little"))
        if point is None:
            continue
        point = multiply(L, point)
        if multiply(4, point) != IDENTITY:
            break
    for i in range(8):
        x, y = multiply(i, point)
        for number in (y, y + P):
            if number < 2**255:
                encodings.add((number | (x & 1) << 255).to_bytes(32, "little"))
                if x == 0:
                    encodings.add((number | 1 << 255).to_bytes(32, "little"))
    return sorted(encodings)
