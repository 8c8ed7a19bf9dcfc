"""Feedback rules against torch, and against other writings of their algorithms."""

from __future__ import annotations

import inspect
import json
import math
import random
import re
from typing import Any

import pytest

import lehr
from lehr import RULES, Rule, RuleEntry, ScheduleError, UnknownSchedule, find_rule


def follow(rule: Rule, metrics: list[Any]) -> list[float]:
    """Return the values after each metric, every state having been through JSON."""
    state, values = rule.init(), []
    for metric in metrics:
        before = json.dumps(state, allow_nan=False)
        after = rule.update(json.loads(before), metric)
        assert json.dumps(state, allow_nan=False) == before
        state = json.loads(json.dumps(after, allow_nan=False))
        values.append(rule.value(state))
    return values


def stream(seed: int, length: int = 400, *, share: bool = False) -> list[float]:
    """A loss that falls, stalls, rises and is noisy; above 0, where its shares are compared."""
    draw = random.Random(seed)
    level, metrics = draw.choice([40.0] if share else [-2.0, 1.0, 5.0]), []
    drift = 0.0
    for _ in range(length):
        if draw.random() < 0.05:
            drift = draw.choice([-0.1, -0.01, 0.0, 0.0, 0.03])
        level += drift
        metrics.append(level + draw.choice([0.0, 0.0, draw.gauss(0, 0.05)]))
    return metrics


# ----- plateau ----------------------------------------------------------------------------------


def _torch_plateau(rate: float, metrics: list[float], **arguments: Any) -> list[float]:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **arguments)
    values = []
    for metric in metrics:
        scheduler.step(metric)
        values.append(optimizer.param_groups[0]["lr"] / rate)
    return values


@pytest.mark.parametrize("seed", range(60))
def test_plateau_is_torchs(seed: int) -> None:
    draw = random.Random(1000 + seed)
    same: dict[str, Any] = {
        "mode": draw.choice(["min", "max"]),
        "factor": draw.choice([0.1, 0.5, 0.9]),
        "patience": draw.choice([0, 1, 3, 10]),
        "threshold": draw.choice([0.0, 1e-4, 1e-2, 0.3]),
        "threshold_mode": draw.choice(["rel", "abs"]),
        "cooldown": draw.choice([0, 0, 2, 5]),
    }
    rate, floor, eps = draw.choice([1.0, 0.1, 3e-4]), draw.choice([0.0, 0.01, 0.2]), 1e-8
    # Torch has the sign of the share wrong below zero.
    metrics = stream(seed, share=same["threshold_mode"] == "rel")
    if seed % 4 == 0:
        # Infinitely bad; what is infinitely good, torch would never find better again.
        worst = math.inf if same["mode"] == "min" else -math.inf
        metrics[seed + 1 : seed + 4] = [math.nan, worst, math.nan]
    mine = follow(lehr.plateau(**same, floor=floor, eps=eps / rate), metrics)
    theirs = _torch_plateau(rate, metrics, **same, min_lr=floor * rate, eps=eps)
    assert mine == pytest.approx(theirs, rel=1e-15, abs=1e-15)
    assert len(set(mine)) > 1 or same["patience"] == 10 or same["threshold"] == 0.3


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("best", [-1.0, -20.0, 0.0, 3.0])
def test_a_share_of_a_negative_metric_is_of_its_size(mode: str, best: float) -> None:
    """Of what is below zero, better by a tenth is further from what is worse, not nearer."""
    rule = lehr.plateau(mode=mode, threshold=0.1, patience=0)  # pyright: ignore
    sign = -1 if mode == "min" else 1
    for metric in (best + k * 0.05 * max(abs(best), 1.0) for k in range(-5, 6)):
        state = rule.update(rule.update(rule.init(), best), metric)
        is_better = sign * (metric - best) > 0.1 * abs(best) * (1 + 1e-12)
        assert state["best"] == (metric if is_better else best)


def test_plateau_stops_at_its_floor() -> None:
    values = follow(lehr.plateau(factor=0.5, patience=0, floor=0.2), [1.0] * 50)
    assert values[:4] == [1.0, 0.5, 0.25, 0.2]
    assert set(values[4:]) == {0.2}


def test_plateau_makes_no_reduction_that_is_too_small() -> None:
    values = follow(lehr.plateau(factor=0.5, patience=0, eps=0.2), [1.0] * 20)
    assert min(values) == 0.25


# ----- greedy -----------------------------------------------------------------------------------


