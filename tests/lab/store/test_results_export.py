"""Finished trials as other programs read them."""

import os
import struct
from pathlib import Path

import pytest

import lehr
from lehr.lab.errors import ExportError
from lehr.lab.store import trackers as folders
from lehr.lab.store.rows import COLUMNS, frame, row, short
from lehr.lab.store.store import Store
from lehr.lab.store.trackers import mlflow, tensorboard
from lehr.lab.trial import FinishedTrial, Outcome, Trial

STEP = lehr.find_entry("step").example
WHOLE = Outcome(None, (1.5, 1 / 3), (0.25, 0.7), 0.7, 0.6, 1.25)
LOST = Outcome(2, (1.5, None), (0.25, 0.1), 0.1, 0.1, None)
TRIALS = [
    Trial("digits", "adam", STEP, None, steps=2, peak=0.1, seed=0),
    Trial("digits", "adam", STEP * 2, lehr.linear(to=0.5), steps=2, peak=0.1, seed=1),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "trials.db"
    with Store(path, write=True) as store:
        store.add([(TRIALS[0], FinishedTrial(WHOLE, 0.5)), (TRIALS[1], FinishedTrial(LOST, 0.25))])
    return path


def test_a_row_has_all_there_is(path: Path) -> None:
    with Store(path) as store:
        whole, lost = map(row, store.records())
    assert tuple(whole)[: len(COLUMNS)] == COLUMNS
    assert whole["key"] == TRIALS[0].digest.hex()
    assert (whole["schedule"], whole["momentum"]) == (repr(STEP), None)
    assert (whole["step"], whole["loss"], whole["validations"]) == (
        [1, 2],
        [1.5, 1 / 3],
        [0.25, 0.7],
    )
    assert (whole["validation"], whole["test"], whole["test_loss"]) == (0.7, 0.6, 1.25)
    assert (lost["diverged"], lost["loss"], lost["test_loss"]) == (2, [1.5, None], None)
    assert lost["momentum"] == repr(lehr.linear(to=0.5))
    assert lehr.parse(lost["schedule"]) == TRIALS[1].schedule


def test_a_schedule_of_the_catalogue_goes_by_its_name() -> None:
    assert short(repr(STEP)) == "step"
    assert short(repr(STEP * 2)) == repr(STEP * 2)


def test_a_frame_has_a_row_a_trial(path: Path) -> None:
    pytest.importorskip("pandas", reason="needs lehr[pandas]")
    with Store(path) as store:
        table = frame(store)
    assert list(table.columns) == [*COLUMNS, "step", "loss", "validations", "numbers"]
    assert table["seed"].tolist() == [0, 1]
    assert table["validation"].mean() == pytest.approx(0.4)
    assert table.loc[table["diverged"].notna(), "validations"].tolist() == [[0.25, 0.1]]


def test_a_frame_of_nothing_has_its_columns(tmp_path: Path) -> None:
    pytest.importorskip("pandas", reason="needs lehr[pandas]")
    with Store(tmp_path / "new.db", write=True) as store:
        assert list(frame(store).columns) == [*COLUMNS, "step", "loss", "validations", "numbers"]


def events(folder: Path) -> dict[tuple[str, int], float]:
    """The scalars in a folder of TensorBoard's, by tag and step.

    A file is records: length (8 bytes), its checksum (4), an event, its checksum (4).
    """
    from tensorboardX.proto.event_pb2 import Event

    found: dict[tuple[str, int], float] = {}
    for path in folder.rglob("events.out.tfevents.*"):
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            event = Event.FromString(content[12 : 12 + length])
            content = content[16 + length :]
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    found[value.tag, event.step] = value.simple_value
    return found


def test_tensorboard_gets_curves_and_scores(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="needs lehr[tensorboard]")
    out = tmp_path / "board"
    seen: list[int] = []
    with Store(path) as store:
        assert tensorboard(store.records(), out, seen.append) == 2
    assert seen == [1, 2]
    (whole,) = (out / "digits" / "adam" / "step").iterdir()
    assert whole.name == f"peak=0.1,seed=0,{TRIALS[0].digest.hex()[:8]}"
    found = events(whole)
    curves = {
        key: value
        for key, value in found.items()
        if key[0].startswith(("train", "validation", "test"))
    }
    assert curves == pytest.approx(
        {
            ("train_loss", 1): 1.5,
            ("train_loss", 2): 1 / 3,
            ("validation", 1): 0.25,
            ("validation", 2): 0.7,
            ("test", 2): 0.6,
            ("test_loss", 2): 1.25,
        },
        rel=1e-6,
    )
    (lost,) = (path for path in (out / "digits" / "adam").glob("*/*") if path != whole)
    assert {step for tag, step in events(lost) if tag == "train_loss"} == {1}


def test_tensorboard_gets_each_trial_once_and_no_halves(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="needs lehr[tensorboard]")
    out = tmp_path / "board"
    with Store(path) as store:
        first, second = store.records()
        assert tensorboard([first], out) == 1
        before = sorted(out.rglob("*"))
        assert tensorboard([first, second], out) == 1
        assert set(before) < set(out.rglob("*"))
        assert tensorboard([first, second], out) == 0
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]


def test_mlflow_gets_each_trial_once(path: Path, tmp_path: Path) -> None:
    package = pytest.importorskip("mlflow", reason="needs lehr[mlflow]")
    out = tmp_path / "runs"
    with Store(path) as store:
        first, second = store.records()
        assert mlflow([first], str(out)) == 1
        assert mlflow([first, second], str(out)) == 1
        assert mlflow([first, second], str(out)) == 0
    assert "MLFLOW_ALLOW_FILE_STORE" not in os.environ
    with folders._files_allowed():
        client = package.MlflowClient(tracking_uri=out.as_uri())
        home = client.get_experiment_by_name("lehr").experiment_id
        runs = {run.data.params["seed"]: run for run in client.search_runs([home])}
        losses = client.get_metric_history(runs["0"].info.run_id, "train_loss")
    assert {seed: run.data.metrics["test"] for seed, run in runs.items()} == {
        "0": 0.6,
        "1": 0.1,
    }
    assert runs["1"].data.params["momentum"] == "linear(to=0.5)"
    assert [(metric.step, metric.value) for metric in losses] == [(1, 1.5), (2, 1 / 3)]
    assert runs["0"].data.tags["lehr.lehr"] == lehr.__version__


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda: tensorboard([], Path("x")), r"tensorboardX is not installed: .*tensorboard"),
        (lambda: mlflow([], "x"), r"mlflow is not installed: .*mlflow"),
    ],
    ids=["tensorboard", "mlflow"],
)
def test_what_is_not_installed_is_named(
    write: object, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "find_spec", lambda _: None)
    assert callable(write)
    with pytest.raises(ExportError, match=words):
        write()
