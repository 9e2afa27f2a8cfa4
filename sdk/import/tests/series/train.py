"""Two recurrent networks on series, as ONNX, and what onnxruntime says about them.

- `sunspots.lstm.onnx`: the number of sunspots in the next year from those of 24 years before it, by an LSTM. Input `years`
  [N, 24, 1], output `next` [N, 1]. The data are the yearly numbers from 1700 to 2008 of the World Data Center for the Production,
  Preservation and Dissemination of the International Sunspot Number by way of NOAA, in the public domain, as statsmodels ships
  them. `sunspots.calibration.csv` has windows of the years up to 1949, which the network was trained on, `sunspots.heldout.csv` those
  behind them; `sunspots.expected.csv` says beside each the year, the number that came, and what onnxruntime says.
- `digits.gru.onnx`: scikit-learn's digits read row by row, through a GRU in both directions (the reset behind its product) and
  another one (the reset before it). Input `pixels` [N, 8, 8], output `probabilities` [N, 10]. The rows are those of `../digits`: the
  networks there and here are trained on the same and keep the same 600 apart.
- `digits.expected.csv`: the scores that onnxruntime gives the held-out rows.

Everything is seeded and uses one thread. The nodes are those that PyTorch's exporter writes for networks with `batch_first`.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt && /tmp/venv/bin/python train.py
"""

import os
from pathlib import Path

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from statsmodels.datasets import sunspots

HERE = Path(__file__).resolve().parent
SEED = 5
WINDOW, FIRST_HELD = 24, 1950
SCALE = 100.0


def weights(random, gates: int, inputs: int, hidden: int) -> dict[str, np.ndarray]:
    """As ONNX has them, of one direction: W, R, and both biases."""
    draw = lambda *shape: random.uniform(-1, 1, shape).astype(np.float32) / np.float32(hidden**0.5)
    return {"w": draw(gates * hidden, inputs), "r": draw(gates * hidden, hidden), "b": draw(2 * gates * hidden)}


def lstm(p, x):
    """Every state, of `x` [steps, batch, inputs]; gates in the order input, output, forget, cell."""
    hidden = p["r"].shape[1]
    bias = p["b"][: 4 * hidden] + p["b"][4 * hidden :]

    def step(state, x):
        h, c = state
        i, o, f, n = jnp.split(x @ p["w"].T + h @ p["r"].T + bias, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(n)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    zeros = jnp.zeros((x.shape[1], hidden))
    return jax.lax.scan(step, (zeros, zeros), x)[1]


def gru(p, x, reset_after: bool, reverse: bool = False):
    """Every state; gates in the order update, reset, new."""
    hidden = p["r"].shape[1]
    wz, wr, wn = jnp.split(p["w"], 3)
    rz, rr, rn = jnp.split(p["r"], 3)
    bz, br, bn, cz, cr, cn = jnp.split(p["b"], 6)

    def step(h, x):
        z = jax.nn.sigmoid(x @ wz.T + h @ rz.T + bz + cz)
        r = jax.nn.sigmoid(x @ wr.T + h @ rr.T + br + cr)
        of_state = r * (h @ rn.T + cn) if reset_after else (r * h) @ rn.T + cn
        h = (1 - z) * jnp.tanh(x @ wn.T + bn + of_state) + z * h
        return h, h

    return jax.lax.scan(step, jnp.zeros((x.shape[1], hidden)), x, reverse=reverse)[1]


def adam(loss, params, batches, rate: float):
    grad = jax.jit(jax.grad(loss))
    first = jax.tree.map(jnp.zeros_like, params)
    second = jax.tree.map(jnp.zeros_like, params)

    @jax.jit
    def update(params, first, second, gradient, step):
        size = jnp.sqrt(sum(jnp.sum(g * g) for g in jax.tree.leaves(gradient)))
        gradient = jax.tree.map(lambda g: g * jnp.minimum(1.0, 1.0 / size), gradient)
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
        second = jax.tree.map(lambda v, g: 0.99 * v + 0.01 * g * g, second, gradient)
        new = lambda p, m, v: p - rate * (m / (1 - 0.9**step)) / (jnp.sqrt(v / (1 - 0.99**step)) + 1e-8)
        return jax.tree.map(new, params, first, second), first, second

    for step, batch in enumerate(batches, 1):
        params, first, second = update(params, first, second, grad(params, *batch), step)
    return jax.tree.map(np.asarray, params)


def model(name: str, nodes, constants, given, output) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(given[0], TensorProto.FLOAT, given[1])],
        [helper.make_tensor_value_info(output[0], TensorProto.FLOAT, output[1])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="noema")
    made.ir_version = 8
    onnx.checker.check_model(made, full_check=True)
    return made


