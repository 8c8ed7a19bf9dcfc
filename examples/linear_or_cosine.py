"""Is it better to end at zero, in a straight line, or at a tenth of the peak, along a cosine?

Large language models that were trained near their best did better with the line to zero, and the
more so the longer they were trained (Bergsma et al. 2025, arXiv:2502.15938). Here small networks
learn digits, and a point seeks the bottom of a noisy quadratic.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

from lehr.lab import Interval, PairResult, Plan, RunPlace, Size, compare, interval

LINE, TENTH = "linear", "cosine(to=0.1)"

COMPARISONS = 9
"""Three optimizers at three lengths: intervals are so wide that all of them hold at once."""


def gains(line: PairResult, tenth: PairResult) -> dict[int, Interval]:
    """Return by how many points the line is better, seed by seed, for each number of updates."""
    return {
        a.steps: interval(
            [
                100 * (x - y)
                for x, y in zip(a.scores, b.scores, strict=True)
                if x is not None and y is not None
            ],
            1 - 0.05 / COMPARISONS,
        )
        for a, b in zip(line.lengths, tenth.lengths, strict=True)
    }


def verdict(found: Mapping[int, Interval]) -> str:
    """Say in which runs one of them is better, beyond chance."""
    line = [str(n) for n, (_, low, _) in found.items() if low is not None and low > 0]
    tenth = [str(n) for n, (_, _, high) in found.items() if high is not None and high < 0]
    told = [
        f"{name} is better at {' and '.join(runs)} updates"
        for name, runs in (("the line to zero", line), ("the cosine to a tenth", tenth))
        if runs
    ]
    if len(line) + len(tenth) < len(found):
        told.append("the rest are ties" if told else "all are ties")
    return "; ".join(told)


def show(task: str, optimizers: tuple[str, ...], size: Size, out: Path) -> None:
    """Compare the two and print the result."""
    plan = Plan(task, optimizers, (LINE, TENTH), size)
    found = compare(plan, RunPlace(out / task, store=out / "trials.db"))
    pairs = {(pair.optimizer, pair.schedule): pair for pair in found.pairs}
    for optimizer in optimizers:
        line, tenth = (pairs[optimizer, schedule] for schedule in (LINE, TENTH))
        print(f"{task}, {optimizer}: peaks {line.peak:g} and {tenth.peak:g}")
        better = gains(line, tenth)
        for a, b in zip(line.lengths, tenth.lengths, strict=True):
            mean, low, high = better[a.steps]
            print(
                f"  {a.steps:4} updates: line {a.score:.2%}, cosine {b.score:.2%}; "
                f"line less cosine {mean:+.2f} points ({low:+.2f} to {high:+.2f})"
            )
        print(f"  {verdict(better)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="A line to zero against a cosine to a tenth.")
    parser.add_argument("--out", type=Path, default=Path("lehr-findings/linear-or-cosine"))
    parser.add_argument("--quick", action="store_true", help="too few runs to trust, in seconds")
    options = parser.parse_args()
    seeds = (3, 1) if options.quick else (30, 6)
    steps, lengths = (20, (10, 40)) if options.quick else (150, (50, 450))
    digits = Size(steps, *seeds, (0.02, 0.05, 0.1, 0.2, 0.5), lengths=lengths)
    show("digits", ("momentum", "adam"), digits, options.out)
    quadratic = Size(steps, *seeds, (0.2, 0.5, 1.0, 1.3, 1.6, 1.9), lengths=lengths)
    show("quadratic", ("sgd",), quadratic, options.out)


if __name__ == "__main__":
    main()
