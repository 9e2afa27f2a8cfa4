"""Vectors from the test cases of ONNX itself (`onnx.backend.test`), for the opcodes that mean the same.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt && /tmp/venv/bin/python onnx_vectors.py

ONNX tests most operators with floats. Where an operator only moves or compares its elements, each float stands for an integer that is
ordered as the float is, so that inputs and outputs are ONNX's own (and unsigned integers that we do not have stand for themselves in a wider type). Where it computes, cases are taken whose numbers are integers, and
whose results fit the type (ONNX leaves open what happens beyond it). Images become channels last. What an operator has and the opcode has
not is left out, and counted.
"""

import argparse
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from onnx import helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from exact import CODES, RANGES
from generate_vectors import file_text
from vectors import case, i32, i64, tensor, u32, words

FOLDER = Path(__file__).resolve().parent.parent / "vectors" / "onnx"
DTYPES = {"int8": "i8", "uint8": "u8", "int16": "i16", "int32": "i32", "int64": "i64", "bool": "u8", "uint16": "i32", "uint32": "i64", "uint64": "i64"}
MOST = 8192


class Skip(Exception):
    """Why a case has no counterpart."""


def ordered(x):
    """Integers in the order of floats."""
    if x.dtype == np.float64:
        bits = (x + 0.0).view(np.int64)
        return np.where(bits < 0, bits ^ np.int64(0x7FFFFFFFFFFFFFFF), bits)
    bits = (x.astype(np.float32) + np.float32(0)).view(np.int32)
    return np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits)


def moved(x):
    """An array of an operator that moves or compares."""
    if x.dtype in (np.float32, np.float64, np.float16):
        if np.isnan(x).any():
            raise Skip("NaN")
        x = ordered(np.ascontiguousarray(x))
    return exact(x)


def exact(x, dtype=None):
    """An array of integers, or of floats that are some."""
    if x.dtype.kind == "f" and (not np.array_equal(x, np.rint(x)) or np.abs(x.astype(np.float64)).max(initial=0) > 1 << 24):
        raise Skip("numbers that are no integers")
    name = dtype or ("i32" if x.dtype.kind == "f" else DTYPES.get(x.dtype.name))
    if name is None:
        raise Skip(f"numbers of {x.dtype.name}")
    values = [int(value) for value in x.reshape(-1)]
    low, high = RANGES[name]
    if any(not low <= value <= high for value in values):
        raise Skip("beyond the type")
    if len(values) > MOST:
        raise Skip("large")
    return tensor(name, x.shape, values)


def dtype(value):
    return value["tensor"]["dtype"]


def indices(x):
    if np.any(x < 0):
        raise Skip("negative indices")
    return exact(x, "i32")


def axis_of(attributes, x, default=0):
    return attributes.get("axis", default) % max(x.ndim, 1)


def last(x):
    """An image with its channels last."""
    if x.ndim != 4:
        raise Skip("not two axes")
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def window(attributes, count=2):
    if attributes.get("auto_pad", b"NOTSET") != b"NOTSET" or attributes.get("ceil_mode", 0):
        raise Skip("auto_pad or ceil_mode")
    ones, zeros = [1] * count, [0] * (2 * count)
    return [words(attributes.get(name, default)) for name, default in [("strides", ones), ("pads", zeros), ("dilations", ones)]]


def only(attributes, **allowed):
    for name, value in attributes.items():
        if name not in allowed or (allowed[name] is not None and value != allowed[name]):
            raise Skip(f"attribute {name}")


def same(row, of=moved, out=None):
    """An operator that is the opcode as it stands, result and all."""

    def make(attributes, inputs, output):
        only(attributes)
        if len(inputs) != 1 + (row in BINARY) + 2 * (row == "op.select"):
            raise Skip("another number of inputs")
        return row, [of(x) for x in inputs], out(output) if out else of(output)

    return make


