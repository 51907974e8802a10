"""Dual index: the expedited order uses the units that arrive soon, the regular order all units.

    expedited order = max(0, S_e - expedited position)
    regular order   = max(0, S_r - inventory position - expedited order)

The expedited position is the stock net of backorders, plus all units that arrive no later than an
expedited order placed now; the inventory position counts all units on order (Veeraraghavan and
Scheller-Wolf 2008). Regular orders can raise the expedited position above S_e, which is called the
overshoot.

Textbook sizing: both order-up-to levels are newsvendor levels, each over the lead time of its
source and one period. With an overshoot, the best S_e is lower (theorem 4.1 of Veeraraghavan and
Scheller-Wolf 2008). Levels in units.

>>> dual_orders(soon=1, all_on_order=6, expedited_level=4, regular_level=10)
(3, 1)
"""

from __future__ import annotations

from jitgym.control import Rule
from jitgym.plant import Layout

from ..base.declaration import Classic, Values, ruled
from . import dual_sourcing


def dual_orders(
    soon: float, all_on_order: float, expedited_level: float, regular_level: float
) -> tuple[float, float]:
    """Return the expedited and the regular order at these two positions."""
    expedited = max(0, expedited_level - soon)
    return expedited, max(0, regular_level - all_on_order - expedited)


def rule(layout: Layout, values: Values) -> Rule:
    """Return the rule with these order-up-to levels."""
    expedited, regular = values.values()
    return dual_sourcing.two_source_rule(layout, expedited, regular)


DUAL_INDEX = Classic(
    "dual-index", dual_sourcing.why_not, dual_sourcing.level_parameters, ruled(rule)
)
