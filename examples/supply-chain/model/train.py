"""Simulates refrigerated journeys, trains two recurrent networks on them, and writes what the example needs.

A journey is a lorry with a cooled box, hour after hour. A reading has five channels: the temperature in the box (degrees), the one outside,
how long the door was open (minutes), the distance driven (kilometres), and the distance to go. A network sees the last 12 readings; where
there are fewer, the first one stands in for those that are missing.

- `anomaly.onnx`: a GRU and a softmax over [as it should be, anomalous].
- `forecast.onnx`: an LSTM; how many hours are still to go.

Kinds of journeys, all of the same weather and roads: `good`; `failing` (the cooling stops working), `open` (the door stays open and is reported
shut), `stuck` (the sensor repeats one value), `smoothed` (a failing box, whose temperatures the carrier has averaged and cut at the limit);
and `forged`: a failing box, for which the carrier reports the temperatures of another, good journey. The networks are trained on all of them
but `forged`, which cannot be told from a good one by its numbers.

Writes beside this file the two networks, `calibration.csv` (64 windows) and `journeys.csv` (six journeys of each kind that training has not seen).
Everything is seeded and runs on one thread.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt && /tmp/venv/bin/python train.py
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
SEED = 11
WINDOW, CHANNELS, HIDDEN = 12, 5, 16
#: Readings that are posted at a time; the networks look once after each post.
BATCH = 6
THRESHOLD = 0.8
KINDS = ["good", "failing", "open", "stuck", "smoothed"]


def roads(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Kilometres of each hour, and minutes that the door is open: nine hours at the wheel, eleven of rest, jams, inspections."""
    distance, wheel, jam = random.uniform(500, 2200), int(random.integers(0, 6)), False
    driven, door = [], [random.uniform(10, 25)]
    driven.append(random.uniform(0, 20))
    rest = 0
    while distance - sum(driven) > 1:
        left = distance - sum(driven)
        if rest:
            rest, km, minutes = rest - 1, 0.0, 0.0
        elif wheel >= 9:
            wheel, rest, km, minutes = 0, 10, 0.0, 0.0
        elif random.random() < 0.04:
            wheel, km, minutes = wheel + 1, random.uniform(15, 40), random.uniform(5, 15)
        else:
            jam = random.random() < (0.6 if jam else 0.08)
            wheel, km, minutes = wheel + 1, random.normal(28 if jam else 72, 6), 0.0
        driven.append(min(max(km, 0.0), left))
        door.append(minutes)
    return np.array(driven), np.array(door)


