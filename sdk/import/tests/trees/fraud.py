"""A made-up fraud set, models of both libraries on it, and the class that each library gives to 100,000 rows.

Nothing is anybody's data (CC0-1.0). Rows are computed from their number alone, in integers, so that the test
(`../fraud.rs`) makes the same rows and no file of them is needed. Writes beside this file the models as the libraries save
them and `NAME.classes.bin`: one bit for each row, the first row in the highest bit of the first byte.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt && /tmp/venv/bin/python fraud.py
"""

from pathlib import Path

import lightgbm
import numpy as np
import xgboost

HERE = Path(__file__).resolve().parent
FRACTION_BITS = 16
FEATURES = 12
ROWS = 100_000
TRAIN = 60_000
MISSING = np.iinfo(np.int32).min


def mixed(number: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64."""
    z = number + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def rows(first: int, count: int) -> np.ndarray:
    """Fixed point: amounts with a long tail, counts, and bells; two features are missing at times."""
    number = np.arange(first, first + count, dtype=np.uint64)[:, None] * np.uint64(64) + np.arange(FEATURES, dtype=np.uint64)
    z = mixed(number)
    parts = [((z >> np.uint64(16 * part)) & np.uint64(0xFFFF)).astype(np.int64) for part in range(4)]
    bell = sum(parts) - (1 << 17)
    amount = (parts[0] * parts[1]) >> 8
    count_of = (parts[2] & 7) << 16
    q = np.where(np.arange(FEATURES) < 3, amount, np.where(np.arange(FEATURES) < 6, count_of, bell))
    q[:, 2][parts[3][:, 2] < 6000] = MISSING
    q[:, 9][parts[3][:, 9] < 9000] = MISSING
    return q.astype(np.int32)


def labels(q: np.ndarray) -> np.ndarray:
    """Large amounts at odd times from new devices, and some noise."""
    x = np.where(q == MISSING, 0, q).astype(np.float64) / 2**FRACTION_BITS
    signal = 0.02 * x[:, 0] + 0.4 * x[:, 3] * (x[:, 6] > 0.4) - x[:, 7] * x[:, 8] + 0.8 * (q[:, 2] == MISSING) + 0.5 * x[:, 9]
    noise = mixed(np.arange(len(q), dtype=np.uint64) + np.uint64(1 << 50)) >> np.uint64(40)
    return (signal + noise / float(1 << 24) * 1.5 > 4.0).astype(int)


def real(q: np.ndarray) -> np.ndarray:
    x = q.astype(np.float64) / 2**FRACTION_BITS
    x[q == MISSING] = np.nan
    return x


def main() -> None:
    train = rows(1 << 40, TRAIN)
    x, y = real(train), labels(train)
    common = {"objective": "binary", "num_leaves": 16, "num_threads": 1, "deterministic": True, "force_row_wise": True, "seed": 7, "verbose": -1}
    light = lightgbm.train(common, lightgbm.Dataset(x, y), 50)
    light.save_model(HERE / "fraud-lightgbm.txt")
    light = lightgbm.Booster(model_file=HERE / "fraud-lightgbm.txt")
    parameters = {"objective": "binary:logistic", "max_depth": 4, "nthread": 1, "seed": 7, "tree_method": "hist"}
    extreme = xgboost.train(parameters, xgboost.DMatrix(x.astype(np.float32), y), 50)
    extreme.save_model(HERE / "fraud-xgboost.json")
    extreme = xgboost.Booster(model_file=HERE / "fraud-xgboost.json")

    q = rows(0, ROWS)
    x, y = real(q), labels(q)
    raw = {
        "fraud-lightgbm": light.predict(x, raw_score=True),
        "fraud-xgboost": extreme.predict(xgboost.DMatrix(x.astype(np.float32)), output_margin=True),
    }
    for name, scores in raw.items():
        np.packbits(scores > 0).tofile(HERE / f"{name}.classes.bin")
        near = np.sort(np.abs(scores))[:3]
        print(name, "fraud", y.mean(), "found", (scores > 0).mean(), "right", ((scores > 0) == y).mean(), "nearest to 0", near)


if __name__ == "__main__":
    main()
