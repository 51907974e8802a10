"""Look-ahead: what it improves, by how much, and what it must not know."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import agents
import jitgym
from agents.classic import find
from agents.improve.look_ahead import SPLIT, even_draws, paths_for, usual_base
from agents.studies import comparison
from jitgym import ScenarioError, evaluate, exact
from jitgym.control import ViewLayout
from jitgym.plant import Layout
from tests.scenarios import brief, plant

from .test_classic import asked_at


def test_look_ahead_orders_the_quantity_that_is_cheapest_by_hand() -> None:
    """Two units are requested in every period; base-stock at level 1 sells one and pays 9.

    With one more unit it sells both; with two more it would hold one, which costs 1. With two in
    stock, it can serve this period. Then ordering two costs 2 for holding them, and saves 9 for the
    second unit in the next period.
    """
    scenario = plant(
        items={"product": {"holding_cost": 1}},
        demands={"all": {"item": "product", "quantity": 2, "unmet": "lost", "shortage_cost": 9}},
    )
    policy = agents.make("look-ahead:base-stock", scenario, level=1, paths=1, periods=3)
    assert asked_at(policy) == [2]
    assert asked_at(policy, **{"product.stock": 1}) == [1]
    assert asked_at(policy, **{"product.stock": 2}) == [2]


def test_look_ahead_closes_four_fifths_of_the_gap_of_base_stock_on_lost_sales() -> None:
    """The optimum is 4.7285, and the best level, 25, costs 5.1978; all three costs are exact."""
    policy = agents.make("look-ahead", "lost-sales", level=25, paths=64, periods=10)
    cost = exact.evaluate(policy, "lost-sales").cost
    assert 4.7285 < cost < 5.1978 - 0.8 * (5.1978 - 4.7285)


def test_look_ahead_improves_the_policy_that_is_named_as_its_base() -> None:
    scenario = brief("dual-sourcing", 200)
    base = agents.make("single-index", scenario, expedited_level=5, regular_level=6)
    ahead = agents.make(
        "look-ahead:single-index", scenario, expedited_level=5, regular_level=6, caution=0
    )
    costs = [evaluate.rollout(policy, scenario, 8)["cost"].mean() for policy in (base, ahead)]
    assert costs[1] < costs[0]


def test_look_ahead_with_caution_departs_less_often_from_its_base() -> None:
    changed = []
    for caution in (0.0, 1e6):
        given = {"level": 25, "paths": 8, "caution": caution}
        policy: Any = agents.make("look-ahead", "lost-sales", **given)
        state = np.tile(policy.layout.plant.initial, (50, 1))
        state[:, 0] = np.arange(50) % 10
        state[:, 2:5] = np.arange(50)[:, np.newaxis] // 10 + 3
        base = agents.make("base-stock", "lost-sales", level=25)
        view = ViewLayout(policy.layout).of(state)
        asks = [np.asarray(p.act(view, p.start(50)))[:, 0] for p in (policy, base)]
        changed.append(int((asks[0] != asks[1]).sum()))
    assert changed[0] > changed[1]


def test_look_ahead_asks_the_same_whenever_it_sees_the_same_state() -> None:
    """Its asks do not depend on the episode, the batch or earlier states: its tape is its own."""
    scenario = brief("regime-switching", 40)
    rows = evaluate.rollout(agents.make("look-ahead", scenario), scenario, 6, seed=3)["cost"]
    alone = evaluate.rollout(agents.make("look-ahead", scenario), scenario, 2, seed=3)["cost"]
    np.testing.assert_array_equal(rows[:2], alone)


def test_the_draws_of_look_ahead_are_spread_evenly() -> None:
    draws = even_draws((3, 8, 5))
    assert np.array_equal(np.sort(np.floor(draws * 8), axis=1)[0, :, 0], np.arange(8))
    assert draws.min() >= 0
    assert draws.max() < 1
    assert len(np.unique(draws)) == draws.size


def test_look_ahead_draws_recorded_demand_only_from_the_past() -> None:
    """Its paths are in the split `train`, never in the split that judges."""
    assert SPLIT == "train"
    policy: Any = agents.make("look-ahead", brief("recorded-retail", 20), paths=4)
    engine = policy._engine(4)
    assert engine.split == "train"
    assert evaluate.rollout(policy, brief("recorded-retail", 20), 2)["cost"].notna().all()


def test_a_season_also_ends_on_the_paths_of_look_ahead() -> None:
    """In the last period it orders nothing: units that arrive after the end are not sold."""
    scenario = plant(
        items={"product": {"holding_cost": 1}},
        sources={"supplier": {"makes": "product", "lead_time": 1, "unit_cost": 1}},
        demands={"all": {"item": "product", "quantity": 2, "unmet": "lost", "shortage_cost": 9}},
        horizon={"season": 4},
    )
    policy = agents.make("look-ahead:base-stock", scenario, level=2, paths=1)
    assert asked_at(policy) == [2]
    assert asked_at(policy, **{"clock.period": 3}) == [0]


def test_tuning_look_ahead_tunes_its_base() -> None:
    scenario = brief("lost-sales", 60)
    ahead = agents.tune("look-ahead", scenario, seed=1, episodes=4)
    base = agents.tune("base-stock", scenario, seed=1, episodes=4)
    assert ahead.parameters["level"] == base.parameters["level"]
    assert ahead.tuning.candidates == base.tuning.candidates + 2
    with pytest.raises(ScenarioError, match="minimizes cost and cannot be tuned to a target"):
        agents.tune("look-ahead", scenario, target={"fill_rate": 0.9})
    request = comparison.Request(target={"fill_rate": 0.9})
    found = comparison.classics(scenario, ["look-ahead"], request=request)
    assert found.left_out == {"look-ahead": "it minimizes cost and cannot be tuned to a target"}


def test_a_comparison_runs_look_ahead_only_tuned() -> None:
    found = comparison.classics(brief("lost-sales", 20), ["base-stock", "look-ahead"])
    names = [policy.name for policy in found.entrants]
    assert names == ["base-stock (textbook)", "base-stock (tuned)", "look-ahead (tuned)"]


def test_policies_that_act_as_one_batch_ask_the_same_as_alone() -> None:
    one = agents.make("look-ahead", "lost-sales", level=25, paths=8)
    other = agents.make("look-ahead", "lost-sales", level=20, paths=4, periods=9)
    crowd: Any = one.crowd([other], 2)  # type: ignore[attr-defined]
    states = np.array([[3, 5, 4, 0, 0], [9, 0, 0, 1, 0]] * 2, dtype=np.float64)
    layout: Layout = crowd.layout
    state = np.tile(layout.plant.initial, (4, 1))
    state[:, : states.shape[1]] = states
    view = ViewLayout(layout).of(state)
    together = crowd.act(view, crowd.start(4))
    for k, policy in enumerate((one, other)):
        alone = policy.act(view[2 * k : 2 * k + 2], policy.start(2))
        np.testing.assert_array_equal(together[2 * k : 2 * k + 2], alone)


@pytest.mark.parametrize(
    ("scenario", "base"),
    [
        ("lost-sales", "base-stock"),
        ("regime-switching", "regime-base-stock"),
        ("dual-sourcing", "dual-index"),
        ("fixed-cost", "s-S"),
        ("tandem", "base-stock"),
    ],
)
def test_the_base_of_look_ahead_suits_the_plant(scenario: str, base: str) -> None:
    assert usual_base(jitgym.load(scenario)).name == base


def test_the_policy_says_why_it_does_not_apply() -> None:
    hidden = jitgym.load("regime-switching", seen=False)
    assert "the regime of customers is hidden" in agents.why_not("look-ahead", hidden)
    told = {"method": "revealed", "shares": [0.5, 0.5]}
    revealed = jitgym.load("lost-sales", **{"demands.customers.forecast": told})
    assert "as a forecast only" in agents.why_not("look-ahead", revealed)
    assert "the plant is too large" in agents.why_not("look-ahead", "tandem")
    assert paths_for(jitgym.load("tandem")) == 0
    assert "is not a compiled rule" in agents.why_not("look-ahead:mrp", "lost-sales")
    assert "dual-index, its base, does not apply" in agents.why_not(
        "look-ahead:dual-index", "lost-sales"
    )
    with pytest.raises(ScenarioError, match="look-ahead:dual: unknown base policy 'dual'"):
        find("look-ahead:dual")