def journey(random: np.random.Generator, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Readings [hours, channels], and for each hour whether something is wrong by then."""
    driven, door = roads(random)
    hours = len(driven)
    to_go = driven.sum() - np.cumsum(driven)
    base, phase = random.uniform(8, 30), random.uniform(0, 24)
    outside = base + 6 * np.sin((np.arange(hours) + phase) * np.pi / 12) + random.normal(0, 0.7, hours)
    begins = int(random.integers(4, max(5, hours - 6)))
    wrong = np.zeros(hours, bool)
    fails, real_door = kind in ("failing", "smoothed", "forged"), door.copy()
    if kind != "good":
        wrong[begins:] = True
    if kind == "open":
        until = begins + int(random.integers(2, 6))
        real_door[begins:until] += random.uniform(30, 50)
        wrong[until + 2 :] = False
    box, level = np.zeros(hours), random.uniform(3.4, 4.6)
    inside = level
    for hour in range(hours):
        cooling = random.uniform(0.0, 0.08) if fails and hour >= begins else 0.55
        warm = outside[hour] - inside
        inside += cooling * (level - inside) + (0.03 + 0.01 * real_door[hour]) * warm + random.normal(0, 0.1)
        box[hour] = inside
    box += random.normal(0, 0.2, hours)
    if kind == "stuck":
        box[begins:] = box[begins]
    if kind == "smoothed":
        # Averaged over five hours, and no higher than the contract of carriage allows.
        spread = np.convolve(np.pad(np.minimum(box, 5.5), 2, mode="edge"), np.ones(5) / 5, mode="valid")
        box[begins:] = spread[begins:]
    if kind == "forged":
        good, inside = np.zeros(hours), level
        for hour in range(hours):
            inside += 0.55 * (level - inside) + (0.03 + 0.01 * door[hour]) * (outside[hour] - inside) + random.normal(0, 0.1)
            good[hour] = inside + random.normal(0, 0.2)
        box = good
    return np.round(np.column_stack([box, outside, door, driven, to_go]), 2), wrong


def window(readings: np.ndarray, until: int) -> np.ndarray:
    seen = readings[max(0, until - WINDOW) : until]
    return np.concatenate([np.repeat(seen[:1], WINDOW - len(seen), axis=0), seen])


def windows(random: np.random.Generator, journeys: int):
    x, wrong, hours = [], [], []
    for number in range(journeys):
        readings, bad = journey(random, KINDS[number % len(KINDS)] if number % 2 else "good")
        for until in range(2, len(readings) + 1):
            # Twice an hour at least that is wrong: one alone cannot be seen.
            count = int(bad[max(0, until - WINDOW) : until].sum())
            if count == 1 or (count == 2 and KINDS[number % len(KINDS)] in ("stuck", "smoothed")):
                continue
            x.append(window(readings, until))
            wrong.append(count > 0)
            hours.append(len(readings) - until)
    return np.array(x, np.float32), np.array(wrong), np.array(hours, np.float32)


class Network(torch.nn.Module):
    def __init__(self, kind, outputs: int, mean, deviation):
        super().__init__()
        self.series = kind(CHANNELS, HIDDEN, batch_first=True)
        self.head = torch.nn.Linear(HIDDEN, outputs)
        self.mean, self.deviation = torch.tensor(mean), torch.tensor(deviation)

    def forward(self, x):
        states, _ = self.series((x - self.mean) / self.deviation)
        return self.head(states[:, -1])


def train(network: Network, loss, x, y, epochs: int) -> None:
    random = np.random.default_rng(SEED)
    optimiser = torch.optim.Adam(network.parameters(), 4e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        for rows in np.array_split(random.permutation(len(x)), len(x) // 256):
            optimiser.zero_grad()
            loss(network(x[rows]), y[rows]).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
        schedule.step()


def export(network: Network, name: str, softmax: bool) -> onnx.ModelProto:
    weights = {key: value.detach().numpy() for key, value in network.state_dict().items()}
    lstm = isinstance(network.series, torch.nn.LSTM)
    # PyTorch has the gates as input, forget, cell, output and reset, update, new; ONNX as input, output, forget, cell and update, reset, new.
    order = [0, 3, 1, 2] if lstm else [1, 0, 2]
    gates = lambda value: np.concatenate([np.split(value, len(order))[gate] for gate in order])
    bias = np.concatenate([gates(weights["series.bias_ih_l0"]), gates(weights["series.bias_hh_l0"])])
    outputs = weights["head.bias"].shape[0]
    constants = {
        "mean": network.mean.numpy(),
        "deviation": network.deviation.numpy(),
        "W": gates(weights["series.weight_ih_l0"])[None],
        "R": gates(weights["series.weight_hh_l0"])[None],
        "B": bias[None],
        "one": np.array([1], np.int64),
        "last": np.array(-1, np.int64),
        "head.weight": weights["head.weight"],
        "head.bias": weights["head.bias"],
    }
    kind = {"op_type": "LSTM"} if lstm else {"op_type": "GRU", "linear_before_reset": 1}
    states = ["states", "state", "cell"] if lstm else ["states", "state"]
    last = "logits" if softmax else "hours"
    nodes = [
        helper.make_node("Sub", ["readings", "mean"], ["centred"], name="centred"),
        helper.make_node("Div", ["centred", "deviation"], ["scaled"], name="scaled"),
        helper.make_node("Transpose", ["scaled"], ["steps"], name="steps", perm=[1, 0, 2]),
        helper.make_node(kind.pop("op_type"), ["steps", "W", "R", "B"], states, name="series", hidden_size=HIDDEN, **kind),
        helper.make_node("Squeeze", ["states", "one"], ["one_way"], name="one_way"),
        helper.make_node("Transpose", ["one_way"], ["rows"], name="rows", perm=[1, 0, 2]),
        helper.make_node("Gather", ["rows", "last"], ["last_row"], name="last_row", axis=1),
        helper.make_node("Gemm", ["last_row", "head.weight", "head.bias"], [last], name="head", transB=1),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], name="softmax", axis=-1))
        last = "probabilities"
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("readings", TensorProto.FLOAT, [None, WINDOW, CHANNELS])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, [None, outputs])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="train.py")
    made.ir_version = 8
    onnx.checker.check_model(made, full_check=True)
    onnx.save(made, HERE / f"{name}.onnx")
    return made


def run(made: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"readings": x.astype(np.float32)})[0]


def main() -> None:
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    random = np.random.default_rng(SEED)
    x, wrong, hours = windows(random, 1200)
    mean, deviation = x.mean((0, 1)), x.std((0, 1))
    # Temperatures are told apart by tenths of a degree.
    deviation[0] = 1.0
    print(len(x), "windows,", round(float(wrong.mean()), 3), "anomalous")

    anomaly = Network(torch.nn.GRU, 2, mean, deviation)
    train(anomaly, torch.nn.CrossEntropyLoss(), torch.tensor(x), torch.tensor(wrong.astype(np.int64)), 20)
    forecast = Network(torch.nn.LSTM, 1, mean, deviation)
    sound = ~wrong
    train(forecast, torch.nn.SmoothL1Loss(), torch.tensor(x[sound]), torch.tensor(hours[sound, None]), 30)
    anomaly, forecast = export(anomaly, "anomaly", True), export(forecast, "forecast", False)

    names = [f"{channel}{WINDOW - back}" for back in range(WINDOW) for channel in ("box", "outside", "door", "driven", "to_go")]
    rows = x[random.choice(len(x), 64, replace=False)].reshape(64, -1)
    np.savetxt(HERE / "calibration.csv", rows, "%.2f", delimiter=",", header=",".join(names), comments="")

    fresh = np.random.default_rng(SEED + 1)
    held, _, left = windows(fresh, 200)
    found = run(forecast, held)[:, 0]
    pace = held[:, -1, 4] / np.maximum(held[:, :, 3].mean(1), 10)
    print("forecast: off by", round(float(np.abs(found - left).mean()), 2), "hours, distance by mean speed by", round(float(np.abs(pace - left).mean()), 2))
    with (HERE / "journeys.csv").open("w", newline="") as file:
        file.write("journey,kind,hour,box,outside,door,driven,to_go\n")
        number = 0
        for kind in [*KINDS, "forged"]:
            caught = 0
            for trial in range(200):
                readings, _ = journey(fresh, kind)
                ends = [*range(BATCH, len(readings), BATCH), len(readings)]
                scores = run(anomaly, np.stack([window(readings, until) for until in ends]))[:, 1]
                caught += bool((scores >= THRESHOLD).any())
                if trial < 6:
                    for hour, row in enumerate(readings):
                        file.write(f"{number},{kind},{hour}," + ",".join(f"{value:.2f}" for value in row) + "\n")
                    number += 1
            print(f"{kind}: {caught} of 200 journeys pass {THRESHOLD}")


if __name__ == "__main__":
    main()
