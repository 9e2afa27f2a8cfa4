"""Writes vectors/models: containers, with id, answers, price and memory, made from docs/spec/models.md in Python integers.

    python3 conformance-tests/scripts/model_vectors.py

Needs mpmath (for softmax). Nothing here is taken from the Rust code."""

import json
import pathlib
import random
import struct

import exact
import keccak
import model_operators
import work as works

OUT = pathlib.Path(__file__).parent.parent / "vectors" / "models"
SIZES = {"i8": 1, "u8": 1, "i16": 2, "i32": 4, "i64": 8}
CODE = {"Linear": 0, "Requantise": 1, "AddConst": 2, "Relu": 3, "Softmax": 4, "Argmax": 5, "Add": 6}
SEQUENCE = 1 << 31
HALF = 1 << 30


def text(value):
    data = value.encode()
    return struct.pack("<I", len(data)) + data


def array(dtype, values):
    return b"".join(value.to_bytes(SIZES[dtype], "little", signed=dtype != "u8") for value in values)


def items(encoded):
    encoded = list(encoded)
    return struct.pack("<I", len(encoded)) + b"".join(encoded)


def product(dims):
    result = 1
    for dim in dims:
        result *= dim
    return result


def align(length, to):
    return -(-length // to) * to


class Node:
    def __init__(self, name, kind, reads, attributes=None, parameters=()):
        self.name, self.kind, self.reads = name, kind, reads
        self.a = attributes or {}
        self.parameters = list(parameters)  # of (type, values)

    def edge(self, inputs):
        if self.kind in model_operators.ALL:
            return model_operators.ALL[self.kind].edge(self.a, inputs)
        dtype, dims = inputs[0]
        if self.kind == "Linear":
            return self.a["accumulator"], dims[:-1] + [self.a["outputs"]]
        if self.kind == "Requantise":
            return self.a["dtype"], dims
        if self.kind == "Softmax":
            return "i32", dims
        if self.kind == "Argmax":
            return "i32", dims[:-1]
        return dtype, dims

    def encoded(self):
        a = self.a
        if self.kind in model_operators.ALL:
            kind = model_operators.ALL[self.kind]
            return text(self.name) + bytes([kind.code]) + kind.attributes(a) + items(struct.pack("<I", r) for r in self.reads)
        attributes = {
            "Linear": lambda: struct.pack("<IB", a["outputs"], exact.CODES[a["accumulator"]]),
            "Requantise": lambda: struct.pack("<BiB", a["per_channel"], a["zero_point"], exact.CODES[a["dtype"]]),
            "Softmax": lambda: struct.pack("<iBB", a["multiplier"], a["shift"], a["fraction_bits"]),
        }.get(self.kind, bytes)()
        return text(self.name) + bytes([CODE[self.kind]]) + attributes + items(struct.pack("<I", r) for r in self.reads)

    def weights(self, channels):
        flat = self.parameters[0][1]
        return [flat[o * channels : (o + 1) * channels] for o in range(self.a["outputs"])]

    def scale(self, channel):
        (_, multipliers), (_, shifts) = self.parameters
        at = channel if self.a["per_channel"] else 0
        return multipliers[at], shifts[at]

    def bound(self, inputs, bounds, out):
        if self.kind in model_operators.ALL:
            return model_operators.ALL[self.kind].bound(self, inputs, bounds, out)
        dtype, dims = inputs[0]
        lo, hi = bounds[0][:2]
        sat = lambda value: exact.saturate(value, out)
        if self.kind == "Linear":
            los, his, peaks = [], [], []
            for row, bias in zip(self.weights(dims[-1]), self.parameters[1][1]):
                plus, minus = sum(w for w in row if w > 0), sum(-w for w in row if w < 0)
                los.append(bias + plus * lo - minus * hi)
                his.append(bias + plus * hi - minus * lo)
                peaks.append(abs(bias) + (plus + minus) * max(abs(lo), abs(hi)))
            assert max(peaks) <= exact.RANGES[self.a["accumulator"]][1]
            return min(los), max(his), max(peaks)
        if self.kind == "Requantise":
            channels = range(dims[-1] if self.a["per_channel"] else 1)
            ends = [exact.requantise(x, *self.scale(c), self.a["zero_point"], out) for c in channels for x in (lo, hi)]
            lo, hi = min(ends), max(ends)
        elif self.kind == "AddConst":
            lo, hi = sat(lo + min(self.parameters[0][1])), sat(hi + max(self.parameters[0][1]))
        elif self.kind == "Add":
            lo, hi = sat(lo + bounds[1][0]), sat(hi + bounds[1][1])
        elif self.kind == "Relu":
            lo, hi = max(lo, 0), max(hi, 0)
        elif self.kind == "Softmax":
            lo, hi = 0, 1 << self.a["fraction_bits"]
        else:
            lo, hi = 0, dims[-1] - 1
        return lo, hi, max(abs(lo), abs(hi))

    def work(self, inputs):
        if self.kind in model_operators.ALL:
            return model_operators.ALL[self.kind].work(self.a, inputs)
        dtype, dims = inputs[0]
        row = dims[-1] if dims else 1
        if self.kind == "Linear":
            outputs, result = self.a["outputs"], self.edge(inputs)
            products = works.rows(dims) * (works.row_of_product(dtype, row, outputs) + 50 * row)
            return {"matmul": products, "add": works.add(*result, result[1], [outputs])}
        if self.kind in ("Add", "AddConst"):
            return {"add": works.add(dtype, dims, dims, dims if self.kind == "Add" else [row])}
        if self.kind == "Requantise":
            return {"requantise": product(dims) * (3 if dtype == "i64" else 1)}
        if self.kind == "Relu":
            return {"relu": works.size(dtype, dims)}
        if self.kind == "Softmax":
            return {"softmax": product(dims) + 5 * works.rows(dims)}
        return {"argmax": works.size(dtype, dims) + works.rows(dims) * (96 + 24 * min(row, 32))}

    def run(self, inputs, values, out, batch):
        """All rows: `values` are flat lists of elements."""
        if self.kind in model_operators.ALL:
            return model_operators.ALL[self.kind].run(self, inputs, values, out, batch)
        dims, x = inputs[0][1], values[0]
        last = dims[-1] if dims else 1
        rows = [x[at : at + last] for at in range(0, len(x), last)]
        if self.kind == "Linear":
            pairs = list(zip(self.weights(last), self.parameters[1][1]))
            return [bias + sum(a * w for a, w in zip(row, weights)) for row in rows for weights, bias in pairs]
        if self.kind == "Requantise":
            return [exact.requantise(v, *self.scale(c), self.a["zero_point"], out) for row in rows for c, v in enumerate(row)]
        if self.kind == "AddConst":
            return [exact.saturate(v + c, out) for row in rows for v, c in zip(row, self.parameters[0][1])]
        if self.kind == "Add":
            return [exact.saturate(a + b, out) for a, b in zip(*values)]
        if self.kind == "Relu":
            return [max(v, 0) for v in x]
        if self.kind == "Softmax":
            return [y for row in rows for y in exact.softmax(row, self.a["multiplier"], self.a["shift"], self.a["fraction_bits"])]
        return [row.index(max(row)) for row in rows]


# How many of the inputs of an operator its result may be written over, and which operators compute by rows.
OVER = {"Relu": 1, "Function": 1, "Lookup": 1, "Requantise": 1, "AddConst": 1, "Softmax": 1, "LayerNorm": 1, "L2Norm": 1, "QuantiseRows": 1, "Add": 2}
BY_ROW = {"AddConst", "Softmax", "LayerNorm", "L2Norm", "QuantiseRows"}


class Model:
    """Edges are those of the longest sequence; `ports` are the input edges with their sequence axes marked."""

    def __init__(self, name, inputs, nodes, outputs, labels=(), version="1", sequence_outputs=()):
        self.name, self.ports, self.nodes, self.outputs, self.labels, self.version = name, inputs, nodes, outputs, labels, version
        lengths = {dim - SEQUENCE for _, dims in inputs for dim in dims if dim >= SEQUENCE}
        self.longest, self.has_sequence = max(lengths, default=1), bool(lengths)
        self.sequence_outputs = dict(sequence_outputs)  # output edge to its axes with the sequence axis marked
        self.edges = self.edges_at(self.longest)
        self.inputs = self.edges[: len(inputs)]

    def edges_at(self, length):
        edges = [(dtype, [length if dim >= SEQUENCE else dim for dim in dims]) for dtype, dims in self.ports]
        for node in self.nodes:
            edges.append(node.edge([edges[r] for r in node.reads]))
        return edges

    def bounds(self):
        bounds = [(*exact.RANGES[dtype], max(abs(end) for end in exact.RANGES[dtype])) for dtype, _ in self.inputs]
        for node, edge in zip(self.nodes, self.edges[len(self.inputs) :]):
            bounds.append(node.bound([self.edges[r] for r in node.reads], [bounds[r] for r in node.reads], edge[0]))
        return bounds

    def container(self, change=lambda bounds: bounds):
        port = lambda name, edge: text(name) + bytes([exact.CODES[edge[0]]]) + items(struct.pack("<I", d) for d in edge[1]) + b"\0"
        names = [node.name for node in self.nodes]
        manifest = text(self.name) + text("CC0-1.0") + text(self.version)
        manifest += items(port("x" if i == 0 else f"x{i}", edge) for i, edge in enumerate(self.ports))
        called = [names[o - len(self.inputs)] for o in self.outputs]
        manifest += items(port(name + "'" * called[:at].count(name), (self.edges[o][0], self.sequence_outputs.get(o, self.edges[o][1]))) for at, (name, o) in enumerate(zip(called, self.outputs)))
        manifest += items(text(label) for label in self.labels) + text("")
        graph = items(bytes([exact.CODES[d]]) + items(struct.pack("<I", n) for n in dims) for d, dims in self.ports)
        graph += items(node.encoded() for node in self.nodes) + items(struct.pack("<I", o) for o in self.outputs)
        certificate = items(struct.pack("<qqQ", *bound) for bound in change(self.bounds()))
        header = manifest + graph + certificate
        data = b"NOEMAMDL" + struct.pack("<II", 1, len(header)) + header
        data += bytes(align(len(data), 64) - len(data))
        for node in self.nodes:
            for dtype, values in node.parameters:
                data += array(dtype, values)
                data += bytes(align(len(data), 64) - len(data))
        return data

    def row_bytes(self, edge):
        return SIZES[edge[0]] * product(edge[1])

    def memory(self):
        """Bytes for one row: arena and outputs."""
        return min(self.arena(True), self.arena(False)) + sum(self.row_bytes(self.edges[o]) for o in self.outputs)

    def arena(self, shared):
        first, count = len(self.inputs), len(self.edges)
        made = lambda edge: self.nodes[edge - first] if edge >= first else None
        reads = [read for node in self.nodes for read in node.reads] + list(self.outputs)
        passed, root = set(), list(range(count))
        for edge in range(first, count) if shared else ():
            before = made(edge).reads[0]
            if made(edge).kind == "Requantise" and before == edge - 1 and before >= first and made(before).kind == "Linear" and reads.count(before) == 1:
                passed.add(before)
            if made(edge).kind == "Reshape":
                root[edge] = root[before]
        until = [max(first, edge) for edge in range(count)]
        for edge in range(first, count):
            for read in made(edge).reads:
                until[root[read]] = max(until[root[read]], edge + (edge in passed))
        for output in self.outputs:
            until[root[output]] = count
        place, end = {}, 0  # edge to where it begins and ends; what is given up is taken out
        for edge in range(count):
            if edge in passed or root[edge] != edge:
                continue
            place = {other: ends for other, ends in place.items() if until[other] >= max(edge, first)}
            size = align(self.row_bytes(self.edges[edge]), 8)
            over = self.written_over(made(edge), edge, until, root, passed) if shared and edge >= first else None
            if over is None:
                taken = place.values()
                at = next(at for at in sorted([0] + [e for _, e in taken]) if all(at + size <= s or at >= e for s, e in taken))
            else:
                at = place.pop(over)[0]
            place[edge] = (at, at + size)
            end = max(end, at + size)
        return end

    def written_over(self, node, edge, until, root, passed):
        """The edge in whose place that of a node is computed."""
        dtype, dims = self.edges[edge]
        per_channel = node.kind == "Requantise" and node.a["per_channel"]
        if (per_channel or node.kind in BY_ROW) and dims[-1] > 65_536:
            return None
        for read in node.reads[: OVER.get(node.kind, 0)]:
            if read not in passed and until[root[read]] == edge and SIZES[self.edges[read][0]] >= SIZES[dtype]:
                return root[read]
        return None

    def cost(self, batch, length=None):
        edges = self.edges_at(length or self.longest)
        ports = sum(self.row_bytes(edge) for edge in edges[: len(self.ports)]) + sum(self.row_bytes(edges[o]) for o in self.outputs)
        row = 200 * ports
        views = self.arena(True) <= self.arena(False)
        for node in self.nodes:
            if node.kind == "Reshape" and views:
                continue
            row += sum(works.PRICE[op] * work for op, work in node.work([edges[r] for r in node.reads]).items())
        node = 500_000 if self.has_sequence else 100_000
        return 1_000_000 + node * len(self.nodes) + batch * row

    def run(self, inputs, batch, length=None):
        values, edges = list(inputs), self.edges_at(length or self.longest)
        for node, edge in zip(self.nodes, edges[len(self.ports) :]):
            values.append(node.run([edges[r] for r in node.reads], [values[r] for r in node.reads], edge[0], batch))
        return [values[o] for o in self.outputs]


def model_id(data):
    level = [keccak.keccak256(b"noema.model.leaf.1" + data[at : at + 65_536]) for at in range(0, max(len(data), 1), 65_536)]
    while len(level) > 1:
        pairs = [level[at : at + 2] for at in range(0, len(level), 2)]
        level = [keccak.keccak256(b"noema.model.node.1" + b"".join(pair)) if len(pair) == 2 else pair[0] for pair in pairs]
    return keccak.keccak256(b"noema.model.root.1" + struct.pack("<Q", len(data)) + level[0])


def tensor(edge, batch, data):
    return {"tensor": {"dtype": edge[0], "shape": [batch, *edge[1]], "data": data}}


def write(name, about, data, **more):
    lines = [data[at : at + 32].hex() for at in range(0, len(data), 32)]
    (OUT / f"{name}.model.hex").write_text("\n".join(lines) + "\n")
    document = {"about": about, "model": f"{name}.model.hex", "id": model_id(data).hex(), **more}
    cases = document.pop("cases", None)
    body = json.dumps(document)[1:-1]
    if cases is not None:
        body += ', "cases": [\n  ' + ",\n  ".join(json.dumps(case) for case in cases) + "\n]"
    (OUT / f"{name}.json").write_text("{" + body + "}\n")


def vectors(model, about, rng):
    cases = []
    for batch, style in [(1, "random"), (3, "random"), (1, "least"), (2, "largest"), (1, "zero"), (17, "random")]:
        inputs = []
        for dtype, dims in model.inputs:
            low, high = exact.RANGES[dtype]
            fill = {"least": lambda: low, "largest": lambda: high, "zero": lambda: 0, "random": lambda: rng.randint(low, high)}[style]
            inputs.append([fill() for _ in range(batch * product(dims))])
        outputs = model.run(inputs, batch)
        cases.append(
            {
                "name": f"{style}, {batch} rows",
                "inputs": [tensor(edge, batch, data) for edge, data in zip(model.inputs, inputs)],
                "outputs": [tensor(model.edges[o], batch, data) for o, data in zip(model.outputs, outputs)],
            }
        )
    zeros = [tensor(edge, 1, [0] * product(edge[1])) for edge in model.inputs]
    cases.append({"name": "no inputs", "inputs": [], "status": "ShapeMismatch"})
    cases.append({"name": "an input too many", "inputs": [*zeros, zeros[0]], "status": "ShapeMismatch"})
    no_rows = [tensor(edge, 0, []) for edge in model.inputs]
    cases.append({"name": "no rows", "inputs": no_rows, "status": "ShapeMismatch"})
    wrong = "i16" if model.inputs[0][0] != "i16" else "u8"
    first = (wrong, model.inputs[0][1])
    cases.append({"name": "another type", "inputs": [tensor(first, 1, [0] * product(first[1])), *zeros[1:]], "status": "TypeMismatch"})
    batches = (1, 2, 1000)
    write(
        model.name,
        about,
        model.container(),
        cost={str(batch): model.cost(batch) for batch in batches},
        memory={str(batch): batch * model.memory() for batch in batches},
        cases=cases,
    )


def screening(rng):
    """What the importer makes of a classifier: scaled features, two layers, probabilities and class."""
    weights = lambda count: [rng.randint(-127, 127) for _ in range(count)]
    scales = lambda count, shift: (("i32", [rng.randint(HALF, 2 * HALF - 1) for _ in range(count)]), ("u8", [shift] * count))
    nodes = [
        Node("centre", "AddConst", [0], {}, [("i32", [rng.randint(-(1 << 20), 1 << 20) for _ in range(7)])]),
        Node("scale", "Requantise", [1], {"per_channel": 1, "zero_point": 0, "dtype": "i8"}, scales(7, 42)),
        Node("hidden", "Linear", [2], {"outputs": 5, "accumulator": "i32"}, [("i8", weights(35)), ("i32", weights(5))]),
        Node("relu", "Relu", [3]),
        Node("narrow", "Requantise", [4], {"per_channel": 0, "zero_point": -128, "dtype": "i8"}, scales(1, 37)),
        Node("scores", "Linear", [5], {"outputs": 3, "accumulator": "i64"}, [("i8", weights(15)), ("i32", weights(3))]),
        Node("logits", "Requantise", [6], {"per_channel": 0, "zero_point": 0, "dtype": "i16"}, scales(1, 31)),
        Node("probability", "Softmax", [7], {"multiplier": HALF, "shift": 38, "fraction_bits": 15}),
        Node("class", "Argmax", [7]),
    ]
    return Model("screening", [("i32", [7])], nodes, [8, 9], ["a", "b", "c"])


def branches(rng):
    """Two inputs, edges that live long, an output that is read again, one that is given twice, rank 3."""
    nodes = [
        Node("left", "Linear", [0], {"outputs": 4, "accumulator": "i32"}, [("i8", [rng.randint(-128, 127) for _ in range(12)]), ("i32", [rng.randint(-9, 9) for _ in range(4)])]),
        Node("right", "Requantise", [1], {"per_channel": 1, "zero_point": 7, "dtype": "i32"}, [("i32", [HALF, 0, 2 * HALF - 1, HALF + 1]), ("u8", [62, 0, 1, 30])]),
        Node("both", "Add", [2, 3]),
        Node("again", "Add", [4, 2]),
        Node("best", "Argmax", [5]),
        Node("positive", "Relu", [0]),
    ]
    return Model("branches", [("u8", [2, 3]), ("i64", [2, 4])], nodes, [4, 6, 4, 7])


def two_scores():
    nodes = [
        Node("scores", "Linear", [0], {"outputs": 2, "accumulator": "i32"}, [("i8", [1, 2, 3, -1, 0, 1]), ("i32", [0, 100])]),
        Node("class", "Argmax", [1]),
    ]
    return Model("two-scores", [("i8", [3])], nodes, [1, 2], ["no", "yes"])


def encoder(rng):
    """Tokens and their number to an embedding: a layer of a transformer, with a sequence of up to 4 tokens."""
    numbers = lambda count, top: [rng.randint(-top, top) for _ in range(count)]
    linear = lambda name, reads, n, k=4: Node(name, "Linear", reads, {"outputs": n, "accumulator": "i32"}, [("i8", numbers(n * k, 127)), ("i32", numbers(n, 900))])
    scale = lambda name, reads, dtype, shift: Node(name, "Requantise", reads, {"per_channel": 0, "zero_point": 0, "dtype": dtype}, [("i32", [rng.randint(HALF, 2 * HALF - 1)]), ("u8", [shift])])
    norm = lambda name, reads, dtype: Node(name, "LayerNorm", reads, {"epsilon": 1 << 12, "shift": 11, "dtype": dtype}, [("i32", numbers(4, 1 << 18)), ("i32", numbers(4, 1 << 16))])
    nodes = [
        Node("words", "Embedding", [0], {"rows": 7, "columns": 4, "dtype": "i16"}, [("i16", numbers(28, 20_000))]),  # 2
        Node("placed", "AddRows", [2], {"rows": 4}, [("i16", numbers(16, 20_000))]),  # 3
        norm("norm", [3], "i16"),  # 4
        norm("narrow norm", [3], "i8"),  # 5
        linear("query sums", [4], 4), scale("query", [6], "i8", 41),  # 6, 7
        linear("key sums", [5], 4), scale("key", [8], "i8", 37),  # 8, 9
        linear("value sums", [5], 4), scale("value", [10], "i8", 37),  # 10, 11
        Node("mixed", "Attention", [7, 9, 11, 1], {"heads": 2, "masked": 1, "causal": 0, "scales": (HALF, 37, 2 * HALF - 1, 31)}),  # 12
        linear("back sums", [12], 4), scale("back", [13], "i16", 31),  # 13, 14
        Node("sum", "Add", [4, 14]), norm("norm 2", [15], "i16"),  # 15, 16
        linear("hidden sums", [16], 6), scale("hidden", [17], "i16", 39),  # 17, 18
        Node("gelu", "Function", [18], {"function": "gelu", "in_bits": 12, "out_bits": 11, "dtype": "i16"}),  # 19
        Node("step", "RowStep", [19], {"dtype": "i8"}), Node("rows", "QuantiseRows", [19, 20], {"dtype": "i8"}),  # 20, 21
        linear("out sums", [21], 4, 6), scale("wide", [22], "i32", 31),  # 22, 23
        Node("out", "Mul", [23, 20], {"multiplier": HALF, "shift": 70, "zero_point": 3, "dtype": "i16"}),  # 24
        Node("sum 2", "Add", [16, 24]), norm("last", [25], "i32"),  # 25, 26
        Node("mean", "MeanPool", [26, 1]),  # 27
        Node("embedding", "L2Norm", [27], {"epsilon": 1, "fraction_bits": 15, "dtype": "i16"}),  # 28
        Node("keys", "Transpose", [9], {"axes": [1, 0]}), Node("scores", "MatMul", [7, 29]),  # 29, 30
        Node("heads", "Reshape", [11], {"dims": [0, 2, 2]}),  # 31
    ]
    s = SEQUENCE + 4
    inputs = [("i32", [s]), ("i32", [])]
    return Model("encoder", inputs, nodes, [28, 12, 30, 31], sequence_outputs={12: [s, 4], 30: [s, s], 31: [s, 2, 2]})


def encoder_vectors(rng):
    model, cases = encoder(rng), []
    for batch, length, counts in [(1, 4, [4]), (3, 4, [1, 3, 4]), (2, 3, [2, 3]), (2, 1, [1, 1])]:
        tokens = [rng.randrange(7) for _ in range(batch * length)]
        outputs, edges = model.run([tokens, counts], batch, length), model.edges_at(length)
        inputs = [tensor(edges[0], batch, tokens), tensor(edges[1], batch, counts)]
        expected = [tensor(edges[o], batch, data) for o, data in zip(model.outputs, outputs)]
        cases.append({"name": f"{batch} sentences of {length}", "inputs": inputs, "outputs": expected})
    one = lambda tokens, count: [tensor(("i32", [len(tokens)]), 1, tokens), tensor(("i32", []), 1, [count])]
    for name, inputs, status in [
        ("an unknown token", one([0, 7], 2), "IndexOutOfRange"),
        ("a negative token", one([0, -1], 1), "IndexOutOfRange"),
        ("more tokens than there are", one([0, 1], 3), "IndexOutOfRange"),
        ("no tokens that count", one([0, 1], 0), "IndexOutOfRange"),
        ("a sequence too long", one([0] * 5, 1), "ShapeMismatch"),
        ("an empty sequence", one([], 0), "ShapeMismatch"),
    ]:
        cases.append({"name": name, "inputs": inputs, "status": status})
    write(
        model.name,
        "A layer of an encoder: sequences of several lengths, masks, quantised rows",
        model.container(),
        cost={str(batch): model.cost(batch) for batch in (1, 1000)},
        cost_of={str(length): model.cost(1, length) for length in (1, 2, 3, 4)},
        memory={str(batch): batch * model.memory() for batch in (1, 1000)},
        cases=cases,
    )


def images(rng):
    """A convolutional network: every operator on images, and what moves elements."""
    numbers = lambda count, top: [rng.randint(-top, top) for _ in range(count)]
    scale = lambda name, reads, dtype, shift: Node(name, "Requantise", reads, {"per_channel": 0, "zero_point": 0, "dtype": dtype}, [("i32", [rng.randint(HALF, 2 * HALF - 1)]), ("u8", [shift])])
    window = lambda w, strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1): {"window": w, "strides": strides, "pads": pads, "dilations": dilations}
    conv = lambda name, reads, outputs, weights, **more: Node(name, "Conv2d", reads, {"outputs": outputs, "groups": 1, "pad_value": 0, "accumulator": "i32", **more}, [("i8", numbers(weights, 127)), ("i32", numbers(outputs, 900))])
    nodes = [
        conv("first sums", [0], 4, 4 * 6 * 2, **window((2, 3), (1, 2), (1, 0, 0, 1)), pad_value=300), scale("first", [1], "i8", 39),  # 1, 2
        Node("relu", "Relu", [2]), Node("max", "MaxPool", [3], window((2, 1), pads=(1, 0, 0, 0))),  # 3, 4
        conv("depthwise sums", [4], 4, 4 * 4, **window((2, 2), pads=(1, 1, 1, 1), dilations=(2, 1)), groups=4, accumulator="i64"),  # 5
        scale("depthwise", [5], "i8", 37),  # 6
        Node("seen", "AveragePool", [6], {**window((2, 2), pads=(0, 1, 1, 0)), "count_pads": 0}),  # 7
        Node("all", "AveragePool", [6], {**window((2, 2), pads=(0, 1, 1, 0)), "count_pads": 1}),  # 8
        Node("both", "Concat", [7, 8], {"axis": 1}), Node("part", "Slice", [9], {"starts": [1, 0, 0], "sizes": [0, 3, 0]}),  # 9, 10
        Node("mean", "GlobalAveragePool", [10]), Node("table", "Lookup", [11], {"dtype": "i16"}, [("i16", numbers(256, 32_767))]),  # 11, 12
        Node("gated", "Mul", [9, 12], {"multiplier": HALF, "shift": 44, "zero_point": -1, "dtype": "i8"}),  # 13
        Node("channels first", "Transpose", [13], {"axes": [2, 0, 1]}), Node("narrow mean", "GlobalAveragePool", [13]),  # 14, 15
    ]
    return Model("images", [("u8", [4, 5, 2])], nodes, [14, 12, 10, 15])


