"""The driven numbers, by name, in TensorBoard; Weights & Biases and MLflow take the same dict.

python examples/trainers/log_tensorboard.py --out run
tensorboard --logdir run
"""

import argparse
from pathlib import Path

import torch
from torch import nn
from torch.utils.tensorboard import SummaryWriter

import lehr
from lehr.torch import Scheduler

UPDATES = 100


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="where the log is written")
    out = parser.parse_args().out

    torch.manual_seed(0)
    body, head = nn.Linear(8, 8), nn.Linear(8, 1)
    optimizer = torch.optim.SGD(
        [
            {"params": body.parameters(), "lr": 0.01, "name": "body"},
            {"params": head.parameters(), "lr": 0.1, "name": "head"},
        ],
        momentum=0.9,
    )
    scheduler = Scheduler(
        optimizer,
        lr=lehr.warmup("10%") >> lehr.cosine(to=0.1),
        momentum=0.95 - 0.1 * lehr.linear(),
        over=UPDATES,
    )

    with SummaryWriter(str(out)) as writer:
        for update in range(UPDATES):
            x = torch.randn(16, 8)
            loss = (head(body(x)) - x.sum(1, keepdim=True)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            # Before the step: what this update uses.
            for name, value in scheduler.logged().items():
                writer.add_scalar(name, value, update)
            optimizer.step()
            scheduler.step()
            writer.add_scalar("loss", loss.item(), update)


if __name__ == "__main__":
    main()
