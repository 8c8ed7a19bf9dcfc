"""The register: no entry is incomplete, and what is listed can be used."""

from __future__ import annotations

import inspect
import math
import re

import numpy as np
import pytest

import lehr
from lehr import ENTRIES, RULES, ParseError, Schedule, ScheduleError, UnknownSchedule
from lehr.catalogue import Entry, Paper, find_entries, find_entry, find_rule, registry
from lehr.translate.registry import libraries, names


def counts_steps(example: Schedule) -> bool:
    """Return whether a schedule has a whole number of steps in it, or a formula of the step."""
    text = re.sub(r"'[^']*'|\d+\.\d+(e[-+]?\d+)?|stretch=\d+|repeat\(\d+", "", repr(example))
    return "formula" in text or re.search(r"\d", text) is not None


entries = pytest.mark.parametrize("entry", ENTRIES.values(), ids=list(ENTRIES))


@entries
class TestEveryEntry:
    def test_is_a_public_function_of_its_name(self, entry: Entry) -> None:
        assert getattr(lehr, entry.name) is entry.function
        assert entry.name in lehr.__all__
        assert find_entry(entry.name) is entry
        assert ENTRIES[entry.name] is entry
        assert re.fullmatch(r"[a-z]+", entry.family)

    def test_is_documented(self, entry: Entry) -> None:
        text = inspect.getdoc(entry.function) or ""
        assert re.search(r"^Formula: \S", text, re.MULTILINE)
        assert re.search(r"^Example:\n    >>> ", text, re.MULTILINE)
        assert re.search(r"^Arguments:$", text, re.MULTILINE)
        assert 10 <= len(entry.summary) <= 100
        assert "\n" not in entry.summary
        assert not entry.summary.endswith(".")
        assert entry.summary == text.splitlines()[0].rstrip(".")

    def test_documents_each_of_its_arguments(self, entry: Entry) -> None:
        text = inspect.getdoc(entry.function) or ""
        block = text.partition("Arguments:\n")[2].partition("\n\n")[0]
        named = re.findall(r"^    (\w+):", block, re.MULTILINE)
        assert named == list(inspect.signature(entry.function).parameters)

    def test_has_a_formula_that_can_be_set(self, entry: Entry) -> None:
        assert entry.formula.strip()
        assert "$" not in entry.formula
        assert entry.formula.count("{") == entry.formula.count("}")
        assert entry.formula.count(r"\begin") == entry.formula.count(r"\end")
        assert entry.formula.count(r"\left") == entry.formula.count(r"\right")

    def test_has_a_paper_that_can_be_found(self, entry: Entry) -> None:
        paper = entry.paper
        if paper is None:
            return
        assert isinstance(paper, Paper)
        assert paper.authors
        assert paper.title
        assert 1940 <= paper.year <= 2100
        text = str(paper)
        assert paper.authors in text
        assert paper.title in text
        assert str(paper.year) in text
        if paper.arxiv:
            assert re.fullmatch(r"\d{4}\.\d{4,5}", paper.arxiv)
            assert text.endswith(f"arXiv:{paper.arxiv}")
            # An arXiv id begins with the year and month of its submission.
            assert 2000 + int(paper.arxiv[:2]) == paper.year
            assert 1 <= int(paper.arxiv[2:4]) <= 12

    def test_has_names_in_other_libraries(self, entry: Entry) -> None:
        assert isinstance(entry.aliases, tuple)
        assert entry.aliases
        assert all(isinstance(alias, str) and alias.strip() == alias for alias in entry.aliases)
        assert len(set(entry.aliases)) == len(entry.aliases)

    def test_has_an_example_of_its_own_for_any_run(self, entry: Entry) -> None:
        example = entry.example
        assert isinstance(example, Schedule)
        assert entry.example == example
        for run in [*range(1, 51), 1_000]:
            closed = [example.over(run, closed=True)] if run > 1 else []
            for placed in [example.over(run), *closed]:
                assert placed.length == run
                values = placed.values()
                low, high = placed.bounds
                assert values.shape == (run,)
                assert np.isfinite(values).all()
                assert values.min() >= max(low, 0.0) - 1e-15
                # What is made of another schedule, such as noise, may go above its peak.
                peak = high if entry.family == "derived" else min(high, 1.0)
                assert values.max() <= peak + 1e-15
                assert math.isfinite(placed.end)

    def test_has_an_example_for_a_closed_run_of_one_step(self, entry: Entry) -> None:
        placed = entry.example.over(1, closed=True)
        assert placed(0) == placed.end
        low, high = placed.bounds
        assert max(low, 0.0) <= placed(0) <= high

    def test_has_an_example_that_comes_near_its_peak(self, entry: Entry) -> None:
        values = entry.example.over(1_000).values()
        assert values.max() > (0.5 if entry.name == "exp_range" else 0.99)

    def test_has_an_example_that_moves(self, entry: Entry) -> None:
        values = entry.example.over(1_000).values()
        assert (np.ptp(values) > 0.1) == (entry.name != "constant")

    def test_has_an_example_whose_numbers_do_not_depend_on_the_length(self, entry: Entry) -> None:
        if counts_steps(entry.example):
            return
        coarse = entry.example.over(1_000).values()
        fine = entry.example.over(10_000)(np.arange(0, 10_000, 10))
        np.testing.assert_allclose(coarse, fine, atol=1e-12)

    def test_has_a_momentum_that_is_one(self, entry: Entry) -> None:
        momentum = entry.momentum
        assert (momentum is not None) == (entry.name == "one_cycle")
        if momentum is None:
            return
        for run in (*range(1, 51), 1_000):
            values = momentum.over(run).values()
            assert values.min() >= 0.85 - 1e-15
            assert values.max() <= 0.95 + 1e-15


