"""Costs of a unit too many and of a unit short: the two sides of every textbook size.

Costs a unit and period.
"""

from __future__ import annotations

from jitgym.distributions import LifeCycle
from jitgym.scenario import Demand, Scenario

MOST_RATIO = 0.9999  # where holding costs nothing, this share of lead time demand is covered
NEARLY_ALL = 1 - 1e-12  # no ratio is higher


def critical_ratio(shortage: float, holding: float) -> float:
    """Return b / (b + h); .9999 where holding costs nothing, 0 where nothing short costs anything.

    >>> critical_ratio(shortage=4, holding=1)
    0.8
    """
    if shortage <= 0:
        return 0.0
    if holding <= 0:
        return MOST_RATIO
    return min(shortage / (shortage + holding), NEARLY_ALL)


def holding_at_least(shortage: float, holding: float) -> float:
    """Return h; where it is 0, the cost for which the ratio is that of `critical_ratio`."""
    return holding if holding > 0 else shortage * (1 / MOST_RATIO - 1)


def worth(scenario: Scenario, demand: Demand) -> float:
    """Return the cost of a unit short: lost, with its margin; waiting, a period."""
    if not demand.waits:
        return demand.shortage_cost + max(0.0, demand.price - scenario.unit_cost(demand.item))
    if demand.abandons:  # who waits a period more may leave
        return demand.shortage_cost + demand.abandons * demand.abandonment_cost
    return demand.shortage_cost or demand.price


def overage(scenario: Scenario, item: str) -> float:
    """Return the cost of a unit too many.

    Holding it for a period and the chance that it becomes obsolete. Where a season ends, what is
    left then is worth its salvage value, which may be 0: a level that stands for T periods pays
    that loss once in T. A new product's level is that of the height of its life, and pays it once.
    """
    about = scenario.items[item]
    kept = about.holding_cost + about.obsolescence * (about.disposal_cost + (about.value or 0.0))
    if not scenario.horizon.ends:
        return kept
    lost = max(0.0, scenario.unit_cost(item) - about.salvage_value)
    lives = any(isinstance(d.quantity, LifeCycle) for d in scenario.demands.values())
    return kept + lost / (1 if lives else scenario.horizon.periods)
