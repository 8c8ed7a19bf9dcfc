"""Does a warmup matter for Adam: for a small transformer, and for a perceptron?

Transformers that normalise after their sums need one; those that normalise before, as lehr's does,
are said to do without (Xiong et al. 2020, arXiv:2002.04745). Any long text will do:

    python examples/warmup.py some-text.txt
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

from lehr.lab import PairResult, Plan, RunPlace, Size, TaskError, compare, interval

WITHOUT, WITH = "linear", "warmup('10%') >> linear()"


def compared(task: str, size: Size, out: Path) -> dict[str, PairResult]:
    """Compare the two and print the validation score at each peak; return the pairs."""
    found = compare(
        Plan(task, ("adam",), (WITHOUT, WITH), size), RunPlace(out, store=out / "trials.db")
    )
    pairs = {pair.schedule: pair for pair in found.pairs}
    print(f"{found.task.name}, {found.task.network}, {size.steps} updates")
    print(f"  score at peak {''.join(f'{peak:>8g}' for peak in pairs[WITH].peaks)}")
    for name, words in ((WITHOUT, "without"), (WITH, "with warmup")):
        means = pairs[name].sensitivity.mean
        cells = "".join("    lost" if mean is None else f"{mean:8.1%}" for mean in means)
        print(f"  {words:13} {cells}")
    return pairs


def verdict(pairs: Mapping[str, PairResult]) -> str:
    """Say what the warmup gains at each schedule's own best peak, and how high peaks may be."""
    both = zip(pairs[WITH].scores, pairs[WITHOUT].scores, strict=True)
    gains = [a - b for a, b in both if a is not None and b is not None]
    mean, low, high = (100 * (end or 0.0) for end in interval(gains))
    told = f"{mean:+.1f} points with it ({low:+.1f} to {high:+.1f})"
    matters = (
        "no difference that the seeds could show" if pairs[WITH].not_separated else "a difference"
    )
    highest = [f"{_highest(pairs[name]):g}" for name in (WITH, WITHOUT)]
    return (
        f"{matters} at the best peak: {told}; within a point of its best, the peak may be up to "
        f"{highest[0]} with it and {highest[1]} without"
    )


def _highest(pair: PairResult) -> float:
    """The highest peak whose validation score is within a point of the best."""
    means = [-1.0 if mean is None else mean for mean in pair.sensitivity.mean]
    near = [p for p, m in zip(pair.peaks, means, strict=True) if m >= max(means) - 0.01]
    return max(near)


def main() -> None:
    parser = argparse.ArgumentParser(description="Warmup for Adam.")
    parser.add_argument("text", type=Path, help="a file of 20,000 characters or more")
    parser.add_argument("--out", type=Path, default=Path("lehr-findings/warmup"))
    parser.add_argument("--quick", action="store_true", help="too few runs to trust, in seconds")
    options = parser.parse_args()
    steps, seeds = (10, (2, 1)) if options.quick else (200, (12, 3))
    size = Size(steps, *seeds, (0.003, 0.01, 0.02, 0.05, 0.1, 0.2))
    try:
        transformer = compared(f"text:{options.text}", size, options.out / "transformer")
    except TaskError as error:
        parser.error(str(error))
    perceptron = compared("digits", size, options.out / "perceptron")
    print(f"Warmup for the transformer: {verdict(transformer)}.")
    print(f"Warmup for the perceptron: {verdict(perceptron)}.")


if __name__ == "__main__":
    main()
