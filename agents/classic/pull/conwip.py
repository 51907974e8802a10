"""CONWIP: the whole line has one set of cards, given out at the first source.

A unit keeps its card until a customer takes it; in between everything is pushed, as far as
materials and machines allow.

    release = max(0, cards - all in process and in stock on the line)

Backorders do not count: the position is gross (Spearman, Woodruff and Hopp 1990). A card stands
for one lot of the first source.

Textbook sizing is Little's law (1961), units on the line = demand a period x periods that a unit
takes through it (at each source one of review, the lead time, and the wait for the work center),
with the 10 % allowance of kanban, and at least the echelon base-stock level of the first source.

>>> from .kanban import number_of_cards
>>> number_of_cards(demand=0.5, periods=8, safety=0)  # Penny Fab One, Hopp and Spearman 1996
4
"""

from __future__ import annotations

from jitgym.control import Rule, pull_rule
from jitgym.control.sizing import echelon_level, stages
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.common import units_of_cards
from ..base.declaration import Classic, Parameter, Values, parameter, ruled
from .kanban import cards_of


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


def line_cards(scenario: Scenario, first: str) -> float:
    """Return the cards of the line that begins at a source: Little's law, or its echelon level."""
    at = stages(scenario)
    periods = sum(at[name].flow_time for name in at[first].route)
    level = int(whole_up(echelon_level(at[first]) / at[first].lot))
    return max(level, cards_of(at[first], at[first].requirement, periods))


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the cards of the line, in containers of its first source."""
    (name,) = first_sources(scenario)
    first = stages(scenario)[name]
    most = first.ceiling / first.lot
    return (parameter("cards", "containers", line_cards(scenario, name), high=most, whole=True),)


def rule(layout: Layout, values: Values) -> Rule:
    """Return the rule with these cards."""
    first = first_sources(layout.scenario)
    return pull_rule(layout, levels=units_of_cards(layout, values["cards"], first), net=False)


CONWIP = Classic("conwip", why_not, parameters, ruled(rule))
