"""Simulates what a sponsor and three submitters of a bounty have: data, and a network each.

A grain is weighed and measured (8 features) and belongs to one of 3 sorts; each sort is a mixture of two clusters, so that
straight lines do not part them. 600 rows to train on, 60 public ones to validate with, 100 hidden ones to test on.

Writes beside this file: `validation.csv`, `test.csv`, `calibration.csv` (64 training rows, for the importer), and the networks
`careful.onnx` (two hidden layers, trained on the training rows), `linear.onnx` (none) and `memoriser.onnx` (wide, trained on nothing but
the public validation rows, until it knows them by heart).

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt && /tmp/venv/bin/python train.py
"""

import csv
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

SEED = 11
FEATURES, SORTS = 8, 3
PARTS = {"train": 600, "validation": 60, "test": 100}
HERE = Path(__file__).resolve().parent


def simulate() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Rows and sorts of each part, rounded to three digits as a scale would."""
    random = np.random.default_rng(SEED)
    centres = random.normal(0, 1.6, (SORTS, 2, FEATURES))
    parts = {}
    for name, count in PARTS.items():
        sorts = random.integers(0, SORTS, count)
        clusters = random.integers(0, 2, count)
        rows = centres[sorts, clusters] + random.normal(0, 1.9, (count, FEATURES))
        parts[name] = (np.round(rows, 3), sorts)
    return parts


def build(name: str, layers: list[tuple[np.ndarray, np.ndarray]]) -> onnx.ModelProto:
    """Dense layers with ReLU between them, and softmax over the sorts."""
    constants, nodes, value = {}, [], "grain"
    for index, (weights, bias) in enumerate(layers, start=1):
        constants[f"weight{index}"] = np.ascontiguousarray(weights.T, dtype=np.float32)
        constants[f"bias{index}"] = bias.astype(np.float32)
        nodes.append(helper.make_node("Gemm", [value, f"weight{index}", f"bias{index}"], [f"sums{index}"], transB=1))
        value = f"sums{index}"
        if index < len(layers):
            nodes.append(helper.make_node("Relu", [value], [f"hidden{index}"]))
            value = f"hidden{index}"
    nodes.append(helper.make_node("Softmax", [value], ["probabilities"], axis=-1))
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("grain", TensorProto.FLOAT, ["N", FEATURES])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", SORTS])],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="train.py")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def write_rows(path: Path, rows: np.ndarray, labels: np.ndarray) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*(f"f{index}" for index in range(FEATURES)), "label"])
        for row, label in zip(rows, labels):
            writer.writerow([*(repr(float(value)) for value in row), int(label)])


def main() -> None:
    warnings.filterwarnings("ignore", category=UserWarning)
    parts = simulate()
    write_rows(HERE / "validation.csv", *parts["validation"])
    write_rows(HERE / "test.csv", *parts["test"])
    write_rows(HERE / "calibration.csv", *(part[:64] for part in parts["train"]))

    careful = MLPClassifier((24, 12), alpha=1.0, max_iter=600, random_state=SEED).fit(*parts["train"])
    linear = LogisticRegression(max_iter=1000).fit(*parts["train"])
    memoriser = MLPClassifier((32,), alpha=0.0, max_iter=3000, tol=0.0, random_state=SEED).fit(*parts["validation"])
    for name, layers in [
        ("careful", list(zip(careful.coefs_, careful.intercepts_))),
        ("linear", [(linear.coef_.T, linear.intercept_)]),
        ("memoriser", list(zip(memoriser.coefs_, memoriser.intercepts_))),
    ]:
        model = build(name, layers)
        (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
        evaluator = ReferenceEvaluator(model)
        for part in ["validation", "test"]:
            rows, truth = parts[part]
            (probabilities,) = evaluator.run(None, {"grain": rows.astype(np.float32)})
            right = int((probabilities.argmax(axis=1) == truth).sum())
            print(f"{name}, {part}: {right} of {len(truth)} right ({right / len(truth):.4f})")


if __name__ == "__main__":
    main()
