"""Loss laws where they are not known to hold: small networks and data, many epochs, SGD.

Trains short and longer runs, fits three short ones, and prints predicted and measured final
training losses of the longer ones. Takes about a minute.

    python benchmarks/laws_small.py [--short 400] [--long 1000] [--seeds 12] [--json]
"""

# pyright: basic

from __future__ import annotations

import argparse
import json

import numpy as np

import lehr
from lehr.lab.training.population import train_population
from lehr.lab.trial import Trial, evaluation_steps
from lehr.laws import LoggedRun, agreement, fit

SCHEDULES = {
    "constant": "warmup(20) >> hold()",
    "linear": "warmup(20) >> linear()",
    "20%": "warmup(20) >> hold() >> linear('20%')",
    "40%": "warmup(20) >> hold() >> linear('40%')",
    "cosine": "warmup(20) >> cosine()",
    "cosine to .1": "warmup(20) >> cosine(to=0.1)",
}
FITTED = ("constant", "linear", "20%")
CASES = (
    ("digits", "sgd", 0.1),
    ("digits", "sgd", 0.3),
    ("digits", "adamw", 3e-3),
    ("breast_cancer", "sgd", 0.1),
)


def trained(task: str, optimizer: str, peak: float, steps: int, seeds: int) -> dict[str, LoggedRun]:
    """Return a run for each schedule: its mean training losses over seeds."""
    texts = [text for text in SCHEDULES.values() for _ in range(seeds)]
    trials = [
        Trial(task, optimizer, lehr.parse(text), None, steps, peak, i % seeds)
        for i, text in enumerate(texts)
    ]
    outcomes = train_population(trials)
    # A loss is the mean since the evaluation before.
    ends = np.array(evaluation_steps(steps))
    middles = ((ends + np.append(0, ends[:-1])) // 2).astype(np.int64)
    found: dict[str, LoggedRun] = {}
    for i, (name, text) in enumerate(SCHEDULES.items()):
        losses = [outcome.loss for outcome in outcomes[i * seeds : (i + 1) * seeds]]
        mean = np.mean(np.array(losses, float), axis=0)
        rates = peak * np.asarray(lehr.parse(text).over(steps)(np.arange(steps)))
        found[name] = LoggedRun(name, rates, middles, mean, 20, "training")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", type=int, default=400)
    parser.add_argument("--long", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for task, optimizer, peak in CASES:
        short, long = (
            trained(task, optimizer, peak, steps, options.seeds)
            for steps in (options.short, options.long)
        )
        law = fit([short[name] for name in FITTED], optimizer=optimizer, weight_decay=0.01)
        seen = {name: law.predict(one) for name, one in long.items()}
        finals = {name: (found.final, float(long[name].losses[-1])) for name, found in seen.items()}
        covered = [agreement(found, long[name]).covered for name, found in seen.items()]
        rows.append(
            {
                "case": f"{task}, {optimizer}, {peak:g}",
                "law": law.name,
                "residuals": law.noise,
                "finals": finals,
                "covered": float(np.mean(covered)),
            }
        )
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print(f"{row['case']}: {row['law']}, residuals {row['residuals']:.3f}", end=", ")
        print(f"inside the interval {row['covered']:.2f}")
        for name, (predicted, measured) in row["finals"].items():
            print(f"    {name:<14} predicted {predicted:.4f}, measured {measured:.4f}")


if __name__ == "__main__":
    main()
