"""Kanban: a station makes a part only against a free card, and each stage has K of them.

    ask = max(0, K - in process - parts under a card)

A part keeps its card until the next stage has a card for it, not until the next machine starts
(single card; Buzacott and Shanthikumar 1993). A card stands for a container, that is for one lot of
its source, and is free again when the container is empty.

Textbook sizing (Monden 1983; D demand a period, T periods that a card is on its way, C units in a
container, alpha a safety allowance of 10 %):

    N = D T (1 + alpha) / C

T is one period of review, the mean lead time, and the mean wait for the work center
(`Stage.queue`). Where customers take from a stage, it has at least the cards of its base-stock
level: an allowance of 10 % knows neither how demand varies nor what a shortage costs.

>>> number_of_cards(demand=2000, periods=0.4, container=200, safety=0.10)
5
"""

from __future__ import annotations

import numpy as np

from jitgym.control import Rule, pull_rule
from jitgym.control.masses import mean_of
from jitgym.control.sizing import Stage, base_stock_levels, stages
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.common import lots_of, units_of_cards
from ..base.declaration import Classic, Parameter, Values, parameter, ruled

SAFETY = 0.10


def number_of_cards(
    demand: float, periods: float, container: float = 1.0, safety: float = SAFETY
) -> int:
    """Return N = D T (1 + alpha) / C, rounded up."""
    return int(whole_up(demand * periods * (1 + safety) / container))


def cards_of(stage: Stage, demand: float, periods: float) -> float:
    """Return the cards that cover so many periods of this demand, in containers of a stage.

    And how far whole lots and a minimum order leave the position below all cards: with fewer cards
    than the smallest order takes, nothing would ever be ordered.
    """
    open_below = max(mean_of(stage.below), stage.smallest_order - stage.lot)
    covered = demand * periods * (1 + SAFETY) + open_below
    return max(1.0, stage.smallest_order / stage.lot, int(whole_up(covered / stage.lot)))


def cards_for(stage: Stage) -> float:
    """Return the textbook's cards of a stage; with those that customers take from, what they need.

    An allowance of 10 % knows nothing of how much demand varies, nor of what a shortage costs.
    """
    cards = cards_of(stage, stage.requirement, stage.flow_time)
    sold = {demand.item for demand in stage.scenario.demands.values()}
    if stage.item not in sold:
        return cards
    return max(cards, int(whole_up(base_stock_levels(stage.scenario)[stage.source] / stage.lot)))


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the cards of every source, in containers."""
    at = stages(scenario)
    cards = [cards_for(stage) for stage in at.values()]
    most = np.array([stage.ceiling for stage in at.values()]) / lots_of(at)
    return (parameter("cards", "containers", cards, of=at, high=most, whole=True),)


def rule(layout: Layout, values: Values) -> Rule:
    """Return the rule with these cards."""
    return pull_rule(layout, cards=units_of_cards(layout, values["cards"]))


KANBAN = Classic("kanban", lambda scenario: "", parameters, ruled(rule))
