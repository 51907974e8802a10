"""Order-up-to on a forecast: a base-stock policy whose levels follow exponentially smoothed demand.

    F' = F + w (demand of the period before - F)                               (Brown 1959)
    order = max(0, T F + z sigma + q - inventory position)

T is the number of periods that a level must cover: lead times down to the customer, one review
period, and the mean waits for work centers and because of maximum orders on the way
(`Stage.queue`). sigma is the standard deviation of demand over them, and z the safety factor of
each source. q is how far below the level whole lots and a minimum order leave the position on
average (0 for single units). There is one forecast for each demand; it starts at the mean. On a
line, position and level are those of the echelon, weighted by the bill of materials. Chen, Drezner,
Ryan and Simchi-Levi (2000) show how such levels amplify the variation of orders.

Textbook sizing: w is that of the scenario's own forecast, else 0.2; z is such that the level equals
that of the textbook's base-stock policy if the forecast is the mean. Quantities are in units.

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
from jitgym.control.cycles import forecast_at
from jitgym.control.masses import deviation_of, mean_of
from jitgym.control.sizing import Stage, echelon_level, local_levels, stages
from jitgym.scenario import Scenario, Smoothing

from ..base.acting import Acting, acting, in_scenario_order
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
    """Order up to a level that follows the forecast; the memory holds a forecast per demand."""

    def start(self, batch: int) -> Array:
        """Return the mean of each demand, (batch, demands)."""
        demands = self.layout.scenario.demands.values()
        return np.tile([demand.mean for demand in demands], (batch, 1))

    def asks(self, state: Array, memory: Array) -> Array:
        """Update the forecasts in `memory`, and return the asks, (batch, sources) in units."""
        memory += self.values["weight"] * (state[:, self.layout.plant.demands["last"]] - memory)
        return self.up_to_forecast(state, memory)

    def up_to_forecast(self, state: Array, forecasts: Array) -> Array:
        """Return the asks with these forecasts of demand per period, (batch, demands)."""
        safety = in_scenario_order(self.layout, self.values["safety"])
        levels = order_up_to(forecasts @ self.plan.units, self._periods, safety, self._deviations)
        return self.plan.up_to(state, levels + self._below)

    @cached_property
    def _periods(self) -> Array:
        """T of each source, (sources,)."""
        return np.array([_periods(stage) for stage in self.plan.stages])

    @cached_property
    def _below(self) -> Array:
        """How far below the level lots and minimum orders leave the position, (sources,), units."""
        weight = float(self.values["weight"].flat[0])
        return np.array([_below(stage, weight) for stage in self.plan.stages])

    @cached_property
    def _deviations(self) -> Array:
        """Standard deviation of lead time demand, (sources,), units."""
        return np.array([deviation_of(stage.lead_time_demand) for stage in self.plan.stages])


def _periods(stage: Stage) -> float:
    return mean_of(stage.lead_time_demand) / stage.requirement if stage.requirement else 0.0


def _below(stage: Stage, weight: float) -> float:
    if deviation_of(stage.lead_time_demand) < 1e-9:  # a safety factor has no effect then
        return _level(stage, weight) - mean_of(stage.lead_time_demand)
    return mean_of(stage.below)


def _level(stage: Stage, weight: float) -> float:
    """Return the newsvendor's echelon level, at the mean forecast.

    In a known cycle the forecast lags behind demand: the level follows it by T (F - mean), so that
    this much must be covered less. Then it is the level of the difference over all phases.
    """
    if len(stage.cycle) == 1:
        return echelon_level(stage)
    means = np.array([mean_of(phase) for phase in stage.cycle])
    moved = _periods(stage) * (forecast_at(means, weight) - means.mean())
    needed = stage.must_cover_by_phase / len(means)
    units = (np.arange(needed.shape[1]) - moved[:, np.newaxis]).ravel()
    order = np.argsort(units)
    covered = np.minimum(np.cumsum(needed.ravel()[order]), 1.0)
    found = [units[order][np.argmax(covered >= ratio - 1e-9)] for ratio in stage.ratios]
    return max(float(np.mean(found)), stage.smallest_order)


def why_not(scenario: Scenario) -> str:
    """Return why the policy does not apply, or nothing."""
    for name, demand in scenario.demands.items():
        if demand.quantity.distribution == "event":
            return f"it needs demand per period; {name} arrive one by one, in continuous time"
    return ""


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the weight of the forecast, and the safety factor of every source."""
    at = stages(scenario)
    own = [
        demand.forecast.weight
        for demand in scenario.demands.values()
        if isinstance(demand.forecast, Smoothing)
    ]
    weight = own[0] if own else WEIGHT
    return weight_parameter(weight), safety_parameter(
        _safety_factors(scenario, at, weight), of=at, low=-3.0
    )


def weight_parameter(textbook: float = WEIGHT) -> Parameter:
    """Return the weight of the newest demand in a forecast."""
    return parameter("weight", "share", textbook, high=1.0, step=0.01, most=1.0)


def safety_parameter(factors: Array, of: Iterable[str], low: float) -> Parameter:
    """Return the safety factors of these sources as a parameter."""
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


def _safety_factors(scenario: Scenario, at: dict[str, Stage], weight: float) -> Array:
    """Return z of each source: how many standard deviations the base-stock level is above T F."""
    names = list(scenario.sources)
    # The levels may be above the storage limit, which the plant enforces.
    local = local_levels(scenario, {name: _level(stage, weight) for name, stage in at.items()})
    levels = echelon_matrix(scenario) @ [local[name] for name in names]
    return np.array([_factor(stage, levels[names.index(name)]) for name, stage in at.items()])


def _factor(stage: Stage, level: float) -> float:
    covered = stage.lead_time_demand
    deviation = deviation_of(covered)
    if deviation < 1e-9:
        return 0.0
    # Rounded up: a level just below a whole unit would order one unit less.
    return math.ceil(1e4 * (level - mean_of(covered) - mean_of(stage.below)) / deviation) / 1e4


SMOOTHED = Classic("smoothed", why_not, parameters, acting(OrderUpToForecast))
