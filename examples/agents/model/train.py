"""Trains the three small networks of the agents, and writes what the example needs.

- `buyer.onnx`: what the agent does in a round of a negotiation: [uncertainty, round, ask, bid] to scores of [walk away, accept, close a quarter of the
  gap, close half of it]. Prices are in what a forecast is worth at most; uncertainty is how much demand has changed from hour to hour, relative to it.
- `seller.onnx`: what the forecaster does: [round, bid, ask, floor], in its list price, to scores of [accept, hold, close a quarter, close half].
- `demand.onnx`: demand of the next hour from that of twelve hours before it.

The negotiators are trained by the cross-entropy method against scripted opponents of many kinds, not against each other, so that neither learns to rely on
the weakness of the other. Demand is simulated: a day's course, a slow drift, noise. `series.csv` has 96 hours that training has not seen.

Everything is seeded and uses one thread.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt && /tmp/venv/bin/python train.py
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
SEED = 17
ROUNDS, GAMES, HOURS = 8, 768, 12
HIDDEN = {"negotiator": 8, "demand": 16}


def shapes(inputs: int, hidden: int, outputs: int):
    return [(hidden, inputs), (hidden,), (outputs, hidden), (outputs,)]


def unpack(flat: np.ndarray, form):
    parts, at = [], 0
    for shape in form:
        size = int(np.prod(shape))
        parts.append(flat[at : at + size].reshape(shape))
        at += size
    return parts


def forward(parts, x: np.ndarray) -> np.ndarray:
    w1, b1, w2, b2 = parts
    return np.maximum(x @ w1.T + b1, 0) @ w2.T + b2


NEGOTIATOR = shapes(4, HIDDEN["negotiator"], 4)


def value_of(uncertainty: np.ndarray) -> np.ndarray:
    """What a forecast is worth, in what it is worth at most: nothing when demand does not move."""
    return np.clip(20 * uncertainty, 0, 1)


def buyers(random: np.random.Generator, policy) -> np.ndarray:
    """Gains of a buyer's policy against scripted sellers; `policy` maps features and values to actions."""
    uncertainty = np.abs(random.normal(0, 0.05, GAMES))
    value = value_of(uncertainty)
    ask = random.uniform(0.05, 1.6, GAMES)
    floor = ask * random.uniform(0.15, 0.9, GAMES)
    # Some hardly move, some give way at once, some at the end; some follow the bid.
    speed, last, follows = random.uniform(0, 0.6, GAMES), random.integers(1, ROUNDS + 1, GAMES), random.random(GAMES) < 0.4
    bid, gain, open_ = np.zeros(GAMES), np.zeros(GAMES), np.ones(GAMES, bool)
    for round_ in range(ROUNDS):
        x = np.column_stack([uncertainty, np.full(GAMES, round_ / ROUNDS), ask, bid])
        action = policy(x, value)
        price = np.where(action == 1, ask, np.nan)
        step = np.select([action == 2, action == 3], [0.25, 0.5], 0.0)
        bid = bid + step * np.maximum(np.minimum(ask, 1.0) - bid, 0)
        # The seller answers.
        met = (action > 1) & (bid >= floor) & ((ask - bid < 0.1 * ask) | (random.random(GAMES) < 0.15))
        price = np.where(met, bid, price)
        done = open_ & ~np.isnan(price)
        gain[done] = (value - price)[done] * 0.97**round_
        open_ &= (action != 0) & np.isnan(price)
        rate = np.where(follows, np.minimum(speed, 2 * step), np.where(round_ >= last, speed, 0.1 * speed))
        ask = np.maximum(floor, ask - rate * np.maximum(ask - bid, 0))
    return gain