def run(made: onnx.ModelProto, rows: np.ndarray, output: str) -> np.ndarray:
    if output not in [value.name for value in made.graph.output]:
        made = onnx.ModelProto.FromString(made.SerializeToString())
        made.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run([output], {made.graph.input[0].name: rows})[0]


def table(name: str, header: list[str], columns: np.ndarray, form: str) -> None:
    np.savetxt(HERE / name, columns, form, delimiter=",", header=",".join(header), comments="")


def of_sunspots() -> None:
    data = sunspots.load_pandas().data
    years, numbers = data["YEAR"].to_numpy(), data["SUNACTIVITY"].to_numpy().astype(np.float32)
    windows = np.stack([numbers[at : at + WINDOW] for at in range(len(numbers) - WINDOW)])
    follows, year = numbers[WINDOW:], years[WINDOW:].astype(int)
    known = year < FIRST_HELD
    random = np.random.default_rng(SEED)
    hidden = 24
    params = {
        "cell": weights(random, 4, 1, hidden),
        "head": {"w": random.normal(0, 0.2, (1, hidden)).astype(np.float32), "b": np.zeros(1, np.float32)},
    }

    def loss(p, x, y):
        last = lstm(p["cell"], (x[:, :, None] / SCALE).transpose(1, 0, 2))[-1]
        return jnp.mean((last @ p["head"]["w"].T + p["head"]["b"] - y[:, None] / SCALE) ** 2)

    x, y = windows[known], follows[known]
    batches = ((x[order], y[order]) for _ in range(300) for order in np.array_split(random.permutation(len(x)), 7))
    params = adam(loss, params, batches, 3e-3)
    cell, head = params["cell"], params["head"]
    constants = {
        "scale": np.array(SCALE, np.float32),
        "W": cell["w"][None],
        "R": cell["r"][None],
        "B": cell["b"][None],
        "one": np.array([1], np.int64),
        "last": np.array(-1, np.int64),
        "head.weight": head["w"] * np.float32(SCALE),
        "head.bias": head["b"] * np.float32(SCALE),
    }
    nodes = [
        helper.make_node("Div", ["years", "scale"], ["scaled"], name="scaled"),
        helper.make_node("Transpose", ["scaled"], ["steps"], name="steps", perm=[1, 0, 2]),
        helper.make_node("LSTM", ["steps", "W", "R", "B"], ["states", "state", "cell"], name="lstm", hidden_size=hidden),
        helper.make_node("Squeeze", ["states", "one"], ["one_way"], name="one_way"),
        helper.make_node("Transpose", ["one_way"], ["rows"], name="rows", perm=[1, 0, 2]),
        helper.make_node("Gather", ["rows", "last"], ["last_row"], name="last_row", axis=1),
        helper.make_node("Gemm", ["last_row", "head.weight", "head.bias"], ["next"], name="head", transB=1),
    ]
    made = model("sunspots", nodes, constants, ("years", [None, WINDOW, 1]), ("next", [None, 1]))
    onnx.save(made, HERE / "sunspots.lstm.onnx")
    header = [f"back{WINDOW - at}" for at in range(WINDOW)]
    table("sunspots.calibration.csv", header, x, "%.1f")
    table("sunspots.heldout.csv", header, windows[~known], "%.1f")
    found = run(made, windows[~known][:, :, None], "next")[:, 0]
    columns = np.column_stack([year[~known], follows[~known], found])
    np.savetxt(HERE / "sunspots.expected.csv", columns, ["%d", "%.1f", "%.5f"], delimiter=",", header="year,number,onnxruntime", comments="")
    root = lambda error: float(np.sqrt(np.mean(error**2)))
    print("sunspots: error", root(found - follows[~known]), "of the year before", root(windows[~known][:, -1] - follows[~known]))


