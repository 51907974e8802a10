"""CONWIP: the whole line has one set of cards, which are issued at the first source.

    release = max(0, cards - units in process and in stock on the line)

A unit keeps its card until a customer takes it. Downstream of the first source everything is
pushed, as far as materials and work centers allow. Backorders do not count: the position is gross
(Spearman, Woodruff and Hopp 1990). A card stands for one lot of the first source.

Textbook sizing is Little's law (1961): units on the line = demand per period x periods that a unit
spends on it (at each source one review period, the lead time, and the wait for the work center).
The 10 % allowance of kanban is added, and the cards cover at least the echelon base-stock level of
the first source.

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
    """Return why one set of cards cannot control this plant, or nothing."""
    first = first_sources(scenario)
    if len(first) != 1:
        found = ", ".join(first[:4] + ["..."] * (len(first) > 4)) or "none"
        return f"it needs exactly one source without materials, to issue its cards; here: {found}"
    return ""


def first_sources(scenario: Scenario) -> list[str]:
    """Return the sources without materials, in scenario order."""
    return [name for name, source in scenario.sources.items() if not source.consumes]


def line_cards(scenario: Scenario, first: str) -> float:
    """Return the cards of the line from this source: Little's law, at least its echelon level."""
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
