"""One stable run, several cooldowns: what the network would be worth at several lengths.

With a warmup-stable-decay schedule the length of the run need not be known beforehand. The stable
run is trained once; at each length of interest it is saved, and a branch goes down from there while
the stable run goes on. Each branch ends where a run of that length would have ended:

    python examples/wsd_branches.py --steps 600 --branches 3

(Hägele et al. 2024, Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations,
arXiv:2405.18392.)
"""

import argparse
import copy
import math

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import lehr
from lehr.torch import Scheduler


class Run:
    """A network in training, which can be saved as a whole and resumed elsewhere."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.01, weight_decay=0.1)
        # No run length: the plateau lasts until a branch leaves it.
        self.scheduler = Scheduler(self.optimizer, lr=lehr.warmup(50) >> lehr.hold())
        self.batches = torch.Generator().manual_seed(1)

    def state(self) -> dict:
        """Return all that the next update depends on."""
        parts = (self.model, self.optimizer, self.scheduler)
        return copy.deepcopy(
            {type(part).__name__: part.state_dict() for part in parts}
            | {"batches": self.batches.get_state()}
        )

    @classmethod
    def resume(cls, state: dict) -> "Run":
        """Return the run that was saved."""
        run = cls()
        for part in (run.model, run.optimizer, run.scheduler):
            part.load_state_dict(copy.deepcopy(state[type(part).__name__]))
        run.batches.set_state(state["batches"])
        return run

    def train(self, images: torch.Tensor, digits: torch.Tensor, steps: int) -> None:
        """Make this many updates."""
        for _ in range(steps):
            chosen = torch.randint(len(images), (32,), generator=self.batches)
            self.optimizer.zero_grad()
            nn.functional.cross_entropy(self.model(images[chosen]), digits[chosen]).backward()
            self.optimizer.step()
            self.scheduler.step()

    @torch.no_grad()
    def loss(self, images: torch.Tensor, digits: torch.Tensor) -> float:
        """Return the loss on some images."""
        return nn.functional.cross_entropy(self.model(images), digits).item()


def main() -> None:
    parser = argparse.ArgumentParser(description="Branch cooldowns off one stable run.")
    parser.add_argument("--steps", type=int, default=600, help="of the longest run")
    parser.add_argument("--branches", type=int, default=3, help="lengths to look at")
    given = parser.parse_args()
    if given.branches < 1 or given.steps < 100 * given.branches:
        parser.error("write at least 1 branch, and at least 100 steps for each")

    images, digits = load_digits(return_X_y=True)
    parts = train_test_split(images / 16, digits, test_size=0.25, random_state=0, stratify=digits)
    train_x, test_x = (torch.tensor(part, dtype=torch.float32) for part in parts[:2])
    train_y, test_y = (torch.tensor(part) for part in parts[2:])

    stable = Run()
    for branch in range(1, given.branches + 1):
        length = given.steps * branch // given.branches
        cooldown = math.ceil(length / 5)
        stable.train(train_x, train_y, length - cooldown - stable.scheduler.last_epoch)
        leaving = Run.resume(stable.state())
        before = leaving.loss(test_x, test_y)
        leaving.scheduler.cooldown(cooldown, ease="1-sqrt")
        leaving.train(train_x, train_y, cooldown)
        after = leaving.loss(test_x, test_y)
        rate = leaving.scheduler.get_last_lr()[0]
        print(
            f"steps {length:4d}  left {length - cooldown:4d}  before {before:.4f}  "
            f"after {after:.4f}  rate {rate:.4f}"
        )


if __name__ == "__main__":
    main()
