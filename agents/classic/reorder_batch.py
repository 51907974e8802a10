"""(r,nQ) policy with the best Q and r together: at or below r, order as many Q as come above it.

    order = Q x the least n with inventory position + n Q > r

What `eoq` does in two steps (Q first, then r) is done at once here: Q and r that cost least,
exactly where demand waits. In the long run the position after ordering is equally likely at r + 1
to r + Q (Hadley and Whitin 1963), so that with G(y) the mean cost a period of a position y

    c(Q) = (K n(Q) + min over r of sum of G(y), y = r + 1 ... r + Q) / Q

with n(Q) = E min(D, Q) orders x Q a period when demand D comes once a period (Zheng and Chen 1992),
and the demand rate when it comes one by one (Federgruen and Zheng 1992). The best r is found by
widening the window where G is lower. Outside suppliers are ordered from so; stations between them
and the customer follow local base-stock levels. Where demand is lost the sizes are an
approximation. Quantities in units, costs a period.

>>> from jitgym.distributions import Poisson
>>> from .sizing import mass
>>> one_by_one = lambda quantity: 1.5  # Snyder and Shen, example 5.8: rate 1.5, lead time 2
>>> best_batch(mass(Poisson(mean=3)), one_by_one, fixed=100, holding=20, shortage=150)
(3, 5, 107.92358)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from statistics import NormalDist

import numpy as np

from jitgym.scenario import Scenario

from . import eoq
from .min_max import NEVER, PositionCost
from .policy import Array, Classic, Parameter
from .sizing import MOST_RATIO, Stage, critical_ratio, outside_suppliers, quantile, stages


def best_batch(
    covered: Array,
    orders: Callable[[int], float],
    fixed: float,
    holding: float,
    shortage: float,
    lot: int = 1,
) -> tuple[int, int, float]:
    """Return the best r and Q, a multiple of the lot, and their average cost a period.

    Parameters
    ----------
    covered
        Mass of demand over the lead time (and the period of review, where there is one).
    orders
        Q -> mean orders a period x Q.
    fixed, holding, shortage
        Cost of an order, of a unit left and of a unit short, a period.
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
        if min(below, above) >= best[0]:  # any wider window costs more on the average
            cost, point, quantity = best
            return point, quantity, float(cost)
        if below <= above:
            low, total, below = low - 1, total + below, cost_of(low - 2)
        else:
            high, total, above = high + 1, total + above, cost_of(high + 2)


def best_normal_batch(
    mean: float, deviation: float, rate: float, fixed: float, holding: float, shortage: float
) -> tuple[float, float, float]:
    """Return the best r and Q, and their cost a period, where demand flows and r is watched always.

    Demand over the lead time is normal with this mean and deviation; `rate` is demand a period.

        c(r, Q) = (K D + integral of G(y), y = r ... r + Q) / Q,   G(r) = G(r + Q) at the best

    (Hadley and Whitin 1963; Zheng 1992; section 5.1 of Snyder and Shen).

    >>> lead_time = 1 / 12  # example 5.1, printed as r = 126.8, Q = 328.5, cost 78.0712
    >>> best_normal_batch(1300 * lead_time, 150 * lead_time**0.5, 1300, 8, 0.225, 7.5)
    (126.867, 328.449, 78.0711)
    """
    from scipy.optimize import brentq, minimize_scalar  # takes a while to import

    normal = NormalDist()

    def of_position(y: float) -> float:
        z = (y - mean) / deviation
        short = deviation * (normal.pdf(z) - z * normal.cdf(-z))
        return holding * (y - mean) + (holding + shortage) * short

    def total_short(y: float) -> float:  # from y on
        z = (y - mean) / deviation
        return deviation**2 * ((z * z + 1) * normal.cdf(-z) - z * normal.pdf(z)) / 2

    far = 10 * deviation + math.sqrt(2 * fixed * rate * (1 / holding + 1 / shortage))

    def point(quantity: float) -> float:
        def slope(r: float) -> float:
            return of_position(r) - of_position(r + quantity)

        return float(brentq(slope, mean - far - quantity, mean + far))

    def cost(quantity: float) -> float:
        r = point(quantity)
        held = holding * quantity * (r - mean + quantity / 2)
        short = (holding + shortage) * (total_short(r) - total_short(r + quantity))
        return (fixed * rate + held + short) / quantity

    found = minimize_scalar(
        cost, bounds=(1e-6 * far, 2 * far), method="bounded", options={"xatol": 1e-7 * far}
    )
    return point(found.x), float(found.x), float(found.fun)


def once_a_period(demand: Array) -> Callable[[int], float]:
    """Return Q -> E min(D, Q), for demand that comes at once."""
    beyond = np.concatenate([[0.0], np.cumsum(1 - np.minimum(np.cumsum(demand), 1.0))])
    return lambda quantity: float(beyond[min(quantity, beyond.size - 1)])


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return quantity and reorder point of the outside suppliers, and the stations' levels."""
    quantity, point, *rest = eoq.parameters(scenario)
    at = stages(scenario)
    sizes = np.array([_textbook(at[name]) for name in outside_suppliers(scenario)])
    points, quantities = sizes.T
    return (
        replace(quantity, textbook=quantities, high=np.maximum(quantity.high, quantities)),
        replace(
            point,
            textbook=points,
            low=np.minimum(points, point.low),
            least=-math.inf,
            high=np.maximum(point.high, points),
        ),
        *rest,
    )


def _textbook(stage: Stage) -> tuple[float, float]:
    """The textbook's r and Q, in whole lots and not below the smallest order."""
    if stage.shortage <= 0 or stage.demand[0] > NEVER or stage.lot != round(stage.lot):
        return 0.0, stage.smallest_order
    source = stage.scenario.sources[stage.source]
    point, quantity, _ = best_batch(
        stage.lead_time_demand,
        once_a_period(stage.demand),
        source.shipment_cost + source.setup_cost,
        max(stage.holding, stage.shortage * (1 / MOST_RATIO - 1)),
        stage.shortage,
        lot=int(stage.lot),
    )
    return float(point), max(float(quantity), stage.smallest_order)


REORDER_BATCH = Classic("r-nQ", eoq.why_not, parameters, eoq.build)
