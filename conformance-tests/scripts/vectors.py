"""How the file format writes arguments and results, and values for them."""

from math import prod

from exact import RANGES


def tensor(dtype, shape, data):
    assert len(data) == prod(shape)
    if len(data) > 64 and len(set(data)) == 1:
        return {"tensor": {"dtype": dtype, "shape": list(shape), "fill": data[0]}}
    return {"tensor": {"dtype": dtype, "shape": list(shape), "data": list(data)}}


def fill(dtype, shape, value):
    return {"tensor": {"dtype": dtype, "shape": list(shape), "fill": value}}


def u32(value):
    return {"u32": value}


def u64(value):
    return {"u64": value}


def i32(value):
    return {"i32": value}


def i64(value):
    return {"i64": value}


def words(values):
    """Little-endian u32 each, as `bytes`."""
    return {"bytes": b"".join(v.to_bytes(4, "little") for v in values).hex()}


def case(name, args, result):
    return {"name": name, "args": args, "result": result}


def refused(name, args, status):
    return {"name": name, "args": args, "status": status}


def values(rng, dtype, count):
    """Values with a taste for the ends of the range."""
    low, high = RANGES[dtype]
    kind = rng.random()
    if kind < 0.15:
        return [rng.choice([low, high]) for _ in range(count)]
    if kind < 0.25:
        return [low] * count
    return [rng.choice([low, high, 0, -1 if low else 1]) if rng.random() < 0.05 else rng.randint(low, high) for _ in range(count)]
