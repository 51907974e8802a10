"""(s,S) policy, or min-max: if the position is at or below s, order up to S.

    order = S - inventory position  if the position is at or below s, else 0

s is the reorder point and S the order-up-to level. The policy is optimal for a fixed cost of
ordering (Scarf 1960). It controls the outside suppliers, on the echelon position net of backorders;
stations between them and the customer follow local base-stock levels, since a batch saves them no
order.

Textbook sizing: the best s and S, exactly, by the algorithm of Zheng and Federgruen (1991). G(y) is
the mean cost per period of an inventory position y, with demand over the lead time and one period;
m(j) the mean number of periods of a cycle in which the position is S - j; K the fixed cost:

    c(s, S) = (K + sum_j m(j) G(S - j)) / sum_j m(j),   j = 0 ... S - s - 1

Where demand is lost, these sizes are an approximation. Quantities in units, costs per period.

>>> from jitgym.distributions import Poisson
>>> from jitgym.control.masses import mass
>>> best_min_max(mass(Poisson(mean=6)), mass(Poisson(mean=6)), fixed=5, holding=1, shortage=4)
(4, 10, 8.034112)

This is example 4.7 of Snyder and Shen. The next is the first row of Zheng and Federgruen's table:

>>> best_min_max(mass(Poisson(mean=10)), mass(Poisson(mean=10)), fixed=64, holding=1, shortage=9)
(6, 40, 35.022)
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from jitgym.control import Rule, pull_rule
from jitgym.control.costs import critical_ratio, holding_at_least
from jitgym.control.masses import mean_of, quantile
from jitgym.control.sizing import Stage, outside_suppliers, stages
from jitgym.plant import Layout
from jitgym.scenario import Scenario

from ..base.common import at_suppliers, levels_of_stations, station_levels
from ..base.declaration import Array, Classic, Parameter, Values, parameter, ruled
from . import eoq

NEVER = 1 - 1e-9  # with a higher probability of no demand in a period, demand counts as 0


class PositionCost:
    """G(y) = h E (y - D)+ + b E (D - y)+, the mean cost per period of a position y."""

    def __init__(self, covered: Array, holding: float, shortage: float) -> None:
        self.holding, self.shortage = holding, shortage
        self.mean = mean_of(covered)
        # Mean units left of 0, 1, ... units, up to the largest demand.
        self.left = np.concatenate([[0.0], np.cumsum(np.minimum(np.cumsum(covered), 1.0))])

    def of(self, y: npt.NDArray[np.int64]) -> Array:
        """Return G(y) of each position."""
        last = self.left.size - 1
        left = np.where(y < 0, 0.0, self.left[np.clip(y, 0, last)] + np.maximum(0, y - last))
        return np.asarray(self.holding * left + self.shortage * (left + self.mean - y))

    def __call__(self, y: int) -> float:
        """Return G(y)."""
        return float(self.of(np.array([y]))[0])


class Cycle:
    """The cost of a cycle between two orders, by the renewals of demand."""

    def __init__(self, demand: Array, of_position: PositionCost, fixed: float) -> None:
        self.demand = demand  # mass of the demand of a period
        self.of_position = of_position
        self.fixed = fixed
        self.renewals = np.array([1 / (1 - demand[0])])

    def cost(self, s: int, S: int) -> float:
        """Return c(s, S), the average cost per period."""
        while self.renewals.size < S - s:
            self._renew()
        m = self.renewals[: S - s]
        return float((self.fixed + m @ self.of_position.of(np.arange(S, s, -1))) / m.sum())

    def _renew(self) -> None:
        """Append m(j) = sum of p(l) m(j - l) over l = 0 ... j."""
        reach = min(self.renewals.size, self.demand.size - 1)
        recent = self.renewals[::-1][:reach]
        m = self.demand[1 : reach + 1] @ recent / (1 - self.demand[0])
        self.renewals = np.append(self.renewals, m)


def best_min_max(
    demand: Array, covered: Array, fixed: float, holding: float, shortage: float
) -> tuple[int, int, float]:
    """Return the best s and S, and their average cost per period (Zheng and Federgruen 1991).

    Parameters
    ----------
    demand, covered
        Mass of the demand of one period, and of the lead time and one period.
    fixed, holding, shortage
        Cost of an order; costs of a unit left and of a unit short, per period.
    """
    if shortage <= 0 or demand[0] > NEVER:
        return -1, 0, 0.0
    holding = holding_at_least(shortage, holding)
    G = PositionCost(covered, holding, shortage)
    c = Cycle(demand, G, fixed).cost
    best = int(quantile(covered, critical_ratio(shortage, holding)))
    s = best - 1
    while c(s, best) > G(s):
        s -= 1
    top, cost = best, c(s, best)
    S = best + 1
    while G(S) <= cost:
        if c(s, S) < cost:
            top = S
            while c(s, top) <= G(s + 1):
                s += 1
            cost = c(s, top)
        S += 1
    return s, top, cost


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return s and S of every outside supplier, and the local levels of the stations."""
    suppliers = outside_suppliers(scenario)
    at = [stages(scenario)[name] for name in suppliers]
    points, tops = np.array([_textbook(stage) for stage in at]).T
    steps = [stage.resolution for stage in at]
    most = np.array([stage.ceiling for stage in at])
    return (
        parameter(
            "reorder_point",
            "units",
            points,
            of=suppliers,
            high=most,
            step=steps,
            low=np.minimum(points, 0.0),
            least=-math.inf,
        ),
        parameter(
            "order_up_to",
            "units",
            tops,
            of=suppliers,
            high=np.maximum(most, 3 * tops - 2 * points),
            step=steps,
        ),
        *station_levels(scenario),
    )


def _textbook(stage: Stage) -> tuple[float, float]:
    """Return the textbook s and S; S - s is within the smallest and the largest order."""
    s, top, _ = best_min_max(
        stage.demand, stage.lead_time_demand, stage.fixed, stage.carrying, stage.shortage
    )
    if stage.is_lost:  # without a backlog, no position is below 0
        s = max(s, 0)
    least, most = stage.smallest_order, max(stage.largest_order, stage.smallest_order)
    return float(s), float(max(min(max(top, s + least), s + most), 0))


def rule(layout: Layout, values: Values) -> Rule:
    """Return the rule with these reorder points, order-up-to levels and local levels."""
    tops = at_suppliers(layout, values["order_up_to"])
    gaps = np.maximum(values["order_up_to"] - values["reorder_point"], 0.0)
    levels = levels_of_stations(layout, values) | tops
    return pull_rule(layout, levels=levels, triggers=at_suppliers(layout, gaps))


MIN_MAX = Classic("s-S", eoq.why_not, parameters, ruled(rule))
