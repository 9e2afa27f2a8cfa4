"""Writes answers for whole models that an importer made, as vectors/models/NAME.json beside NAME.model.

    python3 conformance-tests/scripts/model_answers.py

Reads the container by docs/spec/models.md, computes bounds, price and memory from it and runs it in Python integers: nothing is taken from the
Rust code but the container, which vectors/README.md says how to make. Needs mpmath (for softmax)."""

import csv
import itertools
import json
import struct

import exact
import model_operators
from model_vectors import CODE, OUT, SEQUENCE, SIZES, Model, Node, align, model_id, product, tensor

TESTS = OUT.parents[2] / "sdk" / "import" / "tests"
TYPES = {code: dtype for dtype, code in exact.CODES.items()}
OPERATORS = {code: name for name, code in CODE.items()} | {kind.code: name for name, kind in model_operators.ALL.items()}
WINDOW = ["window:2I", "strides:2I", "pads:4I", "dilations:2I"]
# Attributes in their order: a letter of `struct`, `t` for an element type, `l` for a list of numbers, `f` for a function.
ATTRIBUTES = {
    "Linear": ["outputs:I", "accumulator:t"],
    "Requantise": ["per_channel:B", "zero_point:i", "dtype:t"],
    "Softmax": ["multiplier:i", "shift:B", "fraction_bits:B"],
    "Embedding": ["rows:I", "columns:I", "dtype:t"],
    "AddRows": ["rows:I"],
    "LayerNorm": ["epsilon:Q", "shift:B", "dtype:t"],
    "Function": ["function:f", "in_bits:B", "out_bits:B", "dtype:t"],
    "Lookup": ["dtype:t"],
    "Attention": ["heads:I", "key_heads:I", "masked:?", "causal:?", "scales:iBiB"],
    "Reshape": ["dims:l"],
    "Transpose": ["axes:l"],
    "Concat": ["axis:I"],
    "Slice": ["starts:l", "sizes:l"],
    "Mul": ["multiplier:i", "shift:B", "zero_point:i", "dtype:t"],
    "RowStep": ["dtype:t"],
    "QuantiseRows": ["dtype:t"],
    "L2Norm": ["epsilon:Q", "fraction_bits:B", "dtype:t"],
    "Conv2d": ["outputs:I", *WINDOW, "groups:I", "pad_value:i", "accumulator:t"],
    "MaxPool": WINDOW,
    "AveragePool": [*WINDOW, "count_pads:?"],
    "Lstm": ["hidden:I", "reverse:?", "all:?"],
    "Gru": ["hidden:I", "reverse:?", "all:?", "reset_after:?"],
}


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        found = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return found[0] if len(found) == 1 else list(found)

    def list(self, item):
        return [item() for _ in range(self.take("I"))]

    def text(self):
        length = self.take("I")
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def dtype(self):
        return TYPES[self.take("B")]

    def numbers(self):
        return self.list(lambda: self.take("I"))

    def port(self):
        return self.text(), self.dtype(), self.numbers(), self.take("B")

    def attribute(self, form):
        special = {"t": self.dtype, "l": self.numbers, "f": lambda: model_operators.FUNCTIONS[self.take("B")]}
        return special[form]() if form in special else self.take(form)

    def node(self):
        name, kind = self.text(), OPERATORS[self.take("B")]
        attributes = {key: self.attribute(form) for key, form in (a.split(":") for a in ATTRIBUTES.get(kind, ()))}
        assert attributes.get("heads") == attributes.get("key_heads"), "grouped keys are not written here"
        return Node(name, kind, self.numbers(), attributes)


