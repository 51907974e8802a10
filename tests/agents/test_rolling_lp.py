"""The rolling linear program: plans that can be checked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import agents
import jitgym
from jitgym import evaluate
from jitgym.control import ViewLayout
from jitgym.scenario import Scenario
from tests.scenarios import plant

from .test_classic import asked_at


def asked(scenario: Scenario, safety: float = 0, **cells: float) -> list[float]:
    """Return the asks of the first plan, from the initial state with these cells changed."""
    given = {"safety": safety}
    if any(map(scenario.consumers_of, scenario.items)):
        given["safety_upstream"] = 0
    return asked_at(agents.make("rolling-lp", scenario, **given), **cells)


def waiting(quantity: Any, item: str = "product", cost: float = 9) -> dict[str, Any]:
    return {
        "customers": {
            "item": item,
            "quantity": quantity,
            "unmet": "backordered",
            "shortage_cost": cost,
        }
    }


def test_rolling_lp_orders_what_will_be_missing_when_the_order_arrives() -> None:
    """Five are in stock, four leave today and four tomorrow, so three more are ordered."""
    scenario = plant(
        items={"product": {"holding_cost": 1, "initial_stock": 5}},
        sources={"supplier": {"makes": "product", "lead_time": 1}},
        demands=waiting(4),
    )
    assert asked(scenario) == [3]
    assert asked(scenario, **{"customers.backlog": 2}) == [5]


def test_rolling_lp_also_orders_safety_stock() -> None:
    """Poisson 4 has standard deviation 2, over two periods 2.83; 1.5 times that is 4.24."""
    scenario = plant(
        items={"product": {"holding_cost": 1, "initial_stock": 5}},
        sources={"supplier": {"makes": "product", "lead_time": 1}},
        demands=waiting({"distribution": "poisson", "mean": 4}),
    )
    assert asked(scenario) == [3]
    assert asked(scenario, safety=1.5) == [7]


def test_rolling_lp_makes_ahead_what_a_work_center_cannot_make_in_time() -> None:
    """Eight are requested every second period, and five can be made per period: three before."""
    scenario = plant(
        items={"product": {"holding_cost": 1}},
        work_centers={"press": {"time": 5}},
        sources={"pressing": {"makes": "product", "at": "press", "time_per_unit": 1}},
        demands={"customers": {**waiting(4)["customers"], "pattern": [0, 2]}},
    )
    assert asked(scenario) == [3]


def test_rolling_lp_plans_no_work_for_a_center_that_is_down() -> None:
    scenario = plant(
        items={"product": {"holding_cost": 1}},
        work_centers={"press": {"time": 9, "breakdown": {"fails": 0.1, "repaired": 0.4}}},
        sources={"pressing": {"makes": "product", "at": "press", "time_per_unit": 1}},
        demands=waiting(4),
    )
    assert asked(scenario)[0] >= 4
    assert asked(scenario, **{"press.up": 0}) == [0]


def test_rolling_lp_orders_materials_through_the_bill_of_materials() -> None:
    """Three products per period need two parts each; four parts in stock make two today."""
    scenario = plant(
        items={"part": {"holding_cost": 1, "initial_stock": 4}, "product": {"holding_cost": 5}},
        sources={
            "supplier": {"makes": "part", "lead_time": 1},
            "assembly": {"makes": "product", "consumes": {"part": 2}},
        },
        demands=waiting(3, cost=50),
    )
    assert asked(scenario) == [2 * (3 + 1), 2]


def test_rolling_lp_uses_the_cheap_source_and_the_quick_one_only_if_stock_is_short() -> None:
    scenario = plant(
        items={"product": {"holding_cost": 1, "initial_stock": 8}},
        sources={
            "slow": {"makes": "product", "lead_time": 2, "unit_cost": 1},
            "quick": {"makes": "product", "lead_time": 0, "unit_cost": 4},
        },
        demands=waiting(4),
    )
    assert asked(scenario) == [4, 0]
    assert asked(scenario, **{"product.stock": 0}) == [4, 4]


def test_rolling_lp_orders_whole_lots() -> None:
    scenario = plant(
        items={"product": {"holding_cost": 1}},
        sources={"supplier": {"makes": "product", "lot_size": 6}},
        demands=waiting(8),
    )
    assert asked(scenario) == [6]
    assert asked(scenario, **{"customers.backlog": 1}) == [12]


def test_rolling_lp_orders_nothing_from_a_supplier_that_is_down() -> None:
    down = {"fails": 0.1, "repaired": 0.5}
    scenario = plant(
        items={"product": {"holding_cost": 1}},
        sources={"supplier": {"makes": "product", "disruption": down}},
        demands=waiting(8),
    )
    assert asked(scenario) == [8]
    assert asked(scenario, **{"supplier.up": 0}) == [0]


def test_rolling_lp_follows_the_forecast_in_the_view() -> None:
    scenario = plant(
        items={"product": {"holding_cost": 1}},
        demands={
            "customers": {
                **waiting({"distribution": "poisson", "mean": 6})["customers"],
                "forecast": {"method": "revealed", "shares": [0.5, 0.5]},
            }
        },
    )
    policy: Any = agents.make("rolling-lp", scenario, safety=0)
    state = policy.layout.plant.initial[np.newaxis].copy()
    (part,) = (part for part in policy.layout.state if part.name == "customers.forecast")
    state[:, part.start] = 9
    assert policy.asks(state, policy.start(1)).tolist() == [[9]]


def test_rows_of_rolling_lp_do_not_depend_on_the_batch() -> None:
    scenario = jitgym.load("kanban-line", **{"horizon.ongoing": 20, "horizon.warm_up": 5})
    rows = evaluate.rollout(agents.make("rolling-lp", scenario), scenario, 4, seed=2)["cost"]
    alone = evaluate.rollout(agents.make("rolling-lp", scenario), scenario, 1, seed=2)["cost"]
    assert rows[0] == alone[0]


def test_rolling_lp_is_tuned_with_few_trials() -> None:
    scenario = jitgym.load("lost-sales", **{"horizon.ongoing": 40, "horizon.warm_up": 10})
    tuned = agents.tune("rolling-lp", scenario, seed=1, episodes=1)
    assert tuned.tuning.cost <= tuned.tuning.textbook_cost
    assert tuned.tuning.candidates <= 40


def test_policies_that_act_as_one_batch_ask_the_same_as_alone() -> None:
    scenario = jitgym.load("kanban-line")
    one: Any = agents.make("rolling-lp", scenario)
    other = agents.make("rolling-lp", scenario, safety=3, safety_upstream=2)
    crowd = one.crowd([other], 1)
    view = ViewLayout(one.layout).of(np.tile(one.layout.plant.initial, (2, 1)))
    together = crowd.act(view, crowd.start(2))
    for k, policy in enumerate((one, other)):
        np.testing.assert_array_equal(together[k], policy.act(view[k : k + 1], policy.start(1))[0])


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        ("tandem", "one by one"),
        ("perishable", "product has a shelf life"),
        ("fixed-cost", "large fixed cost, which is not linear"),
        ("joint-replenishment", "shares a truck"),
        ("automotive-line", "takes setups at a shared work center"),
        ("content-studio", "works on by-products"),
    ],
)
def test_the_policy_says_why_it_does_not_apply(scenario: str, reason: str) -> None:
    assert reason in agents.why_not("rolling-lp", scenario)


def test_rolling_lp_refuses_a_plant_that_would_take_hours() -> None:
    long = jitgym.load("kanban-line", **{"horizon.ongoing": 20_000})
    assert "too large" in agents.why_not("rolling-lp", long)
