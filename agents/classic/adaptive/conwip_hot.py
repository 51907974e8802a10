"""CONWIP by kind and regime, hot first: how many of each kind may be under way, wave or calm.

    release of a kind = max(0, cards(regime) - all in process and in stock of that kind)

Every kind of work has cards of its own, given out where it begins and gross of backorders
(Spearman, Woodruff and Hopp 1990), and every stage has kanban cards, so that drafts wait where they
keep best and no wave is released at once (Bonvik, Couch and Gershwin 1997). All kinds have cards
for each regime, since a wave of one is the time to pause the others. With `hot_first` 1 a kind
whose demand has regimes goes first at a work center, then what is dearest to miss for the time it
takes, c mu; with 0 what is set up goes on. Cards in containers. With as many cards of a kind as its
stages have together it is kanban, and the tuner starts from the best of that as well.

Textbook sizing: Little's law in each regime, with the allowance of kanban; stages as kanban.

>>> from ..pull.kanban import number_of_cards
>>> [number_of_cards(demand=mean, periods=3) for mean in (1, 6)]  # calm and wave, three days
[4, 20]
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from jitgym.control import Rule, pull_rule
from jitgym.control.costs import worth
from jitgym.control.sizing import Stage, stages
from jitgym.distributions import Distribution, Regimes
from jitgym.plant import Layout
from jitgym.scenario import Scenario

from ..base.common import units_of_cards
from ..base.declaration import Classic, Parameter, Special, Values, parameter, ruled
from ..pull.hybrid import first_in_order, line_cards_that_never_bind
from ..pull.kanban import KANBAN, cards_of
from .regime_base_stock import REGIME, shifted
from .regime_base_stock import why_not as no_states


def why_not(scenario: Scenario) -> str:
    """Return why there are no kinds in waves, or nothing."""
    if not _hot(scenario):
        return "no demand has regimes that the view shows"
    if not any(source.consumes for source in scenario.sources.values()):
        return "it rules lines; no source here consumes what another makes"
    return no_states(scenario)


def _hot(scenario: Scenario) -> list[str]:
    return [
        name
        for name, demand in scenario.demands.items()
        if isinstance(demand.quantity, Regimes) and demand.quantity.seen
    ]


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the cards of every kind in each regime, and those of the stages."""
    at = stages(scenario)
    kinds = first_in_order(scenario)
    (stage_cards,) = KANBAN.parameters(scenario)
    most = line_cards_that_never_bind(scenario, stage_cards.high)
    calm, wave = (
        parameter(
            name,
            "containers",
            [_textbook(scenario, at, at[kind], regime) for kind in kinds],
            of=kinds,
            high=most,
            whole=True,
        )
        for regime, name in enumerate(("cards", "wave_cards"))
    )
    hot_first = parameter("hot_first", "0 or 1", 1.0, most=1.0, whole=True)
    return calm, wave, replace(stage_cards, name="stage_cards"), hot_first


def _textbook(scenario: Scenario, at: dict[str, Stage], first: Stage, regime: int) -> float:
    needed = 0.0
    for name, units in first.units.items():
        quantity: Distribution = scenario.demands[name].quantity
        if isinstance(quantity, Regimes):
            quantity = list(quantity.regimes.values())[regime]
        needed += units * quantity.expectation
    periods = sum(at[name].flow_time for name in first.route)
    return cards_of(first, needed, periods)


def priorities(scenario: Scenario) -> dict[str, float]:
    """Return source -> priority: ranks by what has regimes first, then by c mu."""
    at = stages(scenario)

    def key(name: str) -> tuple[bool, float]:
        cost = max((worth(scenario, scenario.demands[d]) for d in at[name].units), default=0.0)
        hot = bool(set(at[name].units) & set(_hot(scenario)))
        return hot, cost / (scenario.sources[name].time_per_unit or 1.0)

    return {name: float(rank) for rank, name in enumerate(sorted(at, key=key))}


def rule(layout: Layout, values: Values) -> Rule:
    """Return the rule with these cards."""
    scenario = layout.scenario
    kinds = first_in_order(scenario)
    calm, wave = (units_of_cards(layout, values[name], kinds) for name in ("cards", "wave_cards"))
    cards = units_of_cards(layout, values["stage_cards"])
    ranks = priorities(scenario) if values["hot_first"][0] else {}
    rule = pull_rule(layout, cards=cards, levels=calm, net=False, priorities=ranks)
    # Of several demands in waves the first one's regime is the time to go by.
    shifts = np.array([wave.get(s, 0.0) - calm.get(s, 0.0) for s in scenario.sources])
    return shifted(layout, rule, f"{_hot(scenario)[0]}.{REGIME}", REGIME, shifts)


def of_kanban(scenario: Scenario, values: Values) -> Values:
    """Return the policy that is kanban with these cards, in every regime."""
    most = line_cards_that_never_bind(scenario, values["cards"])
    stage = {"stage_cards": values["cards"], "hot_first": np.zeros(1)}
    return {"cards": most, "wave_cards": most, **stage}


CONWIP_HOT = Classic(
    "conwip-hot", why_not, parameters, ruled(rule), holds=(Special(KANBAN, of_kanban),)
)
