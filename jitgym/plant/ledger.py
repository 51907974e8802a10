"""The ledger: what a period cost, term by term, and the KPIs of an episode.

A term is a sum of prices times flows, and `cost` is the sum of the terms, in money a period. A KPI
is one formula over the flows summed over the measured periods of an episode (those after warm-up).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .jit import kernel
from .layout import Layout
from .records import Plant, Row

Array = npt.NDArray[np.float64]


@kernel
def book(plant: Plant, flows: Row, terms: Row) -> float:
    """Write the ledger's terms of a period, (terms,), and return their sum, the cost."""
    terms[:] = 0.0
    cost = 0.0
    for k in range(plant.prices.size):
        entry = plant.prices[k]
        money = entry.price * flows[entry.flow]
        terms[entry.term] += money
        cost += money
    return cost


@dataclass(frozen=True)
class Totals:
    """Flows of some episodes, summed over the measured periods."""

    layout: Layout
    sums: Array  # (episodes, flow cells)
    periods: int  # measured

    def of(self, records: npt.NDArray[Any], flow: str) -> Array:
        """Return the total of a flow of each record, (episodes, records)."""
        return np.asarray(self.sums[:, records[flow]])

    def all(self, records: npt.NDArray[Any], flow: str) -> Array:
        """Return the total of a flow over all records, (episodes,)."""
        return np.asarray(self.of(records, flow).sum(axis=1))

    def single(self, flow: str) -> Array:
        """Return a total of the whole plant, (episodes,)."""
        return self.sums[:, self.layout.plant.totals[0][flow]]


@dataclass(frozen=True)
class Kpi:
    """One yardstick: its formula in words, its unit, and which way is better."""

    name: str
    title: str
    unit: str
    formula: str
    better: str  # "high", "low" or "" where neither is
    compute: Callable[[Totals], Array]


def ratio(numerator: Array, denominator: Array | float) -> Array:
    """Return numerator / denominator, nan (not defined) where the denominator is 0."""
    bottom = np.broadcast_to(np.asarray(denominator, dtype=np.float64), numerator.shape)
    return np.divide(numerator, bottom, out=np.full(numerator.shape, np.nan), where=bottom != 0)


def _fill_rate(total: Totals) -> Array:
    demands = total.layout.plant.demands
    return ratio(total.all(demands, "at_once"), total.all(demands, "requested"))


def _average_inventory(total: Totals) -> Array:
    return total.all(total.layout.plant.items, "on_hand") / total.periods


def _turnover(total: Totals) -> Array:
    plant, scenario = total.layout.plant, total.layout.scenario
    value = item_values(total.layout)
    sold = total.of(plant.demands, "served") @ value[plant.demands["item"]]
    held = total.of(plant.items, "on_hand") @ value
    return ratio(scenario.periods_per_year * sold, held)


def _backlog(total: Totals) -> Array:
    return total.all(total.layout.plant.demands, "waiting") / total.periods


def _throughput(total: Totals) -> Array:
    return total.all(total.layout.plant.demands, "served") / total.periods


def _utilization(total: Totals) -> Array:
    centers = total.layout.plant.centers
    return ratio(total.all(centers, "used"), total.all(centers, "available"))


def _bullwhip(total: Totals) -> Array:
    demand = total.all(total.layout.plant.demands, "requested")
    return ratio(
        _squared_variation(total.single("ordered"), total.single("ordered_squared"), total.periods),
        _squared_variation(demand, total.single("demand_squared"), total.periods),
    )


def _squared_variation(first: Array, second: Array, periods: int) -> Array:
    mean = first / periods
    variance = np.maximum(second / periods - mean**2, 0.0)
    variance[variance < 1e-12 * mean**2] = 0.0  # a constant has none, but for the last bits
    return ratio(variance, mean**2)


def item_values(layout: Layout) -> Array:
    """Return the value of a unit of each item, (items,), in money.

    Stated, or else in proportion to the holding cost, which is mostly the cost of capital: enough
    for a ratio such as turnover. Where neither is given, all items count alike.
    """
    items = layout.scenario.items.values()
    if all(item.value is not None for item in items):
        return np.array([item.value for item in items], dtype=np.float64)
    holding = np.array([item.holding_cost for item in items], dtype=np.float64)
    return holding if holding.any() else np.ones(len(items))


KPIS: dict[str, Kpi] = {
    kpi.name: kpi
    for kpi in (
        Kpi(
            "fill_rate",
            "fill rate",
            "share",
            "units served in the period of their request / units requested (a ratio of sums)",
            "high",
            _fill_rate,
        ),
        Kpi(
            "average_inventory",
            "average inventory",
            "units",
            "mean over periods of the stock of all items at Count; in process is not in it",
            "low",
            _average_inventory,
        ),
        Kpi(
            "turnover",
            "turns",
            "a year",
            "periods a year x value of units served / value of stock summed over periods "
            "(at cost; in process is not in it)",
            "high",
            _turnover,
        ),
        Kpi(
            "backlog",
            "backlog",
            "units",
            "mean over periods of the units backordered at Count",
            "low",
            _backlog,
        ),
        Kpi(
            "throughput",
            "throughput",
            "units a period",
            "units served / periods",
            "high",
            _throughput,
        ),
        Kpi(
            "utilization",
            "utilization",
            "share",
            "time used / time available, over all work centers",
            "",
            _utilization,
        ),
        Kpi(
            "bullwhip",
            "bullwhip",
            "ratio",
            "squared coefficient of variation of what outside suppliers were granted / that of "
            "demand (Chen, Drezner, Ryan and Simchi-Levi 2000)",
            "low",
            _bullwhip,
        ),
    )
}


def kpis(layout: Layout, sums: Array, periods: int) -> dict[str, Array]:
    """Return the KPIs of episodes from their summed flows, each (episodes,); nan: not defined."""
    total = Totals(layout, sums, periods)
    return {name: kpi.compute(total) for name, kpi in KPIS.items()}
