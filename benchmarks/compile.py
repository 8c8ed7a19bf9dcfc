"""The cost of compiling a schedule of 1,000 pieces: torch, and JAX where it is installed.

    python benchmarks/compile.py [--json]

It measures a zigzag of straight lines, and one in which six eases alternate: the seconds that the
first call takes more than the second, and whether the derivatives are finite. For torch it also
measures the same numbers written by hand (tables, a search and a formula for each ease), and prints
the ratio of the two; the rest is the compiler's own time. Other graphs are compiled before, so that
what torch does once in a process, and once on a machine, is not counted. The second time is that of
a compiler that remembers the graph.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import lehr

PIECES, SIZE = 1_000, 10
EASES = ("linear", "cosine", "1-sqrt", "power(2)", "rex", "tanh(3, 3)")
RUN = PIECES * SIZE


def zigzag(eases: tuple[str, ...]) -> lehr.Schedule:
    """Return 1,000 pieces that go down and up, with alternating eases."""
    pieces = [
        lehr.ramp(SIZE, to=0.5 + 0.5 * (i % 2), ease=eases[i // 2 % len(eases)])
        for i in range(PIECES)
    ]
    return functools.reduce(lambda a, b: a >> b, pieces)


def schedules() -> dict[str, lehr.Schedule]:
    return {
        "warmup + cosine": (lehr.warmup(RUN // 100) >> lehr.cosine()).over(RUN),
        "1,000 lines": zigzag(EASES[:1]),
        "1,000 pieces of six eases": zigzag(EASES),
    }


def by_hand() -> dict[str, Callable[[Any], Any]]:
    """Return the same functions for torch, written by hand for these pieces."""
    import torch

    def warmup_cosine(t: Any) -> Any:
        u = (t - RUN // 100).to(torch.float64) / (RUN - RUN // 100)
        fall = torch.where(t < RUN, torch.cos(math.pi / 2 * u) ** 2, 0.0)
        return torch.where(t < RUN // 100, t.to(torch.float64) / (RUN // 100), fall)

    starts = torch.arange(0, RUN, SIZE)
    sizes = torch.full((PIECES,), SIZE)
    levels = 1 - 0.5 * (torch.arange(PIECES + 1, dtype=torch.float64) % 2)
    before, after = levels[:-1].contiguous(), levels[1:].contiguous()
    kinds = torch.arange(PIECES) // 2 % len(EASES)

    def lines(t: Any) -> Any:
        i = (torch.searchsorted(starts, t, right=True) - 1).clamp(0, PIECES - 1)
        local, size = t - starts[i], sizes[i]
        rise, fall = local.to(torch.float64) / size, (size - local).to(torch.float64) / size
        return torch.where(t < RUN, before[i] * fall + after[i] * rise, 1.0)

    def eases(t: Any) -> Any:
        i = (torch.searchsorted(starts, t, right=True) - 1).clamp(0, PIECES - 1)
        local, size, kind = t - starts[i], sizes[i], kinds[i]
        u, w = local.to(torch.float64) / size, (size - local).to(torch.float64) / size
        begun = u > 0
        root = torch.sqrt(torch.where(begun, u, 0.25))
        bell = math.cosh(3) / math.sinh(6) / torch.cosh(3 * u - 3 * w)
        ways = (
            (torch.sin(math.pi / 2 * u) ** 2, torch.sin(math.pi / 2 * w) ** 2),
            (torch.where(begun, root, 0.0), torch.where(begun, w / (1 + root), 1.0)),
            (1 - w**2, w**2),
            (u / (1 + w), 2 * w / (1 + w)),
            (torch.sinh(6 * u) * bell, torch.sinh(6 * w) * bell),
        )
        rise, fall = u, w
        for number, (up, down) in enumerate(ways, 1):
            chosen = kind == number
            rise, fall = torch.where(chosen, up, rise), torch.where(chosen, down, fall)
        return torch.where(t < RUN, before[i] * fall + after[i] * rise, 1.0)

    return dict(zip(schedules(), (warmup_cosine, lines, eases), strict=True))


def compiling(call: Callable[..., Any], steps: Any) -> tuple[float, Any]:
    """Return the seconds that the first call takes more than the second, and the values."""
    begun = time.perf_counter()
    np.asarray(call(steps))
    middle = time.perf_counter()
    values = np.asarray(call(steps))
    return middle - begun - (time.perf_counter() - middle), values


def torch_times() -> Iterator[dict[str, Any]]:
    import torch

    steps = torch.arange(RUN)
    real = steps.to(torch.float64).requires_grad_()

    def timed(function: Callable[..., Any]) -> tuple[float, Any]:
        torch.compiler.reset()
        return compiling(torch.compile(function, fullgraph=True), steps)

    with tempfile.TemporaryDirectory() as empty:
        # Clear what an earlier run has compiled.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = empty
        # The first compilation also starts the compiler.
        timed(lambda t: torch.where(t > 3, torch.sin(t * 0.5), 0.0))
        hands = by_hand()
        for name, schedule in schedules().items():
            bare, expected = timed(hands[name])
            seconds, values = timed(schedule)
            again, _ = timed(schedule)
            for given in (values, expected):
                assert np.allclose(given, schedule(steps.numpy()), rtol=0, atol=1e-12)
            compiled = torch.compile(schedule, fullgraph=True)
            (slopes,) = torch.autograd.grad(compiled(real).sum(), real)
            yield {
                "name": f"torch, {name}",
                "seconds": seconds,
                "finite": bool(torch.isfinite(slopes).all()),
                "by_hand": bare,
                "ratio": seconds / bare,
                "again": again,
            }


def jax_times() -> Iterator[dict[str, Any]]:
    try:
        import jax  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        return
    steps = jax.numpy.arange(RUN)
    np.asarray(jax.jit(lambda t: t + 1)(steps))
    for name, schedule in schedules().items():
        seconds, values = compiling(jax.jit(schedule), steps)
        assert np.allclose(values, schedule(np.arange(RUN)), rtol=0, atol=2e-6)
        gradients = jax.vmap(jax.grad(schedule))(steps.astype(float))
        finite = bool(jax.numpy.isfinite(gradients).all())
        yield {"name": f"JAX, {name}", "seconds": seconds, "finite": finite}


def main() -> None:
    parser = argparse.ArgumentParser(description="What compiling a schedule costs.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    results = [*torch_times(), *jax_times()]
    if options.json:
        print(json.dumps(results))
        return
    for row in results:
        text = f"{row['seconds']:8.2f} s  {row['name']}"
        if "by_hand" in row:
            text += (
                f"; by hand {row['by_hand']:.2f} s: {row['ratio']:.2f} times; "
                f"again {row['again']:.2f} s"
            )
        print(text if row["finite"] else f"{text}: derivatives are not finite")


if __name__ == "__main__":
    main()
