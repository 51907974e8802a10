"""Single index: two order-up-to levels on one position, which counts all units on order.

    expedited order = max(0, S_e - inventory position)
    regular order   = max(0, S_r - inventory position - expedited order)

The expensive fast source is used only if the inventory position is below its lower level
(Scheller-Wolf, Veeraraghavan and van Houtum 2007). The rule is simple, but it counts units that
arrive too late to help, and so can expedite too late: see `dual-index`.

Textbook sizing: S_r is the newsvendor level over the regular lead time and one period. S_e is that
over the expedited lead time and one period, plus the mean units on order that arrive later, and at
most S_r. Levels in units.

>>> index_orders(position=3, expedited_level=5, regular_level=9)
(2, 4)
"""

from __future__ import annotations

from jitgym.control import Rule
from jitgym.plant import Layout
from jitgym.scenario import Scenario

from ..base.declaration import Classic, Parameter, Values, ruled
from . import dual_sourcing


def index_orders(
    position: float, expedited_level: float, regular_level: float
) -> tuple[float, float]:
    """Return the expedited and the regular order."""
    expedited = max(0, expedited_level - position)
    return expedited, max(0, regular_level - position - expedited)


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return both order-up-to levels of every item."""
    return dual_sourcing.level_parameters(scenario, single_index=True)


def rule(layout: Layout, values: Values) -> Rule:
    """Return the rule with these order-up-to levels."""
    expedited, regular = values.values()
    return dual_sourcing.two_source_rule(layout, expedited, regular, single_index=True)


SINGLE_INDEX = Classic("single-index", dual_sourcing.why_not, parameters, ruled(rule))
