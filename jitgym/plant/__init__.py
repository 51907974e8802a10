"""The plant: one row of state, one order of events and one ledger, compiled for all scenarios."""

from jitgym.distributions import SPLITS

from .kpis import (
    BY_COST,
    KPIS,
    USUAL,
    WITHIN,
    Kpi,
    Leading,
    headline_kpis,
    kpis,
    kpis_of,
    leading,
)
from .layout import Layout, lay_out
from .records import Plant
from .rows import Slice
from .tape import episode_keys

DYNAMICS_VERSION = 1
"""The version of the order of events, the state row and the tape. What was trained or computed with
another one is refused: nets, checkpoints and tables of optimal policies."""

__all__ = [
    "BY_COST",
    "DYNAMICS_VERSION",
    "KPIS",
    "SPLITS",
    "USUAL",
    "WITHIN",
    "Kpi",
    "Layout",
    "Leading",
    "Plant",
    "Slice",
    "episode_keys",
    "headline_kpis",
    "kpis",
    "kpis_of",
    "lay_out",
    "leading",
]
