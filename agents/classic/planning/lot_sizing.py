"""Rolling lot sizing: every period plan lots over the forecast, and order the first if it is due.

An order is due when the inventory position no longer covers the forecast over the lead time and one
period of review, and safety stock z sigma. It covers whole periods of forecast requirements; how
many, a method of lot sizing says: `wagner_whitin` or `silver_meal`. Only the first lot is ordered,
and the plan made anew in the next period with what is known then (Baker 1977 on rolling schedules).

The forecast is the scenario's own where it has one (what is revealed ahead, or causal); else demand
is smoothed (`forecasting`), by pattern and season. Outside suppliers are ordered from so, on their
echelon positions; stations below follow local base-stock levels, as with `eoq`.

Textbook sizing: z so that the reorder point is that of `eoq` while the forecast is the mean. Sigma
is the deviation from the forecast: what pattern and season make of demand is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from jitgym.control.masses import mean_of
from jitgym.control.sizing import Stage, outside_suppliers, stages
from jitgym.scenario import Scenario
from jitgym.units import is_some, whole_up

from ..adaptive import smoothed
from ..base.acting import Acting, acting, in_scenario_order
from ..base.declaration import Array, Classic, Parameter
from ..base.forecasting import LONGEST, Forecasts
from ..reorder import eoq

Method = Callable[[Array, float, float], npt.NDArray[np.intp]]
"""(requirements (batch, periods), fixed, holding cost) -> periods of the first lot, (batch,)."""


@dataclass(frozen=True, eq=False)
class RollingLots(Acting):
    """Lots over the forecast; its memory is the forecasts."""

    method: Method = field(kw_only=True)

    def start(self, batch: int) -> Array:
        """Return the forecasts with which an episode begins."""
        return self._forecasts.start(batch)

    def asks(self, state: Array, memory: Array) -> Array:
        """Revise the forecasts, and return the first lots that are due, (batch, sources)."""
        self._forecasts.revise(state, memory, self.values["weight"])
        expected = self._forecasts.shown(state, self._forecasts.ahead(memory, self._horizon))
        local = self.values.get("levels", np.zeros((1, 0)))
        levels = in_scenario_order(self.layout, local, self._stations)
        asked = self.plan.up_to(state, levels @ self.plan.to_echelon)
        positions = state @ self.plan.matrix
        names = list(self.layout.scenario.sources)
        for column, name in enumerate(outside_suppliers(self.layout.scenario)):
            k = names.index(name)
            stage = self.plan.stages[k]
            needs = expected @ self._units[:, k]
            # Of the forecast, what the position does not cover, by the period in which it is due.
            short = np.cumsum(needs, axis=1) - positions[:, k, np.newaxis]
            short += (self.values["safety"][:, column] * self._deviations[k])[:, np.newaxis]
            covered = min(lead_time(stage), self._horizon - 1)
            net = np.diff(np.maximum(short[:, covered:], 0.0), axis=1, prepend=0.0)
            lots = self._first_lot(stage, net)
            asked[:, k] = whole_up(lots / stage.lot) * stage.lot
        return asked

    def _first_lot(self, stage: Stage, net: Array) -> Array:
        """Return the lot to be ordered now, 0 where nothing is due, in units."""
        due = is_some(net[:, 0])
        lots = np.zeros(len(net))
        if due.any():
            periods = self.method(net[due], stage.fixed, stage.carrying)
            upto = np.cumsum(net[due], axis=1)[np.arange(periods.size), periods - 1]
            lots[due] = np.maximum(np.minimum(upto, stage.largest_order), stage.smallest_order)
        return lots

    @cached_property
    def _forecasts(self) -> Forecasts:
        return Forecasts(self.layout)

    @cached_property
    def _stations(self) -> list[str]:
        scenario = self.layout.scenario
        return [name for name in stages(scenario) if name not in outside_suppliers(scenario)]

    @cached_property
    def _units(self) -> Array:
        """Units of each source's item in a unit of each demand, (demands, sources)."""
        demands = self.layout.scenario.demands
        return np.array([[stage.units.get(d, 0.0) for stage in self.plan.stages] for d in demands])

    @cached_property
    def _deviations(self) -> Array:
        return np.array([stage.uncertainty for stage in self.plan.stages])

    @cached_property
    def _horizon(self) -> int:
        """Periods of the plan: the longest lead time, and as long as some economic orders last."""
        at = stages(self.layout.scenario)
        return max(horizon(at[name]) for name in outside_suppliers(self.layout.scenario))


CYCLES = 3  # economic orders that the plan covers beyond the lead time


def horizon(stage: Stage) -> int:
    """Return how many periods ahead a source plans."""
    return min(lead_time(stage) + math.ceil(CYCLES * stage.order_lasts) + 1, LONGEST)


def lead_time(stage: Stage) -> int:
    """Return the whole periods before those that an order placed now can serve."""
    usual = mean_of(stage.demand)
    return max(round(mean_of(stage.lead_time_demand) / usual) - 1, 0) if usual else 0


def why_not(scenario: Scenario) -> str:
    """Return why there are no lots to plan, or nothing."""
    if reason := eoq.why_not(scenario) or smoothed.why_not(scenario):
        return reason
    if not any(stages(scenario)[name].fixed for name in outside_suppliers(scenario)):
        return "no order has a fixed cost: it would be order-up-to on a forecast, smoothed"
    return ""


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the weight of the forecast, the suppliers' safety factors, the stations' levels."""
    _, point, *levels = eoq.parameters(scenario)
    at = stages(scenario)
    factors = np.array([_factor(at[name]) for name in point.of])
    safety = smoothed.safety_parameter(factors, of=point.of, low=-3.0)
    return smoothed.parameters(scenario)[0], safety, *levels


def _factor(stage: Stage) -> float:
    covered, deviation = stage.surprises, stage.uncertainty
    if deviation < 1e-9:
        return 0.0
    # Due when the position is at or below r, that is below r + 1; rounded down, not at r + 1.
    point = eoq.reorder_point_of(stage, covered)
    return math.floor(1e4 * (point + 1.0 - mean_of(covered)) / deviation) / 1e4


def rolling(name: str, method: Method) -> Classic:
    """Return the policy that plans its lots by this method."""
    return Classic(name, why_not, parameters, acting(RollingLots, method=method))
