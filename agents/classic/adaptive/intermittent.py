"""Order-up-to on a forecast of intermittent demand: Croston-SBA and TSB.

The size of demand and its occurrence are smoothed separately, with weight w. The memory holds the
size z, and the interval p or the probability q:

    croston   if demand occurs:    z' = z + w (D - z),  p' = p + w (periods since the last - p)
              F = (1 - w / 2) z / p               (Croston 1972; Syntetos and Boylan 2005)
    tsb       q' = q + w (o - q), o = 1 if demand occurs, else 0;  if it occurs: z' = z + w (D - z)
              F = z q                             (Teunter, Syntetos and Babai 2011)

    order = max(0, T F + z sigma - inventory position)      as in `smoothed`

Both start from the long-run size and frequency. Textbook sizing is that of `smoothed`. Quantities
are in units.

>>> size_interval_since = np.array([[6.0, 3.0, 2.0]])  # z, p, periods since the last demand
>>> revise_croston(size_interval_since, np.array([10.0]), 0.2).round(3).tolist()
[2.186]
>>> size_chance = np.array([[6.0, 0.25]])
>>> revise_tsb(size_chance, np.array([0.0]), 0.2).round(3).tolist()
[1.2]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from jitgym.control.masses import mass, mass_of
from jitgym.scenario import Demand, Scenario

from ..base.acting import acting
from ..base.declaration import Array, Classic
from . import smoothed
from .smoothed import OrderUpToForecast

SELDOM = 0.1  # least probability of a period without demand


def revise_croston(memory: Array, demand: Array, weight: Array | float) -> Array:
    """Update size, interval and periods since the last demand, (batch, 3); return the forecast."""
    comes = demand > 0
    size, interval, since = memory.T
    memory[:, 0] = np.where(comes, size + weight * (demand - size), size)
    memory[:, 1] = np.where(comes, interval + weight * (since - interval), interval)
    memory[:, 2] = np.where(comes, 1.0, since + 1.0)
    return np.asarray((1.0 - np.asarray(weight) / 2.0) * memory[:, 0] / memory[:, 1])


def revise_tsb(memory: Array, demand: Array, weight: Array | float) -> Array:
    """Update size and probability of demand, (batch, 2); return the forecast."""
    comes = demand > 0
    memory[:, 0] += np.where(comes, weight * (demand - memory[:, 0]), 0.0)
    memory[:, 1] += weight * (comes - memory[:, 1])
    return np.asarray(memory[:, 0] * memory[:, 1])


@dataclass(frozen=True, eq=False)
class OrderUpToIntermittent(OrderUpToForecast):
    """Order up to a level that follows the forecast; the memory is (batch, 1 + 3 demands)."""

    revise: Callable[[Array, Array, Array], Array] = field(kw_only=True)

    def start(self, batch: int) -> Array:
        """Return 0 for "no period has passed", and the long-run values of each forecast."""
        row = [0.0]
        for demand in self.layout.scenario.demands.values():
            often = max(1.0 - float(mass_of(demand)[0]), 1e-9)
            rate = 1.0 / often if self.revise is revise_croston else often
            row += [demand.mean / often, rate, 1.0]
        return np.tile(row, (batch, 1))

    def asks(self, state: Array, memory: Array) -> Array:
        """Update the forecasts in `memory`, and return the asks, (batch, sources) in units."""
        last = state[:, self.layout.plant.demands["last"]]
        weight = self.values["weight"][:, 0]
        kept = memory[0, 0] == 0  # there was no demand before the first period
        forecasts = np.empty((len(state), last.shape[1]))
        for k in range(last.shape[1]):
            cells = memory[:, 1 + 3 * k : 4 + 3 * k]
            revised = cells.copy()
            forecasts[:, k] = self.revise(revised, last[:, k], weight)
            if kept:
                forecasts[:, k] = list(self.layout.scenario.demands.values())[k].mean
            else:
                cells[:] = revised
        memory[:, 0] = 1.0
        return self.up_to_forecast(state, forecasts)


def why_not(scenario: Scenario) -> str:
    """Return why the policy does not apply, or nothing."""
    if reason := smoothed.why_not(scenario):
        return reason
    if all(mass_of(demand)[0] < SELDOM for demand in scenario.demands.values()):
        return "demand occurs in nearly every period, so use smoothed"
    if not any(_is_random(demand) for demand in scenario.demands.values()):
        return "the periods without demand are those of its pattern; here none come by chance"
    return ""


def _is_random(demand: Demand) -> bool:
    """Whether chance decides if there is demand in a period, and not only a known pattern."""
    return any(SELDOM <= mass(phase)[0] < 1.0 for phase in demand.phases)


CROSTON, TSB = (
    Classic(
        name,
        why_not,
        smoothed.parameters,
        acting(OrderUpToIntermittent, revise=revise),
    )
    for name, revise in (("croston", revise_croston), ("tsb", revise_tsb))
)
