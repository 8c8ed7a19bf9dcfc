"""How well laws predict measured runs, and how long fitting, predicting and designing take.

Prints errors in nats and seconds of the processor. The curves are not part of the project: give the
folder with `mpl` (arXiv 2503.12811, csv) and `slimpajama_124m` (arXiv 2501.18965, json).

    python benchmarks/laws.py CURVES [--law NAME] [--json]
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lehr.laws import Law, LoggedRun, agreement, fit, read_run

FITTED = ("cosine_24000", "constant_24000", "wsdcon_9")
OTHERS = (
    "constant_72000",
    "cosine_72000",
    "wsd_20000_24000",
    "wsdld_20000_24000",
    "wsdcon_3",
    "wsdcon_18",
)
NINE = ("0.1", "0.2", "0.4", "0.6", "0.8", "0.9", "sqrt", "cos10", "cos0")
TRIPLES = {
    "cosine, 20%, constant": [(25_000, "cos10"), (25_000, "0.2"), (25_000, "constant")],
    "constant, 20%, linear": [(25_000, "constant"), (25_000, "0.2"), (25_000, "0.9")],
    "of 15k: constant, 20%, 60%": [(15_000, "constant"), (15_000, "0.2"), (15_000, "0.6")],
    "cosine 25k, 20% and 60% 15k": [(25_000, "cos0"), (15_000, "0.2"), (15_000, "0.6")],
    "constant and linear only": [(25_000, "constant"), (25_000, "0.9")],
}
WARMUP = 300


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return a result and the seconds of the processor that it took."""
    start = time.process_time()
    return call(), time.process_time() - start


def multi_power_split(folder: Path, law: str | None) -> dict[str, float]:
    """Fit three runs of arXiv 2503.12811 and predict the six others, as the paper does."""
    paths = {name: folder / f"{name}.csv" for name in (*FITTED, *OTHERS)}
    runs = {name: read_run(path, warmup=2160) for name, path in paths.items()}
    fitted = [runs[name] for name in FITTED]
    found, seconds = timed(lambda: fit(fitted, law=law, optimizer="adamw", weight_decay=0.1))
    rows = [agreement(found.predict(runs[name]), runs[name]) for name in OTHERS]
    means = {key: float(np.mean([getattr(row, key) for row in rows])) for key in vars(rows[0])}
    _, designing = timed(lambda: found.design(steps=24_000))
    return {**means, "fit_s": seconds, "design_24k_s": designing}


def averaged(history: dict[str, list[float]], of: str) -> tuple[Any, Any]:
    """Return steps and values; a run that was restarted logged some steps twice."""
    steps, inverse = np.unique(np.array(history["iter"], np.int64), return_inverse=True)
    values = np.bincount(inverse, np.array(history[of], float)) / np.bincount(inverse)
    return steps, values


class Runs:
    """The 124M runs at one peak rate."""

    def __init__(self, folder: Path, peak: float) -> None:
        self.folder, self.peak = folder, peak

    def raw(self, steps: int, kind: str) -> Any:
        lr = f"*lr{self.peak}_*"
        pattern = {
            "constant": f"stable-124m{lr}iter50000_*",
            "sqrt": f"ann124-0.2_{lr}decay_sqrt_0.2_iter{steps}_*",
            "cos10": f"cos-10-124m{lr}iter{steps}_*",
            "cos0": f"cos-zero-124m{lr}iter{steps}_*",
        }.get(kind, f"ann124-{kind}_{lr}decay_linear_{kind}_iter{steps}_*")
        path = next(self.folder.glob(pattern), None)
        if path is None:
            raise FileNotFoundError(pattern)
        return json.loads(path.read_text())

    def final(self, steps: int, kind: str) -> float:
        return float(self.raw(steps, kind)["history"]["final-val"]["final_val_loss"][0])

    def run(self, steps: int, kind: str) -> LoggedRun:
        """Return a run; a file with the cooldown only gets its beginning from the constant run."""
        history = self.raw(steps, kind)["history"]
        at, losses = averaged(history["val"], "val_loss")
        before, early = averaged(self.raw(50_000, "constant")["history"]["val"], "val_loss")
        missing = before < at[0]
        at, losses = np.append(before[missing], at), np.append(early[missing], losses)
        t = np.arange(steps + 1)
        if kind.startswith("cos"):
            at_rates, logged = averaged(history["train"], "train_lr")
            rates = np.asarray(np.interp(t, at_rates, logged), np.float64)
        else:
            share = {"constant": 0.0, "sqrt": 0.2}.get(kind)
            share = float(kind) if share is None else share
            done = np.clip((t - (1 - share) * steps) / (share * steps), 0, 1) if share else 0.0 * t
            shape = 1 - np.sqrt(done) if kind == "sqrt" else 1 - done
            rates = self.peak * np.minimum(t / WARMUP, shape)
        keep = (at >= WARMUP) & (at <= steps)
        return LoggedRun(f"{kind}-{steps}", rates, at[keep], losses[keep], WARMUP, "validation")

    def all(self) -> dict[str, LoggedRun]:
        """Return every run that there is, and the first half of the constant one."""
        found = {"constant-25000": self.run(25_000, "constant")}
        for steps, kind in itertools.product((15_000, 25_000, 35_000, 50_000), NINE):
            with contextlib.suppress(FileNotFoundError):
                found[f"{kind}-{steps}"] = self.run(steps, kind)
        return found


