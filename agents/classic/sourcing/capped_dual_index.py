"""Capped dual index: dual index with a cap r on the regular order.

    expedited order = max(0, S_e - expedited position)
    regular order   = min(r, max(0, S_r - inventory position - expedited order))

Positions are those of `dual-index`. Without a cap it is `dual-index`; with a high S_r it is
`tailored-base-surge`. The cap smooths the orders of the slow source, which come too late to correct
today's stock (Sun and Van Mieghem 2019; nearly optimal in Gijsbrechts et al. 2022).

Textbook sizing: the levels are those of `dual-index`, the cap is that of `capped-base-stock`.
Levels in units, caps in units per period.

>>> from .dual_index import dual_orders
>>> expedited, regular = dual_orders(soon=1, all_on_order=6, expedited_level=2, regular_level=10)
>>> expedited, min(2, regular)
(1, 2)
"""

from __future__ import annotations

from jitgym.control import Rule
from jitgym.plant import Layout
from jitgym.scenario import Scenario

from ..base.declaration import Classic, Parameter, Values, ruled
from . import dual_sourcing


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return both order-up-to levels and the cap of every item."""
    return (
        *dual_sourcing.level_parameters(scenario),
        dual_sourcing.cap_parameter(scenario),
    )


def rule(layout: Layout, values: Values) -> Rule:
    """Return the rule with these levels and caps."""
    expedited, regular, caps = values.values()
    return dual_sourcing.two_source_rule(layout, expedited, regular, caps=caps)


CAPPED_DUAL_INDEX = Classic("capped-dual-index", dual_sourcing.why_not, parameters, ruled(rule))
