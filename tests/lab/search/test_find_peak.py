"""The edge ladder as the search of a study."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from lehr.lab.errors import TaskError
from lehr.lab.search.ladder import VERIFY_SEEDS, LadderSearch, find_peak
from lehr.lab.study import Progress
from lehr.lab.trial import FailedTrial, FinishedTrial, Outcome, Trial

TEXT = "warmup('10%') >> cosine()"


def test_a_search_is_trained_once_and_then_recalled(tmp_path: Path) -> None:
    seen: list[Progress] = []
    first = find_peak("digits", "momentum", TEXT, 400, tmp_path)
    assert first.peak is not None
    # The best of a grid is at 0.18 to 0.3, and training breaks at 0.8.
    assert 0.1 < first.peak < 0.5
    again = find_peak("digits", "momentum", TEXT, 400, tmp_path, watch=seen.append)
    assert again == first
    assert seen[-1].trained == 0


def test_another_version_of_an_optimizers_file_makes_other_trials(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    code = "import torch\n\n\nclass Mine(torch.optim.SGD):\n    pass\n"
    file.write_text(code)
    text = f"{file}:Mine"
    first = next(iter(LadderSearch("digits", text, TEXT, 400).next()))
    assert next(iter(LadderSearch("digits", text, TEXT, 400).next())).digest == first.digest
    file.write_text(code + "# another version\n")
    assert next(iter(LadderSearch("digits", text, TEXT, 400).next())).digest != first.digest


def outcome(trial: Trial, edge: float, best: float = 0.08) -> FinishedTrial:
    """Return the outcome of a run that learns with the rate up to an edge.

    Arguments:
        trial: The run.
        edge: The edge.
        best: The rate at which validation is best, a little above where short runs say.
    """
    count = min(20, trial.steps)
    if trial.peak > edge:
        lost = Outcome(3, (2.0, *[None] * (count - 1)), (0.1,) * count, 0.1, 0.1, None)
        return FinishedTrial(lost, 0.0)
    fall = min(1.0, trial.peak / edge * 1.5) * min(1.0, trial.steps / 40)
    losses = tuple(2 - fall * (i + 1) / count for i in range(count))
    score = 1 - 0.1 * abs(math.log10(trial.peak / best))
    return FinishedTrial(Outcome(None, losses, (score,) * count, score, score, 1.0), 0.0)


def searched(
    verify: bool, budget: int | str = 400, best: float = 0.15
) -> tuple[LadderSearch, list[Trial]]:
    search = LadderSearch("digits", "momentum", TEXT, 1_000, budget=budget, verify=verify)
    made: list[Trial] = []
    while trials := list(search.next()):
        made += trials[:1]
        assert len(made) + len(trials) - 1 <= search.total
        search.tell(trials[0], outcome(trials[0], 0.2, best))
    return search, made


def test_short_runs_are_trials_of_the_squeezed_schedule() -> None:
    search, made = searched(verify=False)
    found = search.suggestion()
    assert {trial.steps for trial in made} == {10, 40}
    assert made[0].peak < 1e-20
    assert made[-1].schedule.over(40)(0) == pytest.approx(0.12)
    # A run that diverged cost its updates up to there, and the others all of theirs.
    stopped = [trial for trial in made if trial.peak > 0.2]
    assert found.spent == sum(t.steps for t in made if t not in stopped) + 3 * len(stopped)


def test_whole_runs_verify_the_peak_and_both_sides() -> None:
    plain = searched(verify=False)[0].suggestion()
    search, made = searched(verify=True)
    found = search.suggestion()
    whole = [trial for trial in made if trial.steps == 1_000]
    assert plain.peak is not None
    assert sorted({trial.peak for trial in whole}) == pytest.approx(
        [plain.peak / 1.8, plain.peak, plain.peak * 1.8]
    )
    assert len(whole) == 3 * VERIFY_SEEDS
    assert found.spent == plain.spent + len(whole) * 1_000
    assert found.decided_by == "runs"
    assert found.peak == pytest.approx(plain.peak * 1.8)
    assert found.peaks == (found.peak,)


def test_the_rest_of_a_budget_is_spent_on_longer_runs() -> None:
    plain = searched(verify=False)[0].suggestion()
    search, made = searched(verify=False, budget="200%", best=0.05)
    found = search.suggestion()
    (steps,) = {trial.steps for trial in made} - {10, 40}
    longer = [trial for trial in made if trial.steps == steps]
    assert plain.peak is not None
    assert 100 < steps == (2_000 - plain.spent) // 12
    # Three rates and one beyond, with three seeds each.
    assert len(longer) == 12
    made_updates = [outcome(trial, 0.2, 0.05).outcome.diverged or steps for trial in longer]
    assert found.spent == plain.spent + sum(made_updates)
    assert found.decided_by == "runs"
    assert found.peak == pytest.approx(plain.peak / 1.8)
    made_scores = [outcome(trial, 0.2, 0.05).outcome for trial in longer]
    scores = [None if each.diverged else -(each.validation or 0.0) for each in made_scores]
    assert [run.validation for run in found.curve[-12:]] == scores


def test_whole_runs_verify_what_longer_ones_have_moved() -> None:
    moved = searched(verify=False, budget="200%", best=0.05)[0].suggestion().peak
    search, made = searched(verify=True, budget="200%", best=0.05)
    assert moved is not None
    whole = {trial.peak for trial in made if trial.steps == 1_000}
    assert sorted(whole) == pytest.approx([moved / 1.8, moved, moved * 1.8])
    assert search.suggestion().decided_by == "runs"


def test_a_trial_that_fails_ends_the_search() -> None:
    search = LadderSearch("digits", "momentum", TEXT, 1_000)
    with pytest.raises(TaskError, match="failed: ValueError: no"):
        search.tell(next(search.next()), FailedTrial("ValueError: no", ""))


def own_search(folder: Path, **options: Any) -> LadderSearch:
    (folder / "own.py").write_text("def run(trial): ...")
    return LadderSearch(f"train:{folder}/own.py:run", "momentum", TEXT, 1_000, **options)


@pytest.mark.parametrize("kind", ["score", "loss", None])
def test_longer_runs_of_ones_own_count_by_what_they_return(
    tmp_path: Path, kind: str | None
) -> None:
    search = own_search(tmp_path, budget="200%")
    while trials := list(search.next()):
        made = outcome(trials[0], 0.2, 0.05).outcome
        value = made.validation or 0.0
        value = {"score": value, "loss": 1 - value}.get(kind or "")
        numbers = {} if value is None else {f"validation.{kind}": value}
        made = replace(made, validation=value, numbers=numbers)
        search.tell(trials[0], FinishedTrial(made, 0.0))
    found = search.suggestion()
    assert found.edge is not None
    # What is returned is best at 0.05, and the training loss just before 0.2: less than 1.8 times
    # the peak.
    below = math.log10(found.edge / (found.peak or 1.0))
    usual = 0.2 + 0.2 * math.log10(1_000 / 40)
    assert below == pytest.approx(usual + (0 if kind is None else 1) * math.log10(1.8))


@pytest.mark.parametrize("reported", [True, False])
def test_a_training_of_ones_own_is_searched_by_what_it_reports(
    tmp_path: Path, reported: bool
) -> None:
    """A broken run lacks its last loss. Where none are reported, that on validation data counts."""
    search = own_search(tmp_path)
    while trials := list(search.next()):
        made = outcome(trials[0], 0.2, 0.15).outcome
        if reported:
            count = len(made.loss)
            learned = tuple(0.5 if at < count / 2 else None for at in range(count))
            loss = made.loss if made.diverged is None else learned
            made = replace(made, loss=loss, diverged=None, numbers={"validation.score": 0.1})
        else:
            known = {"validation.loss": made.loss[-1] or 0.0} if made.diverged is None else {}
            made = replace(made, loss=(None,) * len(made.loss), numbers=known)
        search.tell(trials[0], FinishedTrial(made, 0.0))
    found = search.suggestion()
    assert found.edge is not None
    assert found.edge == pytest.approx(0.2, rel=0.4)
    assert found.decided_by == "edge"


def test_a_training_of_ones_own_that_gives_no_loss_is_an_error(tmp_path: Path) -> None:
    search = own_search(tmp_path)
    made = Outcome(None, (None,) * 10, (0.1,) * 10, 0.1, 0.1, None, {"validation.score": 0.1})
    with pytest.raises(TaskError, match=r"call trial.report\(step, loss=...\)"):
        search.tell(next(search.next()), FinishedTrial(made, 0.0))


def test_a_failed_run_of_ones_own_says_what_to_return(tmp_path: Path) -> None:
    search = own_search(tmp_path)
    with pytest.raises(TaskError, match=r"10 updates .* failed: no\. .* a loss that is not finite"):
        search.tell(next(search.next()), FailedTrial("no", ""))


@pytest.mark.parametrize("kind", ["score", "loss"])
def test_whole_runs_of_ones_own_are_ordered_by_what_they_return(tmp_path: Path, kind: str) -> None:
    search = own_search(tmp_path, verify=True)
    while trials := list(search.next()):
        made = outcome(trials[0], 0.2, 0.15).outcome
        value = made.validation if kind == "score" else 1 - (made.validation or 0.0)
        made = replace(made, validation=value, numbers={f"validation.{kind}": value or 0.0})
        search.tell(trials[0], FinishedTrial(made, 0.0))
    # Whole runs are best at 0.15, and the short ones suggest less.
    assert search.suggestion().decided_by == "runs"
    assert search.suggestion().peak == pytest.approx(search.verified[2])


@pytest.mark.parametrize(
    ("task", "optimizer", "text", "words"),
    [
        ("digit", "adam", TEXT, "unknown task"),
        ("digits", "adm", TEXT, "unknown optimizer"),
        ("digits", "adam", "cosin", "cosin"),
    ],
)
def test_wrong_names(task: str, optimizer: str, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LadderSearch(task, optimizer, text, 1_000)
