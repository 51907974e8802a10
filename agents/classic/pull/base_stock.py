"""Base-stock policy: every period, order up to a level S.

    order = max(0, S - inventory position)

On a line the position is the echelon's (Clark and Scarf 1960): all in process and in stock at an
item and below it, down to the customer, net of backorders. Levels are given *local*, from supplier
to customer; the echelon level of an item is the sum of the local ones from there down, weighted by
the bill of materials.

Textbook sizing: S is the newsvendor quantile b / (b + h) of demand over the lead time and one
review period (Zipkin 2000); where unmet demand is lost, p / (p + h) of the same. Where orders are
lots, have a minimum or a maximum, it covers how far they leave the position below the level as well
(`Stage.must_cover`). On a line every echelon level is the mean of two newsvendor levels that bound
it (Shang and Song 2003), and demand over the lead time includes the units that wait for a busy or
broken work center (Glasserman 1997; `Stage.queue`). Levels in units, costs per unit and period.

>>> from jitgym.distributions import Poisson
>>> newsvendor_level(Poisson(mean=6), holding=1, shortage=4)  # Snyder and Shen, chapter 4
8
>>> newsvendor_cost(Poisson(mean=6), level=8, holding=1, shortage=4)
3.570107
"""

from __future__ import annotations

import numpy as np

from jitgym.control import Rule, pull_rule
from jitgym.control.costs import critical_ratio
from jitgym.control.masses import mass, quantile
from jitgym.distributions import Distribution
from jitgym.plant import Layout
from jitgym.scenario import Scenario

from ..base.common import all_echelon_levels, level_parameter
from ..base.declaration import Classic, Parameter, Values, ruled


def newsvendor_level(demand: Distribution, holding: float, shortage: float) -> int:
    """Return the least level, in whole units, that covers b / (b + h) of demand."""
    return int(quantile(mass(demand), critical_ratio(shortage, holding)))


def newsvendor_cost(demand: Distribution, level: float, holding: float, shortage: float) -> float:
    """Return the mean cost of a period that begins with this level."""
    support, probabilities = demand.pmf()
    left = level - support
    return float(probabilities @ (holding * np.maximum(left, 0) + shortage * np.maximum(-left, 0)))


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the local levels."""
    return (level_parameter(scenario),)


def rule(layout: Layout, values: Values) -> Rule:
    """Return the rule with these local levels."""
    (local,) = values.values()
    return pull_rule(layout, levels=all_echelon_levels(layout, local))


BASE_STOCK = Classic("base-stock", lambda scenario: "", parameters, ruled(rule))
