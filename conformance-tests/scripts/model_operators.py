"""The operators of graphs for encoders and images, from docs/spec/models.md in Python integers: what `model_vectors` needs to
know about each. A class has the code, the attributes as bytes, the edge, the bound, the work and the result of a node; edges are
(type, axes of a row), values flat lists over the whole batch."""

import struct
from fractions import Fraction
from math import prod

import attention
import composed
import elementwise
import exact
import functions
import norms
import text_operators
import windows
import work as works

FUNCTIONS = ["exp", "log", "sigmoid", "tanh", "silu", "gelu", "erf", "sin", "cos", "sqrt", "rsqrt", "recip"]


def u32s(numbers):
    return struct.pack("<I", len(numbers)) + b"".join(struct.pack("<I", n) for n in numbers)


def code(dtype):
    return bytes([exact.CODES[dtype]])


def rows_of(values, row):
    return [values[at : at + row] for at in range(0, len(values), row)]


def hull(*intervals):
    return min(low for low, _ in intervals), max(high for _, high in intervals)


def plain(interval):
    low, high = interval
    return low, high, max(abs(low), abs(high))


def turned(data, shape, axes):
    """The data of a tensor with its axes in another order."""
    strides = [prod(shape[a + 1 :]) for a in range(len(shape))]
    places = [0]
    for axis in axes:
        places = [at + i * strides[axis] for at in places for i in range(shape[axis])]
    return [data[at] for at in places]


class Embedding:
    code = 8

    def attributes(a):
        return struct.pack("<II", a["rows"], a["columns"]) + code(a["dtype"])

    def edge(a, inputs):
        return a["dtype"], inputs[0][1] + [a["columns"]]

    def bound(node, inputs, bounds, out):
        table = node.parameters[0][1]
        return plain((min(table), max(table)))

    def work(a, inputs):
        indices = prod(inputs[0][1])
        return {"gather": works.SIZES[a["dtype"]] * indices * a["columns"] + (40 + 64) * indices}

    def run(node, inputs, values, out, batch):
        table = rows_of(node.parameters[0][1], node.a["columns"])
        return [v for index in values[0] for v in table[index]]


class AddRows:
    code = 9

    def attributes(a):
        return struct.pack("<I", a["rows"])

    def edge(a, inputs):
        return inputs[0]

    def bound(node, inputs, bounds, out):
        constants = node.parameters[0][1]
        low, high = bounds[0][:2]
        return plain((exact.saturate(low + min(constants), out), exact.saturate(high + max(constants), out)))

    def work(a, inputs):
        dtype, dims = inputs[0]
        return {"slice": works.box(dtype, dims[-2:], dims[-2:]), "add": works.add(dtype, dims, dims, dims[-2:])}

    def run(node, inputs, values, out, batch):
        used = node.parameters[0][1][: prod(inputs[0][1][-2:])]
        return [exact.saturate(v + used[at % len(used)], out) for at, v in enumerate(values[0])]


