"""Kanban: each station has K cards, and makes a part only with a free card.

    order = max(0, K - in process - parts under a card)

A part keeps its card until the next station has a card for it, not until the next machine starts
(single card; Buzacott and Shanthikumar 1993). A card stands for a container, which is one lot of
its source, and is free again when the container is empty.

Textbook sizing (Monden 1983), with D the demand per period, T the periods that a card is in use,
C the units in a container, and alpha a safety allowance of 10 %:

    N = D T (1 + alpha) / C

T is one review period, the mean lead time, and the mean wait for the work center (`Stage.queue`).
The allowance is larger if a backlog of the start would last longer than the warm-up.
A station that serves customers has at least the cards of its base-stock level, since the allowance
takes into account neither the variation of demand nor the cost of a shortage.

>>> number_of_cards(demand=2000, periods=0.4, container=200, safety=0.10)
5
"""

from __future__ import annotations

import math

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
    """Return the cards that cover this demand over this many periods, in containers of a stage.

    They also cover how far whole lots and a minimum order leave the position below all cards. With
    fewer cards than the smallest order needs, nothing would ever be ordered.
    """
    open_below = max(mean_of(stage.below), stage.smallest_order - stage.lot)
    covered = demand * periods * (1 + allowance(stage, periods)) + open_below
    return max(1.0, stage.smallest_order / stage.lot, int(whole_up(covered / stage.lot)))


def allowance(stage: Stage, periods: float) -> float:
    """Return alpha: 10 %, or more if a backlog of the start would cost more after the warm-up.

    N cards let through at most N / T units per period, so that alpha D of them reduce a backlog.
    The demand of T periods, less the stock at the start, waits at first. Cards come back after T
    periods, all at once, so that A = warm-up - 1.5 T periods are left to serve it. If alpha D A is
    less, the rest w waits when costs begin to count, and costs b w^2 / (2 alpha D) in all; alpha
    D T units are held in every period. Of these alphas, the one with the lowest cost is taken.
    Where demand is lost, or the warm-up is too short, alpha is 10 %.
    """
    scenario = stage.scenario
    time = scenario.horizon.warm_up - 1.5 * periods
    if stage.is_lost or time <= 0 or not stage.requirement:
        return SAFETY
    makes = {scenario.sources[name].makes for name in stage.route}
    stock = math.fsum(scenario.items[item].initial_stock for item in makes)
    waiting = stage.requirement * periods - stock
    most = waiting / (stage.requirement * time)
    if most <= SAFETY:
        return SAFETY
    shares = np.linspace(SAFETY, most, 50)
    left = waiting - shares * stage.requirement * time
    counted = scenario.horizon.periods - scenario.horizon.warm_up
    backlog = stage.shortage * left**2 / (2 * shares * stage.requirement) / counted
    held = stage.holding * shares * stage.requirement * periods
    return float(shares[np.argmin(backlog + held)])


def cards_for(stage: Stage) -> float:
    """Return the textbook number of cards of a stage.

    Where customers are served, it is at least the base-stock level, since an allowance of 10 %
    ignores the variation of demand and the cost of a shortage.
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