class _Greedy:
    """The published scheduler's steps, for one group, with learning rates as it has them."""

    def __init__(self, rate: float, **options: Any) -> None:
        self.rate = self.first = rate
        self.options = options
        self.clear()

    def clear(self) -> None:
        self.best = math.inf if self.options["mode"] == "min" else -math.inf
        self.good = self.bad = self.cool = self.warm = 0
        self.left = self.options["reset_start"]
        self.seen: list[float] = []

    def better(self, metric: float) -> bool:
        share = self.options["threshold_mode"] == "rel"
        margin = self.options["threshold"]
        if share and math.isfinite(self.best):
            margin *= abs(self.best)
        if self.options["mode"] == "min":
            return metric < self.best - margin
        return metric > self.best + margin

    def step(self, metric: float) -> None:
        o = self.options
        if o["smooth"]:
            self.seen = [*self.seen, metric][-o["window_size"] :]
            metric = sum(self.seen) / len(self.seen)
        if self.cool > 0:
            self.cool -= 1
            self.good = self.bad = 0
            return
        if self.warm > 0:
            self.warm -= 1
            self.good = self.bad = 0
            return
        if self.better(metric):
            self.best, self.bad, self.good = metric, 0, self.good + 1
        else:
            self.bad, self.good = self.bad + 1, 0
        if self.good > o["patience"]:
            new = min(self.rate / o["factor"], o["max_lr"])
            if new - self.rate > o["eps"]:
                self.rate = new
            self.left, self.warm, self.good = o["reset_start"], o["warmup"], 0
        elif self.bad > o["patience"]:
            new = max(self.rate * o["factor"], o["min_lr"])
            if self.rate - new > o["eps"]:
                self.rate = new
            if self.rate <= o["min_lr"]:
                self.left -= 1
                if self.left <= 0:
                    self.rate = self.first
                    self.clear()
            self.cool, self.bad = o["cooldown"], 0


@pytest.mark.parametrize("seed", range(60))
def test_greedy_is_the_published_one(seed: int) -> None:
    draw = random.Random(2000 + seed)
    same: dict[str, Any] = {
        "mode": draw.choice(["min", "max"]),
        "factor": draw.choice([0.5, 0.9, 0.95]),
        "patience": draw.choice([0, 1, 3]),
        "threshold": draw.choice([1e-6, 1e-3, 0.05]),
        "threshold_mode": draw.choice(["rel", "abs"]),
        "cooldown": draw.choice([0, 2]),
        "warmup": draw.choice([0, 3]),
        "smooth": draw.random() < 0.3,
        "window_size": draw.choice([1, 5, 50]),
        "reset_start": draw.choice([1, 4, 500]),
    }
    rate, low, high = draw.choice([1.0, 0.25]), draw.choice([1e-3, 0.3]), draw.choice([1.0, 8.0])
    reference = _Greedy(rate, **same, min_lr=low * rate, max_lr=high * rate, eps=1e-8)
    metrics, theirs = stream(seed), []
    for metric in metrics:
        reference.step(metric)
        theirs.append(reference.rate / rate)
    mine = follow(lehr.greedy(**same, floor=low, ceiling=high, eps=1e-8 / rate), metrics)
    assert mine == pytest.approx(theirs, rel=1e-13)
    assert len(set(mine)) > 1


def test_greedy_begins_anew_when_it_has_been_at_its_floor_for_long() -> None:
    rule = lehr.greedy(factor=0.5, patience=0, floor=0.25, reset_start=3)
    values = follow(rule, [1.0] * 7)
    assert values == [1.0, 0.5, 0.25, 0.25, 1.0, 1.0, 0.5]


def test_greedy_never_compares_what_is_no_number() -> None:
    rule = lehr.greedy(smooth=True, window_size=3, patience=0, factor=0.5, ceiling=8.0)
    values = follow(rule, [3.0, math.nan, math.inf, 1.0])
    assert values == [2.0, 1.0, 0.5, 1.0]


# ----- DLRS -------------------------------------------------------------------------------------


def _dlrs(rate: float, losses: list[float], d: float, o: float, i: float) -> float:
    """Dharanalakota et al. (2025), the algorithm's lines."""
    mean = sum(losses) / len(losses)
    slope = (losses[-1] - losses[0]) / mean
    digit = 10.0 ** int(f"{rate:.17e}".split("e")[1])
    if slope > 1:
        step = digit * d * slope
    elif slope >= 0:
        step = digit * o * slope
    else:
        step = digit * i * slope
    return rate - step


