"""timm's factory ``create_scheduler_v2``, by the name of the schedule."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lehr.errors import number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.translate.arguments import NotNegative, Positive, one_of
from lehr.translate.registry import Translation, translates
from lehr.translate.timm import classes
from lehr.translate.timm.cycles import TimmCycles, TimmWarmup

_NAMES: Final = (
    *("cosine", "tanh", "step", "constant", "multistep", "poly", "wsd", "rsqrt"),
    *("plateau", "none"),
)


@dataclass(frozen=True, kw_only=True)
class TimmFactory:
    """The arguments of the factory. Each schedule uses some of them."""

    num_epochs: Positive = 300
    decay_epochs: float | None = None
    decay_milestones: Sequence[float] = (90, 180, 270)
    cooldown_epochs: int = 0
    patience_epochs: int = 10
    decay_rate: float = 0.1
    min_lr: float = 0.0
    warmup_lr: float = 1e-5
    warmup_epochs: NotNegative = 0
    warmup_prefix: bool = False
    noise: Any = None
    cycle_mul: float = 1.0
    cycle_decay: float = 0.1
    cycle_limit: int = 1
    k_decay: Positive = 1.0
    decay_fn: str | Callable[[float], float] | None = None
    stable_timescale: float | None = None
    plateau_mode: str = "max"
    step_on_epochs: bool = True
    updates_per_epoch: int = 0
    lr: float | None = None
    faithful: bool = False

    @property
    def per(self) -> int:
        """The steps of an epoch."""
        if self.step_on_epochs:
            return 1
        return whole("updates_per_epoch", self.updates_per_epoch, at_least=1)

    @property
    def total(self) -> float:
        return self.num_epochs * self.per

    @property
    def rise(self) -> float:
        return self.warmup_epochs * self.per

    @property
    def warmup(self) -> TimmWarmup:
        return TimmWarmup(
            warmup_t=self.rise, warmup_lr_init=self.warmup_lr, noise_range_t=self.noise, lr=self.lr
        )

    @property
    def cycles(self) -> TimmCycles:
        return TimmCycles(
            t_initial=self.total,
            lr_min=self.min_lr,
            cycle_mul=self.cycle_mul,
            cycle_decay=self.cycle_decay,
            cycle_limit=self.cycle_limit,
            warmup_prefix=self.warmup_prefix,
            faithful=self.faithful,
        )


@translates("timm", "create_scheduler_v2")
def _by_argument(given: TimmFactory, sched: str = "cosine") -> Translation | Schedule:
    return _create(one_of("sched", sched, _NAMES), given)


def _create(sched: str, given: TimmFactory) -> Translation | Schedule:
    match sched:
        case "none":
            return hold(at=1.0)
        case "cosine":
            return classes.cosine(given.cycles, given.warmup, k_decay=given.k_decay)
        case "tanh":
            return classes.tanh(given.cycles, given.warmup)
        case "poly":
            # The factory passes its decay_rate as the power.
            return classes.poly(given.cycles, given.warmup, given.decay_rate, given.k_decay)
        case "plateau":
            return classes.plateau(
                given.warmup,
                decay_rate=given.decay_rate,
                patience_t=given.patience_epochs,
                lr_min=given.min_lr,
                mode=given.plateau_mode,
            )
        case "wsd" | "rsqrt":
            return _wsd(sched, given)
        case _:
            return _stairs(sched, given)


def _stairs(sched: str, given: TimmFactory) -> Translation | Schedule:
    prefix, rate = given.warmup_prefix, given.decay_rate
    if sched == "multistep":
        falls = [milestone * given.per for milestone in given.decay_milestones]
        return classes.multistep(given.warmup, decay_t=falls, decay_rate=rate, warmup_prefix=prefix)
    if sched == "constant":
        rate = 1.0
    every = (90 if given.decay_epochs is None else given.decay_epochs) * given.per
    return classes.steps_down(
        given.warmup, every, rate, warmup_prefix=prefix, faithful=given.faithful
    )


def _wsd(sched: str, given: TimmFactory) -> Schedule:
    # The warmup always comes first here: without the prefix, the rest has to make room for it.
    left = given.total if given.warmup_prefix else given.total - given.rise
    fall = 0.2
    if given.decay_epochs is not None:
        fall = number("decay_epochs", given.decay_epochs, above=0)
    timescale = given.stable_timescale
    return classes.wsd(
        given.warmup,
        t_initial=left,
        decay_t=round(fall * left if 0 < fall < 1 else fall * given.per),
        lr_min=given.min_lr,
        stable_fn="rsqrt" if sched == "rsqrt" else "constant",
        stable_timescale=None if timescale is None else timescale * given.per,
        decay_fn=given.decay_fn or ("linear" if sched == "rsqrt" else "1-sqrt"),
    )


for _name in _NAMES:
    translates("timm", _name)(functools.partial(_create, _name))
