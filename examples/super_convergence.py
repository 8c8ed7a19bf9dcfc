"""Does one-cycle reach a step decay's accuracy in fewer updates, at a high peak rate?

That is super-convergence, seen with residual networks on images (Smith and Topin 2017,
arXiv:1708.07120). Here a perceptron learns digits in runs of several lengths. For each length both
schedules get their best peak rate from the same rates, with the same budget.
"""

import argparse
from pathlib import Path

from lehr.lab import PairResult, Plan, RunPlace, Size, compare

CLOSE = 0.005  # half a point: that near counts as reached
PEAKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def train(steps: int, seeds: int, tuning_seeds: int, out: Path) -> dict[str, PairResult]:
    """Compare the two in runs of one length; return the pair of each schedule."""
    size = Size(steps, seeds, tuning_seeds, PEAKS)
    plan = Plan("digits", ("momentum",), ("step", "one_cycle"), size)
    found = compare(plan, RunPlace(out / f"{steps}-updates", store=out / "trials.db"))
    return {pair.schedule: pair for pair in found.pairs}


def first(runs: dict[int, dict[str, PairResult]], schedule: str, goal: float) -> int | None:
    """The fewest updates with which a schedule reaches the goal."""
    return next((n for n, p in runs.items() if (p[schedule].score or 0) >= goal - CLOSE), None)


def verdict(runs: dict[int, dict[str, PairResult]]) -> str:
    longest = max(runs)
    goal = runs[longest]["step"].score or 0
    step, cycle = (first(runs, schedule, goal) for schedule in ("step", "one_cycle"))
    assert step is not None
    told = f"Step decay over {longest} updates scores {goal:.1%}. "
    if cycle is None:
        return f"{told}One-cycle does not come within half a point: no super-convergence here."
    peaks = runs[step]["step"].peak, runs[cycle]["one_cycle"].peak
    told += (
        f"Within half a point of that, step decay needs {step} updates (peak {peaks[0]:g}) and "
        f"one-cycle {cycle} (peak {peaks[1]:g}). "
    )
    if cycle >= step:
        return f"{told}One-cycle is no faster: no super-convergence here."
    if peaks[1] <= peaks[0]:
        return (
            f"{told}One-cycle is {step / cycle:.1f} times as fast, but not by a higher peak: that "
            "is not super-convergence."
        )
    return (
        f"{told}One-cycle is faster at a higher peak: super-convergence, {step / cycle:.1f}-fold."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="One-cycle against step decay.")
    parser.add_argument("--out", type=Path, default=Path("lehr-findings/super-convergence"))
    parser.add_argument("--quick", action="store_true", help="too few runs to trust, in seconds")
    options = parser.parse_args()
    lengths = (20, 40) if options.quick else (40, 60, 80, 120, 160, 240, 320)
    seeds = (3, 1) if options.quick else (16, 4)
    runs: dict[int, dict[str, PairResult]] = {}
    print("updates  step decay          one-cycle")
    for steps in lengths:
        runs[steps] = train(steps, *seeds, options.out)
        cells = [
            f"{runs[steps][name].score:.1%} at peak {runs[steps][name].peak:<5g}"
            for name in ("step", "one_cycle")
        ]
        print(f"{steps:7}  {'  '.join(cells)}", flush=True)
    print(verdict(runs))


if __name__ == "__main__":
    main()