def sellers(random: np.random.Generator, policy) -> np.ndarray:
    """Gains of a seller's policy, in its list price, against scripted buyers."""
    floor = random.uniform(0.1, 0.6, GAMES)
    value = random.uniform(0.0, 1.3, GAMES)
    patience, speed = random.integers(1, ROUNDS + 1, GAMES), random.uniform(0.1, 0.6, GAMES)
    bid, ask, gain, open_ = np.zeros(GAMES), np.ones(GAMES), np.zeros(GAMES), np.ones(GAMES, bool)
    for round_ in range(ROUNDS):
        bid = bid + speed * np.maximum(np.minimum(ask, value) - bid, 0)
        x = np.column_stack([np.full(GAMES, round_ / ROUNDS), bid, ask, floor])
        action = policy(x, value)
        accepted = (action == 0) & (bid >= floor)
        step = np.select([action == 2, action == 3], [0.25, 0.5], 0.0)
        ask = np.maximum(floor, ask - step * np.maximum(ask - bid, 0))
        # A buyer takes a good price, or any within its value when its patience ends.
        taken = (ask <= 0.6 * value) | ((ask <= value) & (round_ >= patience))
        price = np.where(accepted, bid, ask)
        done = open_ & (accepted | taken)
        gain[done] = (price - floor)[done] * 0.97**round_
        open_ &= ~done & (round_ < patience + 1)
    return gain


def cross_entropy(play) -> list[np.ndarray]:
    random = np.random.default_rng(SEED)
    size = sum(int(np.prod(shape)) for shape in NEGOTIATOR)
    mean, deviation = np.zeros(size), np.full(size, 1.5)
    for step in range(200):
        tries = random.normal(mean, deviation, (48, size))
        # All of a generation meet the same opponents.
        score = [play(np.random.default_rng(1000 + step), acting(unpack(flat, NEGOTIATOR))).mean() for flat in tries]
        best = tries[np.argsort(score)[-8:]]
        mean, deviation = 0.3 * mean + 0.7 * best.mean(0), np.maximum(0.3 * deviation + 0.7 * best.std(0), 0.05)
    return unpack(mean, NEGOTIATOR)


def acting(parts):
    return lambda x, _: forward(parts, x).argmax(1)


def demand(random: np.random.Generator, hours: int) -> np.ndarray:
    phase, level = random.uniform(0, 24), random.uniform(80, 120)
    steps = np.arange(hours)
    noise, drift = np.zeros(hours), np.cumsum(random.normal(0, 0.6, hours))
    for hour in range(1, hours):
        noise[hour] = 0.5 * noise[hour - 1] + random.normal(0, 2.0)
    day = 25 * np.sin((steps + phase) * np.pi / 12) + 8 * np.sin((steps + phase) * np.pi / 6)
    return np.round(np.clip(level + day + drift + noise, 1, None), 2)


