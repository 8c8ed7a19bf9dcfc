"""Code for transformers: a name where one has the same values over the run, else a LambdaLR."""

from __future__ import annotations

from typing import Any

import pytest

import lehr
from helpers import assert_same
from lehr import ENTRIES, Schedule, export
from lehr.translate import translate

NAMED: dict[str, Schedule] = {
    "constant": lehr.constant(),
    "constant_with_warmup": lehr.warmup(10) >> lehr.hold(),
    "linear": lehr.warmup(10) >> lehr.linear(80),
    "cosine": (lehr.warmup("10%") >> lehr.cosine()).over(90),
    "cosine_with_min_lr": lehr.warmup(10) >> lehr.cosine(80, to=0.1),
    "polynomial": lehr.polynomial(60, power=2.5),
    "inverse_sqrt": lehr.warmup(10) >> lehr.inverse(30, power=0.5),
    "cosine_with_restarts": lehr.warmup(10) >> lehr.cosine(20).repeat(4),
    "warmup_stable_decay": lehr.wsd(10, 20).over(100),
}

UNNAMED: dict[str, Schedule] = {
    "another start": lehr.warmup(10, start=0.1) >> lehr.linear(80),
    "another ease": lehr.ramp(80, ease="rex"),
    "a floor under a line": lehr.linear(80, to=0.1),
    "a warmup that is bent": lehr.cosine_warmup(10) >> lehr.linear(80),
    "three pieces": lehr.linear(20, to=0.5) >> lehr.linear(20, to=0.2) >> lehr.linear(20),
    "longer than its decay": lehr.warmup(10) >> lehr.linear(20) >> lehr.hold(50),
    "a floor without a warmup's": lehr.warmup(10) >> lehr.hold(10) >> lehr.linear(20, to=0.1),
    "in log space": lehr.geometric(50, to=0.01),
    "fractions of steps": lehr.cosine("7.5st"),
    "closed": lehr.linear().over(50, closed=True),
    "a rate": lehr.linear(50) * 0.003,
    "restarts that decay": lehr.cosine(20).repeat(4, scale=0.5),
    "a table": lehr.table([0.1, 0.4, 0.2]),
}


def called(code: str) -> dict[str, Any]:
    """Run exported code in which ``get_scheduler`` keeps its arguments."""
    found: dict[str, Any] = {}

    def get_scheduler(name: str, optimizer: object, **given: Any) -> str:
        found.update(given, name=name)
        return "scheduler"

    body = code.replace("from transformers import get_scheduler\n", "")
    assert body != code
    scope = {"get_scheduler": get_scheduler, "optimizer": object()}
    exec(compile(body, "exported", "exec"), scope)
    assert scope["scheduler"] == "scheduler"
    return found


def assert_values(schedule: Schedule, code: str) -> None:
    """Check a name's values over the run by what lehr makes of the same call."""
    again = translate("transformers", "get_scheduler", **called(code), lr=0.3).schedule
    steps = range(150 if schedule.length is None else int(schedule.length))
    assert_same([again(t) for t in steps], [schedule(t) for t in steps], 1e-12)


@pytest.mark.parametrize("name", NAMED)
def test_a_name_is_used_where_one_fits(name: str) -> None:
    code = export(NAMED[name], "transformers")
    assert called(code)["name"] == name
    assert f'lr_scheduler_type="{name}"' in code
    assert_values(NAMED[name], code)


@pytest.mark.parametrize("name", UNNAMED)
def test_what_has_no_name_is_a_function(name: str) -> None:
    torch = pytest.importorskip("torch")
    schedule = UNNAMED[name]
    code = export(schedule, "transformers")
    assert "get_scheduler" not in code
    assert "Trainer(..., optimizers=(optimizer, scheduler))" in code
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.3)
    scope: dict[str, Any] = {"optimizer": optimizer}
    exec(compile(code, "exported", "exec"), scope)
    for step in range(60):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.3 * schedule(step), abs=1e-12)
        optimizer.step()
        scope["scheduler"].step()


@pytest.mark.parametrize("name", list(ENTRIES))
def test_every_entry_has_the_same_values(name: str) -> None:
    schedule = ENTRIES[name].example.over(200)
    code = export(schedule, "transformers")
    if "get_scheduler" in code:
        assert_values(schedule, code)
    else:
        assert "LambdaLR" in code


@pytest.mark.parametrize(("count", "size"), [(n, s) for n in range(2, 30) for s in (1, 3, 7, 10)])
def test_restarts_that_rounding_would_miss_have_no_name(count: int, size: int) -> None:
    schedule = lehr.cosine(size).repeat(count)
    code = export(schedule, "transformers")
    # The formula of transformers itself.
    total = count * size
    restarts = all((count * (k * size / total)) % 1.0 == 0.0 for k in range(count))
    assert ("get_scheduler" in code) == restarts
    if restarts:
        assert called(code)["num_training_steps"] == total
