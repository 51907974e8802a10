"""The overage cost and the shortage cost per unit: the two sides of every textbook size.

Both are costs per unit and period.
"""

from __future__ import annotations

from jitgym.distributions import LifeCycle
from jitgym.scenario import Demand, Scenario

MOST_RATIO = 0.9999  # share of lead time demand to cover if the holding cost is 0
NEARLY_ALL = 1 - 1e-12  # largest ratio


def critical_ratio(shortage: float, holding: float) -> float:
    """Return b / (b + h); .9999 if the holding cost is 0, and 0 if the shortage cost is 0.

    >>> critical_ratio(shortage=4, holding=1)
    0.8
    """
    if shortage <= 0:
        return 0.0
    if holding <= 0:
        return MOST_RATIO
    return min(shortage / (shortage + holding), NEARLY_ALL)


def holding_at_least(shortage: float, holding: float) -> float:
    """Return h; if it is 0, return the cost that gives the ratio of `critical_ratio`."""
    return holding if holding > 0 else shortage * (1 / MOST_RATIO - 1)


def worth(scenario: Scenario, demand: Demand) -> float:
    """Return the cost of a unit short: per period if it waits, or once, with margin, if lost."""
    if not demand.waits:
        return demand.shortage_cost + max(0.0, demand.price - scenario.unit_cost(demand.item))
    if demand.abandons:  # a customer who waits another period may leave
        return demand.shortage_cost + demand.abandons * demand.abandonment_cost
    return demand.shortage_cost or demand.price


def overage(scenario: Scenario, item: str) -> float:
    """Return the cost of a unit too many.

    It is the cost to hold the unit for a period, and the expected loss if it becomes obsolete. At
    the end of a season a unit left is worth only its salvage value (which may be 0): a level that
    is kept for T periods has this loss once in T periods. The level of a new product, sized for the
    peak of its life, has it once.
    """
    about = scenario.items[item]
    kept = about.holding_cost + about.obsolescence * (about.disposal_cost + (about.value or 0.0))
    if not scenario.horizon.ends:
        return kept
    lost = max(0.0, scenario.unit_cost(item) - about.salvage_value)
    lives = any(isinstance(d.quantity, LifeCycle) for d in scenario.demands.values())
    return kept + lost / (1 if lives else scenario.horizon.periods)
