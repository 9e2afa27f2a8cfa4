"""Trains the tree models of the screening example and writes what the libraries say about the held-out rows.

Data and split are those of `../model/train.py`: Breast Cancer Wisconsin (Diagnostic), 455 rows to train on and 114 that
no model ever sees; the script stops if its held-out rows are not those of `../model/heldout.csv`.

Writes beside this file: `screening.lightgbm.txt` and `screening.xgboost.json` (the libraries' own files) and
`expected.csv` (for each held-out row the raw score, the probability of malignancy and the class that each library gives
for its file, read back from the disk).

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt && /tmp/venv/bin/python train.py
"""

import csv
from pathlib import Path

import lightgbm
import numpy as np
import xgboost
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

SEED = 2024
HERE = Path(__file__).resolve().parent
ROUNDS = 40


def committed_rows() -> tuple[list[str], np.ndarray, np.ndarray]:
    with (HERE / "../model/heldout.csv").open(newline="") as file:
        names, *rows = csv.reader(file)
    values = np.array(rows, dtype=np.float64)
    return names[:-1], values[:, :-1], values[:, -1].astype(int)


def main() -> None:
    data = load_breast_cancer()
    # scikit-learn counts benign as 1; here 1 is the finding: malignant.
    rows, labels = data.data, 1 - data.target
    train_rows, heldout_rows, train_labels, heldout_labels = train_test_split(
        rows, labels, test_size=114, random_state=SEED, stratify=labels
    )
    names, committed, committed_labels = committed_rows()
    assert np.array_equal(committed, heldout_rows) and np.array_equal(committed_labels, heldout_labels)

    lightgbm_file = HERE / "screening.lightgbm.txt"
    parameters = {
        "objective": "binary",
        "num_leaves": 8,
        "learning_rate": 0.1,
        "min_data_in_leaf": 10,
        "seed": SEED,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    train = lightgbm.Dataset(train_rows, train_labels, feature_name=names)
    lightgbm.train(parameters, train, ROUNDS).save_model(lightgbm_file)

    xgboost_file = HERE / "screening.xgboost.json"
    parameters = {
        "objective": "binary:logistic",
        "max_depth": 3,
        "eta": 0.2,
        "tree_method": "hist",
        "seed": SEED,
        "nthread": 1,
    }
    xgboost.train(parameters, xgboost.DMatrix(train_rows, train_labels, feature_names=names), ROUNDS).save_model(
        xgboost_file
    )

    # What counts is what the libraries say about the files.
    booster = lightgbm.Booster(model_file=lightgbm_file)
    xgb = xgboost.Booster(model_file=xgboost_file)
    matrix = xgboost.DMatrix(heldout_rows, feature_names=names)
    answers = {
        "lightgbm": (booster.predict(heldout_rows, raw_score=True), booster.predict(heldout_rows)),
        "xgboost": (xgb.predict(matrix, output_margin=True), xgb.predict(matrix)),
    }
    with (HERE / "expected.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([f"{name}_{what}" for name in answers for what in ("raw", "probability", "class")])
        for row in range(len(heldout_rows)):
            line = []
            for raw, probability in answers.values():
                line += [repr(float(raw[row])), repr(float(probability[row])), int(probability[row] > 0.5)]
            writer.writerow(line)
    for name, (raw, probability) in answers.items():
        right = int(((probability > 0.5) == heldout_labels).sum())
        missed = int(((probability <= 0.5) & (heldout_labels == 1)).sum())
        nearest = float(np.abs(raw).min())
        print(f"{name}: {right} of {len(heldout_labels)} right, {missed} malignant missed, nearest raw score {nearest:.4f}")


if __name__ == "__main__":
    main()
