"""Kanban: a station makes a part only against a free card, and each stage has K of them.

    ask = max(0, K - in process - parts under a card)

A part keeps its card until the next stage has a card for it, not until the next machine starts
(single card; Buzacott and Shanthikumar 1993). A card stands for a container, that is for one lot of
its source, and is free again when the container is empty.

Textbook sizing (Monden 1983; D demand a period, T periods that a card is on its way, C units in a
container, alpha a safety allowance of 10 %):

    N = D T (1 + alpha) / C

T is one period of review, the mean lead time, and the mean wait for the work center
(`Stage.queue`).

>>> number_of_cards(demand=2000, periods=0.4, container=200, safety=0.10)
5
"""

from __future__ import annotations

import numpy as np

from jitgym.control import Policy, RulePolicy, pull_rule
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.declaration import Classic, Parameter, Values, plain
from ..base.sizing import Stage, from_supplier_to_customer, stages

SAFETY = 0.10


def number_of_cards(
    demand: float, periods: float, container: float = 1.0, safety: float = SAFETY
) -> int:
    """Return N = D T (1 + alpha) / C, rounded up."""
    return int(whole_up(demand * periods * (1 + safety) / container))


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the cards of every source, in containers."""
    at = stages(scenario)
    textbook = np.array([max(1.0, _textbook(stage)) for stage in at.values()])
    ceilings = np.array([stage.ceiling / stage.lot for stage in at.values()])
    return (
        Parameter(
            name="cards",
            unit="containers",
            of=tuple(at),
            textbook=textbook,
            high=np.maximum(ceilings, textbook),
            step=np.ones(len(at)),
            whole=True,
        ),
    )


def _textbook(stage: Stage) -> float:
    least = stage.smallest_order / stage.lot  # with fewer cards nothing would ever be ordered
    return max(least, number_of_cards(stage.requirement, stage.flow_time, stage.lot))


def build(name: str, layout: Layout, values: Values) -> Policy:
    """Return the policy with these cards."""
    scenario = layout.scenario
    counts = zip(from_supplier_to_customer(scenario), values["cards"].tolist(), strict=True)
    cards = {source: count * scenario.sources[source].lot_size for source, count in counts}
    return RulePolicy(name, layout, pull_rule(layout, cards=cards), plain(values))


KANBAN = Classic("kanban", lambda scenario: "", parameters, build)
