"""Lower bounds: the clairvoyant on tiny tapes by brute force, and below every policy elsewhere."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import agents
import jitgym
from jitgym import exact
from jitgym.evaluate import clairvoyant, closed_loop, rollout
from jitgym.plant import lay_out
from tests.scenarios import brief

PERIODS, MOST = 4, 3


def tiny(**changes: Any) -> jitgym.Scenario:
    """A plant with few periods, so that all orders can be tried."""
    document: dict[str, Any] = {
        "name": "tiny",
        "period": "one day",
        "horizon": {"ongoing": PERIODS},
        "items": {"part": {"holding_cost": 1, "initial_stock": 1}},
        "sources": {"shop": {"makes": "part", "lead_time": 1, "unit_cost": 0.5,
                             "maximum_order": MOST}},
        "demands": {"buyers": {"item": "part", "quantity": {"distribution": "uniform", "low": 0,
                    "high": 3}, "unmet": "backordered", "shortage_cost": 4}},
    }  # fmt: skip
    for path, value in changes.items():
        place: Any = document
        *names, last = path.split("__")
        for name in names:
            place = place[name]
        place[last] = value
    return jitgym.Scenario.from_document(document)


def by_brute_force(scenario: jitgym.Scenario, episode: int) -> float:
    """Return the least cost of all sequences of whole orders on a tape."""
    orders = np.array(list(itertools.product(range(MOST + 1), repeat=PERIODS)), dtype=np.float64)
    engine = closed_loop.at_start(
        lay_out(scenario), "test", 0, np.full(len(orders), episode, dtype=np.int64)
    )
    plant, cost = engine.plant, np.zeros(len(orders))
    weight = plant.average
    for period in range(plant.periods):
        asked = np.zeros((len(orders), engine.asked.shape[1]))
        asked[:, 0] = orders[:, period]
        engine.step(asked)
        if period >= plant.warm_up:
            cost += weight * engine.cost
            weight *= plant.discount
    return float(cost.min())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"demands__buyers__unmet": "lost"},
        {"sources__shop__shipment_cost": 3},
        {"sources__shop__lead_time": 0},
        {"sources__shop__lead_time": {"distribution": "uniform", "low": 1, "high": 2}},
        {"sources__shop__disruption": {"fails": 0.4, "repaired": 0.5}},
        {"sources__shop__in_process_holding_cost": 0.3},
        {"horizon": {"ongoing": PERIODS, "warm_up": 1}},
        {"discount": 0.9},
    ],
)
def test_the_clairvoyant_pays_what_brute_force_finds(changes: dict[str, Any]) -> None:
    scenario = tiny(**changes)
    found = clairvoyant.bound(scenario, 4)
    assert found["solved"].all()
    least = [by_brute_force(scenario, episode) for episode in range(4)]
    np.testing.assert_allclose(found["cost"], least, atol=1e-6)


def test_capacity_and_overtime_bind_the_clairvoyant_too() -> None:
    center = {"time": 1, "overtime": {"time": 1, "cost": 0.7}}
    scenario = tiny(work_centers={"hall": center}, sources__shop__at="hall",
                    sources__shop__time_per_unit=1)  # fmt: skip
    found = clairvoyant.bound(scenario, 4)["cost"]
    least = [by_brute_force(scenario, episode) for episode in range(4)]
    np.testing.assert_allclose(found, least, atol=1e-6)


@pytest.mark.parametrize("name", ["kanban-line", "dual-sourcing", "automotive-line", "line"])
def test_no_policy_costs_less_than_the_clairvoyant_on_the_same_tape(name: str) -> None:
    scenario = brief(name, 60)
    least = clairvoyant.bound(scenario, 3, seconds=1)["cost"].to_numpy()
    for policy in ("base-stock", "kanban"):
        costs = rollout(agents.make(policy, scenario), scenario, 3)["cost"].to_numpy()
        assert (least <= costs + 1e-6).all()
    assert least.max() > 0


def test_orders_arrive_in_the_program_when_they_arrive_in_the_plant() -> None:
    due = np.array([2.0, 2.0, 3.0, 1.0, 2.0, 2.0])
    # Of period 0: age 1 at its end, 2 at the end of period 1, which is due then.
    assert clairvoyant.arrivals(due, 3).tolist() == [1, 3, 3, 3, 5, 6]
    assert clairvoyant.arrivals(due, 0).tolist() == [-1, 0, 1, 2, 3, 4]


def test_demand_on_the_tape_is_that_of_the_plant() -> None:
    scenario = jitgym.load("regime-switching")
    layout = lay_out(scenario)
    world = clairvoyant.world_of(layout, "test", 0, 0)
    rows = rollout(agents.make("base-stock", scenario), scenario, 1)
    assert world.requested[layout.plant.warm_up :].mean() > 0
    assert rows["cost"].notna().all()


@pytest.mark.parametrize(
    ("name", "what"),
    [("perishable", "spoils"), ("print-on-demand", "leave"), ("order-crossover", "overtake")],
)
def test_what_the_program_does_not_know_is_refused_by_name(name: str, what: str) -> None:
    with pytest.raises(jitgym.ScenarioError, match=what):
        clairvoyant.bound(name, 1)


def test_the_optimum_with_a_shorter_lead_time_is_a_bound() -> None:
    scenario = jitgym.load("lost-sales", lead_time=4)
    found = exact.shorter(scenario, memory=2e6)  # as if four periods were too many
    assert found is not None
    assert found.periods >= 1
    assert found.cost < exact.solve(scenario).cost
    assert "lead times that are" in str(found)
    assert exact.shorter("kanban-line", memory=1e6) is None  # its lead time is random


def test_a_lead_time_that_tells_more_is_not_shortened() -> None:
    from jitgym.exact.shorter import eligible

    assert eligible(jitgym.load("lost-sales")) == {"supplier": 4}
    assert eligible(tiny(discount=0.9)) == {}
    assert eligible(tiny(sources__shop__disruption={"fails": 0.1, "repaired": 0.5})) == {}
    assert eligible(tiny(sources__shop__pays_after=2)) == {}
