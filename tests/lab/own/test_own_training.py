"""Users' own trainings: what a trial hands over, what it takes, and what may go wrong in one."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lehr.lab import Plan, RunPlace, Size, compare, stored_results
from lehr.lab.errors import StoppedError, TaskError, TrialError
from lehr.lab.own.launch import LOG, train_own, trial_folder
from lehr.lab.own.naming import find_own, pinned_own
from lehr.lab.own.returned import check_returned
from lehr.lab.resources import Resources
from lehr.lab.store.store import Store
from lehr.lab.trial import Trial

if os.name != "posix":
    pytest.skip("a process is watched through POSIX's sessions", allow_module_level=True)

SIZE = Size(steps=20, seeds=2, tuning_seeds=1, peaks=(0.1, 1.0))

# The loss is a known function of the trial: no training can be checked so exactly.
SIMULATED = """
import json, math
from pathlib import Path

def train(trial):
    seen = [trial.rate(step) for step in range(trial.steps)]
    for step in range(1, trial.steps + 1):
        trial.report(step, loss=1 / step)
    facts = [trial.optimizer, trial.seed, trial.steps, trial.peak, seen, trial.resumed]
    (trial.folder / "facts.json").write_text(json.dumps(facts))
    loss = abs(math.log10(trial.peak)) + 0.01 * trial.seed % 7
    return {"validation": {"loss": loss}, "test": {"loss": 2 * loss, "wer": 0.25}, "tokens": 1000}