def parameters(node, inputs):
    """Types and lengths of the arrays of a node."""
    a, (dtype, dims) = node.a, inputs[0]
    c = dims[-1] if dims else 1
    if node.kind == "Linear":
        return [("i8", a["outputs"] * c), ("i32", a["outputs"])]
    if node.kind == "Requantise":
        return [("i32", c if a["per_channel"] else 1), ("u8", c if a["per_channel"] else 1)]
    if node.kind == "AddConst":
        return [("i32", c)]
    if node.kind == "Embedding":
        return [(a["dtype"], a["rows"] * a["columns"])]
    if node.kind == "AddRows":
        return [(dtype, a["rows"] * c)]
    if node.kind == "LayerNorm":
        return [("i32", c), ("i32", c)]
    if node.kind == "Lookup":
        return [(a["dtype"], 1 << 8 * SIZES[dtype])]
    if node.kind == "Conv2d":
        return [("i8", a["outputs"] * model_operators.Conv2d.depth(a, inputs)), ("i32", a["outputs"])]
    if node.kind in ("Lstm", "Gru"):
        gates = a["hidden"] * (4 if node.kind == "Lstm" else 3)
        return [("i8", gates * a["hidden"]), ("i32", gates), ("i32", gates), ("u8", gates)]
    return []


def decoded(data):
    """The model in a container, with the fraction bits of its inputs. What is wrong is an error."""
    magic, version, header = struct.unpack_from("<8sII", data)
    assert (magic, version) == (b"NOEMAMDL", 1)
    reader = Reader(data[16 : 16 + header])
    name, _licence, version = reader.text(), reader.text(), reader.text()
    inputs, _outputs = reader.list(reader.port), reader.list(reader.port)
    _labels, _accuracy = reader.list(reader.text), reader.text()
    edges = reader.list(lambda: (reader.dtype(), reader.numbers()))
    nodes, outputs = reader.list(reader.node), reader.numbers()
    certificate = reader.list(lambda: tuple(reader.take("qqQ")))
    assert reader.at == header
    model = Model(name, edges, nodes, outputs, version=version)
    at = align(16 + header, 64)
    for node in nodes:
        for dtype, length in parameters(node, [model.edges[r] for r in node.reads]):
            size = SIZES[dtype]
            values = [int.from_bytes(data[i : i + size], "little", signed=dtype != "u8") for i in range(at, at + length * size, size)]
            node.parameters.append((dtype, values))
            at = align(at + length * size, 64)
    assert at == len(data) and [tuple(bound) for bound in model.bounds()] == certificate, "the proof follows from the weights"
    return model, [bits for *_, bits in inputs]


def rows_of(path, count):
    """Rows of numbers, without their label."""
    with open(path) as file:
        rows = list(itertools.islice(csv.DictReader(file), count))
    return [[float(value) for key, value in row.items() if key != "label"] for row in rows]


def write(name, about, rows, length=None):
    data = (OUT / f"{name}.model").read_bytes()
    model, (bits,) = decoded(data)
    dtype, dims = model.edges_at(length or model.longest)[0]
    scaled = [exact.saturate(round(value * 2**bits), dtype) for row in rows for value in row]
    assert len(scaled) == len(rows) * product(dims)
    outputs, edges = model.run([scaled], len(rows), length), model.edges_at(length or model.longest)
    expected = [tensor(edges[o], len(rows), values) for o, values in zip(model.outputs, outputs)]
    document = {"about": about, "model": f"{name}.model", "id": model_id(data).hex()}
    document["cost"] = {str(batch): model.cost(batch) for batch in (1, 1000)}
    document["memory"] = {str(batch): batch * model.memory() for batch in (1, 1000)}
    cases = [{"name": f"{len(rows)} rows", "inputs": [tensor((dtype, dims), len(rows), scaled)], "outputs": expected}]
    body = json.dumps(document)[1:-1] + ', "cases": [\n  ' + ",\n  ".join(json.dumps(case) for case in cases) + "\n]"
    (OUT / f"{name}.json").write_text("{" + body + "}\n")


def main():
    images = rows_of(TESTS / "digits" / "heldout.csv", 4)
    write("digits-vit", "A vision transformer on digits, as the importer made it", images)
    write("digits-cnn", "A convolutional network on digits, as the importer made it", images)
    write("digits-gru", "Digits read row by row, as the importer made it", images)
    write("sunspots-lstm", "The next number of sunspots, as the importer made it", rows_of(TESTS / "series" / "sunspots.heldout.csv", 6))


if __name__ == "__main__":
    main()
