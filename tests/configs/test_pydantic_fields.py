"""A field of type `lehr.Schedule` in a model of pydantic."""

from __future__ import annotations

import json
from typing import Any

import pytest

pydantic = pytest.importorskip("pydantic", reason="`make test` installs pydantic")

import lehr  # noqa: E402


class Model(pydantic.BaseModel):
    schedule: lehr.Schedule
    other: lehr.Schedule | None = None


PLAN = lehr.warmup("10%") >> lehr.cosine(to=0.1)


@pytest.mark.parametrize("given", [PLAN, repr(PLAN), PLAN.to_dict()], ids=["value", "text", "dict"])
def test_a_value_a_text_and_a_dict_are_read(given: Any) -> None:
    assert Model(schedule=given).schedule == PLAN


@pytest.mark.parametrize("given", [repr(PLAN), PLAN.to_dict()], ids=["text", "dict"])
def test_json_is_read(given: Any) -> None:
    model = Model.model_validate_json(json.dumps({"schedule": given, "other": "hold()"}))
    assert (model.schedule, model.other) == (PLAN, lehr.hold())


def test_it_is_written_as_text_and_reads_back() -> None:
    model = Model(schedule=PLAN)
    assert model.model_dump() == {"schedule": repr(PLAN), "other": None}
    assert Model(**model.model_dump()) == model
    assert Model.model_validate_json(model.model_dump_json()) == model


def test_the_instance_is_kept() -> None:
    assert Model(schedule=PLAN).schedule is PLAN


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("cosin()", "did you mean 'cosine'?"),
        ("1e-3", "write constant(0.001)"),
        (3, "write lehr.constant(3)"),
        ({"lehr": 1, "kind": "x"}, "schedule.kind"),
    ],
)
def test_what_is_refused(given: Any, said: str) -> None:
    with pytest.raises(pydantic.ValidationError) as refusal:
        Model(schedule=given)
    assert said in str(refusal.value)


def test_a_function_without_a_name_is_not_written() -> None:
    model = Model(schedule=lehr.formula(lambda t: 1.0))
    with pytest.raises(ValueError, match="function without a name"):
        model.model_dump_json()


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_json_schema_has_a_text(mode: Any) -> None:
    schema = json.dumps(Model.model_json_schema(mode=mode)["properties"]["schedule"])
    assert '"string"' in schema
    if mode == "validation":
        assert "cosine(to=0.1)" in schema
        assert '"object"' in schema
