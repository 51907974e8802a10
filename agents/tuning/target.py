"""Service targets, which planners use instead of shortage costs, at the least cost or stock.

    least average cost (or inventory)   subject to   fill rate >= 0.98

A target is a bound on the mean of a KPI over episodes: from below if high values are better, from
above if low values are better. A candidate that misses a target is worse than any that reaches all
targets. Of two that miss, the one that misses by less, relative to the bounds, is better. Worst are
candidates for which the KPI of a target is not defined.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jitgym import ScenarioError
from jitgym.documents import suggest
from jitgym.plant import KPIS, WITHIN, Kpi, Layout, kpis_of
from jitgym.plant.kpis import Totals
from jitgym.scenario import Scenario

Array = npt.NDArray[np.float64]

STOCK = "average_inventory"
COST = "cost"
LEAST = (COST, "stock")
NAMED = KPIS | WITHIN  # all KPIs that a target may bound
Score = tuple[float, ...]  # the candidate with the lower score is better
SMALLEST = 1e-9  # used instead of a bound of 0 for relative misses


@dataclass(frozen=True)
class Target:
    """A bound on a KPI: at least `value`, or at most `value` where low is better.

    >>> print(Target("fill_rate", 0.98))
    fill_rate >= 0.98
    """

    kpi: str
    value: float

    def __post_init__(self) -> None:
        """Raise ScenarioError if the bound is not valid."""
        if self.kpi not in NAMED:
            raise ScenarioError(f"target {self.kpi}: no such KPI; {suggest(str(self.kpi), NAMED)}")
        if not NAMED[self.kpi].better:
            raise ScenarioError(
                f"target {self.kpi}: neither high nor low values are better; expected a KPI such "
                "as fill_rate"
            )
        if fault := _fault(NAMED[self.kpi], self.value):
            raise ScenarioError(f"target {self.kpi} is {self.value!r}; expected {fault}")

    def __str__(self) -> str:
        return f"{self.kpi} {'>=' if self.is_floor else '<='} {self.value:g}"

    @property
    def is_floor(self) -> bool:
        """Whether the KPI must be at least the value; otherwise at most."""
        return NAMED[self.kpi].better == "high"

    def reserve(self, found: float) -> float:
        """Return how much better than the bound a value is, relative to it; negative if worse.

        A value that is not defined counts as -1.
        """
        if math.isnan(found):
            return -1.0
        away = found - self.value if self.is_floor else self.value - found
        return away / max(abs(self.value), SMALLEST)


Targets = Target | Sequence[Target] | Mapping[str, float]
"""Targets as a caller may give them: one, several, or a mapping from each KPI to its bound."""


@dataclass(frozen=True)
class Standing:
    """The results of a candidate on the episodes of a trial, compared with the targets."""

    least: float  # what the search minimizes: cost or stock
    reserves: tuple[float, ...]  # one for each target, see `Target.reserve`
    undefined: int = 0  # number of targets whose KPI is not defined

    @property
    def missed(self) -> float:
        """The sum of the misses of all targets; 0 if all are reached."""
        return math.fsum(max(0.0, -reserve) for reserve in self.reserves)

    @property
    def is_reached(self) -> bool:
        """Whether the candidate reaches all targets."""
        return not self.undefined and self.missed <= 0

    @property
    def score(self) -> Score:
        """The values that a search minimizes, the first one first: misses, then cost or stock."""
        return self.undefined, self.missed, self.least


@dataclass(frozen=True)
class Aim:
    """The targets of a search, and what it minimizes among the candidates that reach them."""

    targets: tuple[Target, ...]
    least: str = COST  # or "stock"
    more: tuple[float, ...] = ()  # extra reserve required for each target; () for none

    def __str__(self) -> str:
        return ", ".join(map(str, self.targets))

    def standings(self, layout: Layout, costs: Array, sums: Array) -> list[Standing]:
        """Return the standings of policies from costs and flow sums (policies, episodes, ...)."""
        return [self._standing(layout, *each) for each in zip(costs, sums, strict=True)]

    def _standing(self, layout: Layout, costs: Array, sums: Array) -> Standing:
        found = figures(layout, sums, [target.kpi for target in self.targets])
        more = self.more or (0.0,) * len(self.targets)
        reserves = tuple(
            target.reserve(found[target.kpi]) - asked
            for target, asked in zip(self.targets, more, strict=True)
        )
        undefined = sum(math.isnan(found[target.kpi]) for target in self.targets)
        least = float(costs.mean()) if self.least == COST else found[STOCK]
        return Standing(least, reserves, undefined)

    def told(self, found: Mapping[str, float]) -> str:
        """Return the values that were reached, in words."""
        return ", ".join(
            f"{target.kpi} is not defined here"
            if math.isnan(found[target.kpi])
            else f"{target.kpi} {found[target.kpi]:.4g}"
            for target in self.targets
        )


def aim_of(target: Targets | None, least: str, scenario: Scenario) -> Aim | None:
    """Return the aim that a caller wrote; None without a target. Raises ScenarioError."""
    if least not in LEAST:
        raise ScenarioError(f"least is {least!r}; expected one of {', '.join(LEAST)}")
    if target is None:
        if least != COST:
            raise ScenarioError(f"least is {least!r}, but there is no target; expected one")
        return None
    targets: tuple[Target, ...]
    if isinstance(target, Target):
        targets = (target,)
    elif isinstance(target, Mapping):
        targets = tuple(Target(name, bound) for name, bound in target.items())
    else:
        targets = tuple(target)
    if not targets:
        raise ScenarioError("the target is empty; expected a KPI and its bound")
    for each in targets:
        if not isinstance(each, Target):
            raise ScenarioError(f"{each!r} is not a target; expected Target('fill_rate', .98)")
    names = [each.kpi for each in targets]
    for name in names:
        if names.count(name) > 1:
            raise ScenarioError(f"target {name} is given twice; expected it once")
        if name not in kpis_of(scenario):
            periods = name.removeprefix("within_")
            raise ScenarioError(
                f"target {name}: {scenario.name} does not have this KPI; expected "
                f"`within: [{periods}]` in {scenario.file}"
            )
    return Aim(targets, least)


def figures(layout: Layout, sums: Array, names: Sequence[str]) -> dict[str, float]:
    """Return the means over episodes of these KPIs and of the stock; nan if not defined."""
    periods, warm_up = layout.scenario.horizon.of_split("tune")
    total = Totals(layout, sums, periods - warm_up)
    return {name: _mean(NAMED[name].compute(total)) for name in (*names, STOCK)}


def noise(layout: Layout, sums: Array, targets: Sequence[Target]) -> float:
    """Return the largest standard error of the targets' KPIs, relative to their bounds."""
    periods, warm_up = layout.scenario.horizon.of_split("tune")
    total = Totals(layout, sums, periods - warm_up)
    found = [0.0]
    for target in targets:
        values = NAMED[target.kpi].compute(total)
        defined = values[~np.isnan(values)]
        if defined.size > 1:
            error = float(defined.std(ddof=1)) / math.sqrt(defined.size)
            found.append(error / max(abs(target.value), SMALLEST))
    return max(found)


def _mean(values: Array) -> float:
    """Return the mean over the episodes in which a KPI is defined; nan if there are none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else math.nan


def _fault(kpi: Kpi, bound: object) -> str:
    """Return what is expected instead of this bound, or nothing if it is valid."""
    if isinstance(bound, bool) or not isinstance(bound, int | float) or not math.isfinite(bound):
        return "a number"
    if kpi.unit == "share" and not 0 <= bound <= 1:
        return "a share, from 0 to 1"
    is_signed = kpi.unit.startswith("money")  # a profit may be a loss
    return "" if bound >= 0 or is_signed else "at least 0"
