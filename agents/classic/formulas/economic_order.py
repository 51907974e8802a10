"""Economic order quantities (Harris 1913, and extensions) for demand at a constant rate.

K is the fixed cost of an order, D the demand per period, and h the holding cost per unit and
period; quantities in units, costs per period. Sections and examples are those of Snyder and Shen,
Fundamentals of Supply Chain Theory (2nd edition).

>>> with_backorders(fixed=8, demand=1300, holding=0.225, backorder=5)  # example 3.8
(310.8126, 0.0430622, 66.92136)
>>> with_production_rate(fixed=8, demand=1300, holding=0.225, rate=2000)  # example 3.1's data
(513.9329, 40.4722)
>>> breaks, prices = (0, 400, 800), (0.75, 0.72, 0.68)
>>> all_units_discount(8, 1300, 0.3, breaks, prices)  # example 3.5
(800, 978.60)
>>> incremental_discount(8, 1300, 0.3, breaks, prices)
(304.047, 1043.4105)
>>> with_disruptions(8, 1300, 0.225, backorder=5, disruption=1.5, recovery=14)  # example 9.1
(772.8111, 173.950003)

>>> economic_order_quantity(fixed=8, demand=1300, holding=0.225)  # Snyder and Shen, example 3.1
304.0468
>>> economic_cost(fixed=8, demand=1300, holding=0.225)
68.4105
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from jitgym.scenario import economic_order_quantity


def economic_cost(fixed: float, demand: float, holding: float) -> float:
    """Return the ordering and holding cost per period at the optimal quantity, sqrt(2 K D h)."""
    return math.sqrt(2 * fixed * demand * holding)


def with_backorders(
    fixed: float, demand: float, holding: float, backorder: float
) -> tuple[float, float, float]:
    """Return the quantity, the share of it that is backordered, and the cost per period.

    Q = sqrt(2 K D (h + b) / (h b)),   share = h / (h + b),   cost = h b / (h + b) Q

    b is the backorder cost per unit and period (section 3.5).
    """
    share = holding / (holding + backorder)
    net = holding * (1 - share)
    return economic_order_quantity(fixed, demand, net), share, economic_cost(fixed, demand, net)


def with_production_rate(
    fixed: float, demand: float, holding: float, rate: float
) -> tuple[float, float]:
    """Return the lot and the cost per period if a lot is produced at a rate (section 3.6).

    Q = sqrt(2 K D / (h (1 - D / rate))),   cost = sqrt(2 K D h (1 - D / rate))
    """
    net = holding * (1 - demand / rate)
    return economic_order_quantity(fixed, demand, net), economic_cost(fixed, demand, net)


def all_units_discount(
    fixed: float, demand: float, interest: float, breaks: Sequence[float], prices: Sequence[float]
) -> tuple[float, float]:
    """Return the quantity and the cost per period, purchases included (section 3.4.1).

    An order that reaches a break gets its price for all units; holding costs interest x price. The
    best quantity is a break, or the EOQ of a price if it lies in the range of that price.
    """
    found = []
    for price, (low, high) in zip(prices, pairwise([*breaks, math.inf]), strict=True):
        holding = interest * price
        quantity = max(economic_order_quantity(fixed, demand, holding), low)
        if quantity < high:
            cost = price * demand + fixed * demand / quantity + holding * quantity / 2
            found.append((cost, quantity))
    cost, quantity = min(found)
    return quantity, cost


def incremental_discount(
    fixed: float, demand: float, interest: float, breaks: Sequence[float], prices: Sequence[float]
) -> tuple[float, float]:
    """Return the quantity and the cost per period, purchases included (section 3.4.2).

    Only units beyond a break cost the lower price c. The extra cost of the units before it acts as
    a fixed cost e: Q = sqrt(2 (K + e) D / (i c)), cost = c D + i e / 2 + sqrt(2 (K + e) D i c).
    """
    found, more, previous = [], 0.0, prices[0]
    for price, (low, high) in zip(prices, pairwise([*breaks, math.inf]), strict=True):
        more += (previous - price) * low
        previous = price
        quantity = economic_order_quantity(fixed + more, demand, interest * price)
        if low <= quantity < high:
            ordering = economic_cost(fixed + more, demand, interest * price)
            found.append((price * demand + interest * more / 2 + ordering, quantity))
    cost, quantity = min(found)
    return quantity, cost


def with_disruptions(
    fixed: float,
    demand: float,
    holding: float,
    backorder: float,
    disruption: float,
    recovery: float,
) -> tuple[float, float]:
    """Return the quantity and the cost per period for a supplier with disruptions (section 9.2).

    The supplier fails and recovers at rates d and r per period. An order waits until the supplier
    is up, and demand without stock is lost at cost b per unit (Parlar and Berkin 1991; Berk and
    Arreola-Risa 1994):

        cost(Q) = (K + h Q^2 / (2 D) + b D w / r) / (Q / D + w / r)
        w       = d / (d + r) (1 - e^(-(d + r) Q / D))

    w is the probability that the supplier is down when the stock runs out.
    """
    from scipy.optimize import minimize_scalar  # imported here, because it takes a while

    def cost(quantity: float) -> float:
        rate = disruption + recovery
        down = disruption / rate * -math.expm1(-rate * quantity / demand)
        out = down / recovery  # mean periods without stock per cycle
        costs = fixed + holding * quantity**2 / (2 * demand) + backorder * demand * out
        return costs / (quantity / demand + out)

    # With w at its bound, the best quantity solves a quadratic; the true best is below twice that.
    wait = disruption / (disruption + recovery) / recovery
    extra = math.sqrt(
        (demand * wait) ** 2 + 2 * demand / holding * (fixed + backorder * demand * wait)
    )
    found = minimize_scalar(
        cost, bounds=(1e-9, 2 * extra), method="bounded", options={"xatol": 1e-7}
    )
    return float(found.x), float(found.fun)
