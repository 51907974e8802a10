"""Dual index: the expedited order looks at what arrives soon, the regular one at everything.

    expedited order = max(0, S_e - expedited position)
    regular order   = max(0, S_r - inventory position - expedited order)

The expedited position is the stock net of backorders and all that arrives no later than an
expedited order placed now would; the inventory position counts all on order (Veeraraghavan and
Scheller-Wolf 2008). Regular orders may carry the expedited position above S_e: the overshoot.

Textbook sizing: both are newsvendor levels, each over its source's lead time and one period; with
an overshoot the best S_e is lower (Veeraraghavan and Scheller-Wolf 2008, theorem 4.1). Levels in
units.

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
    """Return the rule with these numbers."""
    expedited, regular = values.values()
    return dual_sourcing.two_source_rule(layout, expedited, regular)


DUAL_INDEX = Classic(
    "dual-index", dual_sourcing.why_not, dual_sourcing.level_parameters, ruled(rule)
)
