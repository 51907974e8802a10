"""The newsvendor: the level for one period if a unit left costs h and a unit short costs b.

    F(S) = b / (b + h)

F is the distribution of the demand that must be covered: of one period or, with a lead time of L
periods, of L + 1 periods. For demand in whole units, S is the smallest level that covers the ratio
(see `base_stock`). Sections and examples are those of Snyder and Shen, Fundamentals of Supply Chain
Theory (2nd edition). Quantities in units, costs per period.

>>> normal_level(mean=50, deviation=8, holding=0.18, shortage=0.7)  # example 4.1
(56.60396, 1.997605)
>>> normal_level(mean=50, deviation=8, holding=0.18, shortage=0.7, lead_time=4)  # example 4.4
(264.7669, 4.466781)
>>> level_with_disruptions(2000, holding=0.25, shortage=3, disrupted=0.04, recovered=0.25)  # 9.3
(8000, 2737.069)
"""

from __future__ import annotations

import math
from statistics import NormalDist

from jitgym.control.costs import critical_ratio


def normal_level(
    mean: float, deviation: float, holding: float, shortage: float, lead_time: float = 0
) -> tuple[float, float]:
    """Return the level and its cost per period for normal demand (sections 4.3.2 and 4.3.4).

    S = m + z s,   cost = (h + b) phi(z) s

    m and s are mean and standard deviation of demand over the lead time and one period.
    """
    periods = lead_time + 1
    spread = deviation * math.sqrt(periods)
    z = NormalDist().inv_cdf(critical_ratio(shortage, holding))
    return mean * periods + z * spread, (holding + shortage) * NormalDist().pdf(z) * spread


def level_with_disruptions(
    demand: float, holding: float, shortage: float, disrupted: float, recovered: float
) -> tuple[float, float]:
    """Return the level and its cost per period for constant demand and a supplier that fails.

    S covers 1 + n periods, with n the smallest number for which P(down for at most n periods) >=
    b / (b + h). `disrupted` and `recovered` are the probabilities per period that the supplier goes
    down and that it comes back up (Tomlin 2006; section 9.3).
    """
    down = disrupted / (disrupted + recovered)

    def covered(periods: int) -> float:
        return 1 - down * (1 - recovered) ** periods

    ratio = critical_ratio(shortage, holding)
    stocked = 0
    while covered(stocked) < ratio:
        stocked += 1
    # After n periods down, the demand of n + 1 periods has been taken from the level.
    cost = holding * stocked * covered(0)
    for periods in range(1, stocked + 1):
        cost += holding * (stocked - periods) * (covered(periods) - covered(periods - 1))
    # After that, shortage grows by one demand per period: the mean of a geometric tail.
    cost += shortage * (1 - covered(stocked)) / recovered
    return demand * (stocked + 1), demand * cost
