"""Hybrid kanban-CONWIP: cards at every station, and beside them one set for the whole line.

    ask = min(K - in process - parts under a card, S - all in process and in stock below)

The kanban cards bound each stock, the line's cards bound what is released at all (Bonvik, Couch and
Gershwin 1997). S binds at the sources without materials, each with its own, on their echelons gross
of backorders. Cards in containers of their source.

Textbook sizing: K that of kanban; S that of Little's law with the allowance of kanban, as CONWIP's.
With as many line cards as all stages have together it is kanban, with as many at every stage as the
line has it is CONWIP; the tuner starts from the best of both as well.

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
    """Return why there is no line, or nothing."""
    if not any(source.consumes for source in scenario.sources.values()):
        return "it rules lines; no source here consumes what another makes: it would be kanban"
    return ""


def first_in_order(scenario: Scenario) -> list[str]:
    """Return the sources without materials, from supplier to customer."""
    return [name for name in stages(scenario) if name in first_sources(scenario)]


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the cards of every source, and those of the lines."""
    first = first_in_order(scenario)
    (cards,) = KANBAN.parameters(scenario)
    if not CONWIP.why_not(scenario):  # enough at every station that the line's cards bind alone
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
    """Return the line cards that never bind beside these cards, of each source without materials.

    What all cards from there down can hold, in containers of that source.
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
    """Return the rule with these cards."""
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
