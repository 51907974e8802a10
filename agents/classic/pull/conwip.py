"""CONWIP: the whole line has one set of cards, given out at the first source.

A unit keeps its card until a customer takes it; in between everything is pushed, as far as
materials and machines allow.

    release = max(0, cards - all in process and in stock on the line)

Backorders do not count: the position is gross (Spearman, Woodruff and Hopp 1990). A card stands
for one lot of the first source.

Textbook sizing is Little's law (1961), units on the line = demand a period x periods that a unit
takes through it (at each source one of review, the lead time, and the wait for the work center),
with the 10 % allowance of kanban.

>>> number_of_cards(demand=0.5, periods=8, safety=0)  # Penny Fab One, Hopp and Spearman 1996
4
"""

from __future__ import annotations

import numpy as np

from jitgym.control import Policy, RulePolicy, pull_rule
from jitgym.plant import Layout
from jitgym.scenario import Scenario

from ..base.declaration import Classic, Parameter, Values, plain
from ..base.sizing import Stage, stages
from .kanban import number_of_cards


def why_not(scenario: Scenario) -> str:
    """Return why one set of cards cannot rule this plant, or nothing."""
    first = first_sources(scenario)
    if len(first) != 1:
        found = ", ".join(first[:4] + ["..."] * (len(first) > 4)) or "none"
        return f"its cards are given out at the one source without materials; here: {found}"
    return ""


def first_sources(scenario: Scenario) -> list[str]:
    """Return the sources without materials, in scenario order."""
    return [name for name, source in scenario.sources.items() if not source.consumes]


def _first(scenario: Scenario) -> Stage:
    (name,) = first_sources(scenario)
    return stages(scenario)[name]


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the cards of the line, in containers of its first source."""
    first = _first(scenario)
    at = stages(scenario)
    periods = sum(at[name].flow_time for name in first.route)
    textbook = float(max(1, number_of_cards(first.requirement, periods, first.lot)))
    return (
        Parameter(
            name="cards",
            unit="containers",
            of=("policy",),
            textbook=np.array([textbook]),
            high=np.array([max(first.ceiling / first.lot, textbook)]),
            step=np.ones(1),
            whole=True,
        ),
    )


def build(name: str, layout: Layout, values: Values) -> Policy:
    """Return the policy with these cards."""
    first = _first(layout.scenario)
    levels = {first.source: float(values["cards"][0]) * first.lot}
    return RulePolicy(name, layout, pull_rule(layout, levels=levels, net=False), plain(values))


CONWIP = Classic("conwip", why_not, parameters, build)
