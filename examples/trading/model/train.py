"""Trains the volatility forecast of the market maker, and chooses both policies on the same simulated prices.

The network sees the absolute returns (base 2) of the 16 block ends before a block, and tells the mean absolute return outside over the next 8
blocks, in thousandths. Then fee and range are chosen as straight lines of the forecast, and for the baseline as constants: each by the
mean gain of providers on the training paths. Nothing is chosen on the test paths.

Writes beside this file: `volatility.onnx`, `calibration.csv`, `prices.csv` (one test path: the price outside and what somebody wishes to trade,
as parts of a million) and `policies.csv`.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt && /tmp/venv/bin/python train.py
"""

import csv
import itertools
from pathlib import Path as FilePath

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.neural_network import MLPRegressor

from simulate import WINDOW, Path, Pool, path, run

HERE = FilePath(__file__).resolve().parent
BLOCKS = 800
AHEAD = 8
SCALE = 200.0
TRAIN, TEST = range(0, 8), range(1_000, 1_020)


def network(inputs: np.ndarray, targets: np.ndarray) -> tuple[onnx.ModelProto, object]:
    trained = MLPRegressor(hidden_layer_sizes=(8,), alpha=1e-3, max_iter=300, random_state=3).fit(inputs * SCALE, targets)
    (first, second), (first_bias, second_bias) = trained.coefs_, trained.intercepts_

    def forecast(rows: np.ndarray) -> np.ndarray:
        hidden = np.maximum(np.atleast_2d(rows) * SCALE @ first + first_bias, 0.0)
        return np.maximum(hidden @ second + second_bias, 0.0)[:, 0]

    constants = {"scale": np.full(WINDOW, SCALE)}
    nodes = [helper.make_node("Mul", ["features", "scale"], ["value0"], name="scale")]
    layers = list(zip(trained.coefs_, trained.intercepts_))
    for index, (weights, bias) in enumerate(layers, start=1):
        constants[f"weight{index}"], constants[f"bias{index}"] = weights.T, bias
        names = [f"value{index - 1}", f"weight{index}", f"bias{index}"]
        result = "forecast" if index == len(layers) else f"sums{index}"
        nodes.append(helper.make_node("Gemm", names, [result], name=f"layer{index}", transB=1))
        if index < len(layers):
            nodes.append(helper.make_node("Relu", [result], [f"value{index}"], name=f"relu{index}"))
    arrays = [numpy_helper.from_array(np.ascontiguousarray(v, dtype=np.float32), n) for n, v in constants.items()]
    graph = helper.make_graph(
        nodes,
        "volatility",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", WINDOW])],
        [helper.make_tensor_value_info("forecast", TensorProto.FLOAT, ["N", 1])],
        arrays,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="train.py")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model, forecast


def future(prices: np.ndarray) -> np.ndarray:
    """The mean absolute return over the next blocks, in thousandths."""
    returns = np.abs(np.diff(np.log(prices), prepend=np.log(prices[0]))) * 1_000
    return np.array([returns[i : i + AHEAD].mean() for i in range(len(prices))])


def constant(fee: float, share: float):
    return lambda _: (fee, share)


def following(forecast, line: tuple):
    base, slope, share_base, share_slope = line

    def policy(returns: np.ndarray) -> tuple[float, float]:
        volatility = float(forecast(returns)[0])
        return float(np.clip(base + slope * volatility, 1e-4, 0.05)), float(np.clip(share_base + share_slope * volatility, 0.05, 1.0))

    return policy


def gain(paths: list[Path], policy, fee: float, share: float) -> tuple[float, float]:
    results = [run(each, Pool(each.prices[0], fee, share), policy) for each in paths]
    return float(np.mean([r["gain"] for r in results])), float(np.mean([r["fees"] for r in results]))


def main() -> None:
    paths = [path(seed, BLOCKS) for seed in TRAIN]
    seen = [run(each, Pool(each.prices[0], 0.003, 0.3), constant(0.003, 0.3))["returns"] for each in paths]
    inputs, targets = np.concatenate(seen), np.concatenate([future(each.prices) for each in paths])
    model, forecast = network(inputs, targets)
    (HERE / "volatility.onnx").write_bytes(model.SerializeToString(deterministic=True))
    with (HERE / "calibration.csv").open("w", newline="") as file:
        rows = [[repr(float(x)) for x in row] for row in inputs[::40]]
        csv.writer(file, lineterminator="\n").writerows([[f"return{i}" for i in range(WINDOW)], *rows])

    tests = [path(seed, BLOCKS) for seed in TEST]
    seen = [run(each, Pool(each.prices[0], 0.003, 0.3), constant(0.003, 0.3))["returns"] for each in tests]
    truth = np.concatenate([future(each.prices) for each in tests])
    error = np.abs(forecast(np.concatenate(seen)) - truth).mean()
    mean = np.abs(targets.mean() - truth).mean()
    print(f"forecast off by {error:.3f} thousandths on average; a constant by {mean:.3f}")

    best = {}
    constants = itertools.product([0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.014], [0.15, 0.25, 0.4, 0.6, 0.8, 1.0])
    best["constant"] = max(constants, key=lambda line: gain(paths, constant(*line), *line)[0])
    fee, share = best["constant"]
    lines = itertools.product([0.002, 0.003, 0.004, 0.005], [0.0, 0.0003, 0.0006, 0.001], [0.06, 0.1, 0.15], [0.0, 0.05, 0.1, 0.2])
    best["forecast"] = max(lines, key=lambda line: gain(paths, following(forecast, line), fee, share)[0])
    for name, policy in [("constant", constant(fee, share)), ("forecast", following(forecast, best["forecast"]))]:
        in_training, in_test = gain(paths, policy, fee, share), gain(tests, policy, fee, share)
        print(f"{name} {best[name]}: training gain {in_training[0]:+.4%} (fees {in_training[1]:.4%}), test {in_test[0]:+.4%} (fees {in_test[1]:.4%})")
    pairs = [
        (run(each, Pool(each.prices[0], fee, share), following(forecast, best["forecast"]))["gain"], run(each, Pool(each.prices[0], fee, share), constant(fee, share))["gain"])
        for each in tests
    ]
    print(f"the forecast gains more on {sum(a > b for a, b in pairs)} of {len(pairs)} test paths")

    million = lambda x: round(x * 1_000_000)
    with (HERE / "policies.csv").open("w", newline="") as file:
        lines = [["constant", million(fee), 0, million(share), 0], ["forecast", *(million(x) for x in best["forecast"])]]
        csv.writer(file, lineterminator="\n").writerows([["policy", "fee", "fee_slope", "share", "share_slope"], *lines])
    order = np.argsort([a - b for a, b in pairs])
    chosen = int(order[len(order) // 2])
    print(f"committed: test path {TEST[chosen]}, the middle one by what the forecast gains: {pairs[chosen]}")
    with (HERE / "prices.csv").open("w", newline="") as file:
        lines = [[million(price), million(wish)] for price, wish in zip(tests[chosen].prices, tests[chosen].wishes)]
        csv.writer(file, lineterminator="\n").writerows([["price", "wish"], *lines])


if __name__ == "__main__":
    main()