def forecaster() -> list[np.ndarray]:
    """Trained by Adam on the standardised window."""
    random = np.random.default_rng(SEED)
    series = [demand(random, 200) for _ in range(100)]
    x = np.concatenate([np.stack([s[at : at + HOURS] for at in range(len(s) - HOURS)]) for s in series])
    y = np.concatenate([s[HOURS:] for s in series])
    x, y = (x - 100) / 30, (y - 100) / 30
    form = shapes(HOURS, HIDDEN["demand"], 1)
    parts = [random.normal(0, 1 / np.sqrt(shape[-1]), shape) if len(shape) == 2 else np.zeros(shape) for shape in form]
    first, second = [np.zeros_like(p) for p in parts], [np.zeros_like(p) for p in parts]
    step = 0
    for epoch in range(60):
        rate = 3e-3 * (1 - epoch / 60)
        for rows in np.array_split(random.permutation(len(x)), len(x) // 128):
            w1, b1, w2, b2 = parts
            hidden = np.maximum(x[rows] @ w1.T + b1, 0)
            error = (hidden @ w2.T + b2)[:, 0] - y[rows]
            d = (2 * error / len(rows))[:, None]
            back = (d @ w2) * (hidden > 0)
            gradient = [back.T @ x[rows], back.sum(0), d.T @ hidden, d.sum(0)]
            step += 1
            for n, g in enumerate(gradient):
                first[n] = 0.9 * first[n] + 0.1 * g
                second[n] = 0.99 * second[n] + 0.01 * g * g
                parts[n] = parts[n] - rate * (first[n] / (1 - 0.9**step)) / (np.sqrt(second[n] / (1 - 0.99**step)) + 1e-8)
    w1, b1, w2, b2 = parts
    # In demand itself: the standardisation is part of the weights.
    return [w1 / 30, b1 - (w1 * (100 / 30)).sum(1), w2 * 30, b2 * 30 + 100]


def export(name: str, parts: list[np.ndarray]) -> onnx.ModelProto:
    constants = dict(zip(["weight1", "bias1", "weight2", "bias2"], parts))
    nodes = [
        helper.make_node("Gemm", ["features", "weight1", "bias1"], ["sums"], name="layer1", transB=1),
        helper.make_node("Relu", ["sums"], ["hidden"], name="relu"),
        helper.make_node("Gemm", ["hidden", "weight2", "bias2"], ["scores"], name="layer2", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", parts[0].shape[1]])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", parts[3].shape[0]])],
        [numpy_helper.from_array(np.ascontiguousarray(value, np.float32), key) for key, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="train.py")
    made.ir_version = 8
    onnx.checker.check_model(made, full_check=True)
    onnx.save(made, HERE / f"{name}.onnx")
    return made


def table(name: str, header: list[str], rows: np.ndarray, form: str = "%.4f") -> None:
    np.savetxt(HERE / name, rows, form, delimiter=",", header=",".join(header), comments="")


def main() -> None:
    random = np.random.default_rng(SEED + 1)
    for name, play, naive in [
        ("buyer", buyers, lambda x, value: np.where(x[:, 2] <= value, 1, 2)),
        ("seller", sellers, lambda x, value: np.where((x[:, 1] > x[:, 3]) & (x[:, 0] > 0.4), 0, 2)),
    ]:
        parts = cross_entropy(play)
        export(name, parts)
        gain = np.mean([play(np.random.default_rng(9000 + at), acting(parts)).mean() for at in range(20)])
        # The script knows what the forecast is worth; it takes the first price below that.
        plain = np.mean([play(np.random.default_rng(9000 + at), naive).mean() for at in range(20)])
        print(f"{name}: gains {gain:.4f} a negotiation, a script {plain:.4f}")
    rows = np.column_stack([np.abs(random.normal(0, 0.05, 64)), random.integers(0, ROUNDS, 64) / ROUNDS, random.uniform(0, 2, 64), random.uniform(0, 1, 64)])
    table("buyer.calibration.csv", ["uncertainty", "round", "ask", "bid"], rows)
    rows = np.column_stack([random.integers(0, ROUNDS, 64) / ROUNDS, random.uniform(0, 1.3, 64), random.uniform(0.1, 1, 64), random.uniform(0.1, 0.6, 64)])
    table("seller.calibration.csv", ["round", "bid", "ask", "floor"], rows)

    parts = forecaster()
    made = export("demand", parts)
    fresh = [demand(random, 200) for _ in range(20)]
    x = np.concatenate([np.stack([s[at : at + HOURS] for at in range(len(s) - HOURS)]) for s in fresh])
    y = np.concatenate([s[HOURS:] for s in fresh])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = session.run(None, {"features": x.astype(np.float32)})[0][:, 0]
    print("demand: off by", round(float(np.abs(found - y).mean()), 2), "the hour before by", round(float(np.abs(x[:, -1] - y).mean()), 2))
    table("demand.calibration.csv", [f"back{HOURS - at}" for at in range(HOURS)], x[random.choice(len(x), 64, replace=False)], "%.2f")
    table("series.csv", ["demand"], demand(random, 96)[:, None], "%.2f")


if __name__ == "__main__":
    main()
