"""Storage limits what is on hand after serving; goods for waiting customers pass through."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jitgym import ScenarioError, exact
from jitgym.control import RulePolicy, pull_rule
from jitgym.evaluate import rollout
from jitgym.plant import lay_out
from jitgym.scenario import Scenario
from tests.scenarios import Probe, plant

COINS = {"distribution": "binomial", "trials": 3, "probability": 0.5}


def customers(quantity: Any, unmet: Any = "backordered", **more: Any) -> dict[str, Any]:
    return {"item": "product", "quantity": quantity, "unmet": unmet, "shortage_cost": 9, **more}


def far_supplier(storage: float, lead_time: int = 3, **demand: Any) -> Scenario:
    return plant(
        items={"product": {"storage": storage, "holding_cost": 1}},
        sources={"supplier": {"makes": "product", "lead_time": lead_time}},
        demands={"customers": customers({"distribution": "poisson", "mean": 6}, **demand)},
        horizon={"ongoing": 1000, "warm_up": 200},
    )


def test_a_small_storage_limits_the_stock_and_not_what_passes_through() -> None:
    """Storage 20, lead time 3, Poisson 6: all demand is served, with base-stock level 20."""
    scenario = far_supplier(20)
    layout = lay_out(scenario)
    policy = RulePolicy("level 60", layout, pull_rule(layout, levels={"supplier": 60.0}))
    rows = rollout(policy, scenario, episodes=16)
    assert rows["throughput"].mean() == pytest.approx(6, rel=0.01)
    assert rows["backlog"].mean() < 20  # the storage is the level: 6 x 4 periods of demand for 20
    same = rollout(
        RulePolicy("level 20", layout, pull_rule(layout, levels={"supplier": 20.0})),
        scenario,
        episodes=16,
    )
    assert rows["cost"].tolist() == same["cost"].tolist()


def test_the_room_counts_the_backlog_of_all_demands_and_what_waits_to_ship() -> None:
    scenario = plant(
        items={"product": {"storage": 5, "initial_stock": 5}},
        sources={
            "near": {"makes": "product", "lead_time": 1},
            "far": {"makes": "product", "lead_time": 3, "partial": {"share": 0.5, "rest": "later"}},
        },
        demands={
            "first": customers(7),
            "second": customers(4, {"backordered": 1.0}),
            "third": customers(2, "lost"),
        },
    )
    probe = Probe(scenario)
    first = probe.step(near=100, far=100)
    assert (first["near.granted"], first["far.granted"]) == (0, 0)  # full
    assert (probe["first.backlog"], probe["second.backlog"]) == (2, 4)
    second = probe.step(near=0, far=100)
    assert second["far.granted"] == 5 + 6  # 5 ship, 6 wait to ship
    assert (probe["far.in_process"], probe["far.unshipped"]) == (5, 6)
    third = probe.step(near=100, far=100)
    assert (third["near.granted"], third["far.granted"]) == (11, 0)  # new waiting customers


def test_units_for_waiting_customers_with_lead_time_zero_need_no_storage() -> None:
    scenario = plant(items={"product": {"storage": 3}}, demands={"customers": customers(4)})
    probe = Probe(scenario)
    probe.step(supplier=0)
    flows = probe.step(supplier=100)
    assert flows["supplier.granted"] == 3 + 4
    assert (flows["product.on_hand"], probe["customers.backlog"]) == (0, 1)


def test_a_material_needs_storage_but_products_for_waiting_customers_do_not() -> None:
    scenario = plant(
        items={"part": {"storage": 2}, "product": {"storage": 1}},
        sources={
            "parts": {"makes": "part"},
            "making": {"makes": "product", "consumes": {"part": 1}},
        },
        demands={"customers": customers(1)},
    )
    probe = Probe(scenario)
    for _ in range(40):
        flows = probe.step(parts=100, making=100)
        assert flows["part.on_hand"] <= 2
        assert flows["product.on_hand"] <= 1
        assert flows["parts.granted"] <= 2  # only sources that consume parts wait for them
    assert probe["customers.backlog"] < 5


@pytest.mark.parametrize(
    ("storage", "source", "least"),
    [
        (4, {"lot_size": 5}, "5"),
        (0, {}, "1"),
        (9, {"minimum_order": 10}, "10"),
        (10, {"minimum_order": 10, "lot_size": 4}, "12"),
    ],
)
def test_a_storage_below_a_lot_or_a_minimum_order_is_refused(
    storage: float, source: dict[str, Any], least: str
) -> None:
    with pytest.raises(ScenarioError, match=r"items\.product\.storage") as refused:
        plant(
            items={"product": {"storage": storage}},
            sources={
                "bound": {"makes": "product"} | source,
                "free": {"makes": "product"},
            },
        )
    assert f"'bound' delivers at least {least}," in str(refused.value)


@pytest.mark.parametrize(
    ("storage", "source"), [(0.9, {"lot_size": 0.3, "minimum_order": 0.9}), (12, {"lot_size": 4})]
)
def test_a_storage_of_exactly_one_minimum_order_is_enough(
    storage: float, source: dict[str, Any]
) -> None:
    scenario = plant(
        items={"product": {"storage": storage}}, sources={"supplier": {"makes": "product"} | source}
    )
    assert Probe(scenario).step(supplier=100)["supplier.granted"] == pytest.approx(storage)


def test_the_exact_optimum_of_a_storage_with_backorders_is_a_base_stock_level() -> None:
    """Storage costs nothing where it does not bind, and something where it does."""

    def optimum(storage: float | None) -> float:
        item = {"holding_cost": 1} | ({} if storage is None else {"storage": storage})
        return exact.solve(
            plant(
                items={"product": item},
                sources={"supplier": {"makes": "product", "lead_time": 1}},
                demands={"customers": customers(COINS)},
            )
        ).cost

    free = optimum(None)
    assert optimum(30) == pytest.approx(free, rel=1e-6)
    tight = optimum(1)
    assert tight > free + 0.1
    # With room for one unit an order brings the position to 1, less the demand of two periods.
    mass = np.array([1, 6, 15, 20, 15, 6, 1]) / 64  # demand of two periods
    left = 1 - np.arange(7)
    expected = float(mass @ (np.maximum(left, 0) + 9 * np.maximum(-left, 0)))
    assert tight == pytest.approx(expected, rel=1e-6)
