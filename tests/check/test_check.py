"""Mistakes are found before a run, and the advice against them is valid."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

import lehr
from lehr import ScheduleError


class _Optimizer:
    """An optimizer as `check` knows it: its class's name and its groups."""

    def __init__(self, *rates: Any, **more: Any) -> None:
        self.param_groups = [{"params": [], "lr": rate, **more} for rate in rates]


def optimizer(name: str, *rates: Any, **more: Any) -> Any:
    return type(name, (_Optimizer,), {})(*rates, **more)


PLAN = lehr.warmup("10%") >> lehr.cosine()


def names(findings: list[lehr.Finding]) -> list[str]:
    return [finding.name for finding in findings]


def advice(finding: lehr.Finding) -> list[str]:
    """Return the schedules that a finding says to write."""
    return re.findall(r"(?:write|as) ((?:\w+\([^()]*\)(?: >> )?)+)", finding.message)


@pytest.mark.parametrize("rest", [lehr.cosine(), lehr.hold(), lehr.cosine("50%"), lehr.linear(10)])
def test_a_warmup_longer_than_the_run_is_advised_on(rest: lehr.Schedule) -> None:
    found = lehr.check(lehr.warmup(500) >> rest, over=100)
    assert found[0].name == "warmup"
    assert "500 steps is longer than the run of 100 steps" in found[0].message
    assert advice(found[0]) == ["warmup('10%')"]
    assert "a run of more than 500 steps" in found[0].message
    fixed = lehr.check(lehr.parse(advice(found[0])[0]) >> lehr.cosine(), over=100)
    assert fixed == []
    longer = lehr.check(lehr.warmup(500) >> lehr.cosine(), over=5_000)
    assert longer == []


def test_what_does_not_fit_for_another_reason_is_refused() -> None:
    with pytest.raises(ScheduleError, match="asks for 120 of 100 steps"):
        lehr.check(lehr.hold("60%") >> lehr.cosine("60%"), over=100)


@pytest.mark.parametrize(
    ("schedule", "over", "name"),
    [
        (lehr.warmup(500) >> lehr.hold(), 100, "warmup"),
        (lehr.warmup("0.1%") >> lehr.cosine(), 200, "warmup"),
        (lehr.warmup(50) >> lehr.cosine(500), 200, "cut"),
        (lehr.hold(10, at=0.01) >> lehr.hold(at=1.0), 100, "jump"),
        (lehr.cosine(100).repeat(), 150, "end"),
        (lehr.linear(2), None, "end"),
        (lehr.cosine(100) - 0.5, None, "range"),
    ],
)
def test_each_finding_says_what_to_write(schedule: lehr.Schedule, over: Any, name: str) -> None:
    found = lehr.check(schedule, over)
    assert found[0].name == name
    assert re.search(r"write |hard_restarts\(3\)", found[0].message)
    for text in advice(found[0]):
        assert isinstance(lehr.parse(text), lehr.Schedule)


