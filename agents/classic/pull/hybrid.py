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

from dataclasses import replace

import numpy as np

from jitgym.control import Policy, RulePolicy, echelon_matrix, pull_rule
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.declaration import Array, Classic, Parameter, Special, Values, plain
from ..base.sizing import Stage, from_supplier_to_customer, stages
from .conwip import CONWIP, first_sources
from .kanban import KANBAN, number_of_cards


def why_not(scenario: Scenario) -> str:
    """Return why there is no line, or nothing."""
    if not any(source.consumes for source in scenario.sources.values()):
        return "it rules lines; no source here consumes what another makes: it would be kanban"
    return ""


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the cards of every source, and those of the lines."""
    at = stages(scenario)
    first = [name for name in at if name in first_sources(scenario)]
    (cards,) = KANBAN.parameters(scenario)
    if not CONWIP.why_not(scenario):  # enough at every station that the line's cards bind alone
        (all_cards,) = CONWIP.parameters(scenario)
        unbound = of_conwip(scenario, {"cards": all_cards.high})["cards"]
        cards = replace(cards, high=np.maximum(cards.high, unbound))
    textbook = np.array([_line(at, at[name]) for name in first])
    line = Parameter(
        name="line_cards",
        unit="containers",
        of=tuple(first),
        textbook=textbook,
        high=np.maximum(line_cards_that_never_bind(scenario, cards.high), textbook),
        step=np.ones(len(first)),
        whole=True,
    )
    return cards, line


def line_cards_that_never_bind(scenario: Scenario, cards: Array) -> Array:
    """Return the line cards that never bind beside these cards, of each source without materials.

    What all cards from there down can hold, in containers of that source.
    """
    at = stages(scenario)
    lots = {name: stage.lot for name, stage in at.items()}
    units = {name: count * lots[name] for name, count in zip(at, cards.tolist(), strict=True)}
    held = echelon_matrix(scenario) @ [units[name] for name in scenario.sources]
    first = [name for name in at if name in first_sources(scenario)]
    places = [list(scenario.sources).index(name) for name in first]
    return whole_up(held[places] / [lots[name] for name in first])


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
    lots = [stage.lot for stage in at.values()]
    cards = whole_up(units / np.array(held) / np.array(lots))
    return {"cards": cards, "line_cards": values["cards"]}


def _line(at: dict[str, Stage], first: Stage) -> float:
    periods = sum(at[name].flow_time for name in first.route)
    return float(max(1, number_of_cards(first.requirement, periods, first.lot)))


def build(name: str, layout: Layout, values: Values) -> Policy:
    """Return the policy with these cards."""
    scenario = layout.scenario
    lots = {source: about.lot_size for source, about in scenario.sources.items()}
    order = from_supplier_to_customer(scenario)
    cards = {s: n * lots[s] for s, n in zip(order, values["cards"].tolist(), strict=True)}
    first = [source for source in order if source in first_sources(scenario)]
    levels = {s: n * lots[s] for s, n in zip(first, values["line_cards"].tolist(), strict=True)}
    rule = pull_rule(layout, cards=cards, levels=levels, net=False)
    return RulePolicy(name, layout, rule, plain(values))


HYBRID = Classic(
    "hybrid",
    why_not,
    parameters,
    build,
    holds=(Special(KANBAN, of_kanban), Special(CONWIP, of_conwip)),
)
