"""Classifiers and a regression of scikit-learn as skl2onnx writes them, and what onnxruntime says about them.

The data are "Breast Cancer Wisconsin (Diagnostic)" (W. Wolberg, O. Mangasarian, N. Street, W. Street) and "Wine" (S. Aeberhard, M. Forina), both
UCI Machine Learning Repository, CC BY 4.0, as scikit-learn ships them, and numbers that `make_friedman1` draws. Features are rounded to
2^-10, so that they are the same numbers in the container. Every model gives `*.onnx`; `cancer.csv`, `wine.csv` and `friedman.csv` have the
rows that it was not trained on with their label, `*.expected.csv` what onnxruntime says: the class and the scores, or the number.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt && /tmp/venv/bin/python train.py
"""

from pathlib import Path

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn import datasets
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

HERE = Path(__file__).resolve().parent


def halves(x, y):
    order = np.random.default_rng(1).permutation(len(x))
    x = (np.round(x[order] * 1024) / 1024).astype(np.float32)
    half = len(x) // 2
    return x[:half], y[order][:half], x[half:], y[order][half:]


def table(name, header, columns, form="%.10g"):
    np.savetxt(HERE / name, columns, form, delimiter=",", header=",".join(header), comments="")


def main() -> None:
    sets = {
        "cancer": halves(*datasets.load_breast_cancer(return_X_y=True)),
        "wine": halves(*datasets.load_wine(return_X_y=True)),
        "friedman": halves(*datasets.make_friedman1(400, random_state=1)),
    }
    for name, (train, _, held, labels) in sets.items():
        features = [f"f{at}" for at in range(held.shape[1])]
        table(f"{name}.csv", [*features, "number" if name == "friedman" else "label"], np.column_stack([held, labels]))
        if name != "friedman":
            table(f"{name}.calibration.csv", features, train)
    seeded = {"random_state": 1}
    models = [
        ("cancer", "forest", RandomForestClassifier(20, max_depth=7, **seeded)),
        ("cancer", "boosting", GradientBoostingClassifier(n_estimators=25, **seeded)),
        ("cancer", "tree", DecisionTreeClassifier(max_depth=5, **seeded)),
        ("cancer", "logistic", make_pipeline(StandardScaler(), LogisticRegression())),
        ("wine", "forest", ExtraTreesClassifier(15, **seeded)),
        ("wine", "boosting", GradientBoostingClassifier(n_estimators=8, **seeded)),
        ("wine", "logistic", make_pipeline(MinMaxScaler(), LogisticRegression())),
        ("friedman", "forest", RandomForestRegressor(10, max_depth=6, **seeded)),
        ("friedman", "linear", make_pipeline(StandardScaler(), LinearRegression())),
    ]
    for data, kind, model in models:
        train, labels, held, truth = sets[data]
        model.fit(train, labels)
        made = to_onnx(model, train[:1], target_opset={"": 17, "ai.onnx.ml": 3})
        name = f"{data}.{kind}"
        (HERE / f"{name}.onnx").write_bytes(made.SerializeToString())
        session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
        found = session.run(None, {session.get_inputs()[0].name: held})
        if data == "friedman":
            table(f"{name}.expected.csv", ["number"], found[0].reshape(-1, 1), "%.9g")
            continue
        scores = np.array([[row[key] for key in sorted(row)] for row in found[1]]) if isinstance(found[1], list) else found[1]
        table(f"{name}.expected.csv", ["class", *[f"p{at}" for at in range(scores.shape[1])]], np.column_stack([found[0], scores]), "%.9g")
        print(name, "right", int((found[0] == truth).sum()), "of", len(truth), [node.op_type for node in made.graph.node])


main()
