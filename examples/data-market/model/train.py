"""Simulates the rows that are sold, and trains the encoder by which the market measures them.

Four hidden properties of a seed make ten measurements, bent and noisy. Seeds come in six varieties, each a region of the hidden
properties. The encoder recovers the properties from the measurements; it has never seen a variety.

Writes beside this file: `encoder.onnx`, `calibration.csv` (64 rows for the importer), `base.csv` (rows that everybody has: two
varieties only), `heldout.csv` (60 rows of all six, by which data are measured), and what is offered: `meadow.csv` (varieties 2 and
3), `forest.csv` (4 and 5), `stale.csv` (0 and 1 again: nothing new) and `poison.csv` (all of them, with wrong names).

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt && /tmp/venv/bin/python train.py
"""

import csv
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.neural_network import MLPRegressor

SEED = 5
HIDDEN_PROPERTIES, MEASUREMENTS, VARIETIES = 4, 10, 6
HERE = Path(__file__).resolve().parent


class World:
    def __init__(self) -> None:
        self.random = np.random.default_rng(SEED)
        self.mixing = self.random.normal(0, 0.8, (HIDDEN_PROPERTIES, MEASUREMENTS))
        self.centres = self.random.normal(0, 1.2, (VARIETIES, HIDDEN_PROPERTIES))

    def measure(self, properties: np.ndarray) -> np.ndarray:
        noise = self.random.normal(0, 0.1, (len(properties), MEASUREMENTS))
        return np.round(np.tanh(properties @ self.mixing) + 0.3 * properties @ self.mixing + noise, 3)

    def seeds(self, count: int, varieties: list[int]) -> tuple[np.ndarray, np.ndarray]:
        labels = np.array([varieties[index % len(varieties)] for index in range(count)])
        properties = self.centres[labels] + self.random.normal(0, 0.5, (count, HIDDEN_PROPERTIES))
        return self.measure(properties), labels


def build(network: MLPRegressor) -> onnx.ModelProto:
    constants, nodes, value = {}, [], "measurements"
    for index, (weights, bias) in enumerate(zip(network.coefs_, network.intercepts_), start=1):
        constants[f"weight{index}"] = np.ascontiguousarray(weights.T, dtype=np.float32)
        constants[f"bias{index}"] = bias.astype(np.float32)
        last = index == len(network.coefs_)
        result = "properties" if last else f"sums{index}"
        nodes.append(helper.make_node("Gemm", [value, f"weight{index}", f"bias{index}"], [result], transB=1))
        value = result
        if not last:
            nodes.append(helper.make_node("Relu", [value], [f"hidden{index}"]))
            value = f"hidden{index}"
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info("measurements", TensorProto.FLOAT, ["N", MEASUREMENTS])],
        [helper.make_tensor_value_info("properties", TensorProto.FLOAT, ["N", HIDDEN_PROPERTIES])],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="train.py")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def write_rows(name: str, rows: np.ndarray, labels: np.ndarray) -> None:
    with (HERE / name).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*(f"m{index}" for index in range(MEASUREMENTS)), "label"])
        for row, label in zip(rows, labels):
            writer.writerow([*(repr(float(value)) for value in row), int(label)])


def nearest(network: MLPRegressor, known: list[tuple[np.ndarray, np.ndarray]], rows: np.ndarray) -> np.ndarray:
    points = network.predict(np.vstack([rows for rows, _ in known]))
    names = np.concatenate([labels for _, labels in known])
    return names[((network.predict(rows)[:, None] - points[None]) ** 2).sum(axis=2).argmin(axis=1)]


def main() -> None:
    warnings.filterwarnings("ignore")
    world = World()
    properties = world.random.normal(0, 1.4, (1500, HIDDEN_PROPERTIES))
    rows = world.measure(properties)
    network = MLPRegressor(hidden_layer_sizes=(24,), alpha=0.01, max_iter=500, random_state=SEED).fit(rows, properties)
    (HERE / "encoder.onnx").write_bytes(build(network).SerializeToString(deterministic=True))
    write_rows("calibration.csv", rows[:64], np.zeros(64, dtype=int))

    base = world.seeds(12, [0, 1])
    heldout = world.seeds(60, list(range(VARIETIES)))
    offers = {
        "meadow": world.seeds(32, [2, 3]),
        "forest": world.seeds(32, [4, 5]),
        "stale": world.seeds(32, [0, 1]),
        "poison": world.seeds(32, list(range(VARIETIES))),
    }
    offers["poison"] = (offers["poison"][0], (offers["poison"][1] + 1) % VARIETIES)
    write_rows("base.csv", *base)
    write_rows("heldout.csv", *heldout)
    before = (nearest(network, [base], heldout[0]) == heldout[1]).sum()
    print(f"held-out rows right with the base alone: {before} of 60")
    for name, offer in offers.items():
        write_rows(f"{name}.csv", *offer)
        after = (nearest(network, [base, offer], heldout[0]) == heldout[1]).sum()
        print(f"with all of {name}: {after}")


if __name__ == "__main__":
    main()
