"""One trial of a user's own training, in its own process and its own folder."""

from __future__ import annotations

import csv
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from lehr.files import write_whole
from lehr.lab.errors import StoppedError, StoreError, TaskError, TrialError, WorkerError
from lehr.lab.own import warden
from lehr.lab.own.curve import CURVE, read_curve
from lehr.lab.own.naming import Own, command_hash, fill, find_own, split_batch
from lehr.lab.own.returned import OUTCOME, check_returned, read_file, read_text
from lehr.lab.own.running import TRIAL
from lehr.lab.python_source import fingerprint, read_content
from lehr.lab.resources import Resources
from lehr.lab.trial import FinishedTrial, Outcome, Trial

LOG, _TRIAL_FILE, _ENDED, _SOURCE = "output.log", "trial.json", "ended.json", "source.py"

_POLL = 0.1  # seconds between two checks of whether to stop
_LATE = 3 * warden.GRACE  # seconds until a warden that was asked to end is killed
_LITTLE = 20e6  # bytes left at which a disk counts as full
_SHOWN = 4000  # characters of output that are kept with a failure


def trial_folder(trial: Trial, parent: str) -> Path:
    """Return the folder of a trial; its name describes the trial."""
    what = f"{trial.optimizer} {trial.schedule!r}"
    name = re.sub(r"[^A-Za-z0-9.]+", "-", what)[:60].strip("-.")
    return Path(parent) / f"{name}-{trial.peak:g}-seed{trial.seed}-{trial.digest.hex()[:12]}"


def train_own(trial: Trial, resources: Resources, stopped: Callable[[], bool]) -> FinishedTrial:
    """Run a trial, to its end or until `stopped` returns True.

    Raises:
        TrialError: If it fails: by an error, a wrong outcome, a signal, or the time limit.
        TaskError: If the training has changed since the comparison began.
        StoreError: If its folder cannot be written.
        StoppedError: If `stopped` returned True; a later call resumes it.
        WorkerError: If processes cannot be started or watched here.
    """
    if os.name != "posix":
        raise WorkerError("trainings of your own need Linux, macOS or WSL: this is another system")
    own = find_own(trial.task)
    folder = _made(trial, resources)
    try:
        source = _source(own, trial.task, resources)
        resumed = _begin(folder)
        device, visible = _device(resources.device)
        facts = {
            "optimizer": trial.optimizer,
            "peak": float(trial.peak),
            "seed": trial.seed,
            "steps": trial.steps,
            "batch": own.batch,
            "schedule": repr(trial.schedule),
            "momentum": None if trial.momentum is None else repr(trial.momentum),
            "device": device,
            "folder": str(folder),
            "resumed": resumed,
        }
        write_whole(folder / _TRIAL_FILE, json.dumps(facts, indent=1) + "\n")
        if source is None:
            argv = _command(own, trial, folder, facts)
        else:
            (folder / _SOURCE).write_bytes(source)
            child = [sys.executable, "-P", "-m", "lehr.lab.own.child"]
            argv = [*child, str(own.file), own.text, str(folder / _SOURCE)]
    except OSError as error:
        raise _unwritable(folder, str(error)) from error
    directory = resources.directory
    request = {
        "argv": argv,
        "cwd": directory if os.path.isdir(directory) else str(folder),
        "env": {"PYTHONUNBUFFERED": "1", **os.environ, **visible, TRIAL: json.dumps(facts)},
        "log": str(folder / LOG),
        "lock": str(folder / ".lock"),
        "timeout": resources.timeout,
    }
    answer = _watched(request, stopped)
    try:
        outcome = _outcome(answer, trial, folder, resources.timeout)
    except TrialError as error:
        # A full disk makes every training fail, though none is the cause.
        if shutil.disk_usage(folder).free < _LITTLE:
            raise _unwritable(folder, error.reason) from None
        _end(folder, error.reason)
        raise
    _end(folder, None)
    return FinishedTrial(outcome, answer["seconds"])