def test_no_alias_belongs_to_two_families() -> None:
    families: dict[str, set[str]] = {}
    for entry in ENTRIES.values():
        for alias in entry.aliases:
            families.setdefault(alias, set()).add(entry.name)
    shared = {alias: names for alias, names in families.items() if len(names) > 1}
    # What these are depends on their arguments, or on the library of two that use one name.
    assert set(shared) == {
        "LinearLR",  # up or down
        "OneCycle",  # as in DeepSpeed, or the field's
        "CosineAnnealingScheduler",  # composer's goes down once, ignite's up and down
        "ConstantParamScheduler",  # fvcore's is constant, mmengine's torch's ConstantLR
        "StepParamScheduler",  # fvcore's has a list of values, mmengine's is torch's StepLR
        "MultiStepParamScheduler",  # likewise
    }


def test_the_order_is_by_family() -> None:
    families = [entry.family for entry in ENTRIES.values()]
    assert families == sorted(families, key=list(dict.fromkeys(families)).index)


def test_the_phases_of_one_cycle_go_in_opposite_directions() -> None:
    rate = find_entry("one_cycle").example.over(1_000).values()
    momentum = find_entry("one_cycle").momentum
    assert momentum is not None
    values = momentum.over(1_000).values()
    assert int(rate.argmax()) == int(values.argmin()) == 300


class TestFind:
    @pytest.mark.parametrize(
        ("wrong", "right"),
        [
            *[("cosin", "cosine"), ("one-cycle", "one_cycle"), ("trapezoidal", "trapezoid")],
            *[("CosineAnealingLR", "cosine"), ("lineer", "linear"), ("OneCyleLR", "one_cycle")],
        ],
    )
    def test_it_suggests(self, wrong: str, right: str) -> None:
        with pytest.raises(UnknownSchedule, match=f"did you mean '{right}'") as caught:
            find_entry(wrong)
        assert repr(wrong) in str(caught.value)

    @pytest.mark.parametrize("wrong", ["cosin", "CosineAnealingLR", "one-cycle", "warm_up"])
    def test_it_suggests_a_few_that_there_are(self, wrong: str) -> None:
        with pytest.raises(UnknownSchedule) as caught:
            find_entry(wrong)
        message = str(caught.value)
        named = [name for name in re.findall(r"'(\w+)'", message) if name != wrong]
        assert 1 <= len(named) <= 3
        assert set(named) <= set(ENTRIES)
        assert len(message) < 160

    def test_where_none_is_near_it_says_where_all_are(self) -> None:
        with pytest.raises(UnknownSchedule, match="`lehr list` shows all names") as caught:
            find_entry("xyzzy")
        assert "did you mean" not in str(caught.value)
        assert len(str(caught.value)) < 160


