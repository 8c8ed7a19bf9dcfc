"""Schedules of transformers, as names and arguments."""

from peer import Case

LR = 0.02
RUN = {"num_warmup_steps": 10, "num_training_steps": 100}
SHORT = {"num_warmup_steps": 0, "num_training_steps": 37}

CASES: list[Case] = [
    ("constant", {}),
    ("constant_with_warmup", {"num_warmup_steps": 7}),
    ("constant_with_warmup", {"num_warmup_steps": 0}),
    ("linear", RUN),
    ("linear", SHORT),
    ("linear", {"num_warmup_steps": 20, "num_training_steps": 20}),
    ("cosine_with_restarts", RUN),
    ("cosine_with_restarts", {**RUN, "num_cycles": 3}),
    ("cosine_with_restarts", {**SHORT, "num_cycles": 4}),
    ("cosine_with_restarts", {**RUN, "num_cycles": 2.5}),
    ("polynomial", RUN),
    ("polynomial", {**RUN, "lr_end": 1e-3, "power": 2.0}),
    ("polynomial", {**SHORT, "lr_end": 0.0, "power": 0.5}),
    ("inverse_sqrt", {"num_warmup_steps": 10}),
    ("inverse_sqrt", {"num_warmup_steps": 10, "timescale": 40}),
    ("inverse_sqrt", {"num_warmup_steps": 0}),
    ("warmup_stable_decay", {**RUN, "num_decay_steps": 20}),
    ("warmup_stable_decay", {"num_warmup_steps": 5, "num_stable_steps": 9, "num_decay_steps": 6}),
    (
        "warmup_stable_decay",
        {
            **RUN,
            "num_decay_steps": 30,
            "warmup_type": "cosine",
            "decay_type": "linear",
            "min_lr_ratio": 0.1,
        },
    ),
    (
        "warmup_stable_decay",
        {
            **RUN,
            "num_decay_steps": 30,
            "warmup_type": "1-sqrt",
            "decay_type": "1-sqrt",
            "min_lr_ratio": 0.25,
        },
    ),
    ("warmup_stable_decay", {**RUN, "num_decay_steps": 30, "num_cycles": 1.5}),
    ("warmup_stable_decay", {**RUN, "num_decay_steps": 95, "decay_type": "linear"}),
    ("polynomial", {**RUN, "power": 0}),
    ("cosine_with_restarts", {**RUN, "num_cycles": 0}),
    ("warmup_stable_decay", {**RUN, "num_decay_steps": 30, "min_lr_ratio": 1.0}),
]
"""Those with nothing to put right."""

WAVES: list[Case] = [
    ("cosine", RUN),
    ("cosine", SHORT),
    ("cosine", {**RUN, "num_cycles": 1.5}),
    ("cosine", {**RUN, "num_cycles": 1.0}),
    ("cosine_with_min_lr", {**RUN, "min_lr_rate": 0.1}),
    ("cosine_with_min_lr", {**RUN, "min_lr": 1e-3, "num_cycles": 0.7}),
    ("cosine_warmup_with_min_lr", {**RUN, "min_lr_rate": 0.1}),
    ("cosine_warmup_with_min_lr", {**RUN, "min_lr": 1e-3, "warmup_lr_rate": 0.2}),
    ("cosine_warmup_with_min_lr", {**SHORT, "min_lr_rate": 0.1}),
    (
        "cosine_warmup_with_min_lr",
        {
            "num_warmup_steps": 1,
            "num_training_steps": 30,
            "min_lr_rate": 0.1,
            "warmup_lr_rate": 0.2,
        },
    ),
    ("cosine", {**RUN, "num_cycles": 0}),
    ("cosine", {**RUN, "num_cycles": -1.5}),
]
"""Those whose wave goes on past the end."""

STEPS = 150


def arguments(case: Case) -> Case:
    """Return the case with the optimizer's rate, where that is needed."""
    name, given = case
    return name, {**given, "lr": LR} if name == "polynomial" or "min_lr" in given else given