BINARY = {f"op.{name}" for name in "add sub mul max min equal less less_or_equal bit_and bit_or bit_xor".split()}


def swapped(row):
    def make(attributes, inputs, output):
        only(attributes)
        return row, [moved(inputs[1]), moved(inputs[0])], exact(output)

    return make


def transpose(attributes, inputs, output):
    axes = attributes.get("perm", list(range(inputs[0].ndim))[::-1])
    return "op.transpose", [moved(inputs[0]), words(axes)], moved(output)


def concat(attributes, inputs, output):
    if len(inputs) != 2:
        raise Skip("another number of inputs")
    return "op.concat", [*map(moved, inputs), u32(axis_of(attributes, inputs[0]))], moved(output)


def slices(attributes, inputs, output):
    x, starts, ends, *rest = inputs
    axes = rest[0] if rest else range(len(starts))
    if len(rest) > 1 and any(step != 1 for step in rest[1]):
        raise Skip("steps")
    start, size = [0] * x.ndim, list(x.shape)
    for axis, first, end in zip(axes, starts, ends):
        first, end, _ = slice(int(first), int(end)).indices(x.shape[axis])
        start[axis], size[axis] = first, max(0, end - first)
    return "op.slice", [moved(x), words(start), words(size)], moved(output)


def gather(attributes, inputs, output):
    axis = u32(axis_of(attributes, inputs[0]))
    return "op.gather", [moved(inputs[0]), indices(inputs[1]), axis], moved(output)


def gather_elements(attributes, inputs, output):
    x, at = inputs
    axis = axis_of(attributes, x)
    if any(a != b for place, (a, b) in enumerate(zip(x.shape, at.shape)) if place != axis):
        raise Skip("fewer indices than elements")
    return "op.gather_elements", [moved(x), indices(at), u32(axis)], moved(output)


def tile(attributes, inputs, output):
    return "op.tile", [moved(inputs[0]), words([int(n) for n in inputs[1]])], moved(output)


def pad(attributes, inputs, output):
    only(attributes, mode=b"constant")
    x, pads, *rest = inputs
    if len(rest) > 1 or np.any(pads < 0) or len(pads) != 2 * x.ndim:
        raise Skip("some axes, or fewer elements than before")
    value = rest[0] if rest else np.zeros((), x.dtype)
    number = moved(np.asarray(value).reshape(1))["tensor"]["data"][0]
    before, behind = pads[: x.ndim], pads[x.ndim :]
    return "op.pad", [moved(x), words(map(int, before)), words(map(int, behind)), i64(number)], moved(output)


def reshape(attributes, inputs, output):
    return "op.reshape", [moved(inputs[0]), words(output.shape)], moved(output)


def expand(attributes, inputs, output):
    if output.shape != tuple(int(n) for n in inputs[1]):
        raise Skip("an axis that stays longer than asked for")
    return "op.expand", [moved(inputs[0]), words(output.shape)], moved(output)


def one_hot(attributes, inputs, output):
    at, depth, values = inputs
    if axis_of(attributes, output, -1) != output.ndim - 1:
        raise Skip("another axis")
    off, on = (int(value) for value in values)
    out = exact(output)
    return "op.one_hot", [indices(at), u32(int(depth.reshape(()))), i64(on), i64(off), u32(CODES[dtype(out)])], out


def ranges(attributes, inputs, output):
    start, _, step = (int(x) for x in inputs)
    out = exact(output)
    return "op.range", [i64(start), i64(step), u32(len(output)), u32(CODES[dtype(out)])], out


def trilu(attributes, inputs, output):
    diagonal = int(inputs[1].reshape(())) if len(inputs) > 1 else 0
    return "op.trilu", [moved(inputs[0]), i32(diagonal), u32(attributes.get("upper", 1))], moved(output)


def cumsum(attributes, inputs, output):
    only(attributes)
    axis = int(inputs[1].reshape(())) % inputs[0].ndim
    return "op.cumsum", [exact(inputs[0]), u32(axis)], exact(output, "i64")