def of_digits() -> None:
    digits = load_digits()
    x, y = digits.data.astype(np.float32), digits.target.astype(np.int64)
    # As in ../digits/train.py.
    order = np.random.default_rng(3).permutation(len(x))
    x, y = x[order].reshape(-1, 8, 8), y[order]
    train_x, train_y, held_x, held_y = x[:1197], y[:1197], x[1197:], y[1197:]
    random = np.random.default_rng(SEED)
    hidden, second = 24, 32
    params = {
        "there": weights(random, 3, 8, hidden),
        "back": weights(random, 3, 8, hidden),
        "again": weights(random, 3, 2 * hidden, second),
        "head": {"w": random.normal(0, 0.2, (10, second)).astype(np.float32), "b": np.zeros(10, np.float32)},
    }

    def logits(p, x):
        steps = (x / 16).transpose(1, 0, 2)
        both = jnp.concatenate([gru(p["there"], steps, True), gru(p["back"], steps, True, reverse=True)], axis=-1)
        return gru(p["again"], both, False)[-1] @ p["head"]["w"].T + p["head"]["b"]

    def loss(p, x, y):
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits(p, x)), y[:, None], axis=1))

    def batches():
        for _ in range(60):
            order = random.permutation(len(train_x))
            for at in range(0, len(order) - 63, 64):
                yield train_x[order[at : at + 64]], train_y[order[at : at + 64]]

    params = adam(loss, params, batches(), 3e-3)
    there, back, again, head = params["there"], params["back"], params["again"], params["head"]
    constants = {
        "sixteen": np.array(16, np.float32),
        "both.W": np.stack([there["w"], back["w"]]),
        "both.R": np.stack([there["r"], back["r"]]),
        "both.B": np.stack([there["b"], back["b"]]),
        "again.W": again["w"][None],
        "again.R": again["r"][None],
        "again.B": again["b"][None],
        "side_by_side": np.array([0, 0, -1], np.int64),
        "zero": np.array([0], np.int64),
        "head.weight": head["w"],
        "head.bias": head["b"],
    }
    nodes = [
        helper.make_node("Div", ["pixels", "sixteen"], ["scaled"], name="scaled"),
        helper.make_node("Transpose", ["scaled"], ["steps"], name="steps", perm=[1, 0, 2]),
        helper.make_node("GRU", ["steps", "both.W", "both.R", "both.B"], ["ways"], name="both", hidden_size=hidden, direction="bidirectional", linear_before_reset=1),
        helper.make_node("Transpose", ["ways"], ["turned"], name="turned", perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["turned", "side_by_side"], ["sides"], name="sides"),
        helper.make_node("GRU", ["sides", "again.W", "again.R", "again.B"], ["", "state"], name="again", hidden_size=second),
        helper.make_node("Squeeze", ["state", "zero"], ["row"], name="row"),
        helper.make_node("Gemm", ["row", "head.weight", "head.bias"], ["head"], name="head", transB=1),
        helper.make_node("Softmax", ["head"], ["probabilities"], name="probabilities", axis=-1),
    ]
    made = model("digits", nodes, constants, ("pixels", [None, 8, 8]), ("probabilities", [None, 10]))
    onnx.save(made, HERE / "digits.gru.onnx")
    scores = run(made, held_x, "head")
    table("digits.expected.csv", [f"score{at}" for at in range(10)], scores, "%.5f")
    print("digits: right", int((scores.argmax(1) == held_y).sum()), "of", len(held_y))


if __name__ == "__main__":
    of_sunspots()
    of_digits()
