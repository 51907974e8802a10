"""Rolling lot sizing on a forecast, and Clark-Scarf levels of a serial system."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import agents
import jitgym
from agents.classic import CLASSICS
from agents.classic.base.forecasting import Forecasts
from agents.classic.planning import silver_meal, wagner_whitin
from agents.classic.pull.clark_scarf import echelon_base_stock, exact
from jitgym import evaluate
from jitgym.plant import lay_out
from tests.scenarios import brief

LOTS = ("wagner-whitin", "silver-meal")


# --- lots ---------------------------------------------------------------------------------------


def test_no_other_plan_costs_less_than_that_of_wagner_and_whitin() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        needs = rng.integers(0, 60, 6) * (rng.random(6) < 0.7)
        lots, cost = wagner_whitin.best_lots(needs, fixed=70, holding=1.5)
        assert cost == pytest.approx(cost_of(lots, needs))
        every = [
            cost_of(lots_from(begins, needs), needs)
            for begins in product((0, 1), repeat=needs.size)
        ]
        assert cost == pytest.approx(min(every))


def lots_from(begins: tuple[int, ...], needs: np.ndarray) -> list[float]:
    """Each lot lasts until the next one; the first period with a need must have a lot."""
    begins = tuple(
        1 if b or (needs[k] and not any(begins[:k])) else 0 for k, b in enumerate(begins)
    )
    starts = [k for k, b in enumerate(begins) if b]
    lots = [0.0] * needs.size
    for start, end in zip(starts, [*starts[1:], needs.size], strict=True):
        lots[start] = float(needs[start:end].sum())
    return lots


def cost_of(lots: list[float], needs: np.ndarray) -> float:
    left = np.cumsum(lots) - np.cumsum(needs)
    if (left < 0).any():
        return float("inf")
    return float(70 * np.count_nonzero(lots) + 1.5 * left.sum())


def test_silver_meal_stops_at_the_first_rise_of_the_mean_cost() -> None:
    needs = np.array([[90, 120, 80, 70], [10, 0, 0, 500], [500, 500, 1, 1]], dtype=np.float64)
    assert silver_meal.first_lot(needs, fixed=500, holding=2).tolist() == [3, 3, 1]


@pytest.mark.parametrize("name", LOTS)
def test_a_lot_is_due_when_the_position_is_at_or_below_the_reorder_point(name: str) -> None:
    scenario = jitgym.load("fixed-cost")  # Poisson demand with mean 10, lead time 0
    policy: Any = agents.make(name, scenario, weight=0)
    point = agents.make("eoq", scenario).parameters["reorder_point"]
    rows = policy.layout.plant.initial.copy()[np.newaxis].repeat(3, axis=0)
    stock = next(part.start for part in policy.layout.state if part.name == "product.stock")
    rows[:, stock] = [point + 1, point, 0]
    asked = policy.asks(rows, policy.start(3))[:, 0]
    assert asked[0] == 0
    # Up to the position of the textbook's reorder point, and some periods of 10 units more.
    assert (asked[1:] + rows[1:, stock] - (point + 1)).tolist() == [30, 30]


@pytest.mark.parametrize("name", LOTS)
def test_rolling_lots_cost_little_more_than_the_best_min_max(name: str) -> None:
    scenario = jitgym.load("fixed-cost")
    rows = evaluate.rollout(agents.make(name, scenario, weight=0), scenario, 64, seed=1)
    assert 35.022 * 0.997 < rows["cost"].mean() < 35.022 * 1.04


@pytest.mark.parametrize("name", LOTS)
def test_rolling_lots_are_whole_and_the_same_if_policies_act_as_one_batch(name: str) -> None:
    scenario = brief("recorded-retail", 12)
    policies: list[Any] = [agents.make(name, scenario, weight=w) for w in (0.1, 0.7)]
    crowd = policies[0].crowd(policies[1:], 2)
    state = np.repeat(policies[0].layout.plant.initial[np.newaxis], 4, axis=0)
    asked = crowd.asks(state, crowd.start(4))
    assert (asked % 12 == 0).all()
    alone = [policy.asks(state[:2], policy.start(2)) for policy in policies]
    np.testing.assert_array_equal(asked, np.concatenate(alone))


@pytest.mark.parametrize("name", LOTS)
def test_rolling_lots_are_refused_without_a_fixed_cost(name: str) -> None:
    assert agents.why_not(name, "lost-sales").startswith("no order has a fixed cost")


def test_a_forecast_in_the_view_replaces_the_smoothed_forecast() -> None:
    told = {"method": "revealed", "shares": [0.3, 0.3]}
    layout = lay_out(jitgym.load("lost-sales", **{"demands.customers.forecast": told}))
    part = next(part for part in layout.state if part.kind == "forecast")
    state = np.zeros((1, layout.cells))
    state[0, part.start : part.stop] = np.arange(part.size) + 7
    forecasts = Forecasts(layout)
    expected = np.full((1, 6, 1), 5.0)
    found = forecasts.shown(state, expected)[0, :, 0]
    assert found.tolist() == [7, 8, 9, 5, 5, 5]
    assert (expected == 5).all()


# --- series -------------------------------------------------------------------------------------


def test_no_levels_near_those_of_clark_and_scarf_cost_less() -> None:
    demands = [np.array([0.3, 0.4, 0.3]), np.array([0.5, 0.2, 0.3])]
    levels, cost = echelon_base_stock(demands, holding=(2, 1), shortage=9)
    others = [
        echelon_base_stock(demands, (2, 1), 9, pair)[1] for pair in product(range(5), repeat=2)
    ]
    assert cost == pytest.approx(min(others))
    assert echelon_base_stock(demands, (2, 1), 9, levels)[1] == cost


def test_clark_scarf_with_one_stage_is_the_newsvendor() -> None:
    scenario = jitgym.load("lost-sales", **{"demands.customers.unmet": "backordered"})
    pair = [agents.make(name, scenario) for name in ("clark-scarf", "base-stock")]
    assert pair[0].parameters == pair[1].parameters


def test_the_recursion_of_clark_and_scarf_gives_the_cost_of_the_serial_system() -> None:
    """The transit to stage 1 is left out, because its lead time is 0: it costs a constant 20."""
    scenario = jitgym.load("serial-system")
    policy = agents.make("clark-scarf", scenario)
    assert policy.parameters == {"levels": [11, 6, 9]}
    cost = evaluate.rollout(policy, scenario, 128, seed=2)["cost"].mean()
    assert cost == pytest.approx(exact(scenario)[1] - 20, rel=0.006)


@pytest.mark.parametrize(
    ("scenario", "given", "reason"),
    [
        ("lost-sales", {}, "it needs demand that is backordered"),
        ("one-warehouse-many-stores", {}, "one demand"),
        ("dual-sourcing", {}, "one source per item"),
        ("serial-system", {"sources.forward.lot_size": 2}, "forward has lot size"),
        ("serial-system", {"items.midstream.shelf_life": 3}, "midstream has shelf life"),
        ("serial-system", {"sources.deliver.consumes": {"midstream": 2}}, "one unit from one unit"),
        ("kanban-line", {}, "the lead time of mill is random"),
    ],
)
def test_clark_scarf_is_refused_where_it_would_not_be_exact(
    scenario: str, given: dict[str, Any], reason: str
) -> None:
    found = CLASSICS["clark-scarf"].why_not(jitgym.load(scenario, **given))
    assert reason in found
    assert "\n" not in found
