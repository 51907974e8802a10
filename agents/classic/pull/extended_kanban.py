"""Extended kanban: every station has cards and, beside them, a base-stock level.

    order = max(0, min(K - in process - parts under a card, S - echelon position))

Demand reaches every station at once, as with base-stock, and the cards K bound each stock, as with
kanban (Dallery and Liberopoulos 2000). The echelon position is net of backorders. Cards count
containers of their source; base-stock levels are local, in units.

Textbook sizing: K is that of kanban, S that of base-stock. With levels equal to the cards it is
kanban, with many cards it is base-stock; the tuner also starts from the best of both.

>>> asked(cards=6, under_a_card=4, level=9, position=8)
1
>>> asked(cards=6, under_a_card=4, level=9, position=5)
2
"""

from __future__ import annotations

import numpy as np

from jitgym.control import Rule, pull_rule
from jitgym.control.sizing import stages
from jitgym.plant import Layout, lay_out
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.common import (
    all_echelon_levels,
    held_by_cards,
    level_parameter,
    lots_of,
    units_of_cards,
)
from ..base.declaration import Classic, Parameter, Special, Values, ruled
from . import hybrid
from .base_stock import BASE_STOCK
from .kanban import KANBAN


def asked(cards: float, under_a_card: float, level: float, position: float) -> float:
    """Return max(0, min(K - p - B, S - e)); `under_a_card` is p, in process, and B together."""
    return max(0, min(cards - under_a_card, level - position))


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the cards and the local base-stock level of every source."""
    (cards,) = KANBAN.parameters(scenario)
    level, lots = level_parameter(scenario), lots_of(stages(scenario))
    echelon = all_echelon_levels(lay_out(scenario), level.high)
    # The bounds include kanban's cards as levels, and as many cards as the highest levels.
    most = whole_up(np.array([echelon[name] for name in level.of]) / lots)
    return (
        cards.resized(cards.textbook, high=most),
        level.resized(level.textbook, high=held_by_cards(scenario, cards.high)),
    )


def of_kanban(scenario: Scenario, values: Values) -> Values:
    """Return the extended kanban that is kanban with these cards: its levels never bind."""
    (level,) = BASE_STOCK.parameters(scenario)
    return {"cards": values["cards"], level.name: held_by_cards(scenario, values["cards"])}


def of_base_stock(scenario: Scenario, values: Values) -> Values:
    """Return the extended kanban that is base-stock with these levels, while cards are left."""
    cards, _ = parameters(scenario)
    return {"cards": cards.high, **values}


def rule(layout: Layout, values: Values) -> Rule:
    """Return the rule with these cards and local base-stock levels."""
    cards, local = values.values()
    levels = all_echelon_levels(layout, local)
    return pull_rule(layout, cards=units_of_cards(layout, cards), levels=levels)


EXTENDED_KANBAN = Classic(
    "extended-kanban",
    hybrid.why_not,
    parameters,
    ruled(rule),
    holds=(Special(KANBAN, of_kanban), Special(BASE_STOCK, of_base_stock)),
)
