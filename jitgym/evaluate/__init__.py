"""Evaluation: policies on the same episodes, statistics of their rows, results on disk."""

from jitgym.errors import RunError

from .judging import NetPolicy, net_policy
from .results import Run, load_rows
from .rollout import rollout
from .statistics import (
    Interval,
    familywise,
    holm,
    interval,
    lower_bound,
    mean_of,
    paired,
    skew_interval,
    skew_of,
    skew_paired,
    two_level,
    upper_bound,
)
from .steadiness import is_growing
from .step_response import StepResponse, step_response
from .strata import Sample, sample, sampled

__all__ = [
    "Interval",
    "NetPolicy",
    "Run",
    "RunError",
    "Sample",
    "StepResponse",
    "familywise",
    "holm",
    "interval",
    "is_growing",
    "load_rows",
    "lower_bound",
    "mean_of",
    "net_policy",
    "paired",
    "rollout",
    "sample",
    "sampled",
    "skew_interval",
    "skew_of",
    "skew_paired",
    "step_response",
    "two_level",
    "upper_bound",
]
