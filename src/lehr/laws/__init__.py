"""Predict the loss of a schedule without training it.

>>> import lehr.laws
>>> law = lehr.laws.fit(["a.csv", "b.csv", "c.csv"], optimizer="adamw",
...                     weight_decay=0.1)  # doctest: +SKIP
>>> law.predict("warmup(500) >> cosine(to=0.1)", steps=50_000, peak=1e-3).final  # doctest: +SKIP
2.94
"""

from lehr.extras import needs

with needs("lehr.laws", "laws", "scipy"):
    import scipy as _scipy

    del _scipy

from lehr.laws.bound import Bound, bound
from lehr.laws.compared import (
    PredictedRun,
    compared_runs,
    fit_compared,
    predict_compared,
)
from lehr.laws.design import Candidate, Design
from lehr.laws.files import load, save
from lehr.laws.fit import fit
from lehr.laws.forms import FORMS
from lehr.laws.identify import Proposal, plan_runs
from lehr.laws.law import Difference, Law, Prediction
from lehr.laws.logs import Columns, read_norms, read_run
from lehr.laws.metrics import Agreement, agreement
from lehr.laws.runs import LawError, LoggedRun

__all__ = [
    "fit",
    "plan_runs",
    "read_run",
    "read_norms",
    "compared_runs",
    "fit_compared",
    "predict_compared",
    "PredictedRun",
    "load",
    "save",
    "bound",
    "agreement",
    "Law",
    "Prediction",
    "Difference",
    "Design",
    "Candidate",
    "Proposal",
    "Bound",
    "Agreement",
    "LoggedRun",
    "Columns",
    "LawError",
    "FORMS",
]
