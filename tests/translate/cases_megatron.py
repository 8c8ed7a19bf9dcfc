"""Settings of Megatron's OptimizerParamScheduler."""

from typing import Any

STEPS = 160
_RUN = {"max_lr": 0.1, "min_lr": 0.01, "lr_decay_steps": 100}
_WARM = {**_RUN, "lr_warmup_steps": 20, "init_lr": 0.001}
_WSD = {**_WARM, "lr_decay_style": "WSD", "wsd_decay_steps": 30}

CASES: list[dict[str, Any]] = [
    *[
        {**run, "lr_decay_style": style}
        for style in ("constant", "linear", "cosine", "inverse-square-root")
        for run in (_RUN, _WARM)
    ],
    *[
        {**_WSD, "lr_wsd_decay_style": style}
        for style in ("linear", "cosine", "exponential", "minus_sqrt")
    ],
    {**_WSD, "lr_wsd_decay_style": "linear", "wsd_decay_steps": 90},
    {**_WSD, "lr_wsd_decay_style": "linear", "wsd_decay_steps": 0},
    {**_RUN, "lr_decay_style": "WSD", "wsd_decay_steps": 150, "lr_wsd_decay_style": "linear"},
    {**_WARM, "lr_decay_style": "cosine", "increment": 3},
    {**_WARM, "lr_decay_style": "inverse-square-root", "increment": 3},
    {**_RUN, "lr_decay_style": "inverse-square-root", "increment": 3},
    {**_RUN, "lr_decay_style": "inverse-square-root", "min_lr": 0.03},
]

DECAY: list[dict[str, Any]] = [
    {"start_wd": 0.1, "end_wd": 0.1, "wd_incr_steps": 50, "wd_incr_style": "constant"},
    {"start_wd": 0.01, "end_wd": 0.1, "wd_incr_steps": 50, "wd_incr_style": "linear"},
    {"start_wd": 0.01, "end_wd": 0.1, "wd_incr_steps": 90, "wd_incr_style": "cosine"},
]
