"""Forecasts from the view: demand of the coming periods, and remaining demand of a new product.

    F' = F + w (demand of the period before - F)                               (Brown 1959)

F is the forecast and w its weight. If a demand varies by pattern or season, its factor is removed
before smoothing, and the factors of the coming periods are put into the forecast. The level of a
new product's demand is gamma distributed; after n units over a share c of its life, the demand over
a further share s is negative binomial with size shape + n and mean s (shape + n) / (rate + c)
(Fisher and Raman 1996).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from jitgym.distributions import LifeCycle
from jitgym.plant import Layout
from jitgym.plant.records import NONE
from jitgym.scenario import Revealed

from .acting import Acting
from .declaration import Array

LONGEST = 64  # periods ahead


@dataclass(frozen=True)
class Forecasts:
    """Smoothed forecasts of every demand; the memory holds each F and the number of periods."""

    layout: Layout

    @property
    def width(self) -> int:
        """The number of memory cells."""
        return len(self.layout.scenario.demands) + 1

    def start(self, batch: int) -> Array:
        """Return the mean demands and 0 periods, (batch, demands + 1)."""
        means = [demand.mean for demand in self.layout.scenario.demands.values()]
        return np.tile([*means, 0.0], (batch, 1))

    def revise(self, state: Array, memory: Array, weight: Array) -> None:
        """Update the forecasts with the demand of the period before, and count the period."""
        last = state[:, self.layout.plant.demands["last"]]
        before = (memory[:, -1].astype(np.int64) - 1) % self.factors.shape[0]
        factors = self.factors[before]
        known = (memory[:, -1:] > 0) & (factors > 0)
        error = np.where(known, last / np.where(factors > 0, factors, 1.0) - memory[:, :-1], 0.0)
        memory[:, :-1] += weight * error
        memory[:, -1] += 1.0

    def ahead(self, memory: Array, periods: int) -> Array:
        """Return the forecasts of this period and the next ones, (batch, periods, demands)."""
        now = memory[:, -1].astype(np.int64) - 1
        coming = (now[:, np.newaxis] + np.arange(periods)) % self.factors.shape[0]
        return memory[:, np.newaxis, :-1] * self.factors[coming]

    def shown(self, state: Array, expected: Array) -> Array:
        """Return `expected`, (batch, periods, demands), updated with what the view forecasts.

        Demand that is revealed ahead replaces the periods that it covers; a causal forecast
        replaces all periods.
        """
        found = expected
        for part in self.layout.state:
            if part.kind != "forecast" or not part.name.endswith(".forecast"):
                continue
            if found is expected:
                found = expected.copy()
            k = list(self.layout.scenario.demands).index(part.owner)
            told = state[:, part.start : part.stop]
            if isinstance(self.layout.scenario.demands[part.owner].forecast, Revealed):
                count = min(part.size, found.shape[1])
                found[:, :count, k] = told[:, :count]
            else:
                found[:, :, k] = told
        return found

    @cached_property
    def factors(self) -> Array:
        """The mean of each period divided by the long-run mean, (cycle, demands).

        For a new product they follow the plan of its life. They are 0 after the end of a season.
        """
        scenario = self.layout.scenario
        lives = [isinstance(d.quantity, LifeCycle) for d in scenario.demands.values()]
        cycle = int(np.lcm.reduce([len(d.phases) for d in scenario.demands.values()]))
        if scenario.horizon.ends or any(lives):
            cycle = scenario.horizon.periods + LONGEST
        table = np.ones((cycle, len(lives)))
        for k, demand in enumerate(scenario.demands.values()):
            if isinstance(demand.quantity, LifeCycle):
                plan = np.zeros(cycle)
                shares = np.array(demand.quantity.shares)
                first = demand.quantity.first
                plan[first : first + shares.size] = shares[: max(cycle - first, 0)]
                table[:, k] = plan * demand.quantity.mean / demand.mean
            else:
                means = np.array([phase.expectation for phase in demand.phases])
                table[:, k] = np.resize(means, cycle) / (demand.mean or 1.0)
        if scenario.horizon.ends:
            table[scenario.horizon.periods :] = 0.0
        return table


@dataclass(frozen=True, eq=False)
class Forecasting(Acting):
    """A policy with smoothed forecasts of every demand; its memory holds the forecasts."""

    def start(self, batch: int) -> Array:
        """Return the forecasts at the start of an episode."""
        return self.forecasts.start(batch)

    @cached_property
    def forecasts(self) -> Forecasts:
        """The forecasts of this plant."""
        return Forecasts(self.layout)


def periods_passed(layout: Layout, state: Array) -> npt.NDArray[np.int64]:
    """Return the clock of each row, in periods; 0 if the plant has no clock."""
    clock = layout.plant.clock
    return state[:, clock].astype(np.int64) if clock != NONE else np.zeros(len(state), np.int64)


@dataclass(frozen=True)
class Life:
    """What is known about the demand of a new product."""

    layout: Layout
    demand: str

    @cached_property
    def _cell(self) -> int:
        return self.layout.named[f"{self.demand}.so_far"].start

    @cached_property
    def _passed(self) -> Array:
        """The share of the product's life that lies before each period, (periods + LONGEST,)."""
        life = self._life
        shares = np.concatenate([np.zeros(life.first), life.shares])
        periods = self.layout.scenario.horizon.periods + LONGEST
        return np.minimum(np.cumsum([0.0, *shares, *np.zeros(periods)])[:periods], 1.0)

    @property
    def _life(self) -> LifeCycle:
        quantity = self.layout.scenario.demands[self.demand].quantity
        assert isinstance(quantity, LifeCycle)
        return quantity

    def predicted(self, state: Array, first: float, last: Array | float) -> tuple[Array, Array]:
        """Return mean and variance of demand from `first` periods ahead until before `last`."""
        life, now = self._life, periods_passed(self.layout, state)
        most = self._passed.size - 1
        begin = self._passed[np.minimum(now + int(first), most)]
        until = np.minimum(now + np.asarray(last).astype(np.int64), most)
        share = np.maximum(self._passed[until] - begin, 0.0)
        size = life.shape + state[:, self._cell]
        mean = share * size / (life.shape / life.mean + self._passed[now])
        return mean, mean + mean**2 / size