class TestPeaks:
    @pytest.mark.parametrize(
        ("name", "rate", "side"),
        [
            ("AdamW", 3.0, "above"),
            ("AdamW", 1e-9, "below"),
            ("Adam", 0.5, "above"),
            ("FusedAdam", 0.5, "above"),
            ("PagedAdamW8bit", 0.5, "above"),
            ("Lion", 0.03, "above"),
            ("SGD", 100.0, "above"),
            ("Muon", 3.0, "above"),
            ("Prodigy", 1e-4, "below"),
        ],
    )
    def test_an_unusual_peak_is_found(self, name: str, rate: float, side: str) -> None:
        (found,) = lehr.check(PLAN, 1_000, optimizer(name, rate))
        assert found.name == "peak"
        assert f"{name} has a peak rate of {rate:g}, {side} the usual" in found.message
        # The first try that is advised is usual.
        first = re.search(r"write lr=(\S+) as", found.message)
        assert first is not None
        assert lehr.check(PLAN, 1_000, optimizer(name, float(first[1]))) == []

    @pytest.mark.parametrize(
        ("name", "rate"),
        # As published: see the docstring of check.
        [
            *(("SGD", 0.1), ("SGD", 3.2), ("Adam", 1e-3), ("AdamW", 6e-5), ("AdamW", 2e-5)),
            *(("AdamW", 6e-4), ("Lion", 1e-4), ("Lion", 2e-6), ("Muon", 0.02), ("Prodigy", 1.0)),
            *(("Unheard", 1e6), ("Adafactor", 0.01), ("Adadelta", 1.0), ("RMSprop", 0.01)),
        ],
    )
    def test_a_published_peak_is_not(self, name: str, rate: float) -> None:
        assert lehr.check(PLAN, 1_000, optimizer(name, rate)) == []

    def test_sign_based_ones_live_decades_below_sgd(self) -> None:
        for rate, unusual in ((0.1, ["AdamW", "Lion"]), (0.01, ["Lion"]), (1e-4, [])):
            found = [
                name
                for name in ("SGD", "AdamW", "Lion")
                if lehr.check(PLAN, 1_000, optimizer(name, rate))
            ]
            assert found == unusual

    def test_the_peak_is_that_of_the_schedule(self) -> None:
        assert names(lehr.check(PLAN * 1_000, 1_000, optimizer("AdamW", 1e-3))) == ["peak"]
        assert lehr.check(PLAN * 0.001, 1_000, optimizer("AdamW", 3.0)) == []

    def test_groups_alike_are_found_once(self) -> None:
        found = lehr.check(PLAN, 1_000, optimizer("AdamW", 3.0, 3.0, 1e-3, 5.0))
        assert [re.search(r"group (\d)", f.message)[1] for f in found] == ["0", "3"]  # type: ignore[index]


class TestScheduleFree:
    def test_it_must_not_decay(self) -> None:
        free = optimizer("AdamWScheduleFree", 1e-3)
        (found,) = lehr.check(PLAN, 1_000, free)
        assert found.name == "schedule_free"
        (text,) = advice(found)
        assert lehr.check(lehr.parse(text), 1_000, free) == []

    def test_another_may(self) -> None:
        assert lehr.check(PLAN, 1_000, optimizer("AdamW", 1e-3)) == []


class TestUnscheduled:
    def test_a_whole_optimizer(self) -> None:
        muon, adamw = optimizer("Muon", 0.02), optimizer("AdamW", 1e-3)
        scheduler = SimpleNamespace(optimizer=muon)
        (found,) = lehr.check(PLAN, 1_000, [muon, adamw], scheduler=scheduler)
        assert found.name == "unscheduled"
        assert "AdamW (1) is driven by no scheduler" in found.message
        for both in (
            SimpleNamespace(optimizers=[muon, adamw]),
            [scheduler, SimpleNamespace(optimizer=adamw)],
            SimpleNamespace(param_groups=[*muon.param_groups, *adamw.param_groups]),
        ):
            assert lehr.check(PLAN, 1_000, (muon, adamw), scheduler=both) == []

    def test_some_groups(self) -> None:
        adamw = optimizer("AdamW", 1e-3, 1e-3, 1e-3)
        some = SimpleNamespace(param_groups=adamw.param_groups[:1], optimizer=adamw)
        (found,) = lehr.check(PLAN, 1_000, adamw, scheduler=some)
        assert "groups 1, 2 of AdamW are driven by no scheduler" in found.message

    def test_groups_are_known_by_identity(self) -> None:
        adamw = optimizer("AdamW", 1e-3, 1e-3)
        copies = SimpleNamespace(param_groups=[dict(group) for group in adamw.param_groups])
        (found,) = lehr.check(PLAN, 1_000, adamw, scheduler=copies)
        assert "AdamW is driven by no scheduler" in found.message

    def test_torchs_schedulers_are_known(self) -> None:
        torch = pytest.importorskip("torch")
        weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
        one, other = (torch.optim.AdamW([weight], lr=1e-3) for weight in weights)
        scheduler = torch.optim.lr_scheduler.StepLR(one, 10)
        found = lehr.check(PLAN, 1_000, [one, other], scheduler=scheduler)
        assert names(found) == ["unscheduled"]


