"""Costs of a unit too many and of a unit short: the two sides of every textbook size.

Costs are per unit and period.
"""

from __future__ import annotations

from jitgym.distributions import LifeCycle
from jitgym.scenario import Demand, Scenario

MOST_RATIO = 0.9999  # without a holding cost, this share of lead time demand is covered
NEARLY_ALL = 1 - 1e-12  # the highest ratio


def critical_ratio(shortage: float, holding: float) -> float:
    """Return b / (b + h); .9999 without a holding cost h, and 0 without a shortage cost b.

    >>> critical_ratio(shortage=4, holding=1)
    0.8
    """
    if shortage <= 0:
        return 0.0
    if holding <= 0:
        return MOST_RATIO
    return min(shortage / (shortage + holding), NEARLY_ALL)


def holding_at_least(shortage: float, holding: float) -> float:
    """Return h or, if it is 0, the holding cost for which the critical ratio is .9999."""
    return holding if holding > 0 else shortage * (1 / MOST_RATIO - 1)


def worth(scenario: Scenario, demand: Demand) -> float:
    """Return the cost of a unit short: per period if it waits; once, with its margin, if lost."""
    if not demand.waits:
        return demand.shortage_cost + max(0.0, demand.price - scenario.unit_cost(demand.item))
    if demand.abandons:  # a customer who waits one more period may leave
        return demand.shortage_cost + demand.abandons * demand.abandonment_cost
    return demand.shortage_cost or demand.price


def overage(scenario: Scenario, item: str) -> float:
    """Return the cost of a unit too many.

    It is the holding cost of a period, plus the expected cost of obsolescence. If a season ends, a
    unit left then loses its cost less its salvage value (0 by default). A level that holds for T
    periods pays that loss once, so a period bears 1 / T of it; the level of a new product is for
    the peak of its life, and bears all of it.
    """
    about = scenario.items[item]
    kept = about.holding_cost + about.obsolescence * (about.disposal_cost + (about.value or 0.0))
    if not scenario.horizon.ends:
        return kept
    lost = max(0.0, scenario.unit_cost(item) - about.salvage_value)
    lives = any(isinstance(d.quantity, LifeCycle) for d in scenario.demands.values())
    return kept + lost / (1 if lives else scenario.horizon.periods)
