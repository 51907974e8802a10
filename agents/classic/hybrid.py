"""Hybrid kanban-CONWIP: cards at every station, and beside them one set for the whole line.

    ask = min(K - in process - parts under a card, S - all in process and in stock below)

The kanban cards bound each stock, the line's cards bound what is released at all (Bonvik, Couch and
Gershwin 1997). S binds at the sources without materials, each with its own, on their echelons gross
of backorders. Cards in containers of their source.

Textbook sizing: K that of kanban; S that of Little's law with the allowance of kanban, as CONWIP's.

>>> from .kanban import number_of_cards
>>> number_of_cards(demand=0.5, periods=8, safety=0.10)  # Penny Fab One, Hopp and Spearman 1996
5
"""

from __future__ import annotations

import numpy as np

from jitgym.control import Policy, RulePolicy, pull_rule
from jitgym.plant import Layout
from jitgym.scenario import Scenario

from . import kanban
from .conwip import first_sources
from .kanban import number_of_cards
from .policy import Classic, Parameter, Values, plain
from .sizing import Stage, from_supplier_to_customer, stages


def why_not(scenario: Scenario) -> str:
    """Return why there is no line, or nothing."""
    if not any(source.consumes for source in scenario.sources.values()):
        return "it rules lines; no source here consumes what another makes: it would be kanban"
    return ""


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the cards of every source, and those of the lines."""
    at = stages(scenario)
    first = [name for name in at if name in first_sources(scenario)]
    textbook = np.array([_line(at, at[name]) for name in first])
    ceilings = np.array([at[name].ceiling / at[name].lot for name in first])
    line = Parameter(
        name="line_cards",
        unit="containers",
        of=tuple(first),
        textbook=textbook,
        high=np.maximum(2 * ceilings, textbook),
        step=np.ones(len(first)),
        whole=True,
    )
    return (*kanban.parameters(scenario), line)


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


HYBRID = Classic("hybrid", why_not, parameters, build)
