"""Hybrid kanban-CONWIP: every station has cards, and the whole line has one more set of cards.

    order = min(K - in process - parts under a card, S - units in process and in stock downstream)

The kanban cards K bound each stock; the line's cards S bound what is released (Bonvik, Couch and
Gershwin 1997). S applies to the sources without materials, each with its own, on their gross
echelon positions. Cards count containers of their source.

Textbook sizing: K is that of kanban; S that of CONWIP, Little's law with the allowance of kanban.
With as many line cards as all stations have together it is kanban; with as many cards at every
station as the line has it is CONWIP. The tuner also starts from the best of both.

>>> from .kanban import number_of_cards
>>> number_of_cards(demand=0.5, periods=8, safety=0.10)  # Penny Fab One, Hopp and Spearman 1996
5
"""

from __future__ import annotations

import numpy as np

from jitgym.control import Rule, echelon_matrix, pull_rule
from jitgym.control.sizing import stages
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.common import held_by_cards, lots_of, units_of_cards
from ..base.declaration import Array, Classic, Parameter, Special, Values, parameter, ruled
from .conwip import CONWIP, first_sources, line_cards
from .kanban import KANBAN


def why_not(scenario: Scenario) -> str:
    """Return why this plant is not a line, or nothing."""
    if not any(source.consumes for source in scenario.sources.values()):
        return "it needs a line; no source here consumes what another makes, so use kanban"
    return ""


def first_in_order(scenario: Scenario) -> list[str]:
    """Return the sources without materials, from supplier to customer."""
    return [name for name in stages(scenario) if name in first_sources(scenario)]


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the cards of every source, and the line cards of every source without materials."""
    first = first_in_order(scenario)
    (cards,) = KANBAN.parameters(scenario)
    if not CONWIP.why_not(scenario):  # so many that only the line cards bind
        (all_cards,) = CONWIP.parameters(scenario)
        unbound = of_conwip(scenario, {"cards": all_cards.high})["cards"]
        cards = cards.resized(cards.textbook, high=unbound)
    line = parameter(
        "line_cards",
        "containers",
        [line_cards(scenario, name) for name in first],
        of=first,
        high=line_cards_that_never_bind(scenario, cards.high),
        whole=True,
    )
    return cards, line


def line_cards_that_never_bind(scenario: Scenario, cards: Array) -> Array:
    """Return the fewest line cards that never bind beside these cards.

    They count what all cards downstream can hold, in containers of each source without materials.
    """
    at, first = stages(scenario), first_in_order(scenario)
    units = dict(zip(at, held_by_cards(scenario, cards).tolist(), strict=True))
    held = echelon_matrix(scenario) @ [units[name] for name in scenario.sources]
    places = [list(scenario.sources).index(name) for name in first]
    return whole_up(held[places] / lots_of(at, first))


def of_kanban(scenario: Scenario, values: Values) -> Values:
    """Return the hybrid that is kanban with these cards."""
    return {
        "cards": values["cards"],
        "line_cards": line_cards_that_never_bind(scenario, values["cards"]),
    }


def of_conwip(scenario: Scenario, values: Values) -> Values:
    """Return the hybrid that is CONWIP with these cards."""
    at = stages(scenario)
    (first,) = first_sources(scenario)
    place = list(scenario.sources).index
    units = float(values["cards"][0]) * at[first].lot
    held = [echelon_matrix(scenario)[place(first), place(name)] or 1.0 for name in at]
    cards = whole_up(units / np.array(held) / lots_of(at))
    return {"cards": cards, "line_cards": values["cards"]}


def rule(layout: Layout, values: Values) -> Rule:
    """Return the rule with these cards and line cards."""
    cards = units_of_cards(layout, values["cards"])
    first = first_in_order(layout.scenario)
    levels = units_of_cards(layout, values["line_cards"], first)
    return pull_rule(layout, cards=cards, levels=levels, net=False)


HYBRID = Classic(
    "hybrid",
    why_not,
    parameters,
    ruled(rule),
    holds=(Special(KANBAN, of_kanban), Special(CONWIP, of_conwip)),
)
