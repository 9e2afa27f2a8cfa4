"""PyTorch in bf16 as a peer of `noema-bench gpu`: lines as benches/src/peers.rs describes them.

`case NAME NUMBERS...` makes a case ready and answers `ok`; `wall N` runs it N times and answers with nanoseconds
between events on the device. Launches are recorded as a CUDA graph, so that their cost is hidden as ours is.
"""

import sys

import torch


def graph_of(work):
    """The work as a graph, and its result, which must stay alive."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = work()
    return graph, result


def normal(*shape):
    return torch.randn(*shape, device="cuda", dtype=torch.bfloat16)


def product(m, k, n):
    x, w = normal(m, k), normal(n, k)
    return lambda: torch.nn.functional.linear(x, w)


class Encoder(torch.nn.Module):
    """A post-norm encoder of BERT's form, without embeddings."""

    def __init__(self, layers, width, heads, inner):
        super().__init__()
        layer = torch.nn.TransformerEncoderLayer(
            width, heads, inner, dropout=0.0, activation="gelu", batch_first=True, norm_first=False
        )
        self.layers = torch.nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, x):
        return self.layers(x)


def encoder(batch, tokens, layers, width, heads, inner):
    model = Encoder(layers, width, heads, inner).cuda().to(torch.bfloat16).eval()
    x = normal(batch, tokens, width)

    def work():
        with torch.inference_mode():
            return model(x)

    return work


CASES = {"product": product, "linear": product, "encoder": encoder}


def main():
    torch.manual_seed(1)
    graph, keep = None, None
    for line in sys.stdin:
        word, *rest = line.split()
        try:
            if word == "version":
                answer = f"PyTorch {torch.__version__}, {torch.cuda.get_device_name()}"
            elif word == "case":
                graph, keep = None, None
                torch.cuda.empty_cache()
                work = CASES[rest[0]](*map(int, rest[1:]))
                graph, keep = graph_of(work)
                keep = (keep, work)
                answer = "ok"
            elif word == "wall":
                start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                torch.cuda.synchronize()
                start.record()
                for _ in range(int(rest[0])):
                    graph.replay()
                end.record()
                torch.cuda.synchronize()
                answer = str(int(start.elapsed_time(end) * 1e6))
            else:
                answer = f"unknown: {word}"
        except Exception as error:  # The asking side reports it.
            answer = f"{type(error).__name__}: {error}".replace("\n", " ")
        print(answer, flush=True)


main()
