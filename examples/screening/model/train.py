"""Trains the screening network and writes everything the demo needs.

Data: Breast Cancer Wisconsin (Diagnostic), as it comes inside scikit-learn. 569 rows are split once, with a fixed
seed and equal shares of both classes, into 455 to train on and 114 that the network never sees.

Writes beside this file: `screening.onnx` (the network in float32, from raw features to probabilities),
`heldout.csv` (the 114 rows with their class) and `calibration.csv` (64 of the training rows, for the importer).

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt && /tmp/venv/bin/python train.py
"""

import csv
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

SEED = 2024
HIDDEN = (32, 16)
HERE = Path(__file__).resolve().parent


def build(scaler: StandardScaler, network: MLPClassifier) -> onnx.ModelProto:
    """The network as ONNX: standardisation, three layers, softmax over [benign, malignant]."""
    constants = {
        "mean": scaler.mean_,
        "deviation": scaler.scale_,
    }
    # scikit-learn keeps one logit z for two classes; softmax([-z/2, z/2]) is the same probability.
    layers = list(zip(network.coefs_, network.intercepts_))
    weights, bias = layers[-1]
    layers[-1] = (np.hstack([-weights / 2, weights / 2]), np.hstack([-bias / 2, bias / 2]))
    for index, (weights, bias) in enumerate(layers, start=1):
        # One row for each output, as Gemm with transB = 1 wants it.
        constants[f"weight{index}"] = weights.T
        constants[f"bias{index}"] = bias
    initialisers = [
        numpy_helper.from_array(np.ascontiguousarray(value, dtype=np.float32), name)
        for name, value in constants.items()
    ]

    nodes = [
        helper.make_node("Sub", ["features", "mean"], ["centred"], name="centre"),
        helper.make_node("Div", ["centred", "deviation"], ["standardised"], name="standardise"),
    ]
    value = "standardised"
    for index in range(1, len(layers) + 1):
        last = index == len(layers)
        result = "logits" if last else f"sums{index}"
        nodes.append(
            helper.make_node("Gemm", [value, f"weight{index}", f"bias{index}"], [result], name=f"layer{index}", transB=1)
        )
        value = result
        if not last:
            nodes.append(helper.make_node("Relu", [value], [f"hidden{index}"], name=f"relu{index}"))
            value = f"hidden{index}"
    nodes.append(helper.make_node("Softmax", [value], ["probabilities"], name="softmax", axis=-1))

    graph = helper.make_graph(
        nodes,
        "screening",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", len(scaler.mean_)])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 2])],
        initialisers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="train.py")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def write_rows(path: Path, names: list[str], rows: np.ndarray, labels: np.ndarray) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*names, "label"])
        for row, label in zip(rows, labels):
            writer.writerow([*(repr(float(value)) for value in row), int(label)])


def main() -> None:
    data = load_breast_cancer()
    # scikit-learn counts benign as 1; here 1 is the finding: malignant.
    rows, labels = data.data, 1 - data.target
    train_rows, heldout_rows, train_labels, heldout_labels = train_test_split(
        rows, labels, test_size=114, random_state=SEED, stratify=labels
    )
    scaler = StandardScaler().fit(train_rows)
    network = MLPClassifier(HIDDEN, alpha=1.0, max_iter=2000, random_state=SEED)
    network.fit(scaler.transform(train_rows), train_labels)

    model = build(scaler, network)
    (HERE / "screening.onnx").write_bytes(model.SerializeToString(deterministic=True))
    names = [name.replace(" ", "_") for name in data.feature_names]
    write_rows(HERE / "heldout.csv", names, heldout_rows, heldout_labels)
    write_rows(HERE / "calibration.csv", names, train_rows[:64], train_labels[:64])

    evaluator = ReferenceEvaluator(model)
    for name, part_rows, part_labels in [
        ("training", train_rows, train_labels),
        ("held out", heldout_rows, heldout_labels),
    ]:
        (probabilities,) = evaluator.run(None, {"features": part_rows.astype(np.float32)})
        right = int((probabilities.argmax(axis=1) == part_labels).sum())
        malignant = int((part_labels == 1).sum())
        print(f"{name}: {right} of {len(part_labels)} right ({right / len(part_labels):.4f}), {malignant} malignant")


if __name__ == "__main__":
    main()
