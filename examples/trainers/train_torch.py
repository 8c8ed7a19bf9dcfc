"""Plain torch, with gradient accumulation: a resumed run continues as if nothing had happened.

Trains a small network on handwritten digits and prints the rate and the loss of every update:

    python examples/trainers/train_torch.py --out run --stop-after 60
    python examples/trainers/train_torch.py --out run
"""

import argparse
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn

import lehr
from lehr.torch import Scheduler

SCHEDULE = lehr.warmup("10%") >> lehr.hold() >> lehr.cosine("40%", to=0.1)
UPDATES = 120
ACCUMULATE = 2  # batches whose gradients are summed for one update


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="where the checkpoint is kept")
    parser.add_argument("--stop-after", type=int, default=UPDATES, help="save and stop early")
    arguments = parser.parse_args()

    images, digits = (torch.tensor(part) for part in load_digits(return_X_y=True))
    images = images.float() / 16  # pixels from 0 to 1

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    # `over` counts updates, not batches, however many batches are accumulated.
    scheduler = Scheduler(optimizer, lr=SCHEDULE, over=UPDATES)

    checkpoint = arguments.out / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        scheduler.load_state_dict(saved["scheduler"])

    # The scheduler's position is the number of updates made: no other counter is needed.
    while scheduler.last_epoch < arguments.stop_after:
        update = scheduler.last_epoch
        optimizer.zero_grad()
        total = 0.0
        for part in range(ACCUMULATE):
            # Seeded by its number, so that a resumed run sees the same batches.
            draw = torch.Generator().manual_seed(update * ACCUMULATE + part)
            batch = torch.randint(len(images), (32,), generator=draw)
            loss = nn.functional.cross_entropy(model(images[batch]), digits[batch]) / ACCUMULATE
            loss.backward()
            total += loss.item()
        rate = scheduler.get_last_lr()[0]
        optimizer.step()
        scheduler.step()  # once for each update
        print(f"update {update}  rate {rate!r}  loss {total!r}")

    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.save(
        {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
        },
        checkpoint,
    )


if __name__ == "__main__":
    main()