def _made(trial: Trial, resources: Resources) -> Path:
    """Create the trial's folder if needed, and return it."""
    folder = trial_folder(trial, resources.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if os.path.isdir(resources.directory):
            raise _unwritable(folder, str(error)) from error
        # A worker on another machine has other folders.
        folder = trial_folder(trial, str(Path(tempfile.gettempdir()) / "lehr-trials"))
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _source(own: Own, name: str, resources: Resources) -> bytes | None:
    """Return the content of a function's file as it was pinned, or None for a command."""
    known, _, pin = name.rpartition("@")
    if own.file is None:
        if command_hash(own, Path(resources.directory)) != pin:
            raise TaskError(
                f"a file of the command {own.title!r} has changed since the comparison began, or "
                "is missing here: start the comparison again"
            )
        return None
    content = resources.files.get(split_batch(name)[1])
    if content is None:
        content = read_content(own.file)
    if fingerprint(content) != pin:
        raise TaskError(f"{known!r} has changed since the comparison began: start it again")
    return content


def _begin(folder: Path) -> bool:
    """Prepare the folder, and return whether the trial resumes in it."""
    if (folder / _ENDED).exists():
        # It failed, or its outcome was lost with the store, so it starts afresh.
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != ".lock":
                path.unlink()
    for name in (OUTCOME, f"{OUTCOME}.part"):
        (folder / name).unlink(missing_ok=True)
    return (folder / _TRIAL_FILE).exists()


def _end(folder: Path, reason: str | None) -> None:
    # Without this the trial would be resumed if it is ever needed again.
    with suppress(OSError):
        write_whole(folder / _ENDED, json.dumps({"failed": reason}))


def _device(device: str) -> tuple[str, dict[str, str]]:
    """Return the device for the process, and the variables that hide the other GPUs from it."""
    kind, _, number = device.partition(":")
    if kind != "cuda" or not number.isdigit():
        return device, {}
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = seen.split(",") if seen else []
    place = int(number)
    return "cuda", {"CUDA_VISIBLE_DEVICES": names[place] if place < len(names) else number}


def _command(own: Own, trial: Trial, folder: Path, facts: dict[str, Any]) -> list[str]:
    values = {name: "" if value is None else str(value) for name, value in facts.items()}
    values |= {"peak": repr(facts["peak"]), "out": str(folder)}
    values |= {"trial": str(folder / _TRIAL_FILE), "rates": str(folder / "rates.csv")}
    if "{rates}" in own.text:
        steps = np.arange(trial.steps)
        rates = np.asarray((trial.peak * trial.schedule).over(trial.steps)(steps), dtype=float)
        with (folder / "rates.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["step", "rate"])
            writer.writerows(zip(steps.tolist(), rates.tolist(), strict=True))
    return fill(own, values)


def _unwritable(folder: Path, reason: str) -> StoreError:
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(place).free
    full = f"; its disk has {free / 1e6:.1f} MB left: make room" if free < _LITTLE else ""
    return StoreError(
        f"the folder of a trial, {folder}, cannot be used: {reason}{full}. Finished trials are "
        "kept; run the same command again to continue"
    )


def _watched(request: dict[str, Any], stopped: Callable[[], bool]) -> dict[str, Any]:
    """Run a warden and return its answer; raise StoppedError once `stopped` returns True."""
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(warden.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise WorkerError(f"a process for a trial cannot be started: {error}") from error
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    group: int | None = None
    text = b""
    with process:
        try:
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
            while True:
                ready = select.select([process.stdout], [], [], _POLL)[0]
                if ready:
                    data = os.read(process.stdout.fileno(), 1 << 16)
                    text += data
                    if not data:
                        break
                if group is None and b"\n" in text:
                    group = json.loads(text.partition(b"\n")[0]).get("group")
                if stopped():
                    raise StoppedError
        finally:
            _close(process, group)
        complaint = process.stderr.read().decode(errors="replace")
    lines = text.decode(errors="replace").splitlines()
    answer = json.loads(lines[-1]) if lines and text.endswith(b"\n") else {}
    if "error" in answer:
        raise TrialError(answer["error"], answer["error"])
    if "ended" not in answer:
        reason = "the process that watched it was killed"
        raise TrialError(reason, f"{reason}\n{complaint}")
    return answer


def _close(process: subprocess.Popen[bytes], group: int | None) -> None:
    """End the warden and what it watches; a warden that does not respond is killed with it."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_LATE)
    if process.poll() != 0:
        process.kill()
        # The group is still the command's: the warden has not waited for its end.
        if group is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)


def _outcome(answer: dict[str, Any], trial: Trial, folder: Path, timeout: float | None) -> Outcome:
    """Return the outcome of a trial that has ended, or raise TrialError if it failed."""
    own, shown = find_own(trial.task), _both(answer)
    if answer["ended"] == "timeout":
        reason = f"it took longer than {timeout:g} s, and was stopped"
        raise TrialError(reason, f"{reason}; its last output:\n{shown}")
    if answer["ended"] == "stopped":
        raise StoppedError
    code = answer["code"]
    if code:
        raise TrialError(_why(code, answer["stderr"]), shown)
    try:
        returned = read_file(folder / OUTCOME)
    except FileNotFoundError:
        if own.file is not None:
            reason = f"it ended its process before {own.text} returned"
            raise TrialError(reason, f"{reason}:\n{shown}") from None
        last = next(iter(answer["stdout"].strip().splitlines()[-1:]), "")
        if not last:
            reason = f"it left no {OUTCOME}, and printed nothing"
            raise TrialError(reason, f"{reason}:\n{shown}") from None
        returned = read_text(last, f"there is no {OUTCOME}, and the last line of its output")
    found = check_returned(returned, own.measure.partition(":")[0])
    points = read_curve(folder / CURVE, trial.steps)
    diverged = found.validation is None or found.test is None
    return Outcome(
        diverged=trial.steps if diverged else None,
        loss=tuple(loss for loss, _ in points),
        validations=(*(value for _, value in points[:-1]), found.validation),
        validation=found.validation,
        test=found.test,
        test_loss=found.test_loss,
        numbers=found.numbers,
    )


def _why(code: int, complaint: str) -> str:
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        memory = " (is the memory too small?)" if name == "SIGKILL" else ""
        return f"it was killed by {name}{memory}"
    last = next(iter(complaint.strip().splitlines()[-1:]), "")
    return last[:300] if last else f"it ended with exit code {code} and printed no error"


def _both(answer: dict[str, Any]) -> str:
    parts: Sequence[str] = [answer[name].strip()[-_SHOWN:] for name in ("stdout", "stderr")]
    return "\n".join(part for part in parts if part)
