"""(r,nQ) policy with the best Q and r together: if the position is at or below r, order n Q.

    order = n Q with the smallest n for which inventory position + n Q > r

`eoq` takes two steps (Q first, then r); here Q and r minimize the cost together, exactly where
demand waits. In the long run, the position after ordering is equally likely at r + 1 to r + Q
(Hadley and Whitin 1963). With G(y) the mean cost per period of a position y and K the fixed cost,

    c(Q) = (K n(Q) + min over r of sum of G(y), y = r + 1 ... r + Q) / Q

n(Q) is Q times the mean number of orders per period: E min(D, Q) if demand D comes once per period
(Zheng and Chen 1992), and the demand rate if it comes unit by unit (Federgruen and Zheng 1992). The
best r is found by widening the window on the side where G is lower. The policy controls the
outside suppliers; stations between them and the customer follow local base-stock levels. Where
demand is lost, these sizes are an approximation. Quantities in units, costs per period.

>>> from jitgym.distributions import Poisson
>>> from jitgym.control.masses import mass
>>> one_by_one = lambda quantity: 1.5  # Snyder and Shen, example 5.8: rate 1.5, lead time 2
>>> best_batch(mass(Poisson(mean=3)), one_by_one, fixed=100, holding=20, shortage=150)
(3, 5, 107.92358)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from jitgym.control.costs import critical_ratio
from jitgym.control.masses import quantile
from jitgym.control.sizing import Stage, stages
from jitgym.scenario import Scenario

from ..base.declaration import Array, Classic, Parameter, ruled
from . import eoq
from .min_max import NEVER, PositionCost

NORMAL = NormalDist()


def best_batch(
    covered: Array,
    orders: Callable[[int], float],
    fixed: float,
    holding: float,
    shortage: float,
    lot: int = 1,
) -> tuple[int, int, float]:
    """Return the best r and Q, a multiple of the lot, and their average cost per period.

    Parameters
    ----------
    covered
        Mass of demand over the lead time (and the review period, if there is one).
    orders
        Q -> mean orders per period x Q.
    fixed, holding, shortage
        Cost of an order; costs of a unit left and of a unit short, per period.
    """
    cost_of = PositionCost(covered, holding, shortage)
    low = high = int(quantile(covered, critical_ratio(shortage, holding)))
    below, above = cost_of(low - 1), cost_of(high + 1)
    total = cost_of(low)
    best = (np.inf, low - 1, 1)
    while True:
        size = high - low + 1
        if size % lot == 0:
            best = min(best, ((fixed * orders(size) + total) / size, low - 1, size))
        if min(below, above) >= best[0]:  # every wider window has a higher mean cost
            cost, point, quantity = best
            return point, quantity, float(cost)
        if below <= above:
            low, total, below = low - 1, total + below, cost_of(low - 2)
        else:
            high, total, above = high + 1, total + above, cost_of(high + 2)


@dataclass(frozen=True)
class NormalBatch:
    """The cost per period of r and Q for continuous demand and continuous review.

        c(r, Q) = (K D + integral of G(y), y = r ... r + Q) / Q

    Demand over the lead time is normal with this mean and deviation; `rate` is D, the demand per
    period (Hadley and Whitin 1963; Zheng 1992; section 5.1 of Snyder and Shen).
    """

    mean: float  # of demand over the lead time, in units
    deviation: float
    rate: float  # units per period
    fixed: float  # cost of an order
    holding: float  # cost of a unit left, per period
    shortage: float  # cost of a unit short, per period

    def cost(self, point: float, quantity: float) -> float:
        """Return c(r, Q)."""
        held = self.holding * quantity * (point - self.mean + quantity / 2)
        short = self._short_from(point) - self._short_from(point + quantity)
        both = self.holding + self.shortage
        return (self.fixed * self.rate + held + both * short) / quantity

    def of_position(self, y: float) -> float:
        """Return G(y), the mean cost per period of a position y."""
        z = (y - self.mean) / self.deviation
        short = self.deviation * (NORMAL.pdf(z) - z * NORMAL.cdf(-z))
        return self.holding * (y - self.mean) + (self.holding + self.shortage) * short

    def _short_from(self, y: float) -> float:
        z = (y - self.mean) / self.deviation
        return self.deviation**2 * ((z * z + 1) * NORMAL.cdf(-z) - z * NORMAL.pdf(z)) / 2

    def best(self) -> tuple[float, float, float]:
        """Return the best r and Q, where G(r) = G(r + Q), and their cost.

        >>> lead_time = 1 / 12  # example 5.1, printed as r = 126.8, Q = 328.5, cost 78.0712
        >>> NormalBatch(1300 * lead_time, 150 * lead_time**0.5, 1300, 8, 0.225, 7.5).best()
        (126.867, 328.449, 78.0711)
        """
        from scipy.optimize import brentq, minimize_scalar  # imported here, because it is slow

        reach = math.sqrt(2 * self.fixed * self.rate * (1 / self.holding + 1 / self.shortage))
        far = 10 * self.deviation + reach

        def point(quantity: float) -> float:
            def slope(r: float) -> float:
                return self.of_position(r) - self.of_position(r + quantity)

            return float(brentq(slope, self.mean - far - quantity, self.mean + far))

        found = minimize_scalar(
            lambda quantity: self.cost(point(quantity), quantity),
            bounds=(1e-6 * far, 2 * far),
            method="bounded",
            options={"xatol": 1e-7 * far},
        )
        return point(found.x), float(found.x), float(found.fun)


def once_a_period(demand: Array) -> Callable[[int], float]:
    """Return Q -> E min(D, Q), for demand that comes once per period."""
    beyond = np.concatenate([[0.0], np.cumsum(1 - np.minimum(np.cumsum(demand), 1.0))])
    return lambda quantity: float(beyond[min(quantity, beyond.size - 1)])


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return quantity and reorder point of every outside supplier, and the stations' levels."""
    quantity, point, *rest = eoq.parameters(scenario)
    at = stages(scenario)
    points, quantities = np.array([_textbook(at[name]) for name in quantity.of]).T
    return (
        quantity.resized(quantities),
        point.resized(points, least=np.full(points.size, -math.inf)),
        *rest,
    )


def _textbook(stage: Stage) -> tuple[float, float]:
    """Return the textbook r and Q, in whole lots, within the smallest and largest order."""
    if stage.shortage <= 0 or stage.demand[0] > NEVER or stage.lot != round(stage.lot):
        return 0.0, stage.smallest_order
    point, quantity, _ = best_batch(
        stage.lead_time_demand,
        once_a_period(stage.demand),
        stage.fixed,
        stage.carrying,
        stage.shortage,
        lot=int(stage.lot),
    )
    least, most = stage.smallest_order, max(stage.largest_order, stage.smallest_order)
    if least <= quantity <= most:  # without a backlog, no position is below 0
        return float(max(point, 0) if stage.is_lost else point), float(quantity)
    bounded = min(max(float(quantity), least), most)
    return eoq.reorder_point(stage.lead_time_demand, bounded, *stage.ratios), bounded


REORDER_BATCH = Classic("r-nQ", eoq.why_not, parameters, ruled(eoq.rule))
