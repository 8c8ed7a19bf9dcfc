"""A state that was tampered with is refused by the name of its key, and then nothing has changed.

Every key of the state of every drop-in, container and scheduler is replaced by each of a table of
bad values. Either the load says which key is wrong, and the optimizer, the scheduler and the next
rates are those of an untouched twin; or the value is one that it might have had, and what follows
is finite.
"""

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import lehr
import lehr.torch as ours
from driving import make_optimizer, read
from twins import ARGUMENTS, METRICS, Run, saved

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

BAD: list[Any] = [float("nan"), float("-inf"), -1.0, 1j, None, "x", 10**400, 2.5, 2**53 + 1, {}]
"""The values put in place of a value, and of each item of a list or a dict."""

ALL_BAD: list[Any] = [
    *[float("nan"), float("inf"), float("-inf"), -1.0, -7, 1j, None, "", "x", "0.1", True],
    *[10**400, -(10**400), 1e308, 2.5, -0.5, 2**53 + 1, 0, [], {}, [0.1] * 7, b"x", object()],
]
"""The values put in their place in the slow tests."""

OVERFLOWING = 1e308
"""In a child of a container it may become infinite later only: it is the step that is refused."""

FEW: list[Any] = [float("nan"), -1.0, None, "x", 10**400]
"""The same for containers, whose children are tampered with alone as well."""

BARE = (OverflowError, KeyError, ZeroDivisionError, RuntimeError, AttributeError, IndexError)
"""Errors that are never raised for a state."""


class Power:
    """A callable object: its attributes are in the state."""

    def __init__(self, base: float = 0.9) -> None:
        self.base = base

    def __call__(self, epoch: float) -> float:
        return self.base**epoch


def patient(epoch: float) -> float:
    """Give a factor, but not for ever: a position out of all bounds must not be walked to."""
    ASKED[0] += 1
    assert ASKED[0] < 20_000, "the functions were asked for ever"
    return 1 - 0.5 / (epoch + 1)


ASKED = [0]


def drop_in(name: str, **more: Any) -> Callable[[Any], Any]:
    """Return a function that builds a drop-in over an optimizer."""
    arguments = {**ARGUMENTS.get(name, {}), **more}
    if "lr_lambda" in arguments:
        arguments["lr_lambda"] = patient
    return lambda optimizer: getattr(ours, name)(optimizer, **arguments)


def sequence(name: str) -> Callable[[Any], Any]:
    """Return a function that builds a sequence that is in a child of this name."""

    def make(optimizer: Any) -> Any:
        first = drop_in("LinearLR", total_iters=2)(optimizer)
        return ours.SequentialLR(optimizer, [first, drop_in(name)(optimizer)], [2])

    return make


def chain(name: str) -> Callable[[Any], Any]:
    """Return a function that builds a chain with a child of this name."""

    def make(optimizer: Any) -> Any:
        return ours.ChainedScheduler([drop_in(name)(optimizer), ours.ExponentialLR(optimizer, 0.9)])

    return make


def plateau(optimizer: Any) -> Any:
    """Build a scheduler that follows a metric."""
    rule = lehr.plateau(patience=1)
    scheduler = ours.Scheduler(optimizer, lr=lehr.linear(40), feedback=rule, guards="off")
    for metric in METRICS[:4]:
        scheduler.report(metric)
    return scheduler


def scheduler(**arguments: Any) -> Callable[[Any], Any]:
    """Return a function that builds a scheduler over an optimizer."""
    return lambda optimizer: ours.Scheduler(optimizer, guards="off", **arguments)


def changed(optimizer: Any) -> Any:
    """Build a scheduler whose plan was changed."""
    built = ours.Scheduler(optimizer, lr=lehr.linear(40), guards="off")
    built.seek(2)
    built.scale(0.5)
    return built


BUILDS: dict[str, Callable[[Any], Any]] = {
    **{name: drop_in(name) for name in ARGUMENTS},
    "TrapezoidalLR": drop_in("TrapezoidalLR", base_lr=0.01, max_lr=0.5),
    "LambdaLR of objects": lambda optimizer: ours.LambdaLR(optimizer, [Power(0.9), Power(0.8)]),
    "CyclicLR of an object": lambda optimizer: ours.CyclicLR(
        optimizer, 0.1, 1.0, step_size_up=4, scale_fn=Power(0.9)
    ),
    "TrapezoidalLR of an object": lambda optimizer: ours.TrapezoidalLR(
        optimizer, 0.1, 1.0, scale_fn=Power(0.9)
    ),
    **{f"sequence with {n}": sequence(n) for n in ("MultiStepLR", "OneCycleLR", "SWALR")},
    **{f"chain with {n}": chain(n) for n in ("CyclicLR", "MultiplicativeLR")},
    "scheduler": scheduler(lr=lehr.linear(40)),
    "scheduler of two numbers": scheduler(
        lr=[lehr.linear(40), lehr.cosine(40)], momentum=lehr.hold(40, at=0.8)
    ),
    "scheduler with a changed plan": changed,
    "scheduler that follows a metric": plateau,
}


