"""Order-up-to on a forecast: a base-stock policy whose levels follow exponentially smoothed demand.

    F' = F + w (demand of the period before - F)                               (Brown 1959)
    order = max(0, T F + z sigma + q - inventory position)

T is the number of periods that a level must last: lead times down to the customer, one review
period, and the mean waits for the work centers on the way (`Stage.queue`); sigma the standard
deviation of demand over them, z the safety factor, one for each source; q how far whole lots and a
minimum order leave the position below the level on the average, 0 for single units. There is one
forecast for each demand, which begins at its mean; on a line position and level are the echelon's,
weighted by the bill of materials. What such levels do to orders: Chen, Drezner, Ryan and
Simchi-Levi (2000).

Textbook sizing: w as the scenario's own forecast has it, else 0.2; z such that the level is that of
the textbook's base-stock policy while the forecast is the mean. Quantities in units.

>>> from scipy.special import ndtri
>>> z = ndtri(0.7 / (0.7 + 0.18))  # Snyder and Shen, example 4.4: demand N(50, 8), L = 4
>>> print(order_up_to(forecast=50, periods=5, safety=z, deviation=8 * 5**0.5))
264.7669
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jitgym.control import echelon_matrix
from jitgym.control.masses import deviation_of, mean_of
from jitgym.control.sizing import Stage, echelon_level, stages
from jitgym.scenario import Scenario, Smoothing

from ..base.acting import Acting, acting, in_scenario_order
from ..base.common import level_parameter
from ..base.declaration import Array, Classic, Parameter, parameter

WEIGHT = 0.2


def order_up_to(
    forecast: float | Array,
    periods: float | Array,
    safety: float | Array,
    deviation: float | Array,
) -> Array:
    """Return the level T F + z sigma, in units."""
    return np.asarray(periods * forecast + safety * deviation, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class OrderUpToForecast(Acting):
    """Order up to a level that follows the forecast; its memory is the forecast of each demand."""

    def start(self, batch: int) -> Array:
        """Return the means of demand, (batch, demands)."""
        demands = self.layout.scenario.demands.values()
        return np.tile([demand.mean for demand in demands], (batch, 1))

    def asks(self, state: Array, memory: Array) -> Array:
        """Revise the forecasts in `memory`, and return the asks, (batch, sources) in units."""
        memory += self.values["weight"] * (state[:, self.layout.plant.demands["last"]] - memory)
        return self.up_to_forecast(state, memory)

    def up_to_forecast(self, state: Array, forecasts: Array) -> Array:
        """Return the asks with these forecasts a period, (batch, demands)."""
        safety = in_scenario_order(self.layout, self.values["safety"])
        levels = order_up_to(forecasts @ self._units, self._periods, safety, self._deviations)
        return self.plan.up_to(state, levels + self._below)

    @cached_property
    def _units(self) -> Array:
        """Units of each source's item in a unit of each demand, (demands, sources)."""
        demands = self.layout.scenario.demands
        return np.array([[stage.units.get(d, 0.0) for stage in self.plan.stages] for d in demands])

    @cached_property
    def _periods(self) -> Array:
        """T of each source, (sources,)."""
        return np.array([_periods(stage) for stage in self.plan.stages])

    @cached_property
    def _below(self) -> Array:
        """How far below the level lots and minimum orders leave the position, (sources,)."""
        return np.array([_below(stage) for stage in self.plan.stages])

    @cached_property
    def _deviations(self) -> Array:
        """Standard deviation of lead time demand, (sources,)."""
        return np.array([deviation_of(stage.lead_time_demand) for stage in self.plan.stages])


def _periods(stage: Stage) -> float:
    return mean_of(stage.lead_time_demand) / stage.requirement if stage.requirement else 0.0


def _below(stage: Stage) -> float:
    if deviation_of(stage.lead_time_demand) < 1e-9:  # no safety factor says it
        return echelon_level(stage) - mean_of(stage.lead_time_demand)
    return mean_of(stage.below)


def why_not(scenario: Scenario) -> str:
    """Return why demand cannot be forecast so, or nothing."""
    for name, demand in scenario.demands.items():
        if demand.quantity.distribution == "event":
            return f"it smooths demand a period; {name} come one by one, by a clock"
    return ""


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the weight, and the safety factor of every source."""
    at = stages(scenario)
    own = [
        demand.forecast.weight
        for demand in scenario.demands.values()
        if isinstance(demand.forecast, Smoothing)
    ]
    return weight_parameter(own[0] if own else WEIGHT), safety_parameter(
        _safety_factors(scenario, at), of=at, low=-3.0
    )


def weight_parameter(textbook: float = WEIGHT) -> Parameter:
    """Return the weight of the newest demand in a forecast."""
    return parameter("weight", "share", textbook, high=1.0, step=0.01, most=1.0)


def safety_parameter(factors: Array, of: Iterable[str], low: float) -> Parameter:
    """Return safety factors of some sources."""
    return parameter(
        "safety",
        "standard deviations",
        factors,
        of=of,
        high=np.maximum(factors + 1.0, 6.0),
        step=0.05,
        low=np.minimum(factors, low),
        least=-math.inf,
    )


def _safety_factors(scenario: Scenario, at: dict[str, Stage]) -> Array:
    """Return z of each source: the textbook's base-stock level in deviations from the mean."""
    names = list(scenario.sources)
    local = dict(zip(at, level_parameter(scenario).textbook, strict=True))
    levels = echelon_matrix(scenario) @ [local[name] for name in names]
    return np.array([_factor(stage, levels[names.index(name)]) for name, stage in at.items()])


def _factor(stage: Stage, level: float) -> float:
    covered = stage.lead_time_demand
    deviation = deviation_of(covered)
    if deviation < 1e-9:
        return 0.0
    # Rounded up: a level just below a whole unit would order one unit less.
    return math.ceil(1e4 * (level - mean_of(covered) - _below(stage)) / deviation) / 1e4


SMOOTHED = Classic("smoothed", why_not, parameters, acting(OrderUpToForecast))
