"""The newsvendor: how much for one period, when too much costs h a unit and too little b.

    F(S) = b / (b + h)

F the distribution of what must be covered: a period's demand, or with a lead time of L periods that
of L + 1. Of demand in whole units S is the least that covers the ratio: `base_stock`. Sections of
Snyder and Shen, Fundamentals of Supply Chain Theory (2nd edition); quantities in units, costs a
period.

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
    """Return the level and its cost a period for normal demand (sections 4.3.2 and 4.3.4).

    S = m + z s,   cost = (h + b) phi(z) s,   m and s over the lead time and one period
    """
    periods = lead_time + 1
    spread = deviation * math.sqrt(periods)
    z = NormalDist().inv_cdf(critical_ratio(shortage, holding))
    return mean * periods + z * spread, (holding + shortage) * NormalDist().pdf(z) * spread


def level_with_disruptions(
    demand: float, holding: float, shortage: float, disrupted: float, recovered: float
) -> tuple[float, float]:
    """Return the level and its cost a period for constant demand and a supplier that fails.

    S covers n periods more than one, the least n with P(down for at most n periods) >= b / (b + h),
    for chances of going down and coming back up a period (Tomlin 2006; section 9.3).
    """
    down = disrupted / (disrupted + recovered)

    def covered(periods: int) -> float:
        return 1 - down * (1 - recovered) ** periods

    ratio = critical_ratio(shortage, holding)
    stocked = 0
    while covered(stocked) < ratio:
        stocked += 1
    # In a period the supplier has been down for n: n + 1 periods' demand has left the level.
    cost = holding * stocked * covered(0)
    for periods in range(1, stocked + 1):
        cost += holding * (stocked - periods) * (covered(periods) - covered(periods - 1))
    # Beyond, shortage grows by one demand a period: the mean of a geometric tail.
    cost += shortage * (1 - covered(stocked)) / recovered
    return demand * (stocked + 1), demand * cost