def tampered(
    state: Any, table: list[Any], deep: int = 2, path: tuple[Any, ...] = ()
) -> Iterator[tuple[tuple[Any, ...], Any, str]]:
    """Yield a path into a state, a state with something else there, and what was done."""
    ends = {0, len(state) - 1}  # of a list; what lies between is alike
    items = state.items() if isinstance(state, dict) else [(i, state[i]) for i in sorted(ends)]
    for key, value in list(items):
        for bad in table:
            yield (*path, key), replaced(state, key, bad), repr(bad)[:24]
        if isinstance(state, dict):
            yield (*path, key), {k: v for k, v in state.items() if k != key}, "missing"
        if isinstance(value, list) and value:
            yield (*path, key), replaced(state, key, [*value, value[-1]]), "one more"
            yield (*path, key), replaced(state, key, value[:-1]), "one less"
        # Which attributes of a user's callable object are right, only that object knows.
        of_the_user = key == "_scale_fn_custom" or path[-1:] == ("lr_lambdas",)
        if isinstance(value, list | dict) and value and len(path) < deep and not of_the_user:
            for deeper, inner, what in tampered(value, table, deep, (*path, key)):
                yield deeper, replaced(state, key, inner), what


def replaced(state: Any, key: Any, value: Any) -> Any:
    """Return a shallow copy with another value at a key."""
    changed_state = copy.copy(state)
    changed_state[key] = value
    return changed_state


def look(run: Run) -> Any:
    """Return the values that a refused load must leave alone: the groups' keys, and the state."""
    groups = [
        {key: value for key, value in group.items() if key != "params"}
        for group in run.optimizer.param_groups
    ]
    return copy.deepcopy(groups), copy.deepcopy(saved(run)), sorted(vars(run.scheduler))


def ahead(run: Run) -> list[Any]:
    """Return the next three rows; a plateau's runs are fed the same metrics."""
    return run.steps(3)


def same(one: Any, other: Any) -> bool:
    """Compare what may hold NaN or infinities."""
    return repr(one) == repr(other)


def new(name: str, steps: int) -> Run:
    """Return a run of so many steps."""
    optimizer = make_optimizer("sgd", (0.1, 0.3))
    run = Run(optimizer, ALL_BUILDS[name](optimizer))
    run.steps(steps)
    return run


def rebuilt(name: str) -> tuple[Run, Any, list[Any]]:
    """Return a run for loading into, how it looks, and how it will go on."""
    return new(name, 2), look(new(name, 2)), ahead(new(name, 2))


def table_of(name: str) -> list[Any]:
    """Return the bad values that a build is tried with."""
    return FEW if name.startswith(("sequence", "chain")) else BAD


def names_the_key(error: BaseException, path: tuple[Any, ...]) -> bool:
    """Return whether the innermost name on the path, or the one around it, is in the message."""
    said = str(error)
    names = [key for key in path if isinstance(key, str)]
    inner = [key for key in names if key != "_schedulers"]
    return any(key.lstrip("_") in said for key in inner or names)


ALL_BUILDS: dict[str, Callable[[Any], Any]] = {
    **BUILDS,
    **{f"sequence with {n}": sequence(n) for n in ARGUMENTS if n != "ReduceLROnPlateau"},
    **{f"chain with {n}": chain(n) for n in ARGUMENTS if n not in ("ReduceLROnPlateau", "SWALR")},
}


