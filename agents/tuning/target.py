"""What planners ask for instead of a shortage cost: the least stock that reaches their service.

    least average inventory   subject to   fill rate >= 0.98

Practitioners set service, not penalties. A target bounds KPIs, means over episodes: from below
where high is better, from above where low is. Of candidates that miss, the one that misses least,
relative to its bounds, is the best; any that reaches them is better.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jitgym import ScenarioError
from jitgym.documents import suggest
from jitgym.plant import KPIS, Layout
from jitgym.plant.kpis import Totals

Array = npt.NDArray[np.float64]

STOCK = "average_inventory"
MISSED = 1e9  # units, and more the more is missed: no plant holds so much


@dataclass(frozen=True)
class Target:
    """Bounds on KPIs, and what is least within them."""

    bounds: Mapping[str, float]  # KPI -> at least, or at most where low is better

    def __post_init__(self) -> None:
        """Raise ScenarioError where a bound makes no sense."""
        if not self.bounds:
            raise ScenarioError("the target is empty; expected a KPI and its bound")
        for name, bound in self.bounds.items():
            if name not in KPIS:
                raise ScenarioError(f"target {name}: no such KPI; {suggest(name, KPIS)}")
            if not KPIS[name].better:
                raise ScenarioError(
                    f"target {name}: neither high nor low is better, so that it bounds nothing"
                )
            if fault := _fault(name, bound):
                raise ScenarioError(f"target {name} is {bound!r}; expected {fault}")

    def __str__(self) -> str:
        signs = {"high": ">=", "low": "<="}
        bounds = self.bounds.items()
        return ", ".join(f"{name} {signs[KPIS[name].better]} {bound:g}" for name, bound in bounds)

    def objective(self, layout: Layout, sums: Array) -> Array:
        """Return what a tuner makes small of flow sums (policies, episodes, cells), (policies,)."""
        return np.array([self._objective(figures(layout, each, self.bounds)) for each in sums])

    def _objective(self, found: Mapping[str, float]) -> float:
        missed = math.fsum(self._missed(name, found[name]) for name in self.bounds)
        return found[STOCK] if missed <= 0 else MISSED + missed

    def _missed(self, name: str, value: float) -> float:
        bound = self.bounds[name]
        short = bound - value if KPIS[name].better == "high" else value - bound
        return MISSED if math.isnan(value) else max(0.0, short) / max(abs(bound), 1e-9)

    def told(self, found: Mapping[str, float]) -> str:
        """Return what was reached, in words."""
        return ", ".join(
            f"{name} is not defined here"
            if math.isnan(found[name])
            else f"{name} {found[name]:.4g}"
            for name in self.bounds
        )


def figures(layout: Layout, sums: Array, names: Mapping[str, float]) -> dict[str, float]:
    """Return the means over episodes of these KPIs and of the stock; nan: not defined."""
    periods, warm_up = layout.scenario.horizon.of_split("tune")
    total = Totals(layout, sums, periods - warm_up)
    return {name: float(KPIS[name].compute(total).mean()) for name in (*names, STOCK)}


def _fault(name: str, bound: object) -> str:
    """What a bound should have been, or nothing."""
    if isinstance(bound, bool) or not isinstance(bound, int | float) or not math.isfinite(bound):
        return "a number"
    if KPIS[name].unit == "share" and not 0 <= bound <= 1:
        return "a share, from 0 to 1"
    return "" if bound >= 0 else "at least 0"
