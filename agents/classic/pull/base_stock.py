"""Base-stock policy: every period, order up to the base-stock level S.

    order = max(0, S - inventory position)

On a line, the echelon position is used (Clark and Scarf 1960): all units in process and in stock,
of the item and of everything downstream that contains it, net of backorders. Levels are *local* and
go from supplier to customer; the echelon level of an item is the sum of the local levels from there
downstream, weighted by the bill of materials.

Textbook sizing: S is the newsvendor quantile b / (b + h) of demand over the lead time and one
review period, with shortage cost b and holding cost h (Zipkin 2000). Where unmet demand is lost, a
lost unit costs p, and the quantile is p / (p + h). Where orders have lots, a minimum or a maximum,
S also covers how far these leave the position below the level (`Stage.must_cover`). On a line,
every echelon level is the mean of two newsvendor levels that bound it (Shang and Song 2003), and
demand over the lead time includes the units that wait for a busy or broken work center (Glasserman
1997; `Stage.queue`). Levels in units, costs per unit and period.

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
    """Return the smallest level, in whole units, that covers b / (b + h) of demand."""
    return int(quantile(mass(demand), critical_ratio(shortage, holding)))


def newsvendor_cost(demand: Distribution, level: float, holding: float, shortage: float) -> float:
    """Return the mean cost of a period that starts with this level."""
    support, probabilities = demand.pmf()
    left = level - support
    return float(probabilities @ (holding * np.maximum(left, 0) + shortage * np.maximum(-left, 0)))


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the local base-stock levels."""
    return (level_parameter(scenario),)


def rule(layout: Layout, values: Values) -> Rule:
    """Return the rule with these local base-stock levels."""
    (local,) = values.values()
    return pull_rule(layout, levels=all_echelon_levels(layout, local))


BASE_STOCK = Classic("base-stock", lambda scenario: "", parameters, ruled(rule))
