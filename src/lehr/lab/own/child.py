"""The process of one trial of a function: `python -m lehr.lab.own.child FILE FUNCTION SOURCE`."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

from lehr.lab.errors import TrialError
from lehr.lab.own.running import current_trial
from lehr.lab.python_source import module_of


def main(file: str, function: str, source: str) -> None:
    """Run a function of the user's file, and write its return value.

    `source` contains the file as it was at the start of the comparison.
    """
    path = Path(file)
    # A script can import the modules beside it.
    sys.path.insert(0, str(path.parent))
    # Under its own name, so that objects it pickles for its own processes can be found again.
    name = f"lehr_own_{path.stem}" if path.stem in sys.modules else path.stem
    module = module_of(path, Path(source).read_bytes(), name)
    train: Any = getattr(module, function, None)
    if not callable(train):
        sys.exit(f"{path.name} has no function {function!r}")
    trial = current_trial()
    returned: Any = train(trial)
    try:
        trial.finish(returned)
    except TrialError as error:
        sys.exit(error.reason)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Exception as error:
        # Without the frames of this file, which is not the user's.
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        traceback.print_exception(error.with_traceback(trace))
        sys.exit(1)
