"""The number by which runs are compared, in its own unit: a score or a loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

SHARE = "share"
_FINE = ("nats", "bits")  # units in which a hundredth is little, but a thousandth is worth printing


@dataclass(frozen=True)
class Metric:
    """The number by which runs are compared.

    `Metric.score` and `Metric.loss` make the usual ones; the constructor makes any other, such as
    a reward: ``Metric("reward", unit="", higher=True)``.

    Attributes:
        name: Its name without the part of the data, such as "accuracy" or "loss".
        unit: "share" for shares from 0 to 1, which are printed in percent and compared in points;
            otherwise the name of the unit, such as "nats" or "bits"; empty for a plain number,
            such as a perplexity.
        higher: Whether higher is better.
        guess: The value assigned to a run that diverged, such as that of random guessing. Without
            it such a run has no value: its pair ranks behind those whose runs all have one, and
            means and intervals are over its other runs.
        tolerance: The largest difference that is still a tie, in the unit. By default it is 0.01
            for shares (a point), nats and bits, and 1 % of the best number for other units.

    Raises:
        ValueError: If the parts contradict one another or are out of range.
    """

    name: str
    unit: str
    higher: bool
    guess: float | None = None
    tolerance: float | None = None

    def __post_init__(self) -> None:
        if self.higher and self.unit in _FINE:
            raise ValueError(f"unit={self.unit!r} is the unit of a loss: write higher=False")
        if self.guess is not None:
            self.check("guess", self.guess)
        if self.tolerance is not None and not 0 < self.tolerance < math.inf:
            raise ValueError(f"tolerance={self.tolerance!r} must be above 0: write 0.01")

    @classmethod
    def score(
        cls, name: str = "score", guess: float | None = None, tolerance: float | None = None
    ) -> Metric:
        """Make a score: a share from 0 to 1; higher is better.

        Example:
            >>> Metric.score("accuracy", guess=0.1).text(0.9341)
            '93.4%'
        """
        return cls(name, SHARE, True, guess, tolerance)

    @classmethod
    def loss(
        cls,
        name: str = "loss",
        unit: str = "",
        guess: float | None = None,
        tolerance: float | None = None,
    ) -> Metric:
        """Make a loss; lower is better.

        Example:
            >>> Metric.loss(unit="nats").text(1.48318), Metric.loss("perplexity").text(21.3456)
            ('1.483 nats', '21.35')
        """
        return cls(name, unit, False, guess, tolerance)

    def check(self, name: str, value: float) -> None:
        """Raise ValueError unless the metric can have this value; `name` is for the message."""
        if not math.isfinite(value):
            raise ValueError(f"{name}={value!r} must be finite")
        if self.is_share and not 0 <= value <= 1:
            raise ValueError(f"{name}={value!r} must be a share, from 0 to 1: write 0.97")

    @property
    def is_share(self) -> bool:
        """Whether its values are shares, from 0 to 1."""
        return self.unit == SHARE

    def cost(self, value: float) -> float:
        """Return a value as a cost, in the metric's unit; lower is better."""
        return -value if self.higher else value

    def reaches(self, value: float | None, target: float) -> bool:
        """Return whether a value is as good as the target, or better."""
        return value is not None and self.cost(value) <= self.cost(target)

    def order(self, values: Sequence[float | None]) -> tuple[int, float]:
        """Return a key that sorts contenders by the values of their runs, best first.

        The first part is the number of runs without a value, the second the mean cost of the
        others.

        Example:
            >>> loss = Metric.loss()
            >>> sorted([[1.0, None], [3.0, 2.0], [1.5, 1.0]], key=loss.order)
            [[1.5, 1.0], [3.0, 2.0], [1.0, None]]
        """
        known = [self.cost(value) for value in values if value is not None]
        mean = math.fsum(known) / len(known) if known else math.inf
        return len(values) - len(known), mean

    def margin(self, best: float) -> float:
        """Return the largest difference from this best value that still counts as none."""
        if self.tolerance is not None:
            return self.tolerance
        return 0.01 if self.is_share or self.unit in _FINE else 0.01 * abs(best)

    @property
    def near(self) -> str:
        """The range of `margin` in words, for "within ..."."""
        if self.tolerance is None and not (self.is_share or self.unit in _FINE):
            return "1% of the best"
        margin = self.margin(0.0)
        if self.is_share and margin == 0.01:
            return "a point of the best"
        return f"{100 * margin if self.is_share else margin:g}{self.units} of the best"

    @property
    def gain(self) -> float:
        """The factor from values to the printed and drawn numbers."""
        return 100.0 if self.is_share else 1.0

    @property
    def units(self) -> str:
        """The unit of a difference, with a leading space: " points", " nats" or nothing."""
        return " points" if self.is_share else f" {self.unit}" if self.unit else ""

    @property
    def direction(self) -> str:
        """The unit and the direction, for an axis: "percent; higher is better"."""
        better = f"{'higher' if self.higher else 'lower'} is better"
        return f"{self._on_axes}; {better}" if self.unit else better

    @property
    def _on_axes(self) -> str:
        return "percent" if self.is_share else self.unit

    @property
    def title(self) -> str:
        """The name of its value on the test data, with the unit: "Test accuracy in percent"."""
        return f"Test {self.name}{f' in {self._on_axes}' if self.unit else ''}"

    def number(self, value: float) -> str:
        """Write a value without its unit; shares are in percent."""
        if self.is_share:
            return f"{100 * value:.1f}"
        return f"{value:.3f}" if self.unit in _FINE and abs(value) < 1e4 else f"{value:.4g}"

    def text(self, value: float) -> str:
        """Write a value with its unit."""
        if self.is_share:
            return f"{self.number(value)}%"
        return f"{self.number(value)} {self.unit}".rstrip()

    def difference(self, value: float) -> str:
        """Write a difference without its unit; those of shares are in points.

        Example:
            >>> Metric.score().difference(0.0042), Metric.loss(unit="nats").difference(0.0123)
            ('0.4', '0.012')
        """
        # Adding zero turns a negative zero into a positive one.
        if self.is_share:
            return f"{round(100 * value, 1) + 0:.1f}"
        if self.unit in _FINE and abs(value) < 1e4:
            return f"{round(value, 3) + 0:.3f}"
        return f"{value + 0:.2g}"
