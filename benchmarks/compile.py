# pyright: basic
"""What it takes to compile a schedule of 1,000 pieces: torch, and JAX where it is installed.

    python benchmarks/compile.py [--json]

A zigzag of straight lines, and one in which six eases take turns. Seconds from the first call to
its result, less those of the second; beside them the same for warmup and cosine, which is what
compiling anything costs here; and whether the derivatives are finite.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import lehr

PIECES, SIZE = 1_000, 10
EASES = ("linear", "cosine", "1-sqrt", "power(2)", "rex", "tanh(3, 3)")


def zigzag(eases: tuple[str, ...]) -> lehr.Schedule:
    """Return 1,000 pieces down and up, with the eases in turn."""
    pieces = [
        lehr.ramp(SIZE, to=0.5 + 0.5 * (i % 2), ease=eases[i // 2 % len(eases)])
        for i in range(PIECES)
    ]
    return functools.reduce(lambda a, b: a >> b, pieces)


def schedules() -> dict[str, lehr.Schedule]:
    run = PIECES * SIZE
    return {
        "warmup + cosine": (lehr.warmup(run // 100) >> lehr.cosine()).over(run),
        "1,000 lines": zigzag(("linear",)),
        "1,000 pieces of six eases": zigzag(EASES),
    }


def compiling(call: Callable[..., Any], steps: Any) -> tuple[float, Any]:
    """Return the seconds that the first call takes more than the second, and the values."""
    begun = time.perf_counter()
    np.asarray(call(steps))
    middle = time.perf_counter()
    values = np.asarray(call(steps))
    return middle - begun - (time.perf_counter() - middle), values


def torch_times() -> Iterator[tuple[str, float, bool]]:
    import torch

    steps = torch.arange(PIECES * SIZE)
    real = steps.to(torch.float64).requires_grad_()
    # What is compiled first pays for the compiler's own start.
    torch.compile(lambda t: t + 1, fullgraph=True)(steps)
    for name, schedule in schedules().items():
        torch.compiler.reset()
        compiled = torch.compile(schedule, fullgraph=True)
        seconds, values = compiling(compiled, steps)
        assert np.allclose(values, schedule(steps.numpy()), rtol=0, atol=1e-12)
        (slopes,) = torch.autograd.grad(compiled(real).sum(), real)
        yield f"torch, {name}", seconds, bool(torch.isfinite(slopes).all())


def jax_times() -> Iterator[tuple[str, float, bool]]:
    try:
        import jax  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        return
    steps = jax.numpy.arange(PIECES * SIZE)
    np.asarray(jax.jit(lambda t: t + 1)(steps))
    for name, schedule in schedules().items():
        compiled = jax.jit(schedule)
        seconds, values = compiling(compiled, steps)
        assert np.allclose(values, schedule(np.arange(PIECES * SIZE)), rtol=0, atol=2e-6)
        gradients = jax.vmap(jax.grad(schedule))(steps.astype(float))
        yield f"JAX, {name}", seconds, bool(jax.numpy.isfinite(gradients).all())


def main() -> None:
    parser = argparse.ArgumentParser(description="What compiling a schedule costs.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    results = [*torch_times(), *jax_times()]
    if options.json:
        keys = ("name", "seconds", "finite")
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in results]))
        return
    for name, seconds, finite in results:
        print(f"{seconds:8.2f} s  {name}{'' if finite else ': derivatives are not finite'}")


if __name__ == "__main__":
    main()
