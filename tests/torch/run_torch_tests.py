"""Run torch's own tests of its schedulers against the drop-ins of ``lehr.torch``.

The tests are torch's and not part of this project: take ``test/optim/test_lrscheduler.py`` from
torch's repository, at the tag of the torch that is installed, and run

    pip install expecttest
    python tests/torch/run_torch_tests.py path/to/test_lrscheduler.py

Every class that ``lehr.torch`` has under a name of torch's takes that class's place before the file
is read. With ``--torch`` nothing is replaced, which shows what of the file fails by itself.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import unittest
import warnings
from pathlib import Path
from types import ModuleType

import torch.optim.lr_scheduler
import torch.optim.swa_utils

import lehr.torch


def put_in_place() -> list[str]:
    """Put lehr's classes in the place of torch's, and return their names."""
    replaced = []
    for name in lehr.torch.__all__:
        for module in (torch.optim.lr_scheduler, torch.optim.swa_utils):
            if name in module.__all__:
                setattr(module, name, getattr(lehr.torch, name))
                replaced.append(name)
    return replaced


def read(path: Path) -> ModuleType:
    """Import a file of tests."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise SystemExit(f"{path.name} needs {error.name}: pip install {error.name}") from None
    return module


def tests_of(module: ModuleType, only: str) -> unittest.TestSuite:
    """Return the tests of a file whose names contain a text."""
    suite = unittest.TestSuite()
    for thing in vars(module).values():
        if isinstance(thing, type) and issubclass(thing, unittest.TestCase):
            names = unittest.TestLoader().getTestCaseNames(thing)
            if thing.__module__ == module.__name__:
                suite.addTests(thing(name) for name in names if only in name)
    return suite


def main() -> int:
    """Run the tests, print what failed and how many passed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("path", type=Path, help="torch's test/optim/test_lrscheduler.py")
    parser.add_argument("-k", default="", metavar="TEXT", help="only tests with TEXT in the name")
    parser.add_argument("-v", action="store_true", help="show where each failure is")
    parser.add_argument("--torch", action="store_true", help="test torch's own classes")
    options = parser.parse_args()
    if not options.path.is_file():
        parser.error(f"there is no file {options.path}")
    replaced = [] if options.torch else put_in_place()
    suite = tests_of(read(options.path), options.k)
    result = unittest.TestResult()
    # Some of them count warnings, and want each of them rather than one a line of code.
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        suite.run(result)
    failed = {str(test).split()[0]: trace for test, trace in result.failures + result.errors}
    print(f"torch {torch.__version__}; lehr's: {', '.join(sorted(replaced)) or 'none'}")
    for name, trace in sorted(failed.items()):
        lines = [line for line in trace.splitlines() if not line.startswith((" ", "\n"))]
        reason = next((line for line in lines[1:] if "Error" in line), lines[-1])
        print(f"failed  {name}\n{trace if options.v else '        ' + reason}")
    passed = result.testsRun - len(failed) - len(result.skipped)
    print(f"{passed} passed, {len(failed)} failed, {len(result.skipped)} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    raise SystemExit(main())