def series(rng):
    """Recurrent networks along a sequence of up to 5 steps: both cells, both ways, every state and the last one."""
    numbers = lambda count, top: [rng.randint(-top, top) for _ in range(count)]
    linear = lambda name, reads, n, k: Node(name, "Linear", reads, {"outputs": n, "accumulator": "i32"}, [("i8", numbers(n * k, 127)), ("i32", numbers(n, 900))])
    scale = lambda name, reads, shift: Node(name, "Requantise", reads, {"per_channel": 0, "zero_point": 0, "dtype": "i32"}, [("i32", [rng.randint(HALF, 2 * HALF - 1)]), ("u8", [shift])])
    cell = lambda name, reads, kind, gates, hidden, **a: Node(
        name, kind, reads, {"hidden": hidden, **a},
        [("i8", numbers(gates * hidden * hidden, 127)), ("i32", numbers(gates * hidden, 1 << 18)), ("i32", [rng.randint(HALF, 2 * HALF - 1) for _ in range(gates * hidden)]), ("u8", [rng.randint(34, 37) for _ in range(gates * hidden)])],
    )
    nodes = [
        linear("there sums", [0], 12, 2), scale("there input", [1], 28), cell("there", [2], "Lstm", 4, 3, reverse=0, all=1),  # 1, 2, 3
        linear("back sums", [0], 6, 2), scale("back input", [4], 28), cell("back", [5], "Gru", 3, 2, reverse=1, all=1, reset_after=1),  # 4, 5, 6
        Node("both", "Concat", [3, 6], {"axis": 1}),  # 7
        linear("again sums", [7], 6, 5), scale("again input", [8], 36), cell("again", [9], "Gru", 3, 2, reverse=0, all=0, reset_after=0),  # 8, 9, 10
        linear("last sums", [7], 8, 5), scale("last input", [11], 36), cell("last", [12], "Lstm", 4, 2, reverse=1, all=0),  # 11, 12, 13
    ]
    s = SEQUENCE + 5
    return Model("series", [("i8", [s, 2])], nodes, [3, 6, 10, 13], sequence_outputs={3: [s, 3], 6: [s, 2]})