@pytest.mark.parametrize("seed", range(20))
def test_dlrs_is_the_published_one(seed: int) -> None:
    draw = random.Random(3000 + seed)
    deltas = [draw.choice([0.1, 0.5]), draw.choice([0.3, 1.0]), draw.choice([0.05, 0.1])]
    rate = base = draw.choice([0.01, 3e-4, 0.5])
    epochs = [
        [abs(draw.gauss(1, 0.4)) + 0.05 for _ in range(draw.randint(2, 9))] for _ in range(60)
    ]
    expected = []
    for losses in epochs:
        rate = max(_dlrs(rate, losses, *deltas), 1e-8)
        expected.append(rate / base)
    names = ("delta_d", "delta_o", "delta_i")
    rule = lehr.dlrs(base, **dict(zip(names, deltas, strict=True)))
    assert follow(rule, epochs) == pytest.approx(expected, rel=1e-9)


def test_dlrs_is_kept_inside_its_bounds() -> None:
    rule = lehr.dlrs(0.01, floor=0.005, ceiling=0.012)
    assert follow(rule, [[1.0, 1.9]] * 3)[-1] == 0.5
    assert follow(rule, [[1.0, 0.01]] * 30)[-1] == pytest.approx(1.2, rel=1e-15)


@pytest.mark.parametrize("losses", [[], [1.0], [1.0, -1.0], [1.0, math.nan], [1.0, math.inf]])
def test_dlrs_changes_nothing_where_there_is_no_slope(losses: list[float]) -> None:
    assert follow(lehr.dlrs(0.01), [losses]) == [1.0]


def test_dlrs_is_given_a_list() -> None:
    rule = lehr.dlrs(0.01)
    with pytest.raises(ScheduleError, match=r"metric=1\.0.*list"):
        rule.update(rule.init(), 1.0)


# ----- all --------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", RULES.values(), ids=list(RULES))
class TestEveryRule:
    def test_is_listed_as_schedules_are(self, entry: RuleEntry) -> None:
        assert getattr(lehr, entry.name) is entry.function
        assert entry.name in lehr.__all__
        assert find_rule(entry.name) is entry
        assert entry.family == "feedback"
        assert entry.aliases
        assert 10 <= len(entry.summary) <= 100
        assert entry.formula.count("{") == entry.formula.count("}")

    def test_documents_each_of_its_arguments(self, entry: RuleEntry) -> None:
        text = inspect.getdoc(entry.function) or ""
        block = text.partition("Arguments:\n")[2].partition("\n\n")[0]
        named = re.findall(r"^    (\w+):", block, re.MULTILINE)
        assert sorted(named) == sorted(inspect.signature(entry.function).parameters)

    def test_is_a_value(self, entry: RuleEntry) -> None:
        rule = entry.example
        assert rule == entry.example
        assert hash(rule) == hash(entry.example)
        assert eval(repr(rule), vars(lehr)) == rule
        with pytest.raises(AttributeError):
            rule.floor = 0.5  # type: ignore[attr-defined]

    def test_begins_at_the_base_rate(self, entry: RuleEntry) -> None:
        assert entry.example.value(entry.example.init()) == 1.0

    def test_refuses_a_metric_that_is_no_number(self, entry: RuleEntry) -> None:
        rule = entry.example
        with pytest.raises(ScheduleError, match="metric="):
            rule.update(rule.init(), "low")


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("plateau", {"mode": "least"}, "mode='least'"),
        ("plateau", {"threshold_mode": "both"}, "threshold_mode='both'"),
        ("plateau", {"factor": 1.0}, "factor=1.0"),
        ("plateau", {"factor": 0.0}, "factor=0.0"),
        ("plateau", {"patience": -1}, "patience=-1"),
        ("plateau", {"patience": 1.5}, "patience=1.5"),
        ("plateau", {"floor": -0.1}, "floor=-0.1"),
        ("greedy", {"warmup": -1}, "warmup=-1"),
        ("greedy", {"floor": 0.5, "ceiling": 0.5}, "ceiling=0.5"),
        ("greedy", {"window_size": 0}, "window_size=0"),
        ("greedy", {"reset_start": 0}, "reset_start=0"),
        ("dlrs", {"lr": 0.0}, "lr=0.0"),
        ("dlrs", {"lr": 0.1, "delta_o": -1.0}, "delta_o=-1.0"),
        ("dlrs", {"lr": 0.1, "floor": 0.2, "ceiling": 0.1}, "ceiling=0.1"),
    ],
)
def test_what_is_refused(name: str, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ScheduleError, match=re.escape(says)):
        find_rule(name).function(**arguments)


