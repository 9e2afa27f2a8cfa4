"""Tree models of both libraries on made-up data, and what the libraries say about thousands of rows.

Everything is seeded and nothing is anybody's data (CC0-1.0). Writes beside this file the models as the libraries save
them, `rows.bin` and one `NAME.expected.bin` for each model.

`rows.bin`: rows of FEATURES little-endian i32 in fixed point with FRACTION_BITS fraction bits; the smallest i32 stands
for a missing value. A quarter of the values lies exactly on, one step below or one step above a threshold of one of the
models, because that is where mistakes show.

`NAME.expected.bin`: two little-endian f64 for each score of each row: the raw score (margin) that the library predicts,
and the sum of the library's own leaves (found by its `pred_leaf`) in exact arithmetic, rounded once. XGBoost predicts in
f32, so the two differ there.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt && /tmp/venv/bin/python generate.py
"""

import json
import math
from fractions import Fraction
from pathlib import Path

import lightgbm
import numpy as np
import xgboost

HERE = Path(__file__).resolve().parent
FRACTION_BITS = 16
MISSING = np.iinfo(np.int32).min
FEATURES = 10
ROWS = 2000
TRAIN = 3000
SEED = 7

# Widths of the features: steps of a thousandth up to thousands, where f32 no longer holds every step.
SCALES = np.array([0.01, 1.0, 1.0, 20.0, 20.0, 300.0, 300.0, 9000.0, 9000.0, 5.0])


def real(q: np.ndarray) -> np.ndarray:
    x = q.astype(np.float64) / 2**FRACTION_BITS
    x[q == MISSING] = np.nan
    return x


def draw(random: np.random.Generator, count: int) -> np.ndarray:
    q = np.rint(random.normal(size=(count, FEATURES)) * SCALES * 2**FRACTION_BITS).astype(np.int64)
    q[:, 9] = random.integers(-3, 4, size=count) * 2**FRACTION_BITS
    q[random.random(q.shape) < 0.06] = 0
    q = np.clip(q, MISSING + 1, -MISSING - 1)
    q[random.random(q.shape) < 0.06] = MISSING
    return q.astype(np.int32)


def lightgbm_model(name: str, x: np.ndarray, y: np.ndarray, rounds: int, **parameters) -> lightgbm.Booster:
    common = {"num_leaves": 15, "num_threads": 1, "deterministic": True, "force_row_wise": True, "seed": SEED, "verbose": -1}
    booster = lightgbm.train({**common, **parameters}, lightgbm.Dataset(x, y), rounds)
    booster.save_model(HERE / f"{name}.txt")
    return lightgbm.Booster(model_file=HERE / f"{name}.txt")


def xgboost_model(name: str, x: np.ndarray, y: np.ndarray, rounds: int, **parameters) -> xgboost.Booster:
    common = {"max_depth": 4, "nthread": 1, "seed": SEED, "tree_method": "hist"}
    booster = xgboost.train({**common, **parameters}, xgboost.DMatrix(x.astype(np.float32), y), rounds)
    booster.save_model(HERE / f"{name}.json")
    return xgboost.Booster(model_file=HERE / f"{name}.json")


def lightgbm_thresholds(booster: lightgbm.Booster) -> list[tuple[int, float]]:
    found = []

    def walk(node: dict) -> None:
        if "threshold" in node:
            found.append((node["split_feature"], float(node["threshold"])))
            walk(node["left_child"])
            walk(node["right_child"])

    for tree in booster.dump_model()["tree_info"]:
        walk(tree["tree_structure"])
    return found


def xgboost_trees(name: str) -> tuple[dict, list[dict]]:
    learner = json.loads((HERE / f"{name}.json").read_text())["learner"]
    return learner, learner["gradient_booster"]["model"]["trees"]


def exact_sums(leaves: np.ndarray, values: list[dict[int, float]], bases: list[float], classes: list[int]) -> np.ndarray:
    """`leaves[row][tree]` names leaves; sums as fractions, rounded once."""
    table = [{leaf: Fraction(value) for leaf, value in tree.items()} for tree in values]
    sums = np.empty((len(leaves), len(bases)))
    for row, named in enumerate(leaves):
        totals = [Fraction(base) for base in bases]
        for tree, leaf in enumerate(named):
            totals[classes[tree]] += table[tree][int(leaf)]
        sums[row] = [float(total) for total in totals]
    return sums


def lightgbm_expected(booster: lightgbm.Booster, x: np.ndarray) -> np.ndarray:
    raw = booster.predict(x, raw_score=True).reshape(len(x), -1)
    leaves = booster.predict(x, pred_leaf=True).astype(int)
    trees = leaves.shape[1]
    values = [{leaf: booster.get_leaf_output(tree, leaf) for leaf in np.unique(leaves[:, tree])} for tree in range(trees)]
    scores = raw.shape[1]
    sums = exact_sums(leaves, values, [0.0] * scores, [tree % scores for tree in range(trees)])
    return np.stack([raw, sums], axis=-1)


