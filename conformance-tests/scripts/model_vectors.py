"""Writes vectors/models: containers, with id, answers, price and memory, made from docs/spec/models.md in Python integers.

    python3 conformance-tests/scripts/model_vectors.py

Needs mpmath (for softmax). Nothing here is taken from the Rust code."""

import json
import pathlib
import random
import struct

import exact
import keccak

OUT = pathlib.Path(__file__).parent.parent / "vectors" / "models"
SIZES = {"i8": 1, "u8": 1, "i16": 2, "i32": 4, "i64": 8}
CODE = {"Linear": 0, "Requantise": 1, "AddConst": 2, "Relu": 3, "Softmax": 4, "Argmax": 5, "Add": 6}
PRICE = {"matmul": 50, "requantise": 1500, "add": 1500, "relu": 500, "softmax": 40_000, "argmax": 1500}
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
        elements = product(inputs[0][1])
        if self.kind == "Linear":
            outputs = self.a["outputs"]
            return {"matmul": elements * outputs, "add": elements // inputs[0][1][-1] * outputs}
        return {{"AddConst": "add"}.get(self.kind, self.kind.lower()): elements}

    def run(self, inputs, values, out):
        """All rows: `values` are flat lists of elements."""
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


class Model:
    def __init__(self, name, inputs, nodes, outputs, labels=(), version="1"):
        self.name, self.inputs, self.nodes, self.outputs, self.labels, self.version = name, inputs, nodes, outputs, labels, version
        self.edges = list(inputs)
        for node in nodes:
            self.edges.append(node.edge([self.edges[r] for r in node.reads]))

    def bounds(self):
        bounds = [(*exact.RANGES[dtype], max(abs(end) for end in exact.RANGES[dtype])) for dtype, _ in self.inputs]
        for node, edge in zip(self.nodes, self.edges[len(self.inputs) :]):
            bounds.append(node.bound([self.edges[r] for r in node.reads], [bounds[r] for r in node.reads], edge[0]))
        return bounds

    def container(self, change=lambda bounds: bounds):
        port = lambda name, edge: text(name) + bytes([exact.CODES[edge[0]]]) + items(struct.pack("<I", d) for d in edge[1]) + b"\0"
        names = [node.name for node in self.nodes]
        manifest = text(self.name) + text("CC0-1.0") + text(self.version)
        manifest += items(port("x" if i == 0 else f"x{i}", edge) for i, edge in enumerate(self.inputs))
        called = [names[o - len(self.inputs)] for o in self.outputs]
        manifest += items(port(name + "'" * called[:at].count(name), self.edges[o]) for at, (name, o) in enumerate(zip(called, self.outputs)))
        manifest += items(text(label) for label in self.labels) + text("")
        graph = items(bytes([exact.CODES[d]]) + items(struct.pack("<I", n) for n in dims) for d, dims in self.inputs)
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
        first = len(self.inputs)
        until = [max(first, index) for index in range(len(self.edges))]
        for index, node in enumerate(self.nodes):
            for read in node.reads:
                until[read] = max(until[read], first + index)
        for output in self.outputs:
            until[output] = len(self.edges)
        placed, end = [], 0
        for index, edge in enumerate(self.edges):
            size = align(self.row_bytes(edge), 8)
            live = [(at, at + long) for at, long, needed in placed if needed >= max(index, first)]
            at = next(at for at in sorted([0] + [e for _, e in live]) if all(at + size <= s or at >= e for s, e in live))
            placed.append((at, size, until[index]))
            end = max(end, at + size)
        return end + sum(self.row_bytes(self.edges[o]) for o in self.outputs)

    def cost(self, batch):
        ports = sum(self.row_bytes(edge) for edge in self.inputs) + sum(self.row_bytes(self.edges[o]) for o in self.outputs)
        row = 200 * ports
        for node in self.nodes:
            row += sum(PRICE[op] * work for op, work in node.work([self.edges[r] for r in node.reads]).items())
        return 1_000_000 + 100_000 * len(self.nodes) + batch * row

    def run(self, inputs):
        values = list(inputs)
        for node, edge in zip(self.nodes, self.edges[len(self.inputs) :]):
            values.append(node.run([self.edges[r] for r in node.reads], [values[r] for r in node.reads], edge[0]))
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
        outputs = model.run(inputs)
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


def main():
    OUT.mkdir(exist_ok=True)
    rng = random.Random(20260101)
    vectors(two_scores(), "The smallest model that scenarios use", rng)
    vectors(screening(rng), "Every step of an imported classifier", rng)
    vectors(branches(rng), "Places in the arena, several inputs and outputs", rng)

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


main()
