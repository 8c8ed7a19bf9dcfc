"""The advice for schedulers that follow a metric: lehr's feedback rule with their arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from lehr.errors import ScheduleError
from lehr.translate.arguments import share_of


def rule_text(
    rule: str,
    lr: float | None,
    rates: Mapping[str, float],
    *,
    eps: float | None = None,
    **arguments: Any,
) -> str:
    """Return a feedback rule of lehr as text.

    In the library ``rates`` and ``eps`` (1e-8 unless given) are rates; in lehr, factors of ``lr``.
    """
    absolute = dict(rates)
    if eps is not None or lr is not None:
        absolute["eps"] = 1e-8 if eps is None else eps
    known = arguments | dict(zip(absolute, share_of(lr, **absolute), strict=True))
    return f"lehr.{rule}({', '.join(f'{name}={value!r}' for name, value in known.items())})"


def follows_a_metric(label: str, *rules: str) -> ScheduleError:
    """Return the error that names the rule to use instead, or one for each parameter group."""
    each = rules[0]
    if len(set(rules)) > 1:
        each = ", ".join(f"{rule} for group {index}" for index, rule in enumerate(rules))
    return ScheduleError(
        f"{label} follows a metric, so its rate is not a function of the step; use the feedback "
        f"rule {each}"
    )


@dataclass(frozen=True, kw_only=True)
class ReduceOnPlateau:
    """The arguments of torch's ``ReduceLROnPlateau``, which other libraries wrap."""

    mode: str = "min"
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    min_lr: float | Sequence[float] = 0.0
    eps: float | None = None
    lr: float | Sequence[float] | None = None

    def error(self, label: str) -> ScheduleError:
        """Return the error that names the rule, or one rule a group where they differ."""
        floors, bases = _each(self.min_lr), _each(self.lr)
        count = max(len(floors), len(bases))
        if {len(floors), len(bases)} - {1, count}:
            raise ScheduleError(
                f"{label}: min_lr={self.min_lr!r}, lr={self.lr!r}: write one a group in both"
            )
        own = {name: value for name, value in vars(self).items() if name not in ("min_lr", "lr")}
        rules = [
            rule_text("plateau", base, {"floor": floor}, **own)
            for floor, base in zip(
                floors * (count // len(floors)), bases * (count // len(bases)), strict=True
            )
        ]
        return follows_a_metric(label, *rules)


def _each(value: Any) -> list[Any]:
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else [value]