def series_vectors(rng):
    model, cases = series(rng), []
    for batch, length in [(1, 5), (3, 4), (2, 1)]:
        x = [rng.randint(-128, 127) for _ in range(batch * length * 2)]
        outputs, edges = model.run([x], batch, length), model.edges_at(length)
        expected = [tensor(edges[o], batch, data) for o, data in zip(model.outputs, outputs)]
        cases.append({"name": f"{batch} series of {length}", "inputs": [tensor(edges[0], batch, x)], "outputs": expected})
    long = [rng.randint(-128, 127) for _ in range(12)]
    cases.append({"name": "a series too long", "inputs": [tensor(("i8", [6, 2]), 1, long)], "status": "ShapeMismatch"})
    write(
        model.name,
        "Recurrent networks: both cells in both directions",
        model.container(),
        cost={str(batch): model.cost(batch) for batch in (1, 1000)},
        cost_of={str(length): model.cost(1, length) for length in (1, 2, 3, 4, 5)},
        memory={str(batch): batch * model.memory() for batch in (1, 1000)},
        cases=cases,
    )


def main():
    OUT.mkdir(exist_ok=True)
    rng = random.Random(20260101)
    vectors(two_scores(), "The smallest model that scenarios use", rng)
    vectors(screening(rng), "Every step of an imported classifier", rng)
    vectors(branches(rng), "Places in the arena, several inputs and outputs", rng)

    encoder_vectors(random.Random(20260102))
    series_vectors(random.Random(20260105))
    vectors(images(random.Random(20260103)), "Convolutions, pools and movement", random.Random(20260104))

    sound = two_scores()
    data = sound.container()
    refused = {
        "cut": ("The last byte is missing", data[:-1]),
        "longer": ("A byte too many", data + b"\0"),
        "magic": ("Another magic", b"NOEMAMDM" + data[8:]),
        "version": ("Another container version", data[:8] + struct.pack("<I", 2) + data[12:]),
        "padding": ("A byte of padding that is not zero", data[:-1] + b"\1"),
        "too-wide": ("A certificate that states a wider interval", sound.container(lambda b: [b[0], (b[1][0] - 1, *b[1][1:]), b[2]])),
        "too-narrow": ("A certificate that states a narrower interval", sound.container(lambda b: [b[0], (b[1][0] + 1, *b[1][1:]), b[2]])),
        "peak": ("A certificate that states another peak", sound.container(lambda b: [b[0], (*b[1][:2], b[1][2] - 1), b[2]])),
        "missing-bound": ("A certificate without the last bound", sound.container(lambda b: b[:-1])),
    }
    for name, (about, data) in refused.items():
        write(f"refused-{name}", about, data, refused=True)


if __name__ == "__main__":
    main()
