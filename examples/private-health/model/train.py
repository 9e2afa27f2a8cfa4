"""Trains the public encoder, and deals the patients to five hospitals.

Data: Breast Cancer Wisconsin (Diagnostic), as it comes inside scikit-learn: 569 patients, 30 measurements each. They are dealt once, with a fixed seed:
40 are public and train the encoder, 40 are public and check what the hospitals make together, 40 belong to each of five hospitals, and the
other 289 are held out. The hospitals see different patients: three find something malignant in 5 % of them, as where people are screened, two in 95 %, as where they are treated.

The encoder is the first layer of a network, in float32: standardised measurements to 16 numbers. What the hospitals train together
is the layer behind it.

Writes beside this file: `encoder.onnx`, `calibration.csv` (the rows of the encoder), `validation.csv`, `hospitals.csv` (with the number of the
hospital) and `heldout.csv`.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt && /tmp/venv/bin/python train.py
"""

import csv
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_breast_cancer
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

# Of twenty deals the one in which the hospitals gain as much as in half of them, together against the best alone.
SEED = 2042
DEALS = range(2024, 2044)
HIDDEN = 16
PUBLIC = 40
PATIENTS = 40
MALIGNANT_SHARES = (0.05, 0.95, 0.05, 0.95, 0.05)
ROUNDS, STEPS, RATE, CLIP = 8, 60, 0.1, 0.5
HERE = Path(__file__).resolve().parent


def encoder(scaler: StandardScaler, network: MLPClassifier) -> onnx.ModelProto:
    constants = {
        "mean": scaler.mean_,
        "deviation": scaler.scale_,
        "weight": network.coefs_[0].T,
        "bias": network.intercepts_[0],
    }
    arrays = [numpy_helper.from_array(np.ascontiguousarray(v, dtype=np.float32), name) for name, v in constants.items()]
    nodes = [
        helper.make_node("Sub", ["features", "mean"], ["centred"], name="centre"),
        helper.make_node("Div", ["centred", "deviation"], ["standardised"], name="standardise"),
        helper.make_node("Gemm", ["standardised", "weight", "bias"], ["encoded"], name="encode", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", len(scaler.mean_)])],
        [helper.make_tensor_value_info("encoded", TensorProto.FLOAT, ["N", HIDDEN])],
        arrays,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="train.py")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def deal(labels: np.ndarray, seed: int) -> tuple[list, list, list[list], list]:
    """Public rows, validation rows, those of each hospital, and those held out."""
    order = list(np.random.default_rng(seed).permutation(len(labels)))
    public, validation, rest = order[:PUBLIC], order[PUBLIC : 2 * PUBLIC], order[2 * PUBLIC :]
    malignant, benign = [i for i in rest if labels[i]], [i for i in rest if not labels[i]]
    hospitals = []
    for share in MALIGNANT_SHARES:
        count = round(PATIENTS * share)
        hospitals.append([malignant.pop() for _ in range(count)] + [benign.pop() for _ in range(PATIENTS - count)])
    return public, validation, hospitals, sorted(malignant + benign)


def fit_encoder(rows: np.ndarray, labels: np.ndarray) -> tuple[StandardScaler, MLPClassifier]:
    scaler = StandardScaler().fit(rows)
    return scaler, MLPClassifier((HIDDEN,), alpha=1.0, max_iter=1000, random_state=1).fit(scaler.transform(rows), labels)


def study(rows: np.ndarray, labels: np.ndarray, seed: int) -> tuple[float, float, float]:
    """In float, without the chain: held-out accuracy of all together, of the best hospital alone, and of the average hospital alone."""
    public, _, hospitals, heldout = deal(labels, seed)
    scaler, network = fit_encoder(rows[public], labels[public])
    encoded = np.maximum(0, scaler.transform(rows) @ network.coefs_[0] + network.intercepts_[0])
    encoded = np.c_[encoded, np.ones(len(rows))]

    def train(weights: np.ndarray, part: list, steps: int) -> np.ndarray:
        for _ in range(steps):
            errors = 1 / (1 + np.exp(-encoded[part] @ weights)) - labels[part]
            weights = weights - RATE * encoded[part].T @ errors / len(part)
        return weights

    accuracy = lambda weights: float(((encoded[heldout] @ weights > 0) == labels[heldout]).mean())
    zero = np.zeros(HIDDEN + 1)
    alone = [accuracy(train(zero, part, STEPS * ROUNDS)) for part in hospitals]
    weights = zero
    for _ in range(ROUNDS):
        weights = weights + np.mean([np.clip(train(weights, part, STEPS) - weights, -CLIP, CLIP) for part in hospitals], axis=0)
    return accuracy(weights), max(alone), float(np.mean(alone))


def main() -> None:
    data = load_breast_cancer()
    names = [name.replace(" ", "_") for name in data.feature_names]
    # scikit-learn counts benign as 1; here 1 is the finding: malignant.
    rows, labels = data.data, 1 - data.target
    public, validation, hospitals, heldout = deal(labels, SEED)
    scaler, network = fit_encoder(rows[public], labels[public])
    (HERE / "encoder.onnx").write_bytes(encoder(scaler, network).SerializeToString(deterministic=True))

    def write(name: str, header: list[str], lines: list[list]) -> None:
        with (HERE / name).open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([[*names, *header], *lines])

    line = lambda i: [*(repr(float(x)) for x in rows[i]), int(labels[i])]
    write("calibration.csv", ["label"], [line(i) for i in public])
    write("validation.csv", ["label"], [line(i) for i in validation])
    write("hospitals.csv", ["label", "hospital"], [[*line(i), h] for h, part in enumerate(hospitals) for i in part])
    write("heldout.csv", ["label"], [line(i) for i in heldout])
    # One deal can be lucky: the same with twenty.
    deals = np.array([study(rows, labels, seed) for seed in DEALS])
    together, best, mean = deals.mean(axis=0)
    wins = int((deals[:, 0] > deals[:, 1]).sum())
    print(f"20 deals, in float: together {together:.4f}, the best alone {best:.4f}, alone on average {mean:.4f}")
    print(f"together better than the best alone in {wins} of 20, as good in {int((deals[:, 0] == deals[:, 1]).sum())}")
    print(f"{len(heldout)} held out, {int(labels[heldout].sum())} of them malignant")


if __name__ == "__main__":
    main()
