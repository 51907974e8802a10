"""Rolling lot sizing: in every period plan lots over the forecast, and order the first if due.

An order is due when the inventory position no longer covers the forecast over the lead time and one
review period, plus safety stock z sigma. An order covers whole periods of forecast requirements. A
method of lot sizing decides how many: `wagner_whitin` or `silver_meal`. Only the first lot is
ordered. The next period makes a new plan with what is known then (Baker 1977 on rolling schedules).

The forecast is the scenario's own if it has one (demand revealed ahead, or a causal forecast).
Otherwise demand is smoothed (`forecasting`), by pattern and season. The plans order from outside
suppliers, on echelon positions; stations follow local base-stock levels, as in `eoq`.

Textbook sizing: z is such that the reorder point is that of `eoq` if the forecast is the mean.
sigma is the standard deviation from the forecast; pattern and season are known, so they do not add
to it.
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
from ..base.acting import acting
from ..base.declaration import Array, Classic, Parameter
from ..base.forecasting import LONGEST, Forecasting
from ..reorder import eoq

Method = Callable[[Array, float, float], npt.NDArray[np.intp]]
"""(requirements (batch, periods), fixed, holding cost) -> periods of the first lot, (batch,)."""


@dataclass(frozen=True, eq=False)
class RollingLots(Forecasting):
    """Lots over the forecast; the memory holds the forecasts."""

    method: Method = field(kw_only=True)

    def asks(self, state: Array, memory: Array) -> Array:
        """Update the forecasts, and return the first lots that are due, (batch, sources)."""
        self.forecasts.revise(state, memory, self.values["weight"])
        expected = self.forecasts.shown(state, self.forecasts.ahead(memory, self._horizon))
        local = self.values.get("levels", np.zeros((1, 0)))
        asked = self.plan.up_to_local(state, local, self._stations)
        positions = state @ self.plan.matrix
        names = list(self.layout.scenario.sources)
        for column, name in enumerate(outside_suppliers(self.layout.scenario)):
            k = names.index(name)
            stage = self.plan.stages[k]
            needs = expected @ self.plan.units[:, k]
            # The part of the forecast that the position does not cover, by the period it is due.
            short = np.cumsum(needs, axis=1) - positions[:, k, np.newaxis]
            short += (self.values["safety"][:, column] * self._deviations[k])[:, np.newaxis]
            covered = min(lead_time(stage), self._horizon - 1)
            net = np.diff(np.maximum(short[:, covered:], 0.0), axis=1, prepend=0.0)
            lots = self._first_lot(stage, net)
            asked[:, k] = whole_up(lots / stage.lot) * stage.lot
        return asked

    def _first_lot(self, stage: Stage, net: Array) -> Array:
        """Return the lot to order now, in units; 0 where nothing is due, (batch,)."""
        due = is_some(net[:, 0])
        lots = np.zeros(len(net))
        if due.any():
            periods = self.method(net[due], stage.fixed, stage.carrying)
            upto = np.cumsum(net[due], axis=1)[np.arange(periods.size), periods - 1]
            lots[due] = np.maximum(np.minimum(upto, stage.largest_order), stage.smallest_order)
        return lots

    @cached_property
    def _stations(self) -> list[str]:
        scenario = self.layout.scenario
        return [name for name in stages(scenario) if name not in outside_suppliers(scenario)]

    @cached_property
    def _deviations(self) -> Array:
        return np.array([stage.uncertainty for stage in self.plan.stages])

    @cached_property
    def _horizon(self) -> int:
        """Periods of the plan: the most that any outside supplier needs, see `horizon`."""
        at = stages(self.layout.scenario)
        return max(horizon(at[name]) for name in outside_suppliers(self.layout.scenario))


CYCLES = 3  # economic orders that the plan covers beyond the lead time


def horizon(stage: Stage) -> int:
    """Return how many periods a source plans ahead: lead time and `CYCLES` economic orders."""
    return min(lead_time(stage) + math.ceil(CYCLES * stage.order_lasts) + 1, LONGEST)


def lead_time(stage: Stage) -> int:
    """Return how many whole periods pass before those that an order placed now can serve."""
    usual = mean_of(stage.demand)
    if not usual:
        return 0
    periods = mean_of(stage.lead_time_demand) / usual - 1
    # Without safety stock, the plan has to cover all of a wait that is certain.
    is_covered = stage.uncertainty > 1e-9
    return max(round(periods) if is_covered else int(whole_up(periods)), 0)


def why_not(scenario: Scenario) -> str:
    """Return why the policy does not apply, or nothing."""
    if reason := eoq.why_not(scenario) or smoothed.why_not(scenario):
        return reason
    if not any(stages(scenario)[name].fixed for name in outside_suppliers(scenario)):
        return "no order has a fixed cost, so use smoothed"
    return ""


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the forecast's weight, the suppliers' safety factors, and the stations' levels."""
    _, point, *levels = eoq.parameters(scenario)
    at = stages(scenario)
    factors = np.array([_factor(at[name]) for name in point.of])
    safety = smoothed.safety_parameter(factors, of=point.of, low=-3.0)
    return smoothed.parameters(scenario)[0], safety, *levels


def _factor(stage: Stage) -> float:
    covered, deviation = stage.surprises, stage.uncertainty
    if deviation < 1e-9:
        return 0.0
    # An order is due at r or below. Rounding down ensures that none is due at r + 1.
    point = eoq.reorder_point_of(stage, covered)
    return math.floor(1e4 * (point + 1.0 - mean_of(covered)) / deviation) / 1e4


def rolling(name: str, method: Method) -> Classic:
    """Return the policy that plans lots with this method."""
    return Classic(name, why_not, parameters, acting(RollingLots, method=method))
