"""Distributions as step functions of one uniform number.

A distribution is ``u -> value`` for u in [0, 1): value i holds while u lies in
[ends[i-1], ends[i]). The simulator gives it the uniforms of the tape, and the exact solver gives it
its atoms. Its mean, variance and probabilities are those of the values that are drawn, after
rounding and truncation. Quantities are in units of an item, lead times in periods.

>>> Poisson(mean=5).quantile(0.5)
5.0
>>> Finite(values=(4, 2), probabilities=(0.25, 0.75)).atoms()
[(0.375, 0.75), (0.875, 0.25)]
"""

from .base import SPLITS, Distribution, Nonnegative, Part, Positive, Probability, Whole
from .lead_times import hazard, is_monotone
from .named import AnyDistribution, DemandDistribution
from .plain import (
    Binomial,
    Counts,
    Deterministic,
    Finite,
    Gamma,
    Geometric,
    NegativeBinomial,
    Normal,
    Poisson,
    Uniform,
    made,
    multiplied,
    scaled,
)
from .processes import Event, Intermittent, LifeCycle, PartOf, Regimes
from .recorded import Recorded, Split, Splits

__all__ = [
    "SPLITS",
    "AnyDistribution",
    "Binomial",
    "Counts",
    "DemandDistribution",
    "Deterministic",
    "Distribution",
    "Event",
    "Finite",
    "Gamma",
    "Geometric",
    "Intermittent",
    "LifeCycle",
    "NegativeBinomial",
    "Nonnegative",
    "Normal",
    "Part",
    "PartOf",
    "Poisson",
    "Positive",
    "Probability",
    "Recorded",
    "Regimes",
    "Split",
    "Splits",
    "Uniform",
    "Whole",
    "hazard",
    "is_monotone",
    "made",
    "multiplied",
    "scaled",
]
