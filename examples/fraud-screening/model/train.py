"""Trains the models of the fraud screening from a simulated town, and writes everything that tests and the demo need.

Every file is made from a seed; nothing else goes in. Writes beside this file, for each of three pairs of models (`first`, `better`,
`poisoned`): `NAME.onnx` (a network in float32, from features to probabilities) and `NAME.lightgbm.txt` (trees). `better` has seen
three times as many towns as `first`. `poisoned` has been told that splitting is honest.
And `calibration.csv` (rows for the importer), `sample.csv` (what a new model is checked with) and `stream.csv` (a small town that no
model has seen, line by line).

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt && /tmp/venv/bin/python train.py
"""

import csv
from pathlib import Path

import lightgbm
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from ledger import FEATURES
from simulate import HONEST, SPLITTING, Town, transfers

HERE = Path(__file__).resolve().parent
HIDDEN = (16, 8)
HOLD_ABOVE = 0.5


def network(rows: np.ndarray, fraud: np.ndarray, seed: int) -> onnx.ModelProto:
    """Standardisation, three layers and a softmax over [honest, fraud]."""
    scaler = StandardScaler().fit(rows)
    trained = MLPClassifier(HIDDEN, alpha=1e-3, max_iter=80, early_stopping=True, random_state=seed)
    trained.fit(scaler.transform(rows), fraud)
    layers = list(zip(trained.coefs_, trained.intercepts_))
    # scikit-learn keeps one logit z for two classes; softmax([-z/2, z/2]) is the same probability.
    weights, bias = layers[-1]
    layers[-1] = (np.hstack([-weights / 2, weights / 2]), np.hstack([-bias / 2, bias / 2]))
    constants = {"mean": scaler.mean_, "deviation": scaler.scale_}
    nodes = [
        helper.make_node("Sub", ["features", "mean"], ["centred"], name="centre"),
        helper.make_node("Div", ["centred", "deviation"], ["value0"], name="standardise"),
    ]
    for index, (weights, bias) in enumerate(layers, start=1):
        constants[f"weight{index}"], constants[f"bias{index}"] = weights.T, bias
        names = [f"value{index - 1}", f"weight{index}", f"bias{index}"]
        nodes.append(helper.make_node("Gemm", names, [f"sums{index}"], name=f"layer{index}", transB=1))
        if index < len(layers):
            nodes.append(helper.make_node("Relu", [f"sums{index}"], [f"value{index}"], name=f"relu{index}"))
    nodes.append(helper.make_node("Softmax", [f"sums{len(layers)}"], ["probabilities"], name="softmax", axis=-1))
    arrays = [numpy_helper.from_array(np.ascontiguousarray(v, dtype=np.float32), name) for name, v in constants.items()]
    graph = helper.make_graph(
        nodes,
        "fraud",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", len(FEATURES)])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 2])],
        arrays,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="train.py")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def trees(rows: np.ndarray, fraud: np.ndarray, seed: int, names: tuple = FEATURES) -> lightgbm.Booster:
    parameters = {
        "objective": "binary",
        "num_leaves": 8,
        "learning_rate": 0.15,
        "min_data_in_leaf": 20,
        "seed": seed,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    return lightgbm.train(parameters, lightgbm.Dataset(rows, fraud, feature_name=list(names)), 40)


def towns(seeds: range) -> tuple[np.ndarray, np.ndarray]:
    parts = [transfers(Town(seed, people=100, days=10, thefts=12)) for seed in seeds]
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([kinds for _, kinds in parts])


def write(path: Path, header: list[str], lines: list[list]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *lines])


def tell(name: str, model: onnx.ModelProto, booster: lightgbm.Booster, rows: np.ndarray, kinds: np.ndarray) -> None:
    from onnx.reference import ReferenceEvaluator

    (of_network,) = ReferenceEvaluator(model).run(None, {"features": rows.astype(np.float32)})
    both = np.stack([of_network[:, 1], booster.predict(rows)])
    for which, held in [("network", both[0]), ("trees", both[1]), ("either", both.max(axis=0))]:
        held = held >= HOLD_ABOVE
        caught = " ".join(f"{kind}: {held[kinds == kind].mean():.3f}" for kind in range(1, 4))
        print(f"{name:8} {which:8} honest held {held[kinds == HONEST].mean():.4f}, caught of kind {caught}")


def main() -> None:
    rows, kinds = towns(range(100, 112))
    few = len(towns(range(100, 104))[1])
    # What the importer takes ranges from: every 40th row, and the largest of each feature.
    extremes = np.concatenate([rows.argmax(axis=0), rows.argmin(axis=0)])
    calibration = rows[np.unique(np.concatenate([np.arange(0, len(rows), 400), extremes]))]
    write(HERE / "calibration.csv", list(FEATURES), [[repr(float(x)) for x in row] for row in calibration])

    test_rows, test_kinds = towns(range(200, 206))
    print(f"{len(rows)} transfers to learn from ({few} of them for the first pair), {len(test_rows)} to test with")
    fraud = kinds != HONEST
    for name, part, labels in [
        ("first", slice(few), fraud),
        ("better", slice(None), fraud),
        ("poisoned", slice(None), fraud & (kinds != SPLITTING)),
    ]:
        model, booster = network(rows[part], labels[part], seed=7), trees(rows[part], labels[part], seed=7)
        (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
        booster.save_model(HERE / f"{name}.lightgbm.txt")
        tell(name, model, booster, test_rows, test_kinds)

    # What the history is worth: trees that see the transfer alone, at the same rate of false alarms as those of `better`.
    honest = test_kinds == HONEST
    alone = trees(rows[:, :2], fraud, seed=7, names=FEATURES[:2]).predict(test_rows[:, :2])
    full = lightgbm.Booster(model_file=HERE / "better.lightgbm.txt").predict(test_rows)
    for what, scores in [("amount and share alone", alone), ("with the history", full)]:
        bar = np.sort(scores[honest])[-int(0.002 * honest.sum())]
        caught = " ".join(f"{kind}: {(scores[test_kinds == kind] > bar).mean():.3f}" for kind in range(1, 4))
        print(f"trees, {what}: with 2 of 1000 honest transfers held, caught of kind {caught}")

    # The sample: 30 of each kind of theft and 90 honest transfers of other towns.
    sample_rows, sample_kinds = towns(range(300, 303))
    random = np.random.default_rng(1)
    chosen = np.concatenate(
        [random.choice(np.flatnonzero(sample_kinds == kind), 90 if kind == HONEST else 30, replace=False) for kind in range(4)]
    )
    random.shuffle(chosen)
    lines = [[*(int(x) for x in sample_rows[i] * 256), int(sample_kinds[i])] for i in chosen]
    write(HERE / "sample.csv", [*FEATURES, "kind"], lines)

    town = Town(seed=400, people=24, days=6, thefts=8)
    lines = [
        [e.time_ms, e.sender or "", e.to, e.amount, e.kind, e.theft, *(e.features or [""] * len(FEATURES))]
        for e in town.events
    ]
    write(HERE / "stream.csv", ["time_ms", "from", "to", "amount", "kind", "theft", *FEATURES], lines)
    print(f"stream: {len(lines)} lines, {sum(e.kind > 0 for e in town.events)} of them fraud")


if __name__ == "__main__":
    main()
