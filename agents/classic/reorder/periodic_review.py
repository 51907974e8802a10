"""(R,S) policy: every R periods, order up to S.

    order = max(0, S - inventory position) in every R-th period, else 0

R is the review interval and S the order-up-to level. Stores with a fixed delivery day order like
this (Silver, Pyke and Thomas 2017, section 6.9). The policy controls the outside suppliers, from
the first period on; stations between them and the customer follow local base-stock levels every
period.

Textbook sizing: R is the number of periods that an economic order quantity lasts, at least 1:
sqrt(2 K / (h D)) with fixed cost K, holding cost h and mean demand D per period. S is that of
base-stock over the lead time and R periods. Levels are local, in units; intervals in periods.

>>> review_interval(fixed=64, demand=10, holding=1)
4
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from jitgym.control.masses import compound
from jitgym.control.sizing import Stage, bounded_level, echelon_level, outside_suppliers, stages
from jitgym.scenario import Scenario, economic_order_quantity

from ..base.acting import Acting, acting
from ..base.common import level_parameter
from ..base.declaration import Array, Classic, Parameter, parameter
from . import eoq

SLACK = 1.25  # times the need of an interval, which the largest order must cover
LONGEST = 52  # periods between two reviews; a tuner tries at least up to this


def review_interval(fixed: float, demand: float, holding: float) -> int:
    """Return R = Q / D with the economic order quantity Q, in whole periods, at least 1."""
    if demand == 0:
        return 1
    return max(1, round(economic_order_quantity(fixed, demand, holding) / demand))


class PeriodicReview(Acting):
    """The (R,S) policy; its memory is the number of periods so far, (batch, 1)."""

    def start(self, batch: int) -> Array:
        """Return period 0."""
        return np.zeros((batch, 1))

    def asks(self, state: Array, memory: Array) -> Array:
        """Return the orders, (batch, sources) in units; without a review they are 0."""
        asked = self.plan.up_to_local(state, self._levels)
        every = self.values["interval"]
        asked[:, self._suppliers] *= np.mod(memory, every) == 0
        memory += 1
        return asked

    @property
    def _levels(self) -> Array:
        return next(value for name, value in self.values.items() if name != "interval")

    @cached_property
    def _suppliers(self) -> list[int]:
        names = list(self.layout.scenario.sources)
        return [names.index(name) for name in outside_suppliers(self.layout.scenario)]


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the review interval of every outside supplier, and the local levels."""
    at = stages(scenario)
    intervals = {name: _interval(at[name]) for name in outside_suppliers(scenario)}
    level = level_parameter(scenario)
    more = np.array([_more(stage, intervals.get(name, 1)) for name, stage in at.items()])
    return (
        parameter(
            "interval",
            "periods",
            list(intervals.values()),
            of=intervals,
            high=[max(2.0 * interval, LONGEST) for interval in intervals.values()],
            low=1.0,
            whole=True,
        ),
        level.resized(level.textbook + more, high=level.high + 2 * more),
    )


def _interval(stage: Stage) -> int:
    """Return the textbook R; the largest order must last for it.

    If the storage is below the level, it is the R with the lowest cost by the formulas.
    """
    if not stage.requirement:
        return 1
    usual = max(1, round(stage.order_lasts)) if stage.fixed else 1
    most = stage.largest_order / (SLACK * stage.requirement)
    usual = usual if most == math.inf else max(1, min(usual, math.floor(most)))
    is_last = len(stage.route) == 1  # upstream, an echelon level is not what the storage holds
    if not is_last or echelon_level(stage) + _more(stage, usual) <= stage.storage:
        return usual
    return min(range(1, usual + 1), key=lambda interval: _cost(stage, interval))


def _cost(stage: Stage, interval: int) -> float:
    """Return the cost per period of a level that is cut to the storage, by the newsvendor."""
    level = min(echelon_level(stage) + _more(stage, interval), stage.storage)
    total = stage.fixed
    for others in range(interval):
        periods = np.append(np.zeros(others), 1.0)
        covered = compound(stage.demand, periods, stage.lead_time_demand)
        over = level - np.arange(covered.size)
        total += stage.holding * float(covered @ np.maximum(over, 0.0))
        total += stage.shortage * float(covered @ np.maximum(-over, 0.0))
    return total / interval


def _more(stage: Stage, interval: int) -> float:
    """Return how much higher a level over R periods is than over one period, in units."""
    if interval == 1:
        return 0.0
    others = np.append(np.zeros(interval - 1), 1.0)
    longer = compound(stage.demand, others, stage.lead_time_demand)
    return max(
        0.0,
        bounded_level(longer, *stage.ratios) - bounded_level(stage.lead_time_demand, *stage.ratios),
    )


PERIODIC_REVIEW = Classic("R-S", eoq.why_not, parameters, acting(PeriodicReview))