def xgboost_expected(name: str, booster: xgboost.Booster, x: np.ndarray) -> np.ndarray:
    matrix = xgboost.DMatrix(x.astype(np.float32))
    raw = booster.predict(matrix, output_margin=True).reshape(len(x), -1).astype(np.float64)
    leaves = booster.predict(matrix, pred_leaf=True).reshape(len(x), -1).astype(int)
    learner, trees = xgboost_trees(name)
    values = [
        {node: float(np.float32(tree["split_conditions"][node])) for node in np.unique(leaves[:, index])}
        for index, tree in enumerate(trees)
    ]
    bases = [np.float32(part) for part in learner["learner_model_param"]["base_score"].strip("[]").split(",")]
    if learner["objective"]["name"] == "binary:logistic":
        # The base score is a probability there; its margin as the library computes it, in f32.
        bases = [-np.log(np.float32(1) / base - np.float32(1)) for base in bases]
    bases = [float(base) for base in bases] * (raw.shape[1] // len(bases))
    classes = learner["gradient_booster"]["model"]["tree_info"]
    return np.stack([raw, exact_sums(leaves, values, bases, classes)], axis=-1)


def main() -> None:
    random = np.random.default_rng(SEED)
    x = real(draw(random, TRAIN))
    filled = np.nan_to_num(x) / SCALES
    signal = filled[:, 0] + 2 * (filled[:, 3] > 0.3) * filled[:, 5] - filled[:, 7] * filled[:, 8] + 0.3 * filled[:, 9]
    signal += np.isnan(x[:, 1]) - 0.5 * (x[:, 4] == 0)
    noise = random.normal(size=TRAIN) * 0.3
    two = (signal + noise > 0).astype(int)
    three = np.digitize(signal + noise, [-0.7, 0.7])
    number = 100 * (signal + noise) + 1234.5

    lightgbm_models = {
        "lightgbm-binary": lightgbm_model("lightgbm-binary", x, two, 20, objective="binary"),
        "lightgbm-zero": lightgbm_model("lightgbm-zero", x, two, 12, objective="binary", zero_as_missing=True, sigmoid=0.7),
        "lightgbm-full": lightgbm_model("lightgbm-full", np.nan_to_num(x), two, 12, objective="binary", use_missing=False),
        "lightgbm-three": lightgbm_model("lightgbm-three", x, three, 8, objective="multiclass", num_class=3),
        "lightgbm-number": lightgbm_model("lightgbm-number", x, number, 20, objective="regression"),
    }
    xgboost_models = {
        "xgboost-binary": xgboost_model("xgboost-binary", x, two, 20, objective="binary:logistic"),
        "xgboost-pruned": xgboost_model("xgboost-pruned", x, two, 15, objective="binary:logistic", gamma=6.0, tree_method="exact"),
        "xgboost-three": xgboost_model("xgboost-three", x, three, 8, objective="multi:softprob", num_class=3),
        "xgboost-number": xgboost_model(
            "xgboost-number", x, number, 8, objective="reg:squarederror", num_parallel_tree=2, subsample=0.6
        ),
    }

    rows = draw(random, ROWS)
    thresholds = [pair for booster in lightgbm_models.values() for pair in lightgbm_thresholds(booster)]
    for name in xgboost_models:
        for tree in xgboost_trees(name)[1]:
            for feature, threshold, left in zip(tree["split_indices"], tree["split_conditions"], tree["left_children"]):
                if left != -1:
                    thresholds.append((feature, threshold))
    by_feature = [[t for feature, t in thresholds if feature == wanted] for wanted in range(FEATURES)]
    for row, feature in zip(*np.nonzero(random.random(rows.shape) < 0.25)):
        if by_feature[feature]:
            threshold = by_feature[feature][random.integers(len(by_feature[feature]))]
            step = math.floor(threshold * 2**FRACTION_BITS) + int(random.integers(-1, 3))
            rows[row, feature] = min(max(step, MISSING + 1), -MISSING - 1)
    rows.astype("<i4").tofile(HERE / "rows.bin")
    x = real(rows)
    for name, booster in lightgbm_models.items():
        lightgbm_expected(booster, x).astype("<f8").tofile(HERE / f"{name}.expected.bin")
    for name, booster in xgboost_models.items():
        xgboost_expected(name, booster, x).astype("<f8").tofile(HERE / f"{name}.expected.bin")
    for path in sorted(HERE.glob("*")):
        print(f"{path.name} {path.stat().st_size}")
    for name in [*lightgbm_models, *xgboost_models]:
        both = np.fromfile(HERE / f"{name}.expected.bin").reshape(ROWS, -1, 2)
        print(f"{name}: raw {both[..., 0].min():.4f} to {both[..., 0].max():.4f}, from its leaves {np.abs(both[..., 0] - both[..., 1]).max():.3g}")
    for name in xgboost_models:
        print(name, sum(int(t["tree_param"]["num_deleted"]) for t in xgboost_trees(name)[1]), xgboost_trees(name)[0]["learner_model_param"])


if __name__ == "__main__":
    main()
