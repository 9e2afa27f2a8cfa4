"""Exports a BERT-type encoder from a Hugging Face folder as people do, for `peer.py --onnx` and `noema-bench model --onnx`.

    export.py FOLDER FILE [--optimise]

Inputs `input_ids`, `attention_mask` and `token_type_ids`, output `last_hidden_state`, both axes free. `--optimise` lets onnxruntime's tool
for transformers fuse what it knows (attention, GELU, norms). It needs torch and transformers, and for `--optimise` onnxruntime.
"""

import argparse
import pathlib

import torch
from transformers import AutoModel

NAMES = ["input_ids", "attention_mask", "token_type_ids"]


class Hidden(torch.nn.Module):
    """The encoder with its inputs by place and the last hidden state alone."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, *inputs):
        return self.encoder(**dict(zip(NAMES, inputs))).last_hidden_state


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--optimise", action="store_true")
    arguments = parser.parse_args()
    # Attention as products and a softmax, which every version of the exporter and of onnxruntime knows.
    encoder = AutoModel.from_pretrained(arguments.folder, attn_implementation="eager").eval()
    tokens = torch.ones(1, 8, dtype=torch.int64)
    axes = {name: {0: "batch", 1: "tokens"} for name in [*NAMES, "last_hidden_state"]}
    torch.onnx.export(
        Hidden(encoder), (tokens, tokens, 0 * tokens), arguments.file, dynamo=False, opset_version=17,
        input_names=NAMES, output_names=["last_hidden_state"], dynamic_axes=axes,
    )
    if arguments.optimise:
        from onnxruntime.transformers import optimizer

        config = encoder.config
        better = optimizer.optimize_model(str(arguments.file), "bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size)
        better.save_model_to_file(str(arguments.file))
        print(better.get_fused_operator_statistics())


if __name__ == "__main__":
    main()
