"""levanter's schedules against levanter itself (its configuration module, without its trainer)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import jax
import pytest
from bare import module
from cases_levanter import CASES, LR, STEPS, TOTAL
from peer import LIVE, Case, assert_curve, case_id

from lehr.translate import translate

pytest.importorskip("optax")


class Choices:
    """The base of levanter's configuration classes, which register under a name."""

    known: dict[str, Any]

    def __init_subclass__(cls) -> None:
        cls.known = {}

    @classmethod
    def register_subclass(cls, name: str) -> Callable[[Any], Any]:
        def register(kind: Any) -> Any:
            cls.known[name] = kind
            return kind

        return register


config = module(
    "levanter.optim.config",
    empty=("levanter", "levanter.optim", "levanter.utils"),
    stubs={
        "draccus": {"ChoiceRegistry": Choices},
        "equinox": {},
        "haliax": {},
        "levanter.tracker": {},
        "levanter.optim.clip_update_norm": {"ClipUpdateNormConfig": object},
        "levanter.optim.skipstep": {"SkipStepConfig": object},
        "levanter.optim.util": {
            "log_norm_passthrough": None,
            "scan_aware_clip_by_block_rms": None,
        },
        "levanter.utils.jax_utils": {"leaf_key_paths": None},
    },
)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_live(case: Case) -> None:
    name, given = case
    kind = config.LrSchedule.known[name]
    own = {key: given[key] for key in kind.__dataclass_fields__ if key in given}
    rest = {key: value for key, value in given.items() if key not in own}
    override = rest.pop("override_lr", None)
    made = config.AdamConfig(learning_rate=LR, lr_schedule=kind(**own), **rest)
    with warnings.catch_warnings(), jax.enable_x64(True):
        warnings.simplefilter("ignore")
        live = made.lr_scheduler(TOTAL, override_lr=override)
        expected = [float(live(jax.numpy.asarray(t))) for t in range(STEPS)]
    ours = translate("levanter", name, num_train_steps=TOTAL, learning_rate=LR, **given)
    assert_curve(ours.schedule, expected, LIVE)
