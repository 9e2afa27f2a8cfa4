"""A small convolutional network on scikit-learn's digits, as ONNX in float and in both of its quantised forms.

The data are the test part of "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak, UCI Machine Learning
Repository, CC BY 4.0), as scikit-learn ships it. Everything is seeded and uses one thread. Writes beside this file:

- `digits.onnx`: input `pixels` [N, 1, 8, 8], output `probabilities` [N, 10]. Residual addition, both pools, a concatenation, a
  depthwise convolution, batch normalisations, ReLU and ReLU6.
- `digits.qdq.onnx`, `digits.qlinear.onnx`: the same after onnxruntime's static quantisation, with pairs of QuantizeLinear and
  DequantizeLinear (8-bit weights for each channel), and with QLinearConv and its relatives.
- `digits.integer.onnx`: MatMulInteger and ConvInteger on 8-bit pixels, made up, with 32-bit sums as its output.
- `calibration.csv`, `heldout.csv` (with a column `label`): rows that the network was and was not trained on.
- `expected.csv`: for each held-out row what onnxruntime says: scores of the float network, classes of both quantised
  forms and their scores, sums of the integer network.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt && /tmp/venv/bin/python train.py
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from sklearn.datasets import load_digits
from torch import nn

HERE = Path(__file__).resolve().parent
SEED = 3
CALIBRATION = 64
TRAIN = 1197


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 16, 3, padding=1)
        self.first_norm = nn.BatchNorm2d(16)
        self.second = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(16)
        self.depthwise = nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False)
        self.depthwise_norm = nn.BatchNorm2d(32)
        self.pointwise = nn.Conv2d(32, 32, 1)
        self.head = nn.Linear(32 * 16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x / 16
        a = torch.relu(self.first_norm(self.first(x)))
        b = torch.relu(self.second_norm(self.second(a)) + a)
        both = torch.cat([nn.functional.max_pool2d(b, 2), nn.functional.avg_pool2d(b, 2)], dim=1)
        c = nn.functional.relu6(self.depthwise_norm(self.depthwise(both)))
        d = torch.relu(self.pointwise(c))
        return self.head(nn.functional.dropout(d.flatten(1), 0.3, self.training))


def train(x: np.ndarray, y: np.ndarray) -> Net:
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    net = Net()
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
    x, y = torch.tensor(x), torch.tensor(y)
    for _ in range(40):
        net.train()
        for batch in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimiser.step()
    return net.eval()


def export(net: Net, gemm: bool = True) -> onnx.ModelProto:
    state = {name: value.detach().numpy().astype(np.float32) for name, value in net.state_dict().items()}
    constants: dict[str, np.ndarray] = {"sixteen": np.array(16, np.float32), "zero": np.array(0, np.float32), "six": np.array(6, np.float32)}
    nodes = []

    def node(operator: str, inputs: list[str], output: str, **attributes) -> str:
        nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def conv(layer: str, x: str, **attributes) -> str:
        names = [f"{layer}.{part}" for part in ("weight", "bias") if f"{layer}.{part}" in state]
        constants.update({name: state[name] for name in names})
        return node("Conv", [x, *names], layer, **attributes)

    def norm(layer: str, x: str) -> str:
        names = [f"{layer}.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
        constants.update({name: state[name] for name in names})
        return node("BatchNormalization", [x, *names], layer, epsilon=1e-5)

    three = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    x = node("Div", ["pixels", "sixteen"], "scaled")
    a = node("Relu", [norm("first_norm", conv("first", x, **three))], "first_relu")
    b = node("Add", [norm("second_norm", conv("second", a, **three)), a], "residual")
    b = node("Relu", [b], "residual_relu")
    window = {"kernel_shape": [2, 2], "strides": [2, 2]}
    both = node("Concat", [node("MaxPool", [b], "largest", **window), node("AveragePool", [b], "average", **window)], "both", axis=1)
    c = norm("depthwise_norm", conv("depthwise", both, group=32, **three))
    c = node("Clip", [c, "zero", "six"], "relu6")
    d = node("Relu", [conv("pointwise", c, kernel_shape=[1, 1])], "pointwise_relu")
    d = node("Flatten", [d], "flat", axis=1)
    constants["head.bias"] = state["head.bias"]
    constants["head.weight"] = state["head.weight"] if gemm else np.ascontiguousarray(state["head.weight"].T)
    if gemm:
        logits = node("Gemm", [d, "head.weight", "head.bias"], "head", transB=1)
    else:
        logits = node("Add", [node("MatMul", [d, "head.weight"], "product"), "head.bias"], "head")
    node("Softmax", [logits], "probabilities", axis=-1)
    return model(nodes, constants, ("pixels", TensorProto.FLOAT), [("probabilities", TensorProto.FLOAT, [None, 10])])


def model(nodes, constants, given, outputs) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info(given[0], given[1], [None, 1, 8, 8])],
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="noema")
    made.ir_version = 8
    onnx.checker.check_model(made, full_check=True)
    return made


def integer(random: np.random.Generator) -> onnx.ModelProto:
    """8-bit pixels, a convolution whose sums are brought back to 8 bits by a division in float, and a product."""
    constants = {
        "w": random.integers(-127, 128, (4, 1, 3, 3)).astype(np.int8),
        "v": random.integers(-127, 128, (4 * 36, 10)).astype(np.int8),
        "zero": np.array(0, np.uint8),
        "scale": np.array(16.0, np.float32),
    }
    nodes = [
        helper.make_node("ConvInteger", ["pixels", "w"], ["sums"], name="sums", kernel_shape=[3, 3]),
        helper.make_node("Cast", ["sums"], ["real"], name="real", to=TensorProto.FLOAT),
        helper.make_node("QuantizeLinear", ["real", "scale", "zero"], ["narrow"], name="narrow"),
        helper.make_node("Flatten", ["narrow"], ["flat"], name="flat", axis=1),
        helper.make_node("MatMulInteger", ["flat", "v"], ["scores"], name="scores"),
    ]
    return model(nodes, constants, ("pixels", TensorProto.UINT8), [("scores", TensorProto.INT32, [None, 10])])


class Reader(CalibrationDataReader):
    def __init__(self, rows: np.ndarray) -> None:
        self.rows = iter([{"pixels": rows}])

    def get_next(self):
        return next(self.rows, None)


def run(path: Path, x: np.ndarray, output: str) -> np.ndarray:
    made = onnx.load(path)
    if output not in [value.name for value in made.graph.output]:
        made.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # As the file says it, and not with other kernels for what follows each other.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run([output], {"pixels": x})[0]


def table(path: Path, header: list[str], columns: np.ndarray, form: str) -> None:
    np.savetxt(path, columns, form, delimiter=",", header=",".join(header), comments="")


def main() -> None:
    digits = load_digits()
    x, y = digits.data.astype(np.float32), digits.target.astype(np.int64)
    order = np.random.default_rng(SEED).permutation(len(x))
    x, y = x[order], y[order]
    train_x, held_x, held_y = x[:TRAIN], x[TRAIN:], y[TRAIN:]
    images = lambda rows: rows.reshape(-1, 1, 8, 8)
    net = train(images(train_x), y[:TRAIN])
    onnx.save(export(net), HERE / "digits.onnx")
    pixels = [f"p{at}" for at in range(64)]
    table(HERE / "calibration.csv", pixels, train_x[:CALIBRATION], "%d")
    table(HERE / "heldout.csv", [*pixels, "label"], np.column_stack([held_x, held_y]), "%d")
    # Batch normalisations are folded first, as onnxruntime advises.
    prepared = HERE / "prepared.onnx"
    for form, name, per_channel in [(QuantFormat.QDQ, "qdq", True), (QuantFormat.QOperator, "qlinear", False)]:
        onnx.save(export(net, gemm=name == "qdq"), prepared)
        quant_pre_process(prepared, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            HERE / f"digits.{name}.onnx",
            Reader(images(train_x[:CALIBRATION])),
            quant_format=form,
            per_channel=per_channel,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv", "MaxPool", "MatMul"] if name == "qlinear" else None,
        )
    prepared.unlink()
    onnx.save(integer(np.random.default_rng(SEED)), HERE / "digits.integer.onnx")
    held = images(held_x)
    scores = run(HERE / "digits.onnx", held, "head")
    columns, header = [scores], [f"float{at}" for at in range(10)]
    names = {"qdq": "probabilities", "qlinear": "probabilities"}
    for name, output in names.items():
        found = run(HERE / f"digits.{name}.onnx", held, output)
        columns.append(found)
        header += [f"{name}{at}" for at in range(10)]
    columns.append(run(HERE / "digits.integer.onnx", held.astype(np.uint8), "scores").astype(np.float64))
    header += [f"integer{at}" for at in range(10)]
    table(HERE / "expected.csv", header, np.hstack(columns), "%.9g")
    print("float", (scores.argmax(1) == held_y).mean())
    for at, name in enumerate(names):
        print(name, (columns[1 + at].argmax(1) == held_y).mean())
    for name in ["digits", "digits.qdq", "digits.qlinear", "digits.integer"]:
        made = onnx.load(HERE / f"{name}.onnx")
        print(name, made.opset_import, [node.op_type for node in made.graph.node])


if __name__ == "__main__":
    main()
