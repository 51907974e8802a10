"""Rules of lines: extended kanban and hybrid, their special cases, and their tuning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import agents
import jitgym
from agents.classic import CLASSICS
from agents.classic.base.declaration import Special
from agents.classic.pull import extended_kanban, hybrid
from agents.tuning.space import Space, roles
from jitgym import evaluate
from jitgym.plant import lay_out
from tests.scenarios import brief
from tests.tables import published

from .test_classic import asked_at

LINES = ("tandem", "kanban-line", "serial-system")


INEXACT = {
    # Its cards are finite: they bind if an outage of a supplier lets the backlog grow enough.
    ("extended-kanban", "automotive-line"),
    # Base-stock also counts units above its level downstream, and parts of lots.
    ("generalized-kanban", "kanban-line"),
    ("generalized-kanban", "serial-system"),
    ("generalized-kanban", "content-studio"),
    ("generalized-kanban", "automotive-line"),
    # Observations saturate if an outage lets the backlog grow.
    ("linear", "kanban-line"),
}


def held_in(scenarios: tuple[str, ...], names: tuple[str, ...]) -> list[Any]:
    """Return (policy, a policy that it contains, scenario) for all cases in which both apply."""
    plants = {scenario: jitgym.load(scenario) for scenario in scenarios}
    return [
        pytest.param(name, held, scenario, id=f"{name}-{held.classic.name}-{scenario}")
        for name in names
        for held in CLASSICS[name].holds
        for scenario, plant in plants.items()
        if not CLASSICS[name].why_not(plant) and not held.classic.why_not(plant)
        if (name, scenario) not in INEXACT
        or (name == "generalized-kanban" and held.classic.name == "kanban")
    ]


RICHER = tuple(name for name, classic in CLASSICS.items() if classic.holds)
PLANTS = (*LINES, "content-studio", "automotive-line", "joint-replenishment", "regime-switching")


def test_every_policy_that_contains_another_is_tested_here() -> None:
    assert {param.values[0] for param in held_in(PLANTS, RICHER)} == set(RICHER)


@pytest.mark.parametrize(("name", "held", "scenario"), held_in(PLANTS, RICHER))
def test_a_policy_can_act_as_each_policy_that_it_contains(
    name: str, held: Special, scenario: str
) -> None:
    plant = brief(scenario, 200)
    layout = lay_out(plant)
    values = {p.name: p.textbook for p in held.classic.parameters(plant)}
    general = CLASSICS[name].build(name, layout, held.embed(plant, values))
    simple = held.classic.build(held.classic.name, layout, values)
    costs = [evaluate.rollout(policy, plant, 4)["cost"] for policy in (general, simple)]
    np.testing.assert_allclose(*costs, rtol=1e-9)


@pytest.mark.parametrize(("name", "held", "scenario"), held_in(PLANTS, RICHER))
def test_the_tuner_can_reach_the_policies_that_a_policy_contains(
    name: str, held: Special, scenario: str
) -> None:
    plant = jitgym.load(scenario)
    space = Space(CLASSICS[name].parameters(plant), roles(plant))
    special = held.embed(plant, {p.name: p.textbook for p in held.classic.parameters(plant)})
    reached = space.values(space.point(special))
    for parameter in space.parameters:
        steps = np.abs(reached[parameter.name] - special[parameter.name]) / parameter.step
        assert (steps <= 0.5 + 1e-9).all(), parameter.name


@pytest.mark.parametrize(
    ("name", "held", "scenario"), held_in(LINES, ("hybrid", "extended-kanban"))
)
def test_a_tuned_policy_costs_no_more_than_the_policies_that_it_contains(
    name: str, held: Special, scenario: str
) -> None:
    plant = brief(scenario, 100)
    general = agents.tune(name, plant, seed=2, episodes=4)
    simple = agents.tune(held.classic.name, plant, seed=2, episodes=4)
    assert general.tuning.cost <= simple.tuning.cost * (1 + 1e-12)
    assert general.tuning.periods > simple.tuning.periods


def test_extended_kanban_asks_for_the_smaller_of_cards_and_level() -> None:
    def asks(backlog: float, **given: Any) -> list[float]:
        policy = agents.make("extended-kanban", "tandem", **given)
        stocks = {"part.stock": 2.0, "product.stock": 0.0}
        return asked_at(policy, **stocks, **{"customers.backlog": backlog})

    # Net of backorders the echelons hold 2 - 3 and -3; second asks min(5, 4 + 3) against 5 cards.
    assert asks(3.0, cards=[9, 5], levels=[1, 4]) == [1 + 4 + 1, 5]
    # With 3 cards at the first stage both parts are freed by the second's cards: 3 - 0.
    assert asks(3.0, cards=[3, 5], levels=[1, 4]) == [3, 5]
    # If the level binds, only that many cards are free downstream: 1 of the parts keeps its card.
    assert asks(0.0, cards=[3, 5], levels=[9, 1]) == [3 - 1, 1]


def test_extended_kanban_with_many_cards_is_base_stock_on_the_tandem() -> None:
    row = published("two_station_tandem.csv")[0]
    scenario = jitgym.load("tandem", **{"horizon.ongoing": 20_000, "horizon.warm_up": 2000})
    levels = [int(level) for level in row["base_stock_levels"].split(",")]
    policy = agents.make("extended-kanban", scenario, cards=[200, 200], levels=levels)
    cost = evaluate.rollout(policy, scenario, episodes=32, seed=3)["cost"].mean()
    assert cost == pytest.approx(float(row["base_stock_cost"]), rel=0.03)


def test_the_bounds_of_a_policy_include_the_policies_that_it_contains() -> None:
    for module in (hybrid, extended_kanban):
        for name in ("kanban-line", "automotive-line"):
            plant = jitgym.load(name)
            cards, other = module.parameters(plant)
            (highest,) = CLASSICS["kanban"].parameters(plant)
            embedded = module.of_kanban(plant, {"cards": highest.high})
            assert (embedded["cards"] <= cards.high).all()
            assert (embedded[other.name] <= other.high).all()
