"""A small vision transformer on scikit-learn's digits, as a Hugging Face folder.

The data are the test part of "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak, UCI Machine Learning
Repository, CC BY 4.0), as scikit-learn ships it: the rows of `../digits`, split the same way. Everything is seeded and uses one thread.
Writes beside this file:

- `config.json`, `model.safetensors` (`F16`), `preprocessor_config.json`: a `ViTForImageClassification` as transformers saves it. Pixels are
  0 to 16, and become -1 to 1.
- `expected.csv`: for each held-out row of `../digits` the scores of that folder, in `f32`.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install -r requirements.txt && /tmp/venv/bin/python train.py
"""

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

HERE = Path(__file__).resolve().parent
# As in ../digits.
SEED = 3
TRAIN = 1197
EPOCHS = 120


def numbers(rows: np.ndarray) -> torch.Tensor:
    """Pixels as the image processor gives them."""
    return torch.tensor(rows.reshape(-1, 1, 8, 8)) / 16 * 2 - 1


def shifted(images: torch.Tensor) -> torch.Tensor:
    """Each image up to one pixel away from where it was, as if it had been cut out a little differently."""
    padded = nn.functional.pad(images, (1, 1, 1, 1), value=-1.0)
    moves = torch.randint(0, 3, (len(images), 2))
    return torch.stack([image[:, y : y + 8, x : x + 8] for image, (y, x) in zip(padded, moves.tolist())])


def main() -> None:
    digits = load_digits()
    x, y = digits.data.astype(np.float32), digits.target.astype(np.int64)
    order = np.random.default_rng(SEED).permutation(len(x))
    x, y = numbers(x[order]), torch.tensor(y[order])

    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    config = ViTConfig(
        image_size=8,
        patch_size=2,
        num_channels=1,
        hidden_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=96,
        num_labels=10,
        id2label={at: str(at) for at in range(10)},
    )
    model = ViTForImageClassification(config)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=5e-2)
    steps = EPOCHS * -(-TRAIN // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    model.train()
    for _ in range(EPOCHS):
        for batch in torch.randperm(TRAIN).split(64):
            optimiser.zero_grad()
            scores = model(shifted(x[batch])).logits
            nn.functional.cross_entropy(scores, y[batch], label_smoothing=0.05).backward()
            optimiser.step()
            schedule.step()
    model.eval().half().save_pretrained(HERE)
    ViTImageProcessor(
        do_resize=False,
        size={"height": 8, "width": 8},
        rescale_factor=1 / 16,
        image_mean=[0.5],
        image_std=[0.5],
    ).save_pretrained(HERE)

    model = ViTForImageClassification.from_pretrained(HERE, dtype=torch.float32).eval()
    with torch.no_grad():
        scores = model(x[TRAIN:]).logits.numpy()
    np.savetxt(HERE / "expected.csv", scores, "%.9g", delimiter=",", header=",".join(f"float{at}" for at in range(10)), comments="")
    print("float", (scores.argmax(1) == y[TRAIN:].numpy()).mean())


if __name__ == "__main__":
    main()
