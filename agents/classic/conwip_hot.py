"""CONWIP by kind and regime, hot first: how many of each kind may be under way, wave or calm.

    release of a kind = max(0, cards(regime) - all in process and in stock of that kind)

Every kind of work has cards of its own, given out where it begins and gross of backorders
(Spearman, Woodruff and Hopp 1990), and every stage has kanban cards, so that drafts wait where they
keep best and no wave is released at once (Bonvik, Couch and Gershwin 1997). A kind whose demand has
regimes has cards for each; with `hot_first` 1 it goes first at a work center, then what is dearest
to miss for the time it takes, c mu; with 0 what is set up goes on. Rework is pushed. Cards in
containers.

Textbook sizing: Little's law in each regime, with the allowance of kanban; stages as kanban.

>>> from .kanban import number_of_cards
>>> [number_of_cards(demand=mean, periods=3) for mean in (1, 6)]  # calm and wave, three days
[4, 20]
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from jitgym.control import Policy, RulePolicy, pull_rule
from jitgym.distributions import Regimes
from jitgym.plant import Layout
from jitgym.scenario import Scenario

from . import kanban
from .conwip import first_sources
from .kanban import number_of_cards
from .mrp import rework
from .policy import Classic, Parameter, Values, plain
from .regime_base_stock import REGIME, shifted
from .regime_base_stock import why_not as no_states
from .sizing import Stage, stages, worth


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
    """Return the cards of every kind in the first regime, and of the hot ones in the second."""
    at = stages(scenario)
    kinds = [name for name in at if name in first_sources(scenario)]
    hot = [name for name in kinds if set(at[name].units) & set(_hot(scenario))]
    return (
        _cards("cards", scenario, at, kinds, 0),
        _cards("wave_cards", scenario, at, hot, 1),
        _stages(scenario, at),
        Parameter(
            name="hot_first",
            unit="0 or 1",
            of=("policy",),
            textbook=np.ones(1),
            high=np.ones(1),
            step=np.ones(1),
            most=1.0,
            whole=True,
        ),
    )


def _cards(
    name: str, scenario: Scenario, at: dict[str, Stage], kinds: list[str], regime: int
) -> Parameter:
    textbook = np.array([_textbook(scenario, at, at[kind], regime) for kind in kinds])
    ceilings = np.array([at[kind].ceiling / at[kind].lot for kind in kinds])
    return Parameter(
        name=name,
        unit="containers",
        of=tuple(kinds),
        textbook=textbook,
        high=np.maximum(ceilings, textbook),
        step=np.ones(len(kinds)),
        whole=True,
    )


def _stages(scenario: Scenario, at: dict[str, Stage]) -> Parameter:
    """The cards of kanban, of every stage but rework."""
    (cards,) = kanban.parameters(scenario)
    kept = [k for k, name in enumerate(at) if name not in rework(scenario)]
    return replace(
        cards,
        name="stage_cards",
        of=tuple(cards.of[k] for k in kept),
        textbook=cards.textbook[kept],
        high=cards.high[kept],
        step=cards.step[kept],
    )


def _textbook(scenario: Scenario, at: dict[str, Stage], first: Stage, regime: int) -> float:
    needed = 0.0
    for name, units in first.units.items():
        quantity = scenario.demands[name].quantity
        if isinstance(quantity, Regimes):
            quantity = list(quantity.regimes.values())[regime]
        needed += units * quantity.expectation
    periods = sum(at[name].flow_time for name in first.route)
    return float(max(1, number_of_cards(needed, periods, first.lot)))


def priorities(scenario: Scenario) -> dict[str, float]:
    """Return source -> priority: ranks by what has regimes first, then by c mu."""
    at = stages(scenario)

    def key(name: str) -> tuple[bool, float]:
        cost = max((worth(scenario, scenario.demands[d]) for d in at[name].units), default=0.0)
        hot = bool(set(at[name].units) & set(_hot(scenario)))
        return hot, cost / (scenario.sources[name].time_per_unit or 1.0)

    return {name: float(rank) for rank, name in enumerate(sorted(at, key=key))}


def build(name: str, layout: Layout, values: Values) -> Policy:
    """Return the policy with these cards."""
    scenario = layout.scenario
    calm, wave, stage, _ = parameters(scenario)
    lots = {source: about.lot_size for source, about in scenario.sources.items()}
    levels = {s: n * lots[s] for s, n in zip(calm.of, values["cards"].tolist(), strict=True)}
    cards = {s: n * lots[s] for s, n in zip(stage.of, values["stage_cards"].tolist(), strict=True)}
    ranks = priorities(scenario) if values["hot_first"][0] else {}
    rule = pull_rule(layout, cards=cards, levels=levels, net=False, priorities=ranks)
    for demand in _hot(scenario):
        shifts = np.zeros(len(scenario.sources))
        for source, cards in zip(wave.of, values["wave_cards"].tolist(), strict=True):
            if demand in stages(scenario)[source].units:
                shifts[list(scenario.sources).index(source)] = cards * lots[source] - levels[source]
        rule = shifted(layout, rule, f"{demand}.{REGIME}", REGIME, shifts)
    return RulePolicy(name, layout, rule, plain(values))


CONWIP_HOT = Classic("conwip-hot", why_not, parameters, build)
