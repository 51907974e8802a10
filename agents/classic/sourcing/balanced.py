"""Balanced allocation with forecasts: one warehouse supplies many stores.

    F' = F + w (demand of the period before - F)
    level = (T + interval + z cv) F,  one z for all stores, equal fractiles (Eppen and Schrage 1981)
    if the warehouse is short, stores get shares that make z equal (Federgruen and Zipkin 1984)

F is the forecast and w its weight. Levels are echelon levels: the warehouse orders for itself and
its stores. T is the number of periods that a level lasts, and cv the standard deviation of that
demand divided by the mean demand of a period. Everything on one carrier is ordered together:
nothing until the gaps together are worth `interval` periods of need, and then every gap (the joint
(Q,S) policy; Renberg and Planche 1967).

Textbook sizing: w is 0.2; z the normal quantile of the mean newsvendor ratio; intervals are those
of can-order. Quantities in units, intervals in periods.

>>> shares_of(stock=10.0, gaps=[8, 4], deviations=[2, 1]).tolist()  # z the same below its target
[6.67, 3.33]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jitgym.control.costs import NEARLY_ALL
from jitgym.control.masses import deviation_of
from jitgym.control.sizing import stages
from jitgym.scenario import Scenario
from jitgym.units import whole

from ..adaptive import smoothed
from ..adaptive.seasonal_base_stock import lasts
from ..base.acting import acting
from ..base.declaration import Array, Classic, Parameter, parameter
from ..base.forecasting import Forecasting
from . import can_order


def shares_of(stock: float, gaps: Sequence[float], deviations: Sequence[float]) -> Array:
    """Return what each store gets from a stock that cannot fill all gaps."""
    given = balance(np.array([stock]), np.array([gaps], np.float64), np.array([deviations]))
    return np.asarray(given[0].round(2))


def balance(stock: Array, gaps: Array, deviations: Array) -> Array:
    """Return shares that sum to the stock, with gap - share proportional to the deviation.

    No share is below 0. Stores are sorted by gap / deviation, the largest first; the common
    shortfall per deviation is the largest that the first one, two, ... stores would have alone.
    """
    spread = np.maximum(deviations, 1e-9)
    order = np.argsort(-gaps / spread, axis=1)
    total = np.cumsum(np.take_along_axis(gaps, order, axis=1), axis=1)
    bears = np.cumsum(np.take_along_axis(spread, order, axis=1), axis=1)
    less = ((total - stock[:, np.newaxis]) / bears).max(axis=1, keepdims=True)
    return np.asarray(np.maximum(gaps - np.maximum(less, 0.0) * spread, 0.0))


@dataclass(frozen=True, eq=False)
class Balanced(Forecasting):
    """Forecasts, equal fractiles and joint orders; its memory holds the forecasts."""

    def asks(self, state: Array, memory: Array) -> Array:
        """Update the forecasts, and return the orders, (batch, sources) in units."""
        values = self.values
        self.forecasts.revise(state, memory, values["weight"])
        need = memory[:, :-1] @ self.plan.units
        safety = np.where(self._is_store, values["store_safety"], values["safety"])
        wait = np.where(self._is_store, values["store_interval"], values["interval"])
        levels = need * (self._lasts + wait + safety * self._cv)
        gaps = np.maximum(levels - state @ self.plan.matrix, 0.0)
        for sources in self._joint:
            is_store = self._is_store[sources[0]]
            interval = values["store_interval" if is_store else "interval"][:, 0]
            goes = gaps[:, sources].sum(axis=1) >= interval * need[:, sources].sum(axis=1)
            gaps[:, sources] *= goes[:, np.newaxis]
        for item, stores in self._shared.items():
            stock = self.plan.total(state, f"{item}.stock")
            short = gaps[:, stores].sum(axis=1) > stock
            if short.any():
                wanted, spread = gaps[short][:, stores], (need * self._cv)[short][:, stores]
                gaps[np.ix_(short, stores)] = balance(stock[short], wanted, spread)
        return whole(gaps / self.plan.lots) * self.plan.lots

    @cached_property
    def _is_store(self) -> Array:
        return np.array([bool(s.consumes) for s in self.layout.scenario.sources.values()])

    @cached_property
    def _lasts(self) -> Array:
        return np.array([lasts(stage) for stage in self.plan.stages])

    @cached_property
    def _cv(self) -> Array:
        return np.array(
            [
                deviation_of(stage.lead_time_demand) / (stage.requirement or 1.0)
                for stage in self.plan.stages
            ]
        )

    @cached_property
    def _shared(self) -> dict[str, list[int]]:
        """Item -> the sources that consume it."""
        scenario = self.layout.scenario
        place = list(scenario.sources).index
        users = {item: [place(n) for n in scenario.consumers_of(item)] for item in scenario.items}
        return {item: stores for item, stores in users.items() if stores}

    @cached_property
    def _joint(self) -> list[list[int]]:
        """Groups of sources that order together: those of one carrier; every other source alone."""
        scenario = self.layout.scenario
        crews = can_order.carried(scenario)
        alone = [[n] for n in scenario.sources if not any(n in crew for crew in crews.values())]
        place = list(scenario.sources).index
        return [[place(name) for name in crew] for crew in [*crews.values(), *alone]]


def why_not(scenario: Scenario) -> str:
    """Return why this plant is not a warehouse with stores, or nothing."""
    sources = scenario.sources
    if any(source.at for source in sources.values()):
        return "it needs a warehouse and stores; here are work centers"
    if not any(len(scenario.consumers_of(item)) > 1 for item in scenario.items):
        return "no item supplies several stores"
    if any(list(s.consumes.values()) not in ([], [1.0]) for s in sources.values()):
        return "it needs sources that consume nothing, or one unit per unit"
    if any(len(scenario.sources_of(item)) > 1 for item in scenario.items):
        return "it needs one source per item; here an item has several"
    return smoothed.why_not(scenario)


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the weight, and the safety factors and intervals of warehouse and stores."""
    from scipy.special import ndtri  # imported here, because it is slow

    at = stages(scenario)
    ratios = {name: float(np.clip(np.mean(at[name].ratios), 0.01, NEARLY_ALL)) for name in at}
    stores = [name for name in at if scenario.sources[name].consumes]
    z = float(ndtri(np.mean([ratios[name] for name in at if name not in stores])))
    z_store = float(ndtri(np.mean([ratios[name] for name in stores])))
    crews = can_order.carried(scenario)
    trips = dict(zip(crews, can_order.textbook_intervals(scenario).tolist(), strict=True))

    def interval(is_store: bool) -> float:
        found = [trips[c] for c, crew in crews.items() if (crew[0] in stores) == is_store]
        return round(min(max([*found, 0.0]), 12.0), 1)

    def safety(name: str, factor: float) -> Parameter:
        return parameter(
            name, "standard deviations", round(factor, 2), high=8.0, step=0.05, low=-3.0
        )

    def periods(name: str, is_store: bool) -> Parameter:
        return parameter(name, "periods of need", interval(is_store), high=12.0, step=0.1)

    return (
        smoothed.weight_parameter(),
        safety("safety", z),
        safety("store_safety", z_store),
        periods("interval", False),
        periods("store_interval", True),
    )


BALANCED = Classic("balanced", why_not, parameters, acting(Balanced))
