"""Tailored base-surge: a constant order from the slow source, base-stock from the fast one.

    regular order = q,   expedited order = max(0, S - expedited position)

The cheap source covers the base of demand, the expensive source its surges (Allon and Van Mieghem
2010; asymptotically optimal for a long slow lead time, Xin and Goldberg 2018). The expedited
position is that of `dual-index`: stock net of backorders, plus all units that arrive no later than
an expedited order placed now.

Textbook sizing: q = m - sqrt(h v / (2 dc)) as in `constant`, with the extra unit cost dc of the
fast source in place of the penalty; m and v are mean and variance of demand, h the holding cost. S
is the base-stock level over the fast lead time and one period. S in units, q in units per period.

>>> from ..reorder.constant import constant_order
>>> constant_order(mean=2, variance=2, holding=5, penalty=5)  # 105 against 100
1.0
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from jitgym.control import Rule
from jitgym.control.masses import deviation_of
from jitgym.control.sizing import Stage, stages
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.declaration import Classic, Parameter, Values, parameter, ruled
from ..reorder import constant
from . import dual_sourcing


def why_not(scenario: Scenario) -> str:
    """Return why a base order and a surge order are not possible here, or nothing."""
    return dual_sourcing.why_not(scenario) or constant.below_the_minimum(scenario)


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the constant order and the base-stock level of every item."""
    at = stages(scenario)
    slowest = [at[way] for way, _ in dual_sourcing.pairs(scenario).values()]
    fastest = [at[way] for _, way in dual_sourcing.pairs(scenario).values()]
    lots = np.array([stage.lot for stage in slowest])
    needed = np.array([stage.requirement for stage in slowest])
    order = parameter(
        "order",
        "units per period",
        [_order(*pair) for pair in zip(slowest, fastest, strict=True)],
        of=(stage.source for stage in slowest),
        high=lots * whole_up(2 * needed / lots),
        step=lots,
        whole=True,
    )
    level, _ = dual_sourcing.level_parameters(scenario)
    return order, replace(level, name="level")


def _order(slow: Stage, fast: Stage) -> float:
    sources = slow.scenario.sources
    dearer = sources[fast.source].unit_cost - sources[slow.source].unit_cost
    variance = deviation_of(fast.demand) ** 2
    order = constant.constant_order(fast.requirement, variance, fast.holding, dearer)
    return slow.lot * round(order / slow.lot)


def rule(layout: Layout, values: Values) -> Rule:
    """Return the rule with these constant orders and base-stock levels."""
    order, level = values.values()
    return dual_sourcing.two_source_rule(layout, level, caps=order)


TAILORED_BASE_SURGE = Classic("tailored-base-surge", why_not, parameters, ruled(rule))