"""


def resources(tmp_path: Path, **options: Any) -> Resources:
    folder, directory = str(tmp_path / "folders"), str(tmp_path)
    return Resources(**options, folder=folder, directory=directory)


def function(tmp_path: Path, text: str) -> str:
    file = tmp_path / "train.py"
    file.write_text(text)
    return f"train:{file}:train"


def trial_of(task: str, steps: int = 20) -> Trial:
    plan = Plan(task, ("adam",), ("cosine(to=0.1)",), Size(steps, 1, 1, (0.5,)))
    return plan.scoring(plan.pairs[0], 0.5)[0]


def never() -> bool:
    return False


def test_a_function_gets_the_trial_and_its_numbers_are_kept(tmp_path: Path) -> None:
    trial = trial_of(function(tmp_path, SIMULATED))
    used = resources(tmp_path)
    outcome = train_own(trial, used, never).outcome
    facts = json.loads((trial_folder(trial, used.folder) / "facts.json").read_text())
    rate = trial.schedule.over(20)
    assert facts == ["adam", 0, 20, 0.5, [0.5 * rate(step) for step in range(20)], False]
    assert outcome.validation == pytest.approx(0.30103)
    assert outcome.test == outcome.test_loss == pytest.approx(0.60206)
    assert outcome.diverged is None
    assert outcome.loss == tuple(1 / step for step in range(1, 21))
    assert {"test.wer": 0.25, "tokens": 1000.0}.items() <= outcome.numbers.items()


def test_a_comparison_is_made_of_them_and_is_read_from_the_store(tmp_path: Path) -> None:
    plan = Plan(function(tmp_path, SIMULATED), ("adam", "sgd"), ("cosine", "linear"), SIZE)
    results = compare(plan, RunPlace(tmp_path / "out", jobs=2))
    assert [pair.peak for pair in results.pairs] == [1.0] * 4
    assert results.metric.text(0.5) == "0.500 nats"
    assert "--train" in results.settings.command
    assert not results.failed
    with Store(tmp_path / "out" / "trials.db") as store:
        assert stored_results(store)[-1] == results
    # Nothing is trained again, not even if the file is gone.
    before = sorted((tmp_path / "out").rglob("facts.json"))
    assert compare(plan, tmp_path / "out").pairs == results.pairs
    assert sorted((tmp_path / "out").rglob("facts.json")) == before


def test_a_score_is_compared_as_a_share(tmp_path: Path) -> None:
    text = SIMULATED.replace('{"loss": loss}', '{"score": 0.5}').replace(
        '{"loss": 2 * loss, "wer": 0.25}', '{"score": 0.75, "loss": 1.5}'
    )
    plan = Plan(function(tmp_path, text), ("adam",), ("cosine",), SIZE)
    results = compare(plan, tmp_path / "out")
    assert results.metric.is_share
    assert results.pairs[0].score == 0.75
    assert results.pairs[0].test_loss == 1.5


def test_the_metric_may_be_given(tmp_path: Path) -> None:
    name = function(tmp_path, SIMULATED).replace("train:", "train[loss:bits]:", 1)
    results = compare(Plan(name, ("adam",), ("cosine",), SIZE), tmp_path / "out")
    assert results.metric.unit == "bits"
    assert "--metric loss:bits" in results.settings.command


def test_a_trial_with_another_metric_than_the_first_has_failed(tmp_path: Path) -> None:
    text = SIMULATED.replace(
        "    return {", '    if trial.seed == 1:\n        return {"validation": '
        '{"score": 0.5}, "test": {"score": 0.5}}\n    return {',
    )  # fmt: skip
    plan = Plan(function(tmp_path, text), ("adam",), ("cosine",), SIZE)
    (failed,) = compare(plan, tmp_path / "out").failed
    assert failed.reason.startswith("it returned a score, and the first trial a loss")


RETURNED: list[tuple[Any, str]] = [
    (None, "it is None"),
    (0.5, "it is the float 0.5"),
    ({}, "'validation' is missing"),
    ({"validation": 0.5, "test": {"loss": 1}}, "'validation' is the float 0.5"),
    ({"validation": {"loss": 1}}, "'test' is missing"),
    ({"validation": {"loss": 1}, "test": {"score": 1}}, "'score' or 'loss' must be in both"),
    ({"validation": {"loss": "1"}, "test": {"loss": 1}}, "'validation.loss' is the str '1'"),
    ({"validation": {"loss": True}, "test": {"loss": 1}}, "'validation.loss' is the bool True"),
    ({"validation": {"score": 93.0}, "test": {"score": 94.0}}, "a share from 0 to 1"),
    ({"validation": {"loss": [1, 2]}, "test": {"loss": 1}}, "the list [1, 2], not a number"),
    ({"validation": {"loss": 1}, "test": {"loss": 1}, "a\x1b[0m": 1}, "names are strings"),
]


@pytest.mark.parametrize(("returned", "said"), RETURNED, ids=range(len(RETURNED)))
def test_a_wrong_return_says_what_was_returned_and_what_is_expected(
    returned: Any, said: str
) -> None:
    with pytest.raises(TrialError) as refusal:
        check_returned(returned)
    assert said in refusal.value.reason
    assert 'return {"validation": {"loss": ...}, "test": {"loss": ...}}' in refusal.value.reason


def test_a_loss_that_is_not_finite_has_diverged(tmp_path: Path) -> None:
    text = SIMULATED.replace("2 * loss", "math.nan")
    outcome = train_own(trial_of(function(tmp_path, text)), resources(tmp_path), never).outcome
    assert (outcome.diverged, outcome.test) == (20, None)


HEAD = "import os, signal, subprocess, sys, time\nfrom pathlib import Path\n"
GOOD = '{"validation": {"loss": 1.0}, "test": {"loss": 1.0}}'
CHILD = "[sys.executable, '-c', 'import time; time.sleep(600)']"

FAILING = {
    "raises": ("raise KeyError('lr')", "KeyError: 'lr'"),
    "exits with 0": ("sys.exit(0)", "ended its process before train returned"),
    "exits at once": ("os._exit(3)", "exit code 3"),
    "is killed": ("os.kill(os.getpid(), 9)", "killed by SIGKILL (is the memory too small?)"),
    "crashes": ("os.kill(os.getpid(), 11)", "killed by SIGSEGV"),
    "recurses": ("f = lambda: f(); f()", "RecursionError"),
    "returns nonsense": ("return 'done'", "it is the str 'done'"),
}


@pytest.mark.parametrize("way", FAILING)
def test_whatever_a_function_does_is_one_failed_trial(way: str, tmp_path: Path) -> None:
    code, said = FAILING[way]
    task = function(tmp_path, f"{HEAD}\ndef train(trial):\n    print('begun')\n    {code}\n")
    with pytest.raises(TrialError) as refusal:
        train_own(trial_of(task), resources(tmp_path), never)
    assert said in refusal.value.reason
    assert "begun" in refusal.value.trace


def children_of(tmp_path: Path) -> list[int]:
    return [int(text) for text in (tmp_path / "pids").read_text().split()]


def is_alive(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


HUNG = f"""{HEAD}
def train(trial):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    children = [subprocess.Popen({CHILD}, start_new_session=new) for new in (False, True)]
    Path("pids").write_text(" ".join(map(str, [os.getpid(), *(c.pid for c in children)])))
    print("hung", flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_hung_trial_is_ended_with_all_that_it_has_started(tmp_path: Path) -> None:
    trial = trial_of(function(tmp_path, HUNG))
    # On a slow machine it begins late: then more time is given.
    for seconds in (4, 16, 64, 256):
        reason = f"it took longer than {seconds} s, and was stopped"
        with pytest.raises(TrialError, match=reason) as refusal:
            train_own(trial, resources(tmp_path, timeout=float(seconds)), never)
        if "hung" in refusal.value.trace:
            break
    assert "hung" in refusal.value.trace
    assert not [process for process in children_of(tmp_path) if is_alive(process)]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_trial_that_is_stopped_ends_too_and_is_resumed_in_its_folder(tmp_path: Path) -> None:
    text = HUNG.replace(
        "def train(trial):\n",
        "def train(trial):\n"
        "    kept = trial.folder / 'checkpoint'\n"
        "    if trial.resumed:\n"
        f"        assert kept.read_text() == 'here'\n        return {GOOD}\n"
        "    kept.write_text('here')\n",
    )
    trial = trial_of(function(tmp_path, text))
    begun = threading.Event()

    def stopped() -> bool:
        if (tmp_path / "pids").exists() and (tmp_path / "pids").read_text().count(" ") == 2:
            begun.set()
        return begun.is_set()

    with pytest.raises(StoppedError):
        train_own(trial, resources(tmp_path), stopped)
    assert not [process for process in children_of(tmp_path) if is_alive(process)]
    assert train_own(trial, resources(tmp_path), never).outcome.test == 1.0


def test_a_trial_that_failed_starts_afresh(tmp_path: Path) -> None:
    text = (
        f"{HEAD}\ndef train(trial):\n    assert not trial.resumed\n"
        "    assert not (trial.folder / 'kept').exists()\n"
        "    (trial.folder / 'kept').touch()\n    raise ValueError\n"
    )
    trial = trial_of(function(tmp_path, text))
    for _ in range(2):
        with pytest.raises(TrialError, match="ValueError"):
            train_own(trial, resources(tmp_path), never)


def test_what_it_prints_fills_neither_memory_nor_disk(tmp_path: Path) -> None:
    code = (
        "line = 'x' * 1023 + '\\n'\n    for _ in range(1 << 15):\n        sys.stdout.write(line)\n"
    )
    task = function(tmp_path, f"{HEAD}\ndef train(trial):\n    {code}    return {GOOD}\n")
    trial, used = trial_of(task), resources(tmp_path)
    assert train_own(trial, used, never).outcome.test == 1.0
    logs = list(trial_folder(trial, used.folder).glob(f"{LOG}*"))
    assert logs
    assert sum(log.stat().st_size for log in logs) < 1 << 22


def test_its_children_do_not_keep_a_trial_from_ending(tmp_path: Path) -> None:
    code = f"subprocess.Popen({CHILD})\n    return {GOOD}"
    task = function(tmp_path, f"{HEAD}\ndef train(trial):\n    {code}\n")
    begun = time.monotonic()
    assert train_own(trial_of(task), resources(tmp_path), never).outcome.test == 1.0
    assert time.monotonic() - begun < 500


def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    trial = trial_of(function(tmp_path, SIMULATED))
    (tmp_path / "train.py").write_text(SIMULATED + "# changed\n")
    with pytest.raises(TaskError, match="has changed since the comparison began"):
        train_own(trial, resources(tmp_path), never)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def other(trial): ...", "train.py has no function 'train'"),
        ("def train(:", "train.py is not Python"),
    ],
)
def test_a_function_that_is_not_there_is_refused_at_once(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(TaskError, match=said):
        pinned_own(function(tmp_path, text))


# ----- commands -----------------------------------------------------------------------------------

SCRIPT = f"""{HEAD}
import json
out = Path(sys.argv[sys.argv.index("--out") + 1])
(out / "seen.json").write_text(json.dumps([sys.argv[1:], json.loads(os.environ["LEHR_TRIAL"])]))
"""


def command(tmp_path: Path, text: str, words: str = "--out {out}") -> str:
    (tmp_path / "own.py").write_text(SCRIPT + text)
    return f"command:{sys.executable} own.py {words}"


@pytest.mark.parametrize(
    "left",
    [f"(out / 'outcome.json').write_text('{GOOD}')", f"print('log'); print('{GOOD}')"],
    ids=["a file", "its last line"],
)
def test_a_command_leaves_its_outcome_in_a_file_or_prints_it(
    left: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = "--lr {peak} --schedule {schedule} --seed={seed} --steps {steps} {{x}} --out {out}"
    trial, used = trial_of(command(tmp_path, left, words)), resources(tmp_path)
    assert train_own(trial, used, never).outcome.test == 1.0
    folder = trial_folder(trial, used.folder)
    arguments, given = json.loads((folder / "seen.json").read_text())
    assert arguments == [
        *("--lr", "0.5", "--schedule", "cosine(to=0.1)", "--seed=0", "--steps", "20"),
        *("{x}", "--out", str(folder)),
    ]
    assert given == json.loads((folder / "trial.json").read_text())
    assert (given["peak"], given["schedule"], given["resumed"]) == (0.5, "cosine(to=0.1)", False)


GARBAGE = {
    "not JSON": ("(out / 'outcome.json').write_text('{')", "outcome.json"),
    "NaN": (
        "(out / 'outcome.json').write_text('{\"validation\": {\"loss\": NaN}}')",
        "'test' is missing",
    ),
    "huge": ("(out / 'outcome.json').write_bytes(b' ' * (1 << 21))", "1,048,576 bytes"),
    "a link": ("(out / 'outcome.json').symlink_to('/etc/passwd')", "cannot be read"),
    "a pipe": ("os.mkfifo(out / 'outcome.json')", "cannot be read"),
    "a folder": ("(out / 'outcome.json').mkdir()", "cannot be read"),
    "deep": ("(out / 'outcome.json').write_text('[' * 100000)", "outcome.json"),
    "a list": ("print([1, 2])", "it is the list [1, 2]"),
    "a word": ("print('done')", "the last line of its output"),
    "nothing": ("pass", "left no outcome.json, and printed nothing"),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_a_failed_trial(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = GARBAGE[kind]
    with pytest.raises(TrialError) as refusal:
        train_own(trial_of(command(tmp_path, code)), resources(tmp_path), never)
    assert said in refusal.value.reason


def test_no_shell_reads_the_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = "{schedule};touch${{IFS}}x --out {out} $(touch y) > z"
    train_own(trial_of(command(tmp_path, f"print('{GOOD}')", words)), resources(tmp_path), never)
    assert not [name for name in "xyz" if (tmp_path / name).exists()]


def test_a_shell_gets_quoted_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    task = command(tmp_path, f"print('{GOOD}')", "{schedule} --out {out} | tail -n 1")
    train_own(trial_of(task.replace("command:", "shell:", 1)), resources(tmp_path), never)
    with pytest.raises(TaskError, match="a placeholder inside quotes"):
        Plan("shell:run '{peak}'", ("adam",), ("cosine",), SIZE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("run {lr}", r"'\{lr\}', which is not known: in braces there may be peak, schedule"),
        ("run {", "'{', which is not known"),
        ("run 'a", "cannot be read: No closing quotation"),
        ("", "the command is empty"),
        ("no-such-program-here {peak}", "cannot be run"),
    ],
)
def test_commands_that_cannot_be_run(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises((TaskError, TrialError), match=said):
        train_own(trial_of(f"command:{text}"), resources(tmp_path), never)


def test_a_script_that_a_command_names_is_part_of_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = pinned_own(command(tmp_path, "pass"))
    assert pinned_own(command(tmp_path, "pass")) == before
    assert pinned_own(command(tmp_path, "pass  # changed")) != before
    assert find_own(before) == find_own(command(tmp_path, "pass"))


# ----- beside the built-in tasks ------------------------------------------------------------------

DIGITS = """
import torch
from lehr.lab.tasks.registry import find_task
from lehr.lab.tasks.seeding import network
from lehr.lab.training.loop import batches

def train(trial):
    task = find_task("digits")
    data, model = task.load(), network(task, trial.seed)
    optimizer = trial.optimizer_for(model.parameters())
    scheduler = trial.scheduler_for(optimizer)
    order = batches(task, trial.seed)
    for step in range(1, trial.steps + 1):
        chosen = next(order)
        optimizer.zero_grad()
        loss = task.loss(model(data.train.inputs[chosen]), data.train.targets[chosen])
        loss.backward()
        optimizer.step()
        scheduler.step()
        trial.report(step, loss=loss.item())
    with torch.no_grad():
        parts = {name: getattr(data, name) for name in ("validation", "test")}
        return {
            name: {
                "score": task.score(model(part.inputs), part.targets),
                "loss": task.loss(model(part.inputs), part.targets),
            }
            for name, part in parts.items()
        }
"""


def test_a_comparison_equals_the_built_in_one_trial_by_trial(tmp_path: Path) -> None:
    size = Size(20, 1, 1, (0.01, 0.1))
    found: dict[str, dict[Any, Any]] = {}
    for name, task in (("built in", "digits"), ("own", function(tmp_path, DIGITS))):
        store = tmp_path / name / "trials.db"
        compare(Plan(task, ("momentum", "adamw"), ("one_cycle",), size), store.parent)
        with Store(store) as trials:
            found[name] = {
                (r.identity["optimizer"], r.identity["peak"], r.identity["seed"]): r.outcome
                for r in trials.records()
            }
    assert found["own"].keys() == found["built in"].keys()
    for key, outcome in found["own"].items():
        other = found["built in"][key]
        # One image more or less of 225 is what rounding may decide.
        assert outcome.validation == pytest.approx(other.validation, abs=0.005)
        assert outcome.test == pytest.approx(other.test, abs=0.005)
        assert outcome.test_loss == pytest.approx(other.test_loss, rel=1e-3)
        assert outcome.loss == pytest.approx(other.loss, rel=1e-3)