def position(row):
    def make(attributes, inputs, output):
        only(attributes, axis=None, keepdims=None)
        x = inputs[0]
        if axis_of(attributes, x) != x.ndim - 1 or attributes.get("select_last_index"):
            raise Skip("another axis, or the last of equals")
        return row, [moved(x)], exact(output.reshape(x.shape[:-1]), "i32")

    return make


def topk(attributes, inputs, output):
    x, count = inputs
    if axis_of(attributes, x, -1) != x.ndim - 1 or not attributes.get("sorted", 1):
        raise Skip("another axis, or no order")
    order = 0 if attributes.get("largest", 1) else 1
    return "op.topk", [moved(x), u32(int(count.reshape(()))), u32(order)], exact(output, "i32")


def reduction(row, wide=False):
    def make(attributes, inputs, output):
        only(attributes, axes=None, keepdims=None, noop_with_empty_axes=0)
        x = inputs[0]
        axes = attributes.get("axes", list(inputs[1]) if len(inputs) > 1 else [])
        if len(axes) != 1:
            raise Skip("several axes")
        axis = int(axes[0]) % x.ndim
        if not x.shape[axis] and not wide:
            raise Skip("an empty axis")
        output = output.reshape(x.shape[:axis] + x.shape[axis + 1 :])
        if wide:
            return row, [exact(x), u32(axis)], exact(output, "i64")
        return row, [moved(x), u32(axis)], moved(output)

    return make


def max_pool(attributes, inputs, output):
    only(attributes, kernel_shape=None, strides=None, pads=None, dilations=None, auto_pad=None, ceil_mode=None, storage_order=0)
    x = last(inputs[0])
    return "op.max_pool", [moved(x), words(attributes["kernel_shape"]), *window(attributes)], moved(last(output))


def matmul(attributes, inputs, output):
    if len(inputs) > 2 and any(np.any(zero) for zero in inputs[2:]):
        # The opcode has no zero points: what is multiplied are the differences.
        inputs = [(inputs[at].astype(np.int64) - (inputs[at + 2] if at + 2 < len(inputs) else 0)) for at in range(2)]
        return "op.matmul", [exact(x, "i16") for x in inputs], exact(output, "i64")
    return "op.matmul", [exact(inputs[0]), exact(inputs[1], "i8")], exact(output)


def bit_not(attributes, inputs, output):
    if inputs[0].dtype.name not in ("uint8", "int8", "int16", "int32", "int64"):
        raise Skip("of a type that we do not have")
    return "op.bit_not", [exact(inputs[0])], exact(output)


def matmul_of_integers(attributes, inputs, output):
    a, b = (x.shape for x in inputs)
    if len(a) < 2 or len(b) < 2 or (len(b) > 2 and a[:-2] != b[:-2]):
        raise Skip("vectors, or a broadcast batch")
    return "op.matmul", [exact(x, "i16") for x in inputs], exact(output, "i64")


def conv(attributes, inputs, output):
    only(attributes, kernel_shape=None, strides=None, pads=None, dilations=None, auto_pad=None, group=None)
    x, weights = last(inputs[0]), last(inputs[1])
    zero = int(np.asarray(inputs[2]).reshape(())) if len(inputs) == 3 and attributes.get("integer") else 0
    if len(inputs) > 3 or (len(inputs) == 3 and inputs[2].ndim):
        raise Skip("a bias, or zero points of weights")
    groups = u32(attributes.get("group", 1))
    x = x.astype(np.int64) - (int(inputs[2]) if len(inputs) == 3 else zero) if x.dtype.kind != "f" else x
    arguments = [exact(x, "i16"), exact(weights, "i8"), *window(attributes), groups, i32(0)]
    return "op.conv2d", arguments, exact(last(output), "i64")


