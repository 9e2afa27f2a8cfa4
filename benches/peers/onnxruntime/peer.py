"""onnxruntime as a peer of `noema-bench model`: lines as benches/src/peers.rs describes them.

    peer.py KIND FOLDER [--onnx FILE]

KIND is `f32` or `int8`: the weights of the folder as they are, or dynamically quantised by onnxruntime's own tool, with a scale
for each channel of the weights. The graph is made here from config.json and model.safetensors with the operators that exports of BERT
have; `--onnx` takes one that was exported elsewhere instead (inputs `input_ids`, `attention_mask` and, if it wants them,
`token_type_ids`; its first output is the last hidden state).

`tokens N N N ...` says which sentence is meant and answers with its embedding (mean of the tokens, of length 1); `version`
says which onnxruntime. One thread. It needs onnxruntime, onnx, numpy and safetensors.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import time

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file


class Graph:
    def __init__(self):
        self.nodes, self.weights = [], []

    def weight(self, name, value):
        self.weights.append(numpy_helper.from_array(numpy.ascontiguousarray(value), name))
        return name

    def numbers(self, name, values):
        return self.weight(name, numpy.array(values, dtype=numpy.int64))

    def node(self, operator, inputs, name, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name


def bert(folder):
    """The encoder as a graph: `input_ids` and `attention_mask` to `last_hidden_state`."""
    config = json.loads((folder / "config.json").read_text())
    tensors = load_file(folder / "model.safetensors")
    tensors = {name.removeprefix("bert."): value.astype(numpy.float32) for name, value in tensors.items() if value.dtype.kind == "f"}
    heads, width, epsilon = config["num_attention_heads"], config["hidden_size"], config["layer_norm_eps"]
    graph = Graph()
    shape = graph.numbers("split", [0, 0, heads, width // heads])
    joined = graph.numbers("joined", [0, 0, width])
    half = graph.weight("half", numpy.float32(0.5))
    one = graph.weight("one", numpy.float32(1.0))
    root = graph.weight("root", numpy.float32(2.0**0.5))
    scale = graph.weight("scale", numpy.float32((width // heads) ** 0.5))
    lowest = graph.weight("lowest", numpy.float32(numpy.finfo(numpy.float32).min))

    def linear(x, layer, name):
        weights = graph.weight(f"{name}.weights", tensors[f"{layer}.weight"].T)
        product = graph.node("MatMul", [x, weights], f"{name}.product")
        return graph.node("Add", [graph.weight(f"{name}.bias", tensors[f"{layer}.bias"]), product], name)

    def norm(x, layer, name):
        gain = graph.weight(f"{name}.gain", tensors[f"{layer}.weight"])
        bias = graph.weight(f"{name}.bias", tensors[f"{layer}.bias"])
        return graph.node("LayerNormalization", [x, gain, bias], name, axis=-1, epsilon=epsilon)

    words = graph.weight("words", tensors["embeddings.word_embeddings.weight"])
    placed = tensors["embeddings.position_embeddings.weight"] + tensors["embeddings.token_type_embeddings.weight"][0]
    positions = graph.weight("positions", placed)
    length = graph.node("Shape", ["input_ids"], "length", start=1, end=2)
    rows = graph.node("Slice", [positions, graph.numbers("zero", [0]), length, graph.numbers("axis", [0])], "rows")
    x = graph.node("Add", [graph.node("Gather", [words, "input_ids"], "embedded"), rows], "placed")
    x = norm(x, "embeddings.LayerNorm", "normed")
    mask = graph.node("Cast", ["attention_mask"], "mask.float", to=TensorProto.FLOAT)
    mask = graph.node("Unsqueeze", [mask, graph.numbers("axes", [1, 2])], "mask.axes")
    mask = graph.node("Mul", [graph.node("Sub", [one, mask], "mask.hidden"), lowest], "mask")
    for index in range(config["num_hidden_layers"]):
        layer, name = f"encoder.layer.{index}", f"layer{index}"

        def part(kind, axes):
            sums = linear(x, f"{layer}.attention.self.{kind}", f"{name}.{kind}")
            split = graph.node("Reshape", [sums, shape], f"{name}.{kind}.split")
            return graph.node("Transpose", [split], f"{name}.{kind}.heads", perm=axes)

        query, key = part("query", [0, 2, 1, 3]), part("key", [0, 2, 3, 1])
        scores = graph.node("MatMul", [query, key], f"{name}.scores")
        scores = graph.node("Add", [graph.node("Div", [scores, scale], f"{name}.scaled"), mask], f"{name}.masked")
        weights = graph.node("Softmax", [scores], f"{name}.softmax", axis=-1)
        mixed = graph.node("MatMul", [weights, part("value", [0, 2, 1, 3])], f"{name}.mixed")
        mixed = graph.node("Transpose", [mixed], f"{name}.mixed.back", perm=[0, 2, 1, 3])
        mixed = graph.node("Reshape", [mixed, joined], f"{name}.mixed.joined")
        back = linear(mixed, f"{layer}.attention.output.dense", f"{name}.back")
        middle = norm(graph.node("Add", [back, x], f"{name}.added"), f"{layer}.attention.output.LayerNorm", f"{name}.middle")
        hidden = linear(middle, f"{layer}.intermediate.dense", f"{name}.hidden")
        erf = graph.node("Erf", [graph.node("Div", [hidden, root], f"{name}.erf.in")], f"{name}.erf")
        bent = graph.node("Mul", [hidden, graph.node("Add", [erf, one], f"{name}.erf.one")], f"{name}.bent")
        bent = graph.node("Mul", [bent, half], f"{name}.gelu")
        out = linear(bent, f"{layer}.output.dense", f"{name}.out")
        x = norm(graph.node("Add", [out, middle], f"{name}.sum"), f"{layer}.output.LayerNorm", f"{name}.output")
    last = graph.node("Identity", [x], "last_hidden_state")
    tokens = ["batch", "tokens"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, tokens) for name in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info(last, TensorProto.FLOAT, [*tokens, width])]
    made = helper.make_graph(graph.nodes, "encoder", inputs, outputs, graph.weights)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def session(kind, folder, given):
    with tempfile.TemporaryDirectory() as scratch:
        path = given
        if path is None:
            path = pathlib.Path(scratch) / "encoder.onnx"
            onnx.save(bert(folder), path)
        if kind == "int8":
            from onnxruntime.quantization import QuantType, quantize_dynamic

            quantised = pathlib.Path(scratch) / "int8.onnx"
            quantize_dynamic(path, quantised, weight_type=QuantType.QInt8, per_channel=True)
            path = quantised
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["f32", "int8"])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--onnx", type=pathlib.Path)
    arguments = parser.parse_args()
    # The protocol has standard output to itself.
    answers, sys.stdout = sys.stdout, sys.stderr
    encoder = session(arguments.kind, arguments.folder, arguments.onnx)
    wanted = {put.name for put in encoder.get_inputs()}
    output = encoder.get_outputs()[0].name
    feed = {}

    def work():
        hidden = encoder.run([output], feed)[0][0]
        mean = hidden.mean(axis=0)
        return mean / numpy.linalg.norm(mean)

    for line in sys.stdin:
        command, *numbers = line.split()
        if command == "version":
            answer = f"onnxruntime {onnxruntime.__version__}, {arguments.kind}"
        elif command == "tokens":
            tokens = numpy.array([numbers], dtype=numpy.int64)
            every = {"input_ids": tokens, "attention_mask": numpy.ones_like(tokens), "token_type_ids": numpy.zeros_like(tokens)}
            feed = {name: value for name, value in every.items() if name in wanted}
            answer = " ".join(f"{number:.9g}" for number in work())
        elif command in ("wall", "processor"):
            clock = time.perf_counter_ns if command == "wall" else time.process_time_ns
            start = clock()
            for _ in range(int(numbers[0])):
                work()
            answer = str(clock() - start)
        else:
            answer = f"unknown: {command}"
        print(answer, file=answers, flush=True)


if __name__ == "__main__":
    main()
