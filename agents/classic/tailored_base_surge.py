"""Tailored base-surge: a constant order from the slow source, base-stock from the fast one.

    slow order = q,   fast order = max(0, S - inventory position)

The cheap source brings the base of demand, the dear one its surges (Allon and Van Mieghem 2010;
asymptotically optimal for a long slow lead time, Xin and Goldberg 2018).

Textbook sizing: q the mean demand less the slack of `constant`, with what the fast source costs
more in place of the penalty, m - sqrt(h v / (2 dc)); S the level of base-stock over the fast lead
time and one period, and the q of the slow lead time. Quantities in units.

>>> from .constant import constant_order
>>> constant_order(mean=2, variance=2, holding=5, penalty=5)  # 105 against 100
1.0
"""

from __future__ import annotations

import numpy as np

from jitgym.control import Policy, RulePolicy, pull_rule
from jitgym.plant import Layout
from jitgym.scenario import Scenario

from . import constant
from .base_stock import bounded_level
from .policy import Classic, Parameter, Values, plain
from .sizing import deviation_of, stages


def pairs(scenario: Scenario) -> dict[str, tuple[str, str]]:
    """Return item -> its slowest and its fastest source, of items with two."""
    ways = {
        item: sorted(scenario.sources_of(item), key=scenario.mean_lead_time)
        for item in scenario.items
    }
    return {item: (found[-1], found[0]) for item, found in ways.items() if len(found) == 2}


def why_not(scenario: Scenario) -> str:
    """Return why there is no base and no surge, or nothing."""
    if len(pairs(scenario)) < len(scenario.items):
        return "it needs two outside suppliers of every item"
    if any(source.consumes or source.at for source in scenario.sources.values()):
        return "it orders from outside suppliers; sources here make or move"
    return constant.why_not(scenario)


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the constant order and the level of every item."""
    at = stages(scenario)
    orders, levels, most = [], [], []
    for slow, fast in pairs(scenario).values():
        stage = at[fast]
        dearer = scenario.sources[fast].unit_cost - scenario.sources[slow].unit_cost
        variance = deviation_of(stage.demand) ** 2
        order = constant.constant_order(stage.requirement, variance, stage.holding, dearer)
        orders.append(at[slow].lot * round(order / at[slow].lot))
        coming = orders[-1] * scenario.mean_lead_time(slow)
        levels.append(bounded_level(stage.lead_time_demand, *stage.ratios) + coming)
        most.append(levels[-1] + at[slow].ceiling)
    slowest = [way for way, _ in pairs(scenario).values()]
    fastest = [way for _, way in pairs(scenario).values()]
    lots = np.array([at[name].lot for name in slowest])
    needed = np.array([at[name].requirement for name in slowest])
    return (
        Parameter(
            name="order",
            unit="units a period",
            of=tuple(slowest),
            textbook=np.array(orders),
            high=np.maximum(lots * np.ceil(2 * needed / lots), orders),
            step=lots,
            whole=True,
        ),
        Parameter(
            name="levels" if len(fastest) > 1 else "level",
            unit="units",
            of=tuple(fastest),
            textbook=np.array(levels),
            high=np.array(most),
            step=np.array([at[name].resolution for name in fastest]),
        ),
    )


def build(name: str, layout: Layout, values: Values) -> Policy:
    """Return the policy with these orders and levels."""
    ways = pairs(layout.scenario).values()
    order, level = (array.tolist() for array in values.values())
    rule = pull_rule(
        layout,
        levels={fast: s for (_, fast), s in zip(ways, level, strict=True)},
        caps={slow: q for (slow, _), q in zip(ways, order, strict=True)},
    )
    return RulePolicy(name, layout, rule, plain(values))


TAILORED_BASE_SURGE = Classic("tailored-base-surge", why_not, parameters, build)