def clip(attributes, inputs, output):
    only(attributes)
    if len(inputs) != 3:
        raise Skip("one end only")
    low, high = (moved(np.asarray(end).reshape(1))["tensor"]["data"][0] for end in inputs[1:])
    if low > high:
        raise Skip("ends in the wrong order")
    return "op.clamp", [moved(inputs[0]), i64(low), i64(high)], moved(output)


HANDLERS = {
    "Transpose": transpose, "Concat": concat, "Slice": slices, "Gather": gather, "GatherElements": gather_elements, "Tile": tile,
    "Pad": pad, "Reshape": reshape, "Flatten": reshape, "Squeeze": reshape, "Unsqueeze": reshape, "Expand": expand, "Where": same("op.select"),
    "OneHot": one_hot, "Range": ranges, "Trilu": trilu, "CumSum": cumsum, "ArgMax": position("op.argmax"), "ArgMin": position("op.argmin"),
    "TopK": topk, "ReduceMax": reduction("op.reduce_max"), "ReduceMin": reduction("op.reduce_min"), "ReduceSum": reduction("op.reduce_sum", True),
    "ReduceProd": reduction("op.reduce_prod", True), "MaxPool": max_pool, "MatMulInteger": matmul, "MatMul": matmul_of_integers,
    "ConvInteger": conv, "Conv": conv, "Clip": clip, "Relu": same("op.relu"), "Max": same("op.max"), "Min": same("op.min"),
    "Equal": same("op.equal", out=exact), "Less": same("op.less", out=exact), "LessOrEqual": same("op.less_or_equal", out=exact),
    "Greater": swapped("op.less"), "GreaterOrEqual": swapped("op.less_or_equal"), "Add": same("op.add", exact), "Sub": same("op.sub", exact),
    "Mul": same("op.mul", exact), "Neg": same("op.neg", exact), "Abs": same("op.abs", exact), "BitwiseAnd": same("op.bit_and", exact),
    "BitwiseOr": same("op.bit_or", exact), "BitwiseXor": same("op.bit_xor", exact), "BitwiseNot": bit_not,
    "And": same("op.bit_and", exact), "Or": same("op.bit_or", exact), "Xor": same("op.bit_xor", exact),
}  # fmt: skip


def array(value):
    return value if isinstance(value, np.ndarray) else np.asarray(value)


def convert(test):
    """The row and the cases of a test, or why there are none."""
    (node,) = test.model.graph.node
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    constants = {value.name: numpy_helper.to_array(value) for value in test.model.graph.initializer}
    for number, (given, outputs) in enumerate(test.data_sets):
        names = iter(given)
        inputs = [constants[name] if name in constants else array(next(names)) for name in node.input if name]
        if len(inputs) != len([name for name in node.input if name]) or "" in list(node.input)[: len(inputs)]:
            raise Skip("inputs that are left out")
        # The indices of the largest are the second output.
        output = array(outputs[1 if node.op_type == "TopK" else 0])
        row, arguments, result = HANDLERS[node.op_type](attributes, inputs, output)
        yield row, case(test.name.removeprefix("test_") + (f" {number}" if number else ""), arguments, result)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    rows, left = {}, Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tests = collect_testcases(None)
    for test in sorted(tests, key=lambda test: test.name):
        nodes = test.model.graph.node
        if len(nodes) != 1 or nodes[0].op_type not in HANDLERS or nodes[0].domain:
            continue
        try:
            for row, made in convert(test):
                rows.setdefault(row, []).append(made)
        except Skip as why:
            left[f"{nodes[0].op_type}: {why}"] += 1
    FOLDER.mkdir(exist_ok=True)
    for row, cases in sorted(rows.items()):
        (FOLDER / f"{row}.json").write_text(file_text(row, cases))
        print(f"{row}: {len(cases)}")
    print(f"{sum(map(len, rows.values()))} cases of {len(rows)} rows; left out:")
    for why, count in sorted(left.items()):
        print(f"  {why}: {count}")


if __name__ == "__main__":
    main()