def ranks(values: Any) -> Any:
    return np.argsort(np.argsort(values)).astype(float)


def nine_finals(runs: Runs, triple: list[tuple[int, str]], law: str | None) -> dict[str, float]:
    """Fit short runs and predict the finals of nine schedules at 50,000 steps."""
    short = [(steps, kind) for steps, kind in triple if kind != "constant"]
    if runs.peak == 5e-4:
        triple = [(25_000 if kind.startswith("cos") else s, kind) for s, kind in triple]
        short = [(25_000 if kind.startswith("cos") else s, kind) for s, kind in short]
    fitted = [runs.run(steps, kind) for steps, kind in triple]
    found: Law
    found, seconds = timed(lambda: fit(fitted, law=law, optimizer="adamw", weight_decay=0.1))
    # Their validation losses are of a fixed part of what the finals are of.
    ends = [runs.final(s, k) - found.predict(runs.run(s, k), at=[s]).final for s, k in short]
    seen = [found.predict(runs.run(50_000, kind), at=[50_000]) for kind in NINE]
    predicted = np.array([one.final for one in seen]) + np.mean(ends)
    measured = np.array([runs.final(50_000, kind) for kind in NINE])
    pairs = [(i, j) for i in range(9) for j in range(i)]
    differences = [seen[i].minus(seen[j]) for i, j in pairs]
    inside = [
        d.low <= measured[i] - measured[j] <= d.high
        for d, (i, j) in zip(differences, pairs, strict=True)
    ]
    half = np.mean([np.ptp(one.final_interval) for one in seen]) / 2
    return {
        "mae": float(np.abs(predicted - measured).mean()),
        "spearman": float(np.corrcoef(ranks(predicted), ranks(measured))[0, 1]),
        "regret": float(measured[predicted.argmin()] - measured.min()),
        "covered_finals": float(np.mean(np.abs(predicted - measured) <= half)),
        "half_final": float(half),
        "covered_differences": float(np.mean(inside)),
        "half_difference": float(np.mean([d.high - d.low for d in differences]) / 2),
        "fit_s": seconds,
    }


def calibration(runs: dict[str, LoggedRun], sets: int, law: str | None) -> dict[str, float]:
    """Fit sets of two to four short runs, drawn by chance, and predict all the others.

    Returns:
        The shares of measured losses, of finals and of differences between finals of runs of the
        same length that lie in an interval of 90%, with half of its mean width, and the mean error
        of the finals of runs that are about twice as long as any fitted one, or longer.
    """
    draw = random.Random(11)
    short = [name for name, run in runs.items() if run.length < 30_000]
    inside: dict[str, list[bool]] = {"losses": [], "finals": [], "differences": []}
    halves: dict[str, list[float]] = {"finals": [], "differences": []}
    longer: list[float] = []
    tried: set[frozenset[str]] = set()
    while len(tried) < sets:
        names = frozenset(draw.sample(short, draw.choice((2, 3, 3, 4))))
        if names in tried or not any(runs[name].decays for name in names):
            continue
        tried.add(names)
        found = fit([runs[n] for n in sorted(names)], law=law, optimizer="adamw", weight_decay=0.1)
        rest = [name for name in runs if name not in names]
        seen = {name: found.predict(runs[name]) for name in rest}
        for name, one in seen.items():
            late = one.steps > runs[name].warmup + 0.01 * runs[name].length
            held = (one.low <= runs[name].losses) & (runs[name].losses <= one.high)
            inside["losses"] += held[late].tolist()
            inside["finals"].append(bool(held[-1]))
            halves["finals"].append(float(one.high[-1] - one.loss[-1]))
            if runs[name].length > 1.9 * found.horizon:
                longer.append(abs(one.final - float(runs[name].losses[-1])))
        for a, b in itertools.combinations(rest, 2):
            if runs[a].length == runs[b].length:
                between = seen[a].minus(seen[b])
                measured = float(runs[a].losses[-1] - runs[b].losses[-1])
                inside["differences"].append(between.low <= measured <= between.high)
                halves["differences"].append((between.high - between.low) / 2)
    return {
        **{f"covered_{name}": float(np.mean(held)) for name, held in inside.items()},
        **{f"half_{name}": float(np.mean(half)) for name, half in halves.items()},
        "mae_longer": float(np.mean(longer)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("curves", type=Path)
    parser.add_argument("--law")
    parser.add_argument("--sets", type=int, default=8, help="for the calibration; 0 for none")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    data: dict[str, dict[str, LoggedRun]] = {}
    for size in ("25M", "100M"):
        folder = options.curves / "mpl" / size
        curves = {path.stem: read_run(path, warmup=2160) for path in sorted(folder.glob("*.csv"))}
        data[size] = curves
        found[f"{size}, three runs to six"] = multi_power_split(folder, options.law)
    for peak in (1e-3, 5e-4):
        runs = Runs(options.curves / "slimpajama_124m", peak)
        data[f"124M, {peak:g}"] = runs.all()
        for name, triple in TRIPLES.items():
            found[f"124M, {peak:g}, {name}"] = nine_finals(runs, triple, options.law)
    if options.sets:
        for name, each in data.items():
            found[f"{name}, calibration"] = calibration(each, options.sets, options.law)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name, numbers in found.items():
        print(name)
        print("   ", "  ".join(f"{key} {value:.4g}" for key, value in numbers.items()))


if __name__ == "__main__":
    main()
