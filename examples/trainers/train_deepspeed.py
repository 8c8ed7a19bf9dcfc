"""DeepSpeed: its engine builds the scheduler, steps it, saves it and loads it.

Trains a small network on handwritten digits and prints the rate and the loss of every update.
Interrupted and resumed, it continues as if nothing had happened:

    deepspeed --num_gpus 1 examples/trainers/train_deepspeed.py --out run --stop-after 20
    deepspeed --num_gpus 1 examples/trainers/train_deepspeed.py --out run
"""

import argparse
from pathlib import Path

import deepspeed
import torch
from sklearn.datasets import load_digits
from torch import nn

import lehr
from lehr.interop.deepspeed import factory

SCHEDULE = lehr.warmup("10%") >> lehr.hold() >> lehr.cosine("40%", to=0.1)
UPDATES = 40
ACCUMULATE = 2  # batches whose gradients are summed for one update


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="where the checkpoint is kept")
    parser.add_argument("--stop-after", type=int, default=UPDATES, help="save and stop early")
    parser.add_argument("--local_rank", type=int, help="given by the launcher")
    arguments = parser.parse_args()

    images, digits = (torch.tensor(part) for part in load_digits(return_X_y=True))
    images = images.float() / 16  # pixels from 0 to 1

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    engine, _, _, scheduler = deepspeed.initialize(
        model=model,
        optimizer=torch.optim.AdamW(model.parameters(), lr=3e-3),
        # A function of the optimizer: the engine calls it with the one that it steps.
        lr_scheduler=factory(lr=SCHEDULE, over=UPDATES),
        config={
            "train_micro_batch_size_per_gpu": 32,
            "gradient_accumulation_steps": ACCUMULATE,
            "zero_optimization": {"stage": 0},
        },
    )
    if arguments.out.exists():
        engine.load_checkpoint(str(arguments.out))
    device = next(engine.module.parameters()).device

    while scheduler.last_epoch < arguments.stop_after:
        update = scheduler.last_epoch
        rate = scheduler.get_last_lr()[0]
        total = 0.0
        for part in range(ACCUMULATE):
            # Seeded by its number, so that a resumed run sees the same batches.
            draw = torch.Generator().manual_seed(update * ACCUMULATE + part)
            batch = torch.randint(len(images), (32,), generator=draw)
            loss = nn.functional.cross_entropy(
                engine(images[batch].to(device)), digits[batch].to(device)
            )
            engine.backward(loss)
            engine.step()  # steps the optimizer and the scheduler, at the last batch of an update
            total += loss.item() / ACCUMULATE
        print(f"update {update}  rate {rate!r}  loss {total!r}")

    engine.save_checkpoint(str(arguments.out))


if __name__ == "__main__":
    main()