class TestGroups:
    def test_a_group_without_a_rate_is_found(self) -> None:
        sgd = optimizer("SGD", 0.1)
        del sgd.param_groups[0]["lr"]
        assert names(lehr.check(PLAN, 1_000, sgd)) == ["base"]
        sgd.param_groups[0]["lr"] = "0.1x"
        assert names(lehr.check(PLAN, 1_000, sgd)) == ["base"]

    def test_a_rate_that_was_driven_is_found(self) -> None:
        (found,) = lehr.check(PLAN, 1_000, optimizer("SGD", 0.05, initial_lr=0.1))
        assert "driven it already" in found.message

    @pytest.mark.parametrize("wrong", [5, "adamw", object(), [None], {}])
    def test_what_has_no_groups_is_refused(self, wrong: Any) -> None:
        with pytest.raises(ScheduleError, match="has no param_groups"):
            lehr.check(PLAN, 1_000, wrong)
        with pytest.raises(ScheduleError, match="neither param_groups nor an optimizer"):
            lehr.check(PLAN, 1_000, optimizer("SGD", 0.1), scheduler=wrong)


@pytest.mark.parametrize(
    ("late", "mended"),
    [
        (lehr.step(3000), lehr.step("30%")),
        (lehr.hold(2000) >> lehr.linear(100, to=0.0), lehr.hold("80%") >> lehr.linear("20%")),
    ],
)
def test_a_rate_that_changes_only_after_the_run_is_found(
    late: lehr.Schedule, mended: lehr.Schedule
) -> None:
    (found,) = lehr.check(late, over=1000)
    assert found.name in ("still", "cut")
    assert "write lengths as shares" in found.message
    assert "still" not in names(lehr.check(mended, over=1000))
    assert lehr.check(lehr.constant(2.0), over=1000) == []


def test_a_rate_of_zero_throughout_is_found() -> None:
    (found,) = lehr.check(lehr.constant(0), over=1000)
    assert found.name == "range"
    assert advice(found) == ["constant(1.0)"]
    assert lehr.check(lehr.constant(1.0), over=1000) == []


@pytest.mark.parametrize(("samples", "batch"), [(103, 32), (100, 33), (5, 4)])
def test_a_last_batch_that_a_loader_may_drop_is_found(samples: int, batch: int) -> None:
    data = {"samples_per_epoch": samples, "batch": batch}
    run = lehr.Horizon("3ep", **data)
    (found,) = lehr.check(lehr.constant(1.0), over=run)
    assert found.name == "partial"
    assert f"samples_per_epoch={samples}" in found.message
    assert f"batch={batch}" in found.message
    # The lengths of torch's DataLoader without and with drop_last.
    assert f"a loader makes {3 * -(-samples // batch)}, or {3 * (samples // batch)} " in str(found)
    for drop in (True, False):
        assert (
            lehr.check(lehr.constant(1.0), over=lehr.Horizon("3ep", **data, drop_last=drop)) == []
        )
    assert (
        lehr.check(lehr.constant(1.0), over=lehr.Horizon("3ep", samples_per_epoch=96, batch=32))
        == []
    )


def test_a_rate_given_twice_is_named_as_a_factor() -> None:
    adam = optimizer("AdamW", 3e-4)
    (found,) = lehr.check(lehr.constant(3e-4), 1000, adam)
    assert found.name == "peak"
    assert "up to 0.0003, are factors of the group's lr=0.0003" in found.message
    assert "write them with a peak of 1" in found.message
    assert lehr.check(lehr.constant(1.0), 1000, adam) == []


@pytest.mark.parametrize("wrong", [optimizer("SGD", 0.1), SimpleNamespace(optimizer=None)])
def test_what_drives_is_no_schedule(wrong: Any) -> None:
    with pytest.raises(ScheduleError, match=re.escape("write lehr.check(schedule, 1000, optim")):
        lehr.check(wrong)
    optimizers = optimizer("SGD", 0.1)
    scheduler = SimpleNamespace(optimizer=optimizers)
    assert lehr.check(PLAN, 1000, optimizers, scheduler=scheduler) == []
