"""Extended kanban: cards at every station, and beside them a base-stock level for each.

    ask = max(0, min(K - in process - parts under a card, S - echelon position))

Demand reaches every station at once, as with base-stock, and the cards bound each stock, as with
kanban (Dallery and Liberopoulos 2000). The echelon position is net of backorders. Cards in
containers of their source; levels are local, in units, as those of base-stock.

Textbook sizing: K that of kanban, S that of base-stock. With levels equal to the cards it is
kanban, with many cards it is base-stock; the tuner starts from the best of both as well.

>>> asked(cards=6, under_a_card=4, level=9, position=8)
1
>>> asked(cards=6, under_a_card=4, level=9, position=5)
2
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from jitgym.control import Policy, RulePolicy, pull_rule
from jitgym.plant import Layout, lay_out
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.declaration import Classic, Parameter, Special, Values, plain
from ..base.sizing import from_supplier_to_customer, stages
from . import hybrid
from .base_stock import BASE_STOCK, echelon_levels, level_parameter
from .kanban import KANBAN


def asked(cards: float, under_a_card: float, level: float, position: float) -> float:
    """Return max(0, min(K - p - B, S - e)), with p in process among what is under a card."""
    return max(0, min(cards - under_a_card, level - position))


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the cards and the local level of every source."""
    (cards,) = KANBAN.parameters(scenario)
    level = level_parameter(scenario)
    lots = np.array([stage.lot for stage in stages(scenario).values()])
    order = from_supplier_to_customer(scenario)
    echelon = echelon_levels(lay_out(scenario), order, level.high.tolist())
    # Kanban's cards as levels, and as many cards as the highest levels, are within the bounds.
    most = whole_up(np.array([echelon[name] for name in order]) / lots)
    return (
        replace(cards, high=np.maximum(cards.high, most)),
        replace(level, high=np.maximum(level.high, cards.high * lots)),
    )


def of_kanban(scenario: Scenario, values: Values) -> Values:
    """Return the extended kanban that is kanban with these cards: the levels never bind."""
    lots = np.array([stage.lot for stage in stages(scenario).values()])
    (level,) = BASE_STOCK.parameters(scenario)
    return {"cards": values["cards"], level.name: values["cards"] * lots}


def of_base_stock(scenario: Scenario, values: Values) -> Values:
    """Return the extended kanban that is base-stock with these levels, until cards run out."""
    cards, _ = parameters(scenario)
    return {"cards": cards.high, **values}


def build(name: str, layout: Layout, values: Values) -> Policy:
    """Return the policy with these cards and local levels."""
    scenario = layout.scenario
    lots = {source: about.lot_size for source, about in scenario.sources.items()}
    order = from_supplier_to_customer(scenario)
    count, local = (array.tolist() for array in values.values())
    rule = pull_rule(
        layout,
        cards={source: n * lots[source] for source, n in zip(order, count, strict=True)},
        levels=echelon_levels(layout, order, local),
    )
    return RulePolicy(name, layout, rule, plain(values))


EXTENDED_KANBAN = Classic(
    "extended-kanban",
    hybrid.why_not,
    parameters,
    build,
    holds=(Special(KANBAN, of_kanban), Special(BASE_STOCK, of_base_stock)),
)
