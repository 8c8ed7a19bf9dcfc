"""Accelerate, with gradient accumulation, on one process or several.

Trains a small network on handwritten digits and prints the rate and the loss of every update.
Interrupted and resumed, it continues as if nothing had happened:

    torchrun --standalone --nproc-per-node 2 examples/trainers/train_accelerate.py --out run \\
        --stop-after 20
    torchrun --standalone --nproc-per-node 2 examples/trainers/train_accelerate.py --out run
"""

import argparse
from pathlib import Path

import torch
from accelerate import Accelerator
from sklearn.datasets import load_digits
from torch import nn

import lehr
from lehr.interop.accelerate import prepare
from lehr.torch import Scheduler

SCHEDULE = lehr.warmup("10%") >> lehr.hold() >> lehr.cosine("40%", to=0.1)
UPDATES = 40
ACCUMULATE = 2  # batches whose gradients are summed for one update


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="where the checkpoint is kept")
    parser.add_argument("--stop-after", type=int, default=UPDATES, help="save and stop early")
    arguments = parser.parse_args()

    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=ACCUMULATE)
    images, digits = (torch.tensor(part) for part in load_digits(return_X_y=True))
    images = images.float() / 16  # pixels from 0 to 1

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    # Counted in updates: neither accumulation nor the number of processes changes `over`.
    scheduler = Scheduler(optimizer, lr=SCHEDULE, over=UPDATES)
    model, optimizer = accelerator.prepare(model, optimizer)
    driver = prepare(accelerator, scheduler)

    if arguments.out.exists():
        accelerator.load_state(str(arguments.out))

    while scheduler.last_epoch < arguments.stop_after:
        update = scheduler.last_epoch
        rate = scheduler.get_last_lr()[0]
        total = torch.zeros(1)
        for part in range(ACCUMULATE):
            # Seeded by its number, so that a resumed run sees the same batches.
            seed = (update * ACCUMULATE + part) * accelerator.num_processes
            draw = torch.Generator().manual_seed(seed + accelerator.process_index)
            batch = torch.randint(len(images), (32,), generator=draw)
            with accelerator.accumulate(model):
                loss = nn.functional.cross_entropy(model(images[batch]), digits[batch])
                accelerator.backward(loss)
                optimizer.step()
                driver.step()  # after each batch: it moves when the optimizer does
                optimizer.zero_grad()
            total += loss.detach() / ACCUMULATE
        rates = accelerator.gather(torch.tensor([rate], dtype=torch.float64)).tolist()
        losses = accelerator.gather(total).tolist()
        for rank, (rate, loss) in enumerate(zip(rates, losses, strict=True)):
            accelerator.print(f"rank {rank}  update {update}  rate {rate!r}  loss {loss!r}")

    accelerator.save_state(str(arguments.out))
    accelerator.end_training()


if __name__ == "__main__":
    main()
