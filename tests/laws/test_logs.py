"""Reading logs: what tools write, and what is wrong with a log."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import transcribed_laws as true
from lehr.laws import Columns, LawError, fit, read_norms, read_run
from transcribed_laws import logged

STEPS = [0, 10, 20, 30, 40]
RATES = [0.0, 0.1, 0.1, 0.1, 0.05]
LOSSES = [5.0, 4.0, 3.5, 3.25, 3.0]
LINES = list(zip(STEPS, RATES, LOSSES, strict=True))


def write_csv(path: Path, header: str, rows: object) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows(rows)  # type: ignore[arg-type]
    return path


def check(path: Path, **options: object) -> None:
    run = read_run(path, **options)  # type: ignore[arg-type]
    assert run.steps.tolist() == STEPS
    assert run.losses.tolist() == LOSSES
    assert run.rates[[0, 5, 10, 30, 35, 40]].tolist() == pytest.approx(
        [0.0, 0.05, 0.1, 0.1, 0.075, 0.05]
    )
    assert run.warmup == 10


NAMES = [
    ("step", "lr", "loss"),
    ("global_step", "learning_rate", "eval_loss"),
    ("Step", "LR", "Loss"),
    ("_step", "train/lr", "val/loss"),
    ("iteration", "lr-AdamW", "train_loss"),
    ("trainer/global_step", "lr/group0", "validation/loss"),
    ("Step", "brisk-fog-7 - train/learning_rate", "brisk-fog-7 - eval/loss"),
]


@pytest.mark.parametrize("names", NAMES, ids=str)
def test_usual_names_are_known(tmp_path: Path, names: tuple[str, str, str]) -> None:
    check(write_csv(tmp_path / "run.csv", ",".join(names), LINES))


def test_an_export_of_wandb_has_more_columns(tmp_path: Path) -> None:
    header = "Step,run - lr,run - lr__MIN,run - lr__MAX,run - loss,run - loss__MIN,run - loss__MAX"
    check(write_csv(tmp_path / "run.csv", header, [(s, r, r, r, x, x, x) for s, r, x in LINES]))


def test_an_export_of_mlflow_has_a_line_for_each_value(tmp_path: Path) -> None:
    rows = [
        ("id", key, value, step, 0)
        for step, *both in LINES
        for key, value in zip(("lr", "loss"), both, strict=True)
    ]
    check(write_csv(tmp_path / "run.csv", "run_id,key,value,step,timestamp", rows))


def test_a_folder_of_mlflow_has_a_file_for_each_metric(tmp_path: Path) -> None:
    folder = tmp_path / "metrics" / "train"
    folder.mkdir(parents=True)
    (folder / "lr").write_text("".join(f"17 {rate} {step}\n" for step, rate, _ in LINES))
    (folder / "loss").write_text("".join(f"17 {loss} {step}\n" for step, _, loss in LINES))
    check(tmp_path)


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(
        "".join(json.dumps({"step": s, "lr": r, "loss": x}) + "\n" for s, r, x in LINES)
    )
    check(path)


def test_the_state_of_a_trainer(tmp_path: Path) -> None:
    history: list[dict[str, float]] = []
    for step, rate, loss in LINES:
        history.append({"step": step, "learning_rate": rate, "loss": loss + 1, "epoch": 0.1})
        history.append({"step": step, "eval_loss": loss})
    path = tmp_path / "trainer_state.json"
    path.write_text(json.dumps({"global_step": 40, "log_history": history}))
    check(path)
    assert read_run(path).kind == "validation"
    training = read_run(path, columns=Columns(loss="loss"))
    assert training.losses.tolist() == [loss + 1 for loss in LOSSES]
    assert training.kind == "training"
    check(tmp_path)  # the checkpoint's folder


def test_losses_may_be_sparse_and_lines_in_any_order(tmp_path: Path) -> None:
    rows = [(s, r, "") for s, r, _ in LINES] + [(s, "", x) for s, _, x in reversed(LINES)]
    path = write_csv(tmp_path / "run.csv", "step,lr,loss", rows)
    check(path)
    assert "not in order" in read_run(path).notes[0]


def test_the_last_rate_holds_up_to_the_last_loss(tmp_path: Path) -> None:
    rows = [(s, r if s < 40 else "", x) for s, r, x in LINES]
    run = read_run(write_csv(tmp_path / "run.csv", "step,lr,loss", rows))
    assert run.steps.tolist() == STEPS
    assert run.losses.tolist() == LOSSES
    assert run.rates[[10, 30, 31, 40]].tolist() == [0.1] * 4


def test_a_restart_logs_steps_again_and_they_are_averaged(tmp_path: Path) -> None:
    rows = [*LINES[:4], (20, 0.1, 3.7), (30, 0.1, 3.35), LINES[4]]
    run = read_run(write_csv(tmp_path / "run.csv", "step,lr,loss", rows))
    assert run.losses.tolist() == pytest.approx([5.0, 4.0, 3.6, 3.3, 3.0])
    assert "restarted: 2 steps" in run.notes[0]


def test_tabs_and_semicolons_separate_too(tmp_path: Path) -> None:
    for separator in ("\t", ";"):
        path = tmp_path / "run.csv"
        lines = [("step", "lr", "loss"), *LINES]
        path.write_text("".join(separator.join(map(str, line)) + "\n" for line in lines))
        check(path)


def test_a_schedule_replaces_the_column_of_rates(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "run.csv", "step,loss", [(s, x) for s, _, x in LINES])
    run = read_run(path, schedule="warmup(10) >> linear()", peak=0.1, steps=50)
    assert run.rates[[5, 10, 30]].tolist() == pytest.approx([0.05, 0.1, 0.05])
    assert run.warmup == 10
    assert run.length == 50


def test_a_jump_of_the_rate_is_where_its_first_line_is(tmp_path: Path) -> None:
    rows = [(s, 0.1 if s < 50 else 0.03, 5 - s / 100) for s in range(0, 101, 10)]
    run = read_run(write_csv(tmp_path / "run.csv", "step,lr,loss", rows))
    assert run.rates[[0, 49, 50, 100]].tolist() == [0.1, 0.1, 0.03, 0.03]


def test_a_last_line_after_the_run_is_not_a_cooldown(tmp_path: Path) -> None:
    rows = [(s, 0.1 if s < 100 else 0.0, 5 - s / 100) for s in range(0, 101, 10)]
    run = read_run(write_csv(tmp_path / "run.csv", "step,lr,loss", rows))
    assert set(run.rates.tolist()) == {0.1}


def test_a_log_that_begins_after_the_warmup(tmp_path: Path) -> None:
    rows = [(s, 0.1, 5 - s / 100) for s in range(20, 101, 10)]
    path = write_csv(tmp_path / "run.csv", "step,lr,loss", rows)
    assert read_run(path, warmup=16).rates[[0, 8, 16, 20]].tolist() == [0.0, 0.05, 0.1, 0.1]
    constant = read_run(path)
    assert set(constant.rates.tolist()) == {0.1}
    assert "without warmup" in constant.notes[0]


BAD = {
    "no values": "step,lr,loss\n",
    "run.csv:3: loss is 'abc', not a number": "step,lr,loss\n0,1,2\n1,1,abc\n",
    "run.csv:2: the step '0.5' is not a whole number": "step,lr,loss\n0.5,1,2\n",
    "run.csv:2: the step '-1' is not a whole number": "step,lr,loss\n-1,1,2\n",
    "run.csv:2: the step is missing": "step,lr,loss\n,1,2\n",
    "run.csv:2: has more values": "step,lr,loss\n0,1,2,3\n",
    "no column is known as the step": "a,lr,loss\n0,1,2\n",
    "no column is known as the learning rate": "step,a,loss\n0,1,2\n",
    "no column is known as the loss": "step,lr,a\n0,1,2\n",
    "may all be the loss": "step,lr,r1 - loss,r2 - loss\n0,1,2,3\n",
    "3e+09 updates: are these tokens?": "step,lr,loss\n3e9,1,2\n",
    "the step 'inf' is not a whole number": "step,lr,loss\ninf,1,2\n",
    "has no losses": "step,lr,loss\n0,1,\n",
    "has no learning rates": "step,lr,loss\n0,,2\n",
    "the learning rate at step 1 is -1": "step,lr,loss\n0,1,2\n1,-1,2\n",
    "the learning rate is 0 throughout": "step,lr,loss\n0,0,2\n1,0,2\n",
    "a learning rate of 5000 is not one": "step,lr,loss\n0,1,2\n5000,5000,2\n",
}


@pytest.mark.parametrize("words", BAD)
def test_what_is_wrong_is_named_with_file_and_line(tmp_path: Path, words: str) -> None:
    path = tmp_path / "run.csv"
    path.write_text(BAD[words])
    with pytest.raises(LawError) as caught:
        read_run(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("run.jsonl", '{"step": 1}\nno\n', "run.jsonl:2: is not JSON"),
        ("run.jsonl", "[1]\n", "run.jsonl:1: is not a JSON object"),
        ("run.jsonl", '{"step": 1, "lr": true, "loss": 2}\n', "lr is 'True'"),
        ("run.json", "{", "is not JSON"),
        ("run.json", "{}", "'log_history'"),
        ("run.json", "[1]", "entry 0 is not an object"),
        ("run.json", "[" * 100_000, "is not JSON"),
        ("run.txt", "hello", "a log ends in"),
        ("run.csv", "\x00\x01", "run.csv"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(LawError, match=words):
        read_run(tmp_path / name)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LawError, match=r"gone\.csv: there is no such file"):
        read_run(tmp_path / "gone.csv")
    with pytest.raises(LawError, match="no TensorBoard events"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"columns": Columns(loss="x")}, "has no column 'x'; its columns are 'step', 'lr', 'loss'"),
        ({"schedule": "linear()"}, "needs a peak rate"),
        ({"schedule": "linear(", "peak": 1.0}, "run.csv"),
        ({"schedule": "linear()", "peak": 1.0, "steps": 5}, "unless|after|losses"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    tmp_path: Path, options: dict[str, object], words: str
) -> None:
    path = write_csv(tmp_path / "run.csv", "step,lr,loss", [(s + 10, r, x) for s, r, x in LINES])
    with pytest.raises(LawError, match=words):
        read_run(path, **options)  # type: ignore[arg-type]


def write_run(path: Path, kind: str, first: int = 0) -> Path:
    run = logged(kind, 3000)
    rows = [
        (int(s), float(run.rates[min(s, 2999)]), float(x))
        for s, x in zip(run.steps, run.losses, strict=True)
        if s >= first
    ]
    return write_csv(path, "step,lr,val_loss", rows)


def test_files_are_fitted_as_they_are(tmp_path: Path) -> None:
    options = {"optimizer": "adamw", "weight_decay": true.DECAY, "warmup": true.WARMUP}
    paths = [write_run(tmp_path / f"{kind}.csv", kind) for kind in ("constant", "cosine", "wsd20")]
    found = fit(paths, **options)  # type: ignore[arg-type]
    run = logged("linear", 3000)
    assert found.predict(run).final == pytest.approx(run.losses[-1], abs=5e-3)
    assert found.kind == "validation"
    assert [one.name for one in found.fitted] == ["constant", "cosine", "wsd20"]


def test_a_file_with_the_cooldown_only_gets_its_beginning(tmp_path: Path) -> None:
    options = {"optimizer": "adamw", "weight_decay": true.DECAY, "warmup": true.WARMUP}
    early = [write_run(tmp_path / f"{kind}.csv", kind) for kind in ("constant", "cosine")]
    late = write_run(tmp_path / "wsd20.csv", "wsd20", first=2390)
    found = fit([*early, late], **options)  # type: ignore[arg-type]
    assert any("continues constant" in note for note in found.fitted[2].notes)
    run = logged("linear", 3000)
    assert found.predict(run).final == pytest.approx(run.losses[-1], abs=5e-3)


def test_events_of_tensorboard(tmp_path: Path) -> None:
    tensorboard = pytest.importorskip("tensorboardX", reason="tensorboardX writes the events")
    with tensorboard.SummaryWriter(str(tmp_path / "events")) as writer:
        for step, rate, loss in LINES:
            writer.add_scalar("train/lr", rate, step)
            writer.add_scalar("val/loss", loss, step)
            writer.add_text("note", "not a number", step)
            writer.add_histogram("weights", np.arange(5.0), step)
    check(tmp_path / "events")
    (file,) = (tmp_path / "events").glob("*tfevents*")
    check(file)
    whole = file.read_bytes()
    for cut in (1, 11, 13):
        file.write_bytes(whole[:-cut])  # still being written
        assert read_run(file).steps[-1] >= STEPS[-2]
    file.write_bytes(b"\xff" * 64)
    with pytest.raises(LawError, match="not an event file"):
        read_run(file)
    file.write_bytes(whole[:40] + b"\xff" * 40 + whole[80:])
    with pytest.raises(LawError, match="event"):
        read_run(file)


@pytest.mark.parametrize("name", ["effective_lr_matrix", "train/effective_lr", "mine"])
def test_a_measured_effective_rate_is_read(tmp_path: Path, name: str) -> None:
    rows = [(*line, 2 * line[1]) for line in LINES]
    path = write_csv(tmp_path / "run.csv", f"step,lr,loss,{name}", rows)
    columns = Columns(effective=name) if name == "mine" else None
    check(path, columns=columns)
    run = read_run(path, columns=columns)
    assert run.effective is not None
    assert run.effective == pytest.approx(2 * run.rates)


def test_the_norm_of_the_weights_gives_the_effective_rate(tmp_path: Path) -> None:
    rows = [(*line, 4.0) for line in LINES]
    run = read_run(write_csv(tmp_path / "run.csv", "step,lr,loss,weight_norm", rows))
    assert run.effective == pytest.approx(run.rates / 4)
    for norms in ([0.0] * 5, [4.0, 4.0, 0.0, 4.0, 4.0], [4.0, 4.0, 4.0, 4.0, -1.0]):
        rows = [(*line, norm) for line, norm in zip(LINES, norms, strict=True)]
        with pytest.raises(LawError, match="column 'weight_norm' has a value of another kind"):
            read_run(write_csv(tmp_path / "bad.csv", "step,lr,loss,weight_norm", rows))


def test_norms_of_the_gradients_are_read(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "run.csv", "step,grad_norm", [(0, 4.0), (2, 2.0), (3, "")])
    assert read_norms(path, 5).tolist() == [4.0, 3.0, 2.0, 2.0, 2.0]
    with pytest.raises(LawError, match="no column 'gnorm'"):
        read_norms(path, 5, "gnorm")


def test_a_folder_of_something_else_is_not_searched(tmp_path: Path) -> None:
    for i in range(101):
        (tmp_path / str(i)).mkdir()
        for j in range(100):
            (tmp_path / str(i) / str(j)).touch()
    with pytest.raises(LawError, match="more than 10,000 files; name the folder of one run"):
        read_run(tmp_path)