class LayerNorm:
    code = 10

    def attributes(a):
        return struct.pack("<QB", a["epsilon"], a["shift"]) + code(a["dtype"])

    def edge(a, inputs):
        return a["dtype"], inputs[0][1]

    def bound(node, inputs, bounds, out):
        n = inputs[0][1][-1]
        root = next(r for r in range(n + 1) if r * r >= n)
        ends = []
        for gain, bias in zip(node.parameters[0][1], node.parameters[1][1]):
            ends.append((bias - root * abs(gain)) // 2 ** node.a["shift"])
            ends.append((bias + root * abs(gain)) // 2 ** node.a["shift"] + 1)
        return plain((exact.saturate(min(ends), out), exact.saturate(max(ends), out)))

    def work(a, inputs):
        dtype, dims = inputs[0]
        each = 12 if dtype == "i32" or dims[-1] > 32_768 else 1
        return {"layer_norm": each * prod(dims) + 64 * works.rows(dims)}

    def run(node, inputs, values, out, batch):
        a, (gain, bias) = node.a, [p[1] for p in node.parameters]
        rows = rows_of(values[0], inputs[0][1][-1])
        return [y for row in rows for y in norms.norm_row(row, gain, bias, a["epsilon"], a["shift"], out)]


class Function:
    code = 11

    def attributes(a):
        return bytes([FUNCTIONS.index(a["function"]), a["in_bits"], a["out_bits"]]) + code(a["dtype"])

    def edge(a, inputs):
        return a["dtype"], inputs[0][1]

    def bound(node, inputs, bounds, out):
        return plain(exact.RANGES[out])

    def work(a, inputs):
        elements = prod(inputs[0][1])
        return {a["function"]: elements * (2 if a["dtype"] == "i32" else 1) + 7 * min(elements, 256 if inputs[0][0] == "i8" else 65_536)}

    def run(node, inputs, values, out, batch):
        a = node.a
        return [functions.evaluate(a["function"], v, a["in_bits"], a["out_bits"], out) for v in values[0]]


class Lookup:
    code = 12

    def attributes(a):
        return code(a["dtype"])

    def edge(a, inputs):
        return a["dtype"], inputs[0][1]

    def bound(node, inputs, bounds, out):
        least = exact.RANGES[inputs[0][0]][0]
        part = node.parameters[0][1][bounds[0][0] - least : bounds[0][1] - least + 1]
        return plain((min(part), max(part)))

    def work(a, inputs):
        return {"lookup": prod(inputs[0][1])}

    def run(node, inputs, values, out, batch):
        least = exact.RANGES[inputs[0][0]][0]
        return [node.parameters[0][1][v - least] for v in values[0]]


class MatMul:
    code = 13

    def attributes(a):
        return b""

    def edge(a, inputs):
        (a_type, a_dims), (_, b_dims) = inputs
        return windows.sum_type(a_type, a_dims[-1]), a_dims[:-1] + b_dims[-1:]

    def bound(node, inputs, bounds, out):
        k = inputs[0][1][-1]
        products = [x * y for x in bounds[0][:2] for y in bounds[1][:2]] + [0]
        peak = k * max(map(abs, bounds[0][:2])) * max(map(abs, bounds[1][:2]))
        return exact.saturate(k * min(products), out), exact.saturate(k * max(products), out), peak

    def work(a, inputs):
        dims, n = inputs[0][1], inputs[1][1][-1]
        return {"matmul": prod(dims[:-2]) * works.matmul([edge[0] for edge in inputs], dims[-2], dims[-1], n)}

    def run(node, inputs, values, out, batch):
        *outer, m, k = inputs[0][1]
        n = inputs[1][1][-1]
        pairs = zip(rows_of(values[0], m * k), rows_of(values[1], k * n))
        return [sum(a[i * k + l] * b[l * n + j] for l in range(k)) for a, b in pairs for i in range(m) for j in range(n)]


class Attention:
    code = 14

    def attributes(a):
        return struct.pack("<II??iBiB", a["heads"], a["heads"], a["masked"], a["causal"], *a["scales"])

    def edge(a, inputs):
        return "i8", [inputs[0][1][0], inputs[2][1][1]]

    def bound(node, inputs, bounds, out):
        multiplier, shift = node.a["scales"][2:]
        ends = [exact.requantise(end, multiplier, shift, 0, out) for end in bounds[2][:2]]
        return plain(hull(ends, (0, 0)))

    def work(a, inputs):
        (queries, q_row), (keys, _), (_, v_row) = (edge[1] for edge in inputs[:3])
        d, w = q_row // a["heads"], v_row // a["heads"]
        query = keys * (max(d, 16) + max(w, 16) + 280) + 16 * w + 8_000
        moved = sum(prod(edge[1]) for edge in inputs[:3]) + queries * v_row + 64 * (queries + keys) * a["heads"]
        return {"attention": a["heads"] * (queries * query + 12_000), "transpose": moved}

    def run(node, inputs, values, out, batch):
        heads = node.a["heads"]
        split = []
        for (_, (rows, row)), data in zip(inputs[:3], values):
            split.append((turned(data, [batch, rows, heads, row // heads], [0, 2, 1, 3]), [batch, heads, rows, row // heads]))
        (q, q_shape), (k, k_shape), (v, v_shape) = split
        lengths = values[3] if node.a["masked"] else ()
        positions = [0] * batch if node.a["causal"] else ()
        y, shape = attention.attention(q, q_shape, k, k_shape, v, v_shape, lengths, positions, *node.a["scales"])
        return turned(y, shape, [0, 2, 1, 3])


class Reshape:
    code = 15

    def attributes(a):
        return u32s(a["dims"])

    def edge(a, inputs):
        return inputs[0][0], [inputs[0][1][at] if dim == 0 else dim for at, dim in enumerate(a["dims"])]

    def bound(node, inputs, bounds, out):
        return plain(bounds[0][:2])

    def work(a, inputs):
        dtype, dims = inputs[0]
        return {"slice": works.box(dtype, dims, dims)}

    def run(node, inputs, values, out, batch):
        return values[0]


class Transpose:
    code = 16

    def attributes(a):
        return u32s(a["axes"])

    def edge(a, inputs):
        return inputs[0][0], [inputs[0][1][axis] for axis in a["axes"]]

    bound = Reshape.bound

    def work(a, inputs):
        return {"transpose": works.transpose(*inputs[0], a["axes"])}

    def run(node, inputs, values, out, batch):
        return turned(values[0], [batch, *inputs[0][1]], [0] + [axis + 1 for axis in node.a["axes"]])


class Concat:
    code = 17

    def attributes(a):
        return struct.pack("<I", a["axis"])

    def edge(a, inputs):
        dims = list(inputs[0][1])
        dims[a["axis"]] += inputs[1][1][a["axis"]]
        return inputs[0][0], dims

    def bound(node, inputs, bounds, out):
        return plain(hull(bounds[0][:2], bounds[1][:2]))

    def work(a, inputs):
        dtype, dims = Concat.edge(a, inputs)
        return {"concat": works.size(dtype, dims) + 96 * prod(dims[: a["axis"]])}

    def run(node, inputs, values, out, batch):
        blocks = [rows_of(data, prod(dims[node.a["axis"] :])) for (_, dims), data in zip(inputs, values)]
        return [v for pair in zip(*blocks) for block in pair for v in block]


class Slice:
    code = 18

    def attributes(a):
        return u32s(a["starts"]) + u32s(a["sizes"])

    def edge(a, inputs):
        dims = [size or dim - start for start, size, dim in zip(a["starts"], a["sizes"], inputs[0][1])]
        return inputs[0][0], dims

    bound = Reshape.bound

    def work(a, inputs):
        dtype, dims = Slice.edge(a, inputs)
        return {"slice": works.box(dtype, dims, inputs[0][1])}

    def run(node, inputs, values, out, batch):
        dims, sizes = inputs[0][1], Slice.edge(node.a, inputs)[1]
        places = range(batch)
        for start, size, dim in zip(node.a["starts"], sizes, dims):
            places = [at * dim + start + i for at in places for i in range(size)]
        return [values[0][at] for at in places]


class Mul:
    code = 19

    def attributes(a):
        return struct.pack("<iBi", a["multiplier"], a["shift"], a["zero_point"]) + code(a["dtype"])

    def edge(a, inputs):
        return a["dtype"], list(elementwise.broadcast(inputs[0][1], inputs[1][1]))

    def one(a, x, y, out):
        return exact.saturate(exact.rne(Fraction(x * y * a["multiplier"], 1 << a["shift"])) + a["zero_point"], out)

    def bound(node, inputs, bounds, out):
        ends = [Mul.one(node.a, x, y, out) for x in bounds[0][:2] for y in bounds[1][:2]]
        return plain((min(ends), max(ends)))

    def work(a, inputs):
        dims = Mul.edge(a, inputs)[1]
        each = 6 if "i64" in (inputs[0][0], inputs[1][0]) else 1
        return {"mul_requantise": each * prod(dims) + 10 * works.runs(dims, inputs[0][1], inputs[1][1])}

    def run(node, inputs, values, out, batch):
        dims = Mul.edge(node.a, inputs)[1]
        result = []
        for x, y in zip(rows_of(values[0], prod(inputs[0][1])), rows_of(values[1], prod(inputs[1][1]))):
            for index in elementwise.indices(dims):
                result.append(Mul.one(node.a, elementwise.at(x, inputs[0][1], index), elementwise.at(y, inputs[1][1], index), out))
        return result


class RowStep:
    code = 20

    def attributes(a):
        return code(a["dtype"])

    def edge(a, inputs):
        return "i64", inputs[0][1][:-1] + [1]

    def bound(node, inputs, bounds, out):
        most = max(map(abs, bounds[0][:2]))
        return plain((1, elementwise.steps_of([most], 1, node.a["dtype"])[0]))

    def work(a, inputs):
        dtype, dims = inputs[0]
        return {"row_step": works.size(dtype, dims) + works.rows(dims) * (128 + 8 * min(dims[-1], 32))}

    def run(node, inputs, values, out, batch):
        return elementwise.steps_of(values[0], inputs[0][1][-1], node.a["dtype"])


class QuantiseRows:
    code = 21

    def attributes(a):
        return code(a["dtype"])

    def edge(a, inputs):
        return a["dtype"], inputs[0][1]

    bound = Function.bound

    def work(a, inputs):
        return {"quantise_rows": prod(inputs[0][1]) + 24 * works.rows(inputs[0][1])}

    def run(node, inputs, values, out, batch):
        rows = rows_of(values[0], inputs[0][1][-1])
        return [exact.saturate(exact.rne(Fraction(v << 32, step)), out) for row, step in zip(rows, values[1]) for v in row]


def mean(values):
    return exact.rne(Fraction(sum(values), len(values))) if values else 0


class MeanPool:
    code = 22

    def attributes(a):
        return b""

    def edge(a, inputs):
        return inputs[0][0], inputs[0][1][1:]

    bound = Reshape.bound

    def work(a, inputs):
        dtype, (rows, columns) = inputs[0]
        runs = 1 if columns == 1 else rows
        mean_of_all = rows * columns * (1 + works.SIZES[dtype]) + 80 * runs + 200 * columns
        return {"slice": works.box(dtype, [rows, columns], [rows, columns]), "reduce_mean": mean_of_all}

    def run(node, inputs, values, out, batch):
        rows, columns = inputs[0][1]
        blocks = rows_of(values[0], rows * columns)
        return [mean(block[j : count * columns : columns]) for block, count in zip(blocks, values[1]) for j in range(columns)]


class L2Norm:
    code = 23

    def attributes(a):
        return struct.pack("<QB", a["epsilon"], a["fraction_bits"]) + code(a["dtype"])

    def edge(a, inputs):
        return a["dtype"], inputs[0][1]

    def bound(node, inputs, bounds, out):
        one = (1 << node.a["fraction_bits"]) + 1
        return plain((exact.saturate(-one, out), exact.saturate(one, out)))

    def work(a, inputs):
        return {"l2_norm": prod(inputs[0][1]) + 4 * works.rows(inputs[0][1])}

    def run(node, inputs, values, out, batch):
        a, rows = node.a, rows_of(values[0], inputs[0][1][-1])
        return [y for row in rows for y in composed.l2_norm(row, a["epsilon"], a["fraction_bits"], out)]


def window_bytes(a):
    return struct.pack("<10I", *a["window"], *a["strides"], *a["pads"], *a["dilations"])


def window_places(a, dims):
    pairs = zip(dims[:2], (0, 1))
    return [windows.places(n, a["pads"][x], a["pads"][x + 2], a["window"][x], a["strides"][x], a["dilations"][x]) for n, x in pairs]


class Conv2d:
    code = 24

    def attributes(a):
        return struct.pack("<I", a["outputs"]) + window_bytes(a) + struct.pack("<Ii", a["groups"], a["pad_value"]) + code(a["accumulator"])

    def edge(a, inputs):
        return a["accumulator"], window_places(a, inputs[0][1]) + [a["outputs"]]

    def depth(a, inputs):
        return prod(a["window"]) * inputs[0][1][2] // a["groups"]

    def bound(node, inputs, bounds, out):
        a = node.a
        low, high = bounds[0][:2]
        if any(a["pads"]):
            pad = exact.saturate(a["pad_value"], inputs[0][0])
            low, high = min(low, pad), max(high, pad)
        lows, highs, peaks = [], [], []
        for row, bias in zip(rows_of(node.parameters[0][1], Conv2d.depth(a, inputs)), node.parameters[1][1]):
            plus, minus = sum(w for w in row if w > 0), sum(-w for w in row if w < 0)
            lows.append(bias + plus * low - minus * high)
            highs.append(bias + plus * high - minus * low)
            peaks.append(abs(bias) + (plus + minus) * max(abs(low), abs(high)))
        return min(lows), max(highs), max(peaks)

    def work(a, inputs):
        places, channels = window_places(a, inputs[0][1]), inputs[0][1][2]
        products = works.places(inputs[0][0], prod(places), prod(a["window"]), channels, a["outputs"], a["groups"])
        dtype, dims = Conv2d.edge(a, inputs)
        return {"conv2d": products, "add": works.add(dtype, dims, dims, [a["outputs"]])}

    def run(node, inputs, values, out, batch):
        a, (_, dims) = node.a, inputs[0]
        w_shape = [a["outputs"], *a["window"], dims[2] // a["groups"]]
        pad = exact.saturate(a["pad_value"], inputs[0][0])
        y, _ = windows.conv2d(values[0], [batch, *dims], node.parameters[0][1], w_shape, a["strides"], a["pads"], a["dilations"], a["groups"], pad)
        bias = node.parameters[1][1]
        return [v + bias[at % len(bias)] for at, v in enumerate(y)]


class Pool:
    def edge(a, inputs):
        return inputs[0][0], window_places(a, inputs[0][1]) + inputs[0][1][2:]

    def pooled(node, inputs, values, batch, f):
        a, (_, dims) = node.a, inputs[0]
        return windows.pool(values[0], [batch, *dims], f, a["window"], a["strides"], a["pads"], a["dilations"])[0]


class MaxPool(Pool):
    code = 25

    def attributes(a):
        return window_bytes(a)

    def bound(node, inputs, bounds, out):
        least = exact.RANGES[out][0]
        return plain(hull(bounds[0][:2], (least, least)) if any(node.a["pads"]) else bounds[0][:2])

    def work(a, inputs):
        dtype, (*_, channels) = inputs[0]
        each = prod(a["window"]) * (works.SIZES[dtype] * channels + 160) + 16 * channels
        return {"max_pool": prod(window_places(a, inputs[0][1])) * each}

    def run(node, inputs, values, out, batch):
        return Pool.pooled(node, inputs, values, batch, lambda seen: max(seen, default=exact.RANGES[out][0]))


class AveragePool(Pool):
    code = 26

    def attributes(a):
        return window_bytes(a) + struct.pack("<?", a["count_pads"])

    def bound(node, inputs, bounds, out):
        return plain(hull(bounds[0][:2], (0, 0)) if any(node.a["pads"]) else bounds[0][:2])

    def work(a, inputs):
        dtype, (*_, channels) = inputs[0]
        return {"average_pool": works.average_pool(dtype, prod(window_places(a, inputs[0][1])), prod(a["window"]), channels)}

    def run(node, inputs, values, out, batch):
        taps = prod(node.a["window"])
        f = (lambda seen: exact.rne(Fraction(sum(seen), taps))) if node.a["count_pads"] else mean
        return Pool.pooled(node, inputs, values, batch, f)


class GlobalAveragePool:
    code = 27

    def attributes(a):
        return b""

    def edge(a, inputs):
        return inputs[0][0], [1, 1, inputs[0][1][2]]

    bound = Reshape.bound

    def work(a, inputs):
        dtype, (rows, columns, channels) = inputs[0]
        return {"average_pool": works.average_pool(dtype, 1, rows * columns, channels)}

    def run(node, inputs, values, out, batch):
        channels = inputs[0][1][2]
        return [mean(image[c::channels]) for image in rows_of(values[0], prod(inputs[0][1])) for c in range(channels)]


class Recurrent:
    """What both kinds of cells have in common; `a` has `hidden`, `reverse`, `all`, and of a Gru `reset_after`."""

    def edge(kind, a, inputs):
        return "i16", ([inputs[0][1][0]] if a["all"] else []) + [a["hidden"]]

    def bound(node, inputs, bounds, out):
        rows = rows_of(node.parameters[0][1], node.a["hidden"])
        peaks = [abs(bias) + 2**15 * sum(map(abs, row)) for row, bias in zip(rows, node.parameters[1][1])]
        return *exact.RANGES["i16"], max(*peaks, 2**15)

    def work(a, inputs, more):
        (steps, width), hidden = inputs[0][1], a["hidden"]
        each = {
            "recurrence": 1, "matmul": works.row_of_product("i16", hidden, width) + 50 * hidden, "add": 4 * (2 * width + 3 * hidden),
            "requantise": 2 * width + (more + 1) * hidden, "lookup": width + more * hidden, "mul_requantise": 3 * hidden,
        }
        return {name: steps * count for name, count in each.items()}

    def product(node, h, first, gates):
        """The requantised products of a state with the weights of some gates."""
        weights, biases, multipliers, shifts = (p[1] for p in node.parameters)
        hidden, sums = node.a["hidden"], []
        for row in range(first * hidden, (first + gates) * hidden):
            total = biases[row] + sum(w * x for w, x in zip(weights[row * hidden : (row + 1) * hidden], h))
            sums.append(exact.requantise(total, multipliers[row], shifts[row], 0, "i32"))
        return sums

    def scaled(value, bits, dtype="i32"):
        return exact.saturate(exact.rne(Fraction(value, 2**bits)), dtype)

    def sum(a, b):
        return exact.saturate(a + b, "i32")

    def sigmoid(z):
        return functions.evaluate("sigmoid", Recurrent.scaled(z, 5, "i16"), 11, 24, "i32")

    def tanh(z):
        return functions.evaluate("tanh", Recurrent.scaled(z, 4, "i16"), 12, 24, "i32")

    def run(node, inputs, values, step):
        """`step(x, state)` gives the next state, whose first part is what is read and given."""
        a, (steps, width) = node.a, inputs[0][1]
        out = []
        for row in rows_of(values[0], steps * width):
            state, given = None, {}
            for t in reversed(range(steps)) if a["reverse"] else range(steps):
                state = step(row[t * width : (t + 1) * width], state)
                given[t] = state[0]
            out += [v for t in range(steps) for v in given[t]] if a["all"] else state[0]
        return out


class Lstm:
    code = 29

    def attributes(a):
        return struct.pack("<I??", a["hidden"], a["reverse"], a["all"])

    def edge(a, inputs):
        return Recurrent.edge(Lstm, a, inputs)

    bound = Recurrent.bound

    def work(a, inputs):
        return Recurrent.work(a, inputs, 1)

    def run(node, inputs, values, out, batch):
        n, r = node.a["hidden"], Recurrent

        def step(x, state):
            h, c = state or ([0] * n, [0] * n)
            z = [r.sum(x[i], q) for i, q in enumerate(r.product(node, h, 0, 4))]
            i, o, f = ([r.sigmoid(v) for v in z[g * n : (g + 1) * n]] for g in range(3))
            new = [r.tanh(v) for v in z[3 * n :]]
            c = [r.sum(r.scaled(f[j] * c[j], 24), r.scaled(i[j] * new[j], 28)) for j in range(n)]
            bent = [functions.evaluate("tanh", r.scaled(v, 8, "i16"), 12, 24, "i32") for v in c]
            return [r.scaled(o[j] * bent[j], 33, "i16") for j in range(n)], c

        return r.run(node, inputs, values, step)


class Gru:
    code = 30

    def attributes(a):
        return struct.pack("<I???", a["hidden"], a["reverse"], a["all"], a["reset_after"])

    def edge(a, inputs):
        return Recurrent.edge(Gru, a, inputs)

    bound = Recurrent.bound

    def work(a, inputs):
        return Recurrent.work(a, inputs, 0)

    def run(node, inputs, values, out, batch):
        n, r = node.a["hidden"], Recurrent

        def step(x, state):
            h, wide = state or ([0] * n, [0] * n)
            z = [r.sum(x[i], q) for i, q in enumerate(r.product(node, h, 0, 2))]
            update, reset = ([r.sigmoid(v) for v in z[g * n : (g + 1) * n]] for g in range(2))
            if node.a["reset_after"]:
                left = [r.scaled(reset[j] * q, 24) for j, q in enumerate(r.product(node, h, 2, 1))]
            else:
                left = r.product(node, [r.scaled(reset[j] * h[j], 24, "i16") for j in range(n)], 2, 1)
            new = [r.tanh(r.sum(x[2 * n + j], left[j])) for j in range(n)]
            wide = [r.sum(new[j], r.scaled(update[j] * r.sum(wide[j], -new[j]), 24)) for j in range(n)]
            return [r.scaled(v, 9, "i16") for v in wide], wide

        return r.run(node, inputs, values, step)


ALL = {
    kind.__name__: kind
    for kind in (
        Embedding, AddRows, LayerNorm, Function, Lookup, MatMul, Attention, Reshape, Transpose, Concat, Slice, Mul, RowStep, QuantiseRows,
        MeanPool, L2Norm, Conv2d, MaxPool, AveragePool, GlobalAveragePool, Lstm, Gru,
    )
} | text_operators.ALL
