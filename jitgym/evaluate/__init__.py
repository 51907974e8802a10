"""Evaluation: policies on the same episodes, statistics of their rows, results on disk."""

from jitgym.errors import RunError

from .judging import NetPolicy, net_policy
from .results import Run, load_rows
from .rollout import rollout
from .statistics import (
    Interval,
    familywise,
    interval,
    lower_bound,
    paired,
    skew_interval,
    skew_paired,
    two_level,
    upper_bound,
)
from .steadiness import is_growing
from .step_response import StepResponse, step_response

__all__ = [
    "Interval",
    "NetPolicy",
    "Run",
    "RunError",
    "StepResponse",
    "familywise",
    "interval",
    "is_growing",
    "load_rows",
    "lower_bound",
    "net_policy",
    "paired",
    "rollout",
    "skew_interval",
    "skew_paired",
    "step_response",
    "two_level",
    "upper_bound",
]
