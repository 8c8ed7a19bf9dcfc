"""Schedulers of composer, as names and arguments; some with the run that they are part of."""

from peer import Case

STEPS = 160
RUN = {"max_duration": "10ep", "dataloader_len": 13}
BATCHES = {"max_duration": "103ba"}

CASES: list[Case] = [
    ("StepScheduler", {"step_size": "20ba"}),
    ("StepScheduler", {"step_size": "2ep", "gamma": 0.5, **RUN}),
    ("MultiStepScheduler", {"milestones": ["50ba", "20ba", "50ba"], "gamma": 0.5}),
    ("MultiStepScheduler", {"milestones": ["0.29dur", "0.7dur"], **BATCHES}),
    ("ConstantScheduler", {"alpha": 0.3, "t_max": "40ba"}),
    ("ConstantScheduler", {"alpha": 0.3, **RUN}),
    ("LinearScheduler", RUN),
    ("LinearScheduler", {"alpha_i": 0.2, "alpha_f": 0.7, "t_max": "0.5dur", **BATCHES}),
    ("ExponentialScheduler", {"gamma": 0.9, **RUN}),
    ("CosineAnnealingScheduler", {"alpha_f": 0.1, **RUN}),
    ("CosineAnnealingScheduler", {"t_max": "100ba"}),
    ("CosineAnnealingWarmRestartsScheduler", {"t_0": "30ba"}),
    ("CosineAnnealingWarmRestartsScheduler", {"t_0": "3ep", "t_mult": 2.0, "alpha_f": 0.2, **RUN}),
    ("CosineAnnealingWarmRestartsScheduler", {"t_0": "15ba", "t_mult": 1.3}),
    ("PolynomialScheduler", {"power": 2.0, **RUN}),
    ("PolynomialScheduler", {"power": 1.0, "alpha_f": 0.3, "t_max": "77ba"}),
    ("MultiStepWithWarmupScheduler", {"t_warmup": "10ba", "milestones": ["50ba", "90ba"]}),
    (
        "MultiStepWithWarmupScheduler",
        {"t_warmup": "0.1dur", "milestones": ["0.05dur", "0.5dur"], **BATCHES},
    ),
    ("ConstantWithWarmupScheduler", {"t_warmup": "1ep", "alpha": 0.8, **RUN}),
    ("LinearWithWarmupScheduler", {"t_warmup": "0.11dur", **BATCHES}),
    (
        "LinearWithWarmupScheduler",
        {"t_warmup": "20ba", "alpha_i": 0.9, "alpha_f": 0.1, "t_max": "15ba"},
    ),
    ("CosineAnnealingWithWarmupScheduler", {"t_warmup": "20ba", "alpha_f": 0.1, **RUN}),
    ("PolynomialWithWarmupScheduler", {"t_warmup": "1ep", **RUN}),
    ("CosineAnnealingWithWarmupScheduler", {"t_warmup": "20ba", "t_max": "100ba", "ssr": 0.7}),
    ("StepScheduler", {"step_size": "3ep", "ssr": 0.35, **RUN}),
    ("StepScheduler", {**RUN, "step_size": "2ep", "gamma": 0.0}),
    ("ExponentialScheduler", {**RUN, "gamma": 0.0}),
    ("PolynomialScheduler", {**RUN, "power": 0}),
]

SCALED: list[Case] = [
    (
        "CosineAnnealingWithWarmupScheduler",
        {"t_warmup": "20ba", "t_max": "100ba", "scale_warmup": True, "ssr": ratio},
    )
    for ratio in (0.5, 1.5)
]
"""Those whose slope is scaled, but not their length."""