@pytest.mark.parametrize("name", BUILDS)
def test_each_key_with_each_bad_value(name: str):
    look_at_each_key(name, table_of(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL_BUILDS)
def test_each_key_with_every_bad_value(name: str):
    inside = name.startswith(("sequence", "chain"))
    look_at_each_key(name, [bad for bad in ALL_BAD if not (inside and bad == OVERFLOWING)], deep=7)


def look_at_each_key(name: str, table: list[Any], deep: int = 2) -> None:
    """Load states with each value of a table in the place of each key, so many levels deep."""
    state = saved(new(name, 6))
    wrong: list[str] = []
    refused = accepted = 0
    run, looks, goes = rebuilt(name)
    for path, bad, what in tampered(state, table, deep):
        case = f"{'.'.join(map(str, path))} = {what}"
        ASKED[0] = 0
        try:
            run.scheduler.load_state_dict(bad)
        except (ValueError, TypeError) as error:
            refused += 1
            if isinstance(error, BARE):
                wrong.append(f"{case}: {type(error).__name__}: {error}")
            elif not names_the_key(error, path):
                wrong.append(f"{case}: does not name the key: {error}")
            if not same(look(run), looks):
                wrong.append(f"{case}: refused, but something changed")
                run = new(name, 2)
        except Exception as error:
            wrong.append(f"{case}: {type(error).__name__}: {error}")
            run = new(name, 2)
        else:
            accepted += 1
            wrong.extend(f"{case}: accepted, then {fault}" for fault in unsound(run))
            run = new(name, 2)
    # All the refusals together have left the rates ahead alone.
    if not same(ahead(run), goes):
        wrong.append("after all refusals: other rates ahead")
    assert refused > 0
    assert not wrong, f"{len(wrong)} of {refused + accepted + len(wrong)}:\n" + "\n".join(
        wrong[:40]
    )


def unsound(run: Run) -> Iterator[str]:
    """Yield the faults after a value was accepted: the next steps fail, or are not finite."""
    try:
        rows = [read(run.optimizer), *ahead(run)]
    except lehr.PastEnd:
        return
    except ValueError as error:
        if "total steps" not in str(error):
            yield f"a step fails: {type(error).__name__}: {error}"
        return
    except Exception as error:
        yield f"a step fails: {type(error).__name__}: {error}"
        return
    numbers = [value for row in rows for pair in row for value in pair]
    if any(
        isinstance(value, complex) or not math.isfinite(value) or value < 0 for value in numbers
    ):
        yield f"rates {rows[0]}"
    if type(run.scheduler.last_epoch) is not int:
        yield f"last_epoch={run.scheduler.last_epoch!r}"


@pytest.mark.parametrize(
    "bad", [None, [], "x", 3, 1.5, object(), {}, {"a": 1}, [("last_epoch", 1)]]
)
@pytest.mark.parametrize("name", BUILDS)
def test_what_is_no_state_at_all(name: str, bad: Any):
    run, looks, goes = rebuilt(name)
    with pytest.raises((ValueError, TypeError), match=r"state"):
        run.scheduler.load_state_dict(bad)
    assert same(look(run), looks)
    assert same(ahead(run), goes)


@pytest.mark.parametrize("name", [name for name in BUILDS if "scheduler" in name])
@pytest.mark.parametrize("adopt", ["saved", "here"])
def test_each_key_is_checked_whatever_is_adopted(name: str, adopt: Any):
    state = saved(new(name, 6))
    wrong: list[str] = []
    run, looks, goes = rebuilt(name)
    for path, bad, what in tampered(state, table_of(name)):
        case = f"{'.'.join(map(str, path))} = {what}"
        ASKED[0] = 0
        try:
            run.scheduler.load_state_dict(bad, adopt=adopt)
        except (ValueError, TypeError) as error:
            if isinstance(error, BARE) or not same(look(run), looks):
                wrong.append(f"{case}: {type(error).__name__}: {error}, or something changed")
                run = new(name, 2)
        except Exception as error:
            wrong.append(f"{case}: {type(error).__name__}: {error}")
            run = new(name, 2)
        else:
            wrong.extend(f"{case}: accepted, then {fault}" for fault in unsound(run))
            run = new(name, 2)
    if not same(ahead(run), goes):
        wrong.append("after all refusals: other rates ahead")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:40])


@pytest.mark.parametrize("name", BUILDS)
def test_the_state_is_the_callers(name: str):
    """Neither the load nor what follows changes the dict that was handed over, or keeps parts."""
    state = saved(new(name, 6))
    before = copy.deepcopy(state)
    run = new(name, 0)
    run.scheduler.load_state_dict(state)
    run.steps(3)
    assert same(state, before)


@pytest.mark.parametrize("name", BUILDS)
@pytest.mark.parametrize("position", [2.5, -0.5, 2**53 + 1, -2, 1e308, 10**400, "4", 4.0])
def test_a_position_is_not_rounded(name: str, position: Any):
    """``last_epoch`` is a whole number; 4.0 is one, whatever wrote it."""
    ASKED[0] = 0
    run, looks, _ = rebuilt(name)
    state = {**saved(new(name, 6)), "last_epoch": position}
    try:
        run.scheduler.load_state_dict(state)
    except (ValueError, TypeError) as error:
        if position == 4.0:
            assert isinstance(error, lehr.ScheduleError)  # noqa: PT017
        assert "last_epoch" in str(error)  # noqa: PT017
        assert same(look(run), looks)
    else:
        assert run.scheduler.last_epoch == position
