"""Seasonal base-stock: levels follow the mean demand of the periods that they must cover.

    order = m(t) + z sigma(t) + Q - inventory position,   if that is at least Q

m(t) is the mean echelon demand over the coming lead time and one review period, by pattern and
season. sigma(t) is its standard deviation: the long-run value, scaled with the square root of m(t).
So stock builds up before a peak and falls before its end (Zipkin 2000, section 9.4: the myopic
levels of cyclic demand). Q is the least quantity that is worth a shipment, as in an (s,S) policy.
Sources at work centers follow constant local levels. A level of 0 means made to order, because
positions are net of backorders.

Textbook sizing: z is such that the level of an average period is the newsvendor level; Q is the
economic order quantity if a shipment has a fixed cost, else one lot; local levels are those of
base-stock. Levels are in units.

>>> mean_ahead([10, 10, 30, 30], periods=2)  # a cycle of four periods
[20.0, 40.0, 60.0, 40.0]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jitgym.control.masses import mean_of
from jitgym.control.sizing import Stage, stages
from jitgym.scenario import Scenario
from jitgym.units import at_least

from ..base.acting import Acting, acting, in_scenario_order
from ..base.common import level_parameter, lots_of
from ..base.declaration import Array, Classic, Parameter, parameter
from ..base.forecasting import Forecasts, periods_passed


def mean_ahead(means: Sequence[float], periods: float) -> list[float]:
    """Return for each period of a cycle the sum of the means of this many periods from it on.

    If `periods` is not whole, a share of the last period counts.
    """
    cycle = np.array(means, dtype=np.float64)
    whole = int(periods)
    total = sum((np.roll(cycle, -k) for k in range(whole)), np.zeros_like(cycle))
    return list((total + (periods - whole) * np.roll(cycle, -whole)).tolist())


@dataclass(frozen=True, eq=False)
class SeasonalBaseStock(Acting):
    """Levels that follow the clock for what is bought or moved; constant ones at work centers."""

    def asks(self, state: Array, memory: Array) -> Array:
        """Return the asks, (batch, sources) in units."""
        return self.worth_a_shipment(self.plan.up_to(state, self.levels(state)))

    def worth_a_shipment(self, asked: Array) -> Array:
        """Return the asks; an ask below Q becomes 0."""
        return np.where(at_least(asked, self._least), asked, 0.0)

    def levels(self, state: Array) -> Array:
        """Return the echelon levels of this period, (batch, sources)."""
        safety = in_scenario_order(self.layout, self.values["safety"], self._moved)
        mean = self._means[periods_passed(self.layout, state) % len(self._means)]
        deviation = self._deviations * np.sqrt(mean / np.maximum(self._means.mean(axis=0), 1e-9))
        levels = mean + safety * deviation + self._peaks + self._least
        local = self.values.get("levels", np.zeros((1, 0)))
        stay = in_scenario_order(self.layout, local, self._made) @ self.plan.to_echelon
        return np.where(self._is_made, stay, levels)

    @cached_property
    def _least(self) -> Array:
        """Q of each source, 0 at work centers, (policies, sources)."""
        return in_scenario_order(self.layout, self.values["quantity"], self._moved)

    @cached_property
    def _moved(self) -> list[str]:
        return moved(self.layout.scenario)

    @cached_property
    def _made(self) -> list[str]:
        return [name for name in stages(self.layout.scenario) if name not in self._moved]

    @cached_property
    def _is_made(self) -> Array:
        return np.array([name in self._made for name in self.layout.scenario.sources])

    @cached_property
    def _deviations(self) -> Array:
        return np.array([stage.uncertainty for stage in self.plan.stages])

    @cached_property
    def _peaks(self) -> Array:
        """Units that must be ordered ahead of known peaks above the capacity, (sources,)."""
        return np.array([stage.peak_wait for stage in self.plan.stages])

    @cached_property
    def _means(self) -> Array:
        """Mean demand over lead time and review period from each period on, (cycle, sources)."""
        scenario = self.layout.scenario
        factors = Forecasts(self.layout).factors
        columns = []
        for stage in self.plan.stages:
            means = sum(
                factors[:, k] * demand.mean * stage.units.get(name, 0.0)
                for k, (name, demand) in enumerate(scenario.demands.items())
            )
            columns.append(mean_ahead(np.asarray(means).tolist(), lasts(stage)))
        return np.array(columns).T


def lasts(stage: Stage) -> float:
    """Return how many periods a level must cover: lead times, queues, and one review period."""
    usual = mean_of(stage.demand)
    return mean_of(stage.lead_time_demand) / usual if usual else 1.0


def least_order(stage: Stage) -> float:
    """Return Q: the economic order quantity in whole lots; without a fixed cost the least order."""
    return stage.order_quantity if stage.fixed else stage.smallest_order


def moved(scenario: Scenario) -> list[str]:
    """Return the sources without a work center, from supplier to customer."""
    return [name for name in stages(scenario) if scenario.sources[name].at is None]


def why_not(scenario: Scenario) -> str:
    """Return why the policy does not apply, or nothing."""
    if not any(demand.varies for demand in scenario.demands.values()):
        return "no demand has a pattern or seasons, so use base-stock"
    if not moved(scenario):
        return "it needs a source that buys or moves an item; all sources here make theirs"
    return ""


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return safety factors and Q of what is bought or moved, and local levels of what is made."""
    at, bought = stages(scenario), moved(scenario)
    factors = [at[name].safety_factor for name in bought]
    quantities = np.array([least_order(at[name]) for name in bought])
    lots = lots_of(at, bought)
    safety = parameter(
        "safety",
        "standard deviations",
        np.round(factors, 2),
        of=bought,
        high=8.0,
        step=0.05,
        low=-4.0,
    )
    quantity = parameter(
        "quantity",
        "units",
        quantities,
        of=bought,
        high=2 * quantities + 4 * lots,
        step=lots,
        whole=True,
    )
    made = [name for name in at if name not in bought]
    return safety, quantity, *([level_parameter(scenario, made, "levels")] if made else [])


SEASONAL_BASE_STOCK = Classic("seasonal-base-stock", why_not, parameters, acting(SeasonalBaseStock))
