"""Classics for a single item: their printed sizes, and their rules."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import agents
import jitgym
from agents.classic.formulas import economic_order
from agents.classic.reorder.min_max import Cycle, PositionCost, best_min_max
from agents.classic.reorder.myopic import myopic_orders
from agents.classic.reorder.myopic_two import myopic_two_orders
from agents.classic.reorder.reorder_batch import best_batch, once_a_period
from jitgym import evaluate, exact
from jitgym.control.masses import mass
from jitgym.distributions import Poisson
from tests.scenarios import brief
from tests.tables import published

from .test_classic import asked_at, assert_batches_equal_the_loop

CATALOG = ("lost-sales", "fixed-cost", "kanban-line", "recorded-retail", "joint-replenishment")


# --- sizes that are printed ---------------------------------------------------------------------


def test_a_quantity_discount_never_raises_the_cost() -> None:
    """Without price breaks both are the plain EOQ; no break raises the cost."""
    plain_cost = 0.75 * 1300 + (2 * 8 * 1300 * 0.225) ** 0.5
    for variant in (economic_order.all_units_discount, economic_order.incremental_discount):
        assert variant(8, 1300, 0.3, (0,), (0.75,))[1] == pytest.approx(plain_cost)
        costs = [variant(8, 1300, 0.3, (0, at), (0.75, 0.70))[1] for at in (5000, 800, 400, 100)]
        assert costs == sorted(costs, reverse=True)
        assert costs[0] <= plain_cost + 1e-9


@pytest.mark.parametrize(
    "row", published("s_S_zheng_federgruen.csv"), ids=lambda row: row["poisson_mean"]
)
def test_min_max_is_sized_as_zheng_and_federgruen_print(row: dict[str, str]) -> None:
    demand = mass(Poisson(mean=float(row["poisson_mean"])))
    given = [float(row[name]) for name in ("fixed_cost", "holding", "backorder")]
    s, top, cost = best_min_max(demand, demand, *given)
    assert (str(s), str(top)) == (row["reorder_point_s"], row["order_up_to_S"])
    assert f"{cost:.3f}" == row["cost"]
    scenario = jitgym.load("fixed-cost", poisson_mean=float(row["poisson_mean"]))
    policy: Any = agents.make("s-S", scenario)
    assert policy.parameters == {"reorder_point": s, "order_up_to": top}


def test_no_other_pair_of_s_and_S_costs_less() -> None:
    demand, covered = mass(Poisson(mean=3)), mass(Poisson(mean=9))
    s, top, cost = best_min_max(demand, covered, fixed=20, holding=1, shortage=6)
    cycle = Cycle(demand, PositionCost(covered, 1, 6), fixed=20)
    others = [
        cycle.cost(low, high) for low, high in product(range(-3, 20), range(40)) if low < high
    ]
    assert cost == pytest.approx(min(others), rel=1e-12)
    assert cycle.cost(s, top) == pytest.approx(cost, rel=1e-12)
    # Without a fixed cost it is base-stock.
    s, top, _ = best_min_max(demand, covered, fixed=0, holding=1, shortage=6)
    assert s == top - 1


def test_reorder_batch_costs_what_its_sizing_says_and_little_more_than_min_max() -> None:
    demand = mass(Poisson(mean=10))
    point, quantity, cost = best_batch(demand, once_a_period(demand), 64, holding=1, shortage=9)
    assert 35.022 < cost < 35.022 * 1.02
    scenario = jitgym.load("fixed-cost")
    policy: Any = agents.make("r-nQ", scenario)
    assert policy.parameters == {"quantity": quantity, "reorder_point": point}
    rows = evaluate.rollout(policy, scenario, 128, seed=1)
    assert rows["cost"].mean() == pytest.approx(cost, rel=0.003)


def test_the_batches_of_reorder_batch_are_whole_lots() -> None:
    scenario = jitgym.load("fixed-cost", **{"sources.supplier.lot_size": 6})
    policy: Any = agents.make("r-nQ", scenario)
    assert policy.parameters["quantity"] % 6 == 0


# --- the rules ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("position", "asked"), [(21, 0), (7, 0), (6, 34), (0, 40)])
def test_min_max_orders_up_to_max_at_or_below_min(position: float, asked: float) -> None:
    policy = agents.make("s-S", "fixed-cost", reorder_point=6, order_up_to=40)
    assert asked_at(policy, **{"product.stock": position}) == [asked]


def test_min_max_costs_what_is_published() -> None:
    scenario = jitgym.load("fixed-cost")
    rows = evaluate.rollout(agents.make("s-S", scenario), scenario, 256, seed=1)
    assert rows["cost"].mean() == pytest.approx(35.022, rel=0.003)


def test_periodic_review_with_interval_two_orders_only_in_every_second_period() -> None:
    policy: Any = agents.make("R-S", "fixed-cost", interval=2, level=30)
    memory = policy.start(1)
    state = policy.layout.plant.initial.copy()[np.newaxis]
    asks = [policy.asks(state, memory)[0, 0] for _ in range(5)]
    assert asks == [10, 0, 10, 0, 10]  # 20 in stock
    assert memory.tolist() == [[5]]


def test_periodic_review_with_interval_one_is_base_stock() -> None:
    scenario = brief("lost-sales", 40)
    costs = [
        evaluate.rollout(policy, scenario, 8)["cost"]
        for policy in (
            agents.make("R-S", scenario, interval=1, level=25),
            agents.make("base-stock", scenario, level=25),
        )
    ]
    np.testing.assert_array_equal(*costs)


def test_a_myopic_order_covers_the_period_of_its_arrival() -> None:
    """It is compared with every single order, on sales paths that are enumerated here."""
    demand, lead_time, ratio = np.array([0.3, 0.3, 0.4]), 3, 0.8
    stock, coming = 2.0, (1.0, 0.0)

    def covered(order: int) -> float:
        chance = 0.0
        for path in product(range(3), repeat=lead_time + 1):
            left = stock
            for period, asked in enumerate(path[:-1]):
                left = max(0.0, left - asked)
                left += coming[period] if period < lead_time - 1 else order
            chance += (left >= path[-1]) * float(np.prod([demand[d] for d in path]))
        return chance

    best = next(order for order in range(9) if covered(order) >= ratio)
    stocks = np.array([stock, 0.0])
    rows = np.array([coming, (0.0, 5.0)])
    found = myopic_orders(stocks, rows, lead_time, demand, ratio, most=8)
    assert found.tolist() == [best, 0]


def test_myopic_two_covers_two_periods_and_chooses_the_next_order_later() -> None:
    """It is compared with every pair of orders, on demand paths that are enumerated here."""
    demand, lead_time, ratio, most = np.array([0.3, 0.3, 0.4]), 2, 0.8, 4
    stock, coming = 2.0, 1.0

    def cost(there: float, asked: int) -> float:
        return (1 - ratio) * max(there - asked, 0.0) + ratio * max(asked - there, 0.0)

    def expected(order: int) -> float:
        total = 0.0
        for today, chance in enumerate(demand):
            later = {order_then: 0.0 for order_then in range(most + 1)}
            for path in product(range(3), repeat=3):  # demand 1, 2 and 3 periods from now
                weight = chance * float(np.prod(demand[list(path)]))
                left = max(max(stock - today, 0.0) + coming - path[0], 0.0) + order
                total += weight * cost(left, path[1])
                for order_then in later:
                    after = max(left - path[1], 0.0) + order_then
                    later[order_then] += weight * cost(after, path[2])
            total += min(later.values())
        return total

    best = min(range(most + 1), key=expected)
    assert expected(best) < min(expected(q) for q in range(most + 1) if q != best) - 1e-3
    given = np.array([stock, 0.0]), np.array([[coming], [6.0]])
    found = myopic_two_orders(*given, lead_time, demand, np.full((2, 1), ratio), most)
    assert found.tolist() == [best, 0]


def test_myopic_two_is_much_nearer_to_the_optimum_than_myopic() -> None:
    """Zipkin (2008), Poisson demand, L = 4, p = 4: the optimum is 4.7285."""
    costs = {
        name: exact.evaluate(agents.make(name, "lost-sales"), "lost-sales").cost
        for name in ("myopic", "myopic-2")
    }
    assert costs == pytest.approx({"myopic": 5.0628, "myopic-2": 4.8171}, abs=1e-4)


def test_myopic_costs_less_than_base_stock_and_more_than_the_optimum() -> None:
    scenario = jitgym.load("lost-sales", **{"horizon.ongoing": 500, "horizon.warm_up": 100})
    best = agents.make("base-stock", scenario, level=25)
    costs = [
        evaluate.rollout(policy, scenario, 128, seed=1)["cost"].mean()
        for policy in (agents.make("myopic", scenario), best)
    ]
    assert 4.7285 < costs[0] < costs[1]


PAIRS = [
    (name, scenario)
    for name in ("s-S", "r-nQ", "R-S", "myopic", "myopic-2")
    for scenario in CATALOG
    if not agents.why_not(name, scenario)
]


@pytest.mark.parametrize(("name", "scenario"), PAIRS)
def test_single_item_rules_give_the_same_rows_in_batches_and_in_the_loop(
    name: str, scenario: str
) -> None:
    policy = agents.make(name, brief(scenario, 40))
    assert (policy.rule is None) == (name in ("R-S", "myopic", "myopic-2"))
    assert_batches_equal_the_loop(policy, brief(scenario, 40))


@pytest.mark.parametrize("name", ["s-S", "r-nQ", "R-S", "myopic", "myopic-2"])
def test_tuned_single_item_policies_cost_no_more_than_textbook_ones(name: str) -> None:
    plant = brief("lost-sales" if name.startswith("myopic") else "fixed-cost", 60)
    tuning = agents.tune(name, plant, seed=1, episodes=4).tuning
    assert tuning.cost <= tuning.textbook_cost


def test_myopic_says_why_it_does_not_apply() -> None:
    assert agents.why_not("myopic", "fixed-cost") == "demand waits here, so use base-stock"
    assert agents.why_not("myopic", "kanban-line").startswith("it needs a single item")
    assert "spoils" in agents.why_not("myopic", "perishable")
    assert "random" in agents.why_not("myopic", "recorded-retail")
    assert agents.why_not("myopic-2", "fixed-cost") == agents.why_not("myopic", "fixed-cost")
    at_once = jitgym.load("lost-sales", lead_time=0)
    assert agents.why_not("myopic", at_once) == ""
    assert "so use myopic" in agents.why_not("myopic-2", at_once)
    much = jitgym.load("lost-sales", mean=20)
    assert agents.why_not("myopic", much) == ""
    assert "above 100 units" in agents.why_not("myopic-2", much)
