"""Trains the network whose answers are bought and sold: it reads a handwritten digit of 8 by 8 points.

Data: Optical Recognition of Handwritten Digits, as it comes inside scikit-learn. 1797 rows are split once, with a fixed
seed, into 1500 to train on and the rest.

Writes beside this file: `digits.onnx` (float32, from 64 points to 10 probabilities), `heldout.csv` (100 rows that it never
saw, with their digit) and `calibration.csv` (64 of the training rows, for the importer).

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt && /tmp/venv/bin/python train.py
"""

import csv
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

SEED = 7
HIDDEN = 20
LARGEST = 16.0
HERE = Path(__file__).resolve().parent


def build(network: MLPClassifier) -> onnx.ModelProto:
    """Points divided by their largest, one hidden layer, softmax over the ten digits."""
    constants = {"largest": np.float32([LARGEST])}
    nodes = [helper.make_node("Div", ["points", "largest"], ["scaled"])]
    value = "scaled"
    for index, (weights, bias) in enumerate(zip(network.coefs_, network.intercepts_), start=1):
        constants[f"weight{index}"] = np.ascontiguousarray(weights.T, dtype=np.float32)
        constants[f"bias{index}"] = bias.astype(np.float32)
        nodes.append(helper.make_node("Gemm", [value, f"weight{index}", f"bias{index}"], [f"sums{index}"], transB=1))
        value = f"sums{index}"
        if index < len(network.coefs_):
            nodes.append(helper.make_node("Relu", [value], [f"hidden{index}"]))
            value = f"hidden{index}"
    nodes.append(helper.make_node("Softmax", [value], ["probabilities"], axis=-1))
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("points", TensorProto.FLOAT, ["N", 64])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="train.py")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def write_rows(path: Path, rows: np.ndarray, labels: np.ndarray) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*(f"p{row}{column}" for row in range(8) for column in range(8)), "label"])
        for row, label in zip(rows, labels):
            writer.writerow([*(int(value) for value in row), int(label)])


def main() -> None:
    rows, labels = load_digits(return_X_y=True)
    train_rows, held_rows, train_labels, held_labels = train_test_split(
        rows, labels, train_size=1500, random_state=SEED, stratify=labels
    )
    network = MLPClassifier((HIDDEN,), alpha=0.5, max_iter=400, random_state=SEED)
    network.fit(train_rows / LARGEST, train_labels)
    model = build(network)
    (HERE / "digits.onnx").write_bytes(model.SerializeToString(deterministic=True))
    write_rows(HERE / "heldout.csv", held_rows[:100], held_labels[:100])
    write_rows(HERE / "calibration.csv", train_rows[:64], train_labels[:64])
    evaluator = ReferenceEvaluator(model)
    for name, part, truth in [("training", train_rows, train_labels), ("held out", held_rows, held_labels)]:
        (probabilities,) = evaluator.run(None, {"points": part.astype(np.float32)})
        right = int((probabilities.argmax(axis=1) == truth).sum())
        print(f"{name}: {right} of {len(truth)} right ({right / len(truth):.4f})")


if __name__ == "__main__":
    main()
