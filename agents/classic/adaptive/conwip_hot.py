"""CONWIP with cards for each kind of work and each regime (calm or wave), and priorities.

    release of a kind = max(0, cards(regime) - units of that kind in process and in stock)

Every kind of work has its own cards. They limit its releases at the first stage and ignore
backorders (Spearman, Woodruff and Hopp 1990). Every stage has kanban cards too, so that work waits
where it keeps best and a wave is not released all at once (Bonvik, Couch and Gershwin 1997). Every
kind has cards for both regimes, because the others may have to pause during a wave of one kind.
With `hot_first` 1, a work center first serves the kinds whose demand has regimes, then the kind
with the highest shortage cost per unit of time (c mu). With 0, it goes on with what it is set up
for. Cards are in containers. If a kind has as many cards as its stages have together, the policy is
kanban; the tuner also starts from the best kanban.

Textbook sizing: Little's law in each regime, with the allowance of kanban; stages as in kanban.

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
    """Return why the policy does not apply, or nothing."""
    if not _hot(scenario):
        return "no demand has regimes that the view shows"
    if not any(source.consumes for source in scenario.sources.values()):
        return "it needs a line; no source here consumes what another makes"
    return no_states(scenario)


def _hot(scenario: Scenario) -> list[str]:
    return [
        name
        for name, demand in scenario.demands.items()
        if isinstance(demand.quantity, Regimes) and demand.quantity.seen
    ]


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the cards of every kind in each regime, the cards of the stages, and `hot_first`."""
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
    """Return source -> priority: the rank by demand with regimes first, then by c mu."""
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
    # If several demands have regimes, the regime of the first one decides.
    shifts = np.array([wave.get(s, 0.0) - calm.get(s, 0.0) for s in scenario.sources])
    return shifted(layout, rule, f"{_hot(scenario)[0]}.{REGIME}", REGIME, shifts)


def of_kanban(scenario: Scenario, values: Values) -> Values:
    """Return the values with which the policy is kanban with these cards in every regime."""
    most = line_cards_that_never_bind(scenario, values["cards"])
    stage = {"stage_cards": values["cards"], "hot_first": np.zeros(1)}
    return {"cards": most, "wave_cards": most, **stage}


CONWIP_HOT = Classic(
    "conwip-hot", why_not, parameters, ruled(rule), holds=(Special(KANBAN, of_kanban),)
)
