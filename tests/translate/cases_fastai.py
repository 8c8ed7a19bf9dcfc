"""Annealers and fits of fastai, as names and arguments."""

from peer import Case

RUNS = (1, 10, 97, 240)

ANNEALERS: list[Case] = [
    ("SchedLin", {"start": 0.1, "end": 0.5}),
    ("SchedCos", {"start": 0.5, "end": 0.01}),
    ("SchedNo", {"start": 0.3, "end": 0.1}),
    ("SchedExp", {"start": 0.001, "end": 0.5}),
    ("SchedPoly", {"start": 0.5, "end": 0.1, "power": 2.0}),
]

FITS: list[Case] = [
    ("fit_one_cycle", {"lr_max": 0.3}),
    ("fit_one_cycle", {"lr_max": 0.3, "div": 10.0, "div_final": 100.0, "pct_start": 0.37}),
    ("fit_one_cycle", {"lr_max": 0.3, "moms": (0.9, 0.8, 0.95)}),
    ("fit_flat_cos", {"lr": 0.3}),
    ("fit_flat_cos", {"lr": 0.3, "pct_start": 0.5, "div_final": 10.0}),
    ("fit_sgdr", {"n_cycles": 3, "cycle_len": 1, "lr_max": 0.3}),
    ("fit_sgdr", {"n_cycles": 2, "cycle_len": 4, "lr_max": 0.3, "cycle_mult": 3}),
]