def test_a_rule_is_no_schedule() -> None:
    with pytest.raises(UnknownSchedule, match="'plateau' is a feedback rule"):
        lehr.find_entry("plateau")
    with pytest.raises(UnknownSchedule, match="did you mean 'plateau'"):
        find_rule("plateu")


# ----- states from files ------------------------------------------------------------------------

METRICS: dict[str, list[Any]] = {
    "plateau": [1.0, 2.0, 2.0, 0.5],
    "greedy": [1.0, 0.5, 2.0, 2.0],
    "dlrs": [[2.0, 1.5], [1.0, 1.2]],
}
CHECKED: dict[str, Rule] = {
    "plateau": lehr.plateau(patience=0, cooldown=1),
    "greedy": lehr.greedy(patience=0, smooth=True, window_size=3, warmup=1, ceiling=2.0),
    "dlrs": lehr.dlrs(0.01),
}
checked = pytest.mark.parametrize("rule", CHECKED.values(), ids=list(CHECKED))
BAD: list[Any] = [
    *("text", "1", [], {}, [1.0, "x"], (), b"1"),
    *(math.nan, math.inf, -math.inf, -1, -0.5, 10**400, 1e308, True, 2.5, None, object()),
]


def states(rule: Rule) -> list[dict[str, Any]]:
    """Return all states of a rule after some metrics, as they come from a file."""
    state, seen = rule.init(), [rule.init()]
    for metric in METRICS[type(rule).__name__]:
        state = rule.update(state, metric)
        seen.append(json.loads(json.dumps(state)))
    return seen


@checked
def test_a_state_of_its_own_is_taken_as_a_copy(rule: Rule) -> None:
    for state in states(rule):
        kept = json.dumps(state)
        copy = rule.check_state(state)
        assert copy == state
        assert copy is not state
        for value in copy.values():
            if isinstance(value, list):
                value.append(0.0)
        assert json.dumps(state) == kept


@checked
def test_a_state_without_a_key_names_it(rule: Rule) -> None:
    for state in states(rule):
        for key in state:
            rest = {name: value for name, value in state.items() if name != key}
            with pytest.raises(ScheduleError, match=f"no '{key}'"):
                rule.check_state(rest)


def refusal(rule: Rule, state: Any) -> str | None:
    """Return why a rule refuses a state, or None."""
    try:
        rule.check_state(state)
    except ScheduleError as error:
        return str(error)
    return None


@checked
def test_a_tampered_state_is_refused_or_goes_on(rule: Rule) -> None:
    refused = 0
    for state in states(rule):
        for key in state:
            for value in BAD:
                before = dict(state) | {key: value}
                reason = refusal(rule, before)
                if reason is not None:
                    refused += 1
                    assert f"state['{key}']" in reason
                    continue
                after = rule.check_state(before)
                for metric in METRICS[type(rule).__name__]:
                    after = rule.update(after, metric)
                assert math.isfinite(rule.value(after))
                assert rule.value(after) >= 0
                json.dumps(after, allow_nan=False)
    assert refused > 20


@checked
@pytest.mark.parametrize("state", [None, [], "best", 5, {}, {"value": 1.0}])
def test_what_is_not_a_state_is_refused(rule: Rule, state: Any) -> None:
    with pytest.raises(ScheduleError, match="state"):
        rule.check_state(state)


@checked
def test_an_unknown_key_is_refused(rule: Rule) -> None:
    with pytest.raises(ScheduleError, match="unknown 'other'"):
        rule.check_state(rule.init() | {"other": 1})


@pytest.mark.parametrize("metric", ["1.0", b"1", None, 10**400, object(), [1.0]])
def test_what_is_not_a_metric_is_refused(metric: Any) -> None:
    for rule in (lehr.plateau(), lehr.greedy()):
        with pytest.raises(ScheduleError, match=r"metric=.* is not a number"):
            rule.update(rule.init(), metric)


def test_metrics_as_large_as_numbers_get_stay_numbers() -> None:
    large = 1.7e308
    rule = lehr.greedy(smooth=True, window_size=3)
    state = rule.init()
    for _ in range(5):
        state = rule.update(state, large)
    assert state["best"] == pytest.approx(large)
    slope = lehr.dlrs(0.01)
    for losses in ([large, large], [large, -large, 1.0], [-large, large, 1e-3], [large] * 9):
        after = slope.update(slope.init(), losses)
        assert math.isfinite(after["rate"])
