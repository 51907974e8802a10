"""The plant: one row of state, one order of events, one ledger; compiled once for any scenario."""

from .layout import Layout, Slice, lay_out
from .ledger import KPIS, Kpi, kpis
from .records import Plant
from .tape import SPLITS, episode_keys

__all__ = ["KPIS", "SPLITS", "Kpi", "Layout", "Plant", "Slice", "episode_keys", "kpis", "lay_out"]
