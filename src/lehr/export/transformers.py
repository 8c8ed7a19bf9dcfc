"""Schedules for transformers: a name of ``get_scheduler`` where one gives the same values."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from lehr.curves import Curve, Cycles, Flat, Path, Power, Ramp
from lehr.curves.easing import COSINE, LINEAR, Ease
from lehr.export.python import comment, lambda_lr, path_of, raises
from lehr.schedule.base import Schedule
from lehr.schedule.times import Over

_ROOT = Ease("1-sqrt")


@dataclass(frozen=True)
class _Named:
    """The arguments of ``get_scheduler``; ``run`` is None where its length does not matter."""

    name: str
    run: int | None
    warmup: int = 0
    own: dict[str, str | float] = field(default_factory=dict[str, str | float])


def code(schedule: Schedule) -> str:
    """Return code that makes a ``scheduler`` for an ``optimizer``, and how the Trainer takes it."""
    # A closed run is one step longer than its path: no name has that.
    special = raises(schedule) or (isinstance(schedule, Over) and schedule.closed)
    named = None if special else _named(path_of(schedule))
    if named is None:
        return lambda_lr(
            schedule, "# For a Trainer: Trainer(..., optimizers=(optimizer, scheduler))"
        )
    given = [f'    "{named.name}",', "    optimizer,"]
    arguments = [f'lr_scheduler_type="{named.name}"']
    if named.warmup:
        arguments.append(f"warmup_steps={named.warmup}")
    given.append(f"    num_warmup_steps={named.warmup},")
    if named.run is not None:
        given.append(f"    num_training_steps={named.run},")
        arguments.append(f"max_steps={named.run}")
    if named.own:
        given.append(f"    scheduler_specific_kwargs={named.own!r},")
        arguments.append(f"lr_scheduler_kwargs={named.own!r}")
    lines = ["from transformers import get_scheduler", "", comment(schedule)]
    lines.append(f"# For a Trainer: TrainingArguments({', '.join(arguments)}, ...)")
    return "\n".join([*lines, "scheduler = get_scheduler(", *given, ")", ""])


def _named(path: Path) -> _Named | None:
    """Return the schedule of transformers that has the values of a path over its run."""
    pieces = list(path.parts)
    if not pieces or not all(_is_whole(piece) for piece in pieces):
        return None
    warmup, start = 0, 0.0
    first = pieces[0]
    if isinstance(first, Ramp) and _moves(first, LINEAR, to=1.0) and len(pieces) > 1:
        warmup, start = int(first.steps), first.start
        pieces = pieces[1:]
    run = None if path.length is None else int(path.length)
    match pieces:
        case [Flat(low=1.0), Ramp() as decay]:
            return _stable(decay, warmup, start, run)
        case [one] if start == 0.0:
            return _one(one, warmup, run)
        case _:
            return None


def _is_whole(piece: Curve) -> bool:
    return piece.length is None or piece.length.denominator == 1


def _moves(piece: Ramp, ease: Ease, *, to: float | None = None) -> bool:
    return piece.ease == ease and not piece.log and to in (None, piece.to)


def _one(piece: Curve, warmup: int, run: int | None) -> _Named | None:
    """Return the schedule that is one piece after a warmup."""
    match piece:
        case Flat(low=1.0):
            return _Named("constant_with_warmup" if warmup else "constant", None, warmup)
        case Power(start=1.0, power=0.5) if isinstance(piece.tau, int):
            return _Named("inverse_sqrt", None, warmup, {"timescale": piece.tau})
        case Ramp(start=1.0) if run is not None:
            return _decay(piece, warmup, warmup + int(piece.steps))
        case Cycles(scale=1, stretch=1, curve=Ramp(start=1.0, to=0.0) as cycle):
            whole = piece.count or (None if run is None else (run - warmup) / piece.size)
            if whole is None or whole != int(whole) or not _moves(cycle, COSINE):
                return None
            return _restarts(piece.size, int(whole), warmup)
        case _:
            return None


def _decay(piece: Ramp, warmup: int, run: int) -> _Named | None:
    if _moves(piece, LINEAR, to=0.0):
        return _Named("linear", run, warmup)
    if _moves(piece, COSINE, to=0.0):
        return _Named("cosine", run, warmup)
    if _moves(piece, COSINE) and 0 < piece.to < 1:
        return _Named("cosine_with_min_lr", run, warmup, {"min_lr_rate": piece.to})
    if piece.ease.name == "power" and not piece.log and piece.to == 0:
        own: dict[str, str | float] = {"lr_end": 0.0, "power": piece.ease.parameters[0]}
        return _Named("polynomial", run, warmup, own)
    return None


def _restarts(size: Fraction, count: int, warmup: int) -> _Named | None:
    left = size * count
    # transformers finds restarts in floating point, which may miss one by a rounding error.
    met = all(count * (float(size * k) / float(left)) == k for k in range(count))
    if left.denominator != 1 or not met:
        return None
    return _Named("cosine_with_restarts", warmup + int(left), warmup, {"num_cycles": count})


def _stable(decay: Ramp, warmup: int, start: float, run: int | None) -> _Named | None:
    """Return the schedule that holds the peak before it decays; both begin and end at one level."""
    kinds = {LINEAR: "linear", COSINE: "cosine", _ROOT: "1-sqrt"}
    if decay.ease not in kinds or decay.log or decay.start != 1 or run is None:
        return None
    if decay.to != start and warmup:
        return None
    own: dict[str, str | float] = {"num_decay_steps": int(decay.steps)}
    own["decay_type"] = kinds[decay.ease]
    if decay.to:
        own["min_lr_ratio"] = decay.to
    return _Named("warmup_stable_decay", run, warmup, own)