class TestNamesOfOtherLibraries:
    @pytest.mark.parametrize(
        ("alias", "name"),
        [
            ("CosineAnnealingLR", "cosine"),
            ("cosineannealinglr", "cosine"),
            ("get_cosine_schedule_with_warmup", "cosine"),
            ("WarmupCosineSchedule", "cosine"),
            ("get_cosine_with_hard_restarts_schedule_with_warmup", "hard_restarts"),
            ("CosineAnnealingWarmRestarts", "warm_restarts"),
            ("OneCycleLR", "one_cycle"),
            ("WSDLRScheduler", "wsd"),
            ("StepLR", "step"),
            # What it is for other arguments is found by its name in full.
            ("CyclicLR(mode='triangular2')", "triangular2"),
        ],
    )
    def test_an_alias_finds_its_entry(self, alias: str, name: str) -> None:
        assert find_entry(alias) is ENTRIES[name]
        assert find_entries(alias) == [ENTRIES[name]]

    def test_a_name_of_ours_wins(self) -> None:
        for name, entry in ENTRIES.items():
            assert find_entries(name) == [entry]

    def test_every_alias_is_found(self) -> None:
        for entry in [*ENTRIES.values(), *RULES.values()]:
            for alias in entry.aliases:
                found = find_entries(alias)
                assert entry in found or alias in [*ENTRIES, *RULES]

    def test_a_name_of_several_says_which(self) -> None:
        assert [entry.name for entry in find_entries("LinearLR")] == ["linear", "warmup"]
        with pytest.raises(
            UnknownSchedule, match=r"more than one schedule .* 'linear' or 'warmup'"
        ):
            find_entry("LinearLR")
        cyclic = ["triangular", "triangular2", "exp_range", "cyclic"]
        assert [entry.name for entry in find_entries("CyclicLR")] == cyclic

    def test_a_rule_is_a_rule(self) -> None:
        assert find_entries("ReduceLROnPlateau") == [RULES["plateau"]]
        assert find_rule("ReduceLROnPlateau") is RULES["plateau"]
        with pytest.raises(UnknownSchedule, match=r"is a feedback rule.*find_rule\('plateau'\)"):
            find_entry("ReduceLROnPlateau")
        with pytest.raises(UnknownSchedule, match="unknown rule 'cosine'"):
            find_rule("cosine")

    def test_a_text_with_such_a_name_says_what_it_is_called_here(self) -> None:
        with pytest.raises(ParseError, match="it is called 'cosine' here"):
            lehr.parse("CosineAnnealingLR(T_max=10)")
        with pytest.raises(ParseError, match="it is the feedback rule 'plateau'"):
            lehr.parse("ReduceLROnPlateau()")

    def test_the_names_that_can_be_translated_are_found(self) -> None:
        # What combines schedules, or calls a function of the user, is not one schedule.
        combine = {
            *("SequentialLR", "ChainedScheduler", "join_schedules", "CompositeParamScheduler"),
            *("ConcatScheduler", "composable", "param_scheduler", "OptimizerParamScheduler"),
            *("weight_decay", "LRSchedulersContainer", "LambdaLR", "MultiplicativeLR", "none"),
            *("sequential", "ComposableScheduler", "lr_scheduler", "build_lr_schedulers"),
            *("ParamScheduler", "ParamGroupScheduler", "LambdaStateScheduler", "OptimizerConfig"),
            *("create_scheduler_v2", "get_scheduler"),
        }
        unknown = {
            name
            for library in libraries()
            for name in names(library)
            # The curves of a momentum are those of the rate, under another name.
            if name not in combine
            and not name.endswith("Momentum")
            and not {alias.casefold() for alias in known_names()} & {name.casefold()}
        }
        assert unknown == set()


def known_names() -> set[str]:
    every = [*ENTRIES.values(), *RULES.values()]
    aliases = {alias.partition("(")[0] for entry in every for alias in entry.aliases}
    return {*ENTRIES, *RULES, *aliases}


def test_a_family_that_there_is_none_of_is_refused() -> None:
    def of_a_new_family() -> lehr.Schedule:
        return lehr.hold()

    register = registry.entry("decays", formula="", example=registry.With())  # type: ignore[arg-type]
    with pytest.raises(ScheduleError, match=r"family='decays' must be 'decay' or .*mean 'decay'"):
        register(of_a_new_family)
    assert "of_a_new_family" not in ENTRIES
