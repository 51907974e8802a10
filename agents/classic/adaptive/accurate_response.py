"""Accurate response: order a part before the season, and the rest after early sales are known.

    early order = m + z1 s from the slow source, before the season begins
    late order  = m' + z2 s' - position from the fast source, once, after early sales

m and s are the mean and standard deviation of a product's demand as forecast before the season; m'
and s' are those of the remaining demand, given the demand so far (`forecasting.Life`; Fisher and
Raman 1996). If z1 is below 0, the early order leaves out most of the risky products. An order is
raised to the minimum if it is at least `share` of the minimum; otherwise nothing is ordered.

Textbook sizing: z2 is the normal quantile of the newsvendor ratio of the fast source (underage
price - cost, overage cost - salvage value); z1 is 0; the late order comes when a fifth of the sales
are expected to be over; share is 0.5. Quantities are in units, times in periods.

>>> brought_up(np.array([200.0, 400.0, 900.0]), minimum=600, share=0.5)
array([  0., 600., 900.])
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jitgym.control.costs import NEARLY_ALL, critical_ratio
from jitgym.distributions import LifeCycle
from jitgym.scenario import Demand, Scenario
from jitgym.units import whole

from ..base.acting import Acting, acting
from ..base.declaration import Array, Classic, Parameter, parameter
from ..base.forecasting import Life

EARLY = 0.2  # share of the sales that is expected before the late order
SHARE = 0.5


def brought_up(quantity: Array, minimum: float, share: Array | float) -> Array:
    """Return whole orders: raised to the minimum if they are at least this share of it, else 0."""
    worthy = (quantity >= share * minimum) & (quantity >= 1.0)
    return np.where(worthy, np.maximum(whole(quantity), minimum), 0.0)


@dataclass(frozen=True)
class Style:
    """One product: its demand, and its two sources (their places in the scenario)."""

    demand: str
    slow: int
    fast: int
    life: Life


@dataclass(frozen=True, eq=False)
class Seasonal(Acting):
    """The part that policies for new products share: the early order."""

    @cached_property
    def styles(self) -> list[Style]:
        """Every product."""
        scenario = self.layout.scenario
        found = []
        for name, demand in scenario.demands.items():
            ways = sorted(scenario.sources_of(demand.item), key=scenario.mean_lead_time)
            fast, slow = (list(scenario.sources).index(way) for way in (ways[0], ways[-1]))
            found.append(Style(name, slow, fast, Life(self.layout, name)))
        return found

    def asks(self, state: Array, memory: Array) -> Array:
        """Return the asks, (batch, sources) in units."""
        scenario, sources = self.layout.scenario, list(self.layout.scenario.sources.values())
        now = state[:, self.layout.plant.clock]
        asked = np.zeros((len(state), len(sources)))
        end = scenario.horizon.periods
        for style in self.styles:
            life = scenario.demands[style.demand].quantity
            assert isinstance(life, LifeCycle)
            slow, fast = sources[style.slow], sources[style.fast]
            begin = max(0, life.first - math.ceil(slow.lead_time.expectation))
            cells = np.flatnonzero(self.plan.matrix[:, style.slow])
            position = state[:, cells] @ self.plan.matrix[cells, style.slow]
            share = self.values["share"][:, 0]
            if (now == begin).any():
                mean, variance = style.life.predicted(state, 0, end)
                wanted = mean + self.values["early"][:, 0] * np.sqrt(variance) - position
                order = brought_up(wanted, slow.minimum_order, share)
                asked[:, style.slow] = np.where(now == begin, order, 0.0)
            if style.fast != style.slow:
                order = brought_up(self.late(state, style, position), fast.minimum_order, share)
                asked[:, style.fast] += np.where(now > begin, order, 0.0)
        return asked

    def late(self, state: Array, style: Style, position: Array) -> Array:
        """Return the quantity wanted from the fast source, (batch,)."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class AccurateResponse(Seasonal):
    """One late order, in the period `review`."""

    def late(self, state: Array, style: Style, position: Array) -> Array:
        """Return m' + z2 s' - position in the period `review`, else 0."""
        is_now = state[:, self.layout.plant.clock] == self.values["review"][:, 0]
        wanted = np.zeros(len(state))
        if is_now.any():
            end = self.layout.scenario.horizon.periods
            mean, variance = style.life.predicted(state[is_now], 0, end)
            late = np.broadcast_to(self.values["late"][:, 0], (len(state),))[is_now]
            wanted[is_now] = mean + late * np.sqrt(variance) - position[is_now]
        return wanted


def why_not(scenario: Scenario) -> str:
    """Return why the policy does not apply, or nothing."""
    if not scenario.horizon.ends or not all(
        isinstance(demand.quantity, LifeCycle) for demand in scenario.demands.values()
    ):
        return "it needs a season, and demands that are life cycles of new products"
    if any(source.consumes or source.at for source in scenario.sources.values()):
        return "it orders from outside suppliers; sources here use work centers or materials"
    if len({demand.item for demand in scenario.demands.values()}) < len(scenario.demands):
        return "it needs one demand per item; an item here has several"
    return ""


def textbook_factor(scenario: Scenario) -> float:
    """Return z2: the normal quantile of the fast sources' mean newsvendor ratio."""
    from scipy.special import ndtri  # a slow import, so only here

    ratios = []
    for demand in scenario.demands.values():
        cost = max(scenario.sources[s].unit_cost for s in scenario.sources_of(demand.item))
        over = cost - scenario.items[demand.item].salvage_value
        ratios.append(critical_ratio(demand.price + demand.shortage_cost - cost, over))
    return round(float(ndtri(np.clip(np.mean(ratios), 0.01, NEARLY_ALL))), 2)


def _review(demand: Demand) -> int:
    assert isinstance(demand.quantity, LifeCycle)
    life = demand.quantity
    return life.first + int(np.argmax(np.cumsum(life.shares) >= EARLY)) + 1


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the safety factors, the period of the late order, and the share of a minimum."""
    review = max(_review(demand) for demand in scenario.demands.values())
    last = scenario.horizon.periods - 1.0
    return (
        *safety_factors(scenario),
        parameter("review", "period", review, high=last, low=1.0, whole=True),
        share_parameter(),
    )


def safety_factors(scenario: Scenario) -> tuple[Parameter, Parameter]:
    """Return the safety factors of the early and the late order."""
    late = textbook_factor(scenario)
    return (
        parameter("early", "standard deviations", 0.0, high=3.0, step=0.05, low=-3.0),
        parameter("late", "standard deviations", late, high=3.0, step=0.05, low=-3.0),
    )


def share_parameter() -> Parameter:
    """Return the least share of a minimum order at which an order is raised to it."""
    return parameter("share", "of the minimum order", SHARE, high=1.5, step=0.05)


ACCURATE_RESPONSE = Classic("accurate-response", why_not, parameters, acting(AccurateResponse))
