"""Generalized and adaptive kanban, longest queue, Croston and TSB: their asks, computed by hand."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import pytest

import agents
import jitgym
from agents.classic.adaptive.intermittent import revise_croston, revise_tsb
from jitgym import evaluate
from jitgym.plant import lay_out
from jitgym.scenario import Scenario
from tests.scenarios import Probe, brief, plant

from .test_classic import asked_at, row_at


def two_stations(lead_time: int) -> Scenario:
    return plant(
        items={"part": {"initial_stock": 3}, "product": {"initial_stock": 2}},
        sources={
            "first": {"makes": "part", "lead_time": lead_time},
            "second": {"makes": "product", "consumes": {"part": 1}, "lead_time": 1},
        },
        demands={
            "customers": {
                "item": "product",
                "quantity": {"distribution": "poisson", "mean": 1.5},
                "unmet": "backordered",
            }
        },
    )


def by_counters(
    cards: tuple[int, int], levels: tuple[int, int], demands: list[int], lead_time: int
) -> list[tuple[int, int]]:
    """The asks of generalized kanban from its cumulative counters T = min(D, K - S + R).

    Requests and free cards are counted, and parts flow one by one, in jitgym's order of events.
    """
    made = [0, 0]  # P: parts that came out of each station
    started = [0, 0]
    coming = [deque([0] * lead_time), deque([0])]  # what is granted last stands first
    requested, asks = 0, []
    for demand in demands:
        passed = [0, 0]
        wanted = requested  # D of the last station: all customers so far
        for k in (1, 0):
            handed_on = min(wanted, levels[k] + made[k])
            passed[k] = min(wanted, cards[k] - levels[k] + handed_on)
            wanted = passed[k]
        ask = [passed[k] - started[k] for k in (0, 1)]
        asks.append((ask[0], ask[1]))
        part_stock = levels[0] + made[0] - started[1]
        start = [ask[0], min(ask[1], part_stock)]
        for k in (0, 1):
            started[k] += start[k]
            coming[k][0] = start[k]
        requested += demand
        for k in (0, 1):
            made[k] += coming[k].pop()
            coming[k].appendleft(0)
    return asks


@pytest.mark.parametrize(
    ("cards", "levels"), [((5, 4), (3, 2)), ((3, 2), (3, 2)), ((4, 9), (3, 2)), ((9, 2), (3, 2))]
)
@pytest.mark.parametrize("lead_time", [1, 3])
def test_generalized_kanban_asks_as_its_counters_would(
    cards: tuple[int, int], levels: tuple[int, int], lead_time: int
) -> None:
    scenario = two_stations(lead_time)
    policy: Any = agents.make("generalized-kanban", scenario, cards=cards, levels=levels)
    probe, asked, demands = Probe(scenario, seed=4), [], []
    for _ in range(60):
        row = policy.asks(probe.engine.state.copy(), np.empty((1, 0)))[0]
        asked.append(tuple(row.astype(int).tolist()))
        flows = probe.step(first=row[0], second=row[1])
        demands.append(int(flows["customers.requested"]))
    assert asked == by_counters(cards, levels, demands, lead_time)


def test_adaptive_kanban_adds_cards_while_stock_is_short_and_takes_them_out() -> None:
    given = {"cards": 5, "extra": 3, "release": 0, "capture": 2}
    policy: Any = agents.make("adaptive-kanban", "tandem", **given)
    layout = policy.layout
    cells = {part.name: part.start for part in layout.state}
    memory, seen = policy.start(1), []
    for stock, backlog, last in [(3, 0, 9), (0, 1, 2), (0, 1, 2), (2, 0, 1), (3, 0, 1), (3, 0, 9)]:
        state = np.zeros((1, layout.cells))
        state[0, cells["product.stock"]] = stock
        state[0, cells["customers.backlog"]] = backlog
        state[0, layout.plant.demands["last"]] = last
        asked = policy.asks(state, memory)
        seen.append((memory[0, 0], asked[0, list(layout.scenario.sources).index("first")]))
    assert seen == [(0, 2), (2, 7), (3, 8), (3, 6), (2, 4), (0, 2)]


def test_adaptive_kanban_without_extra_cards_is_conwip() -> None:
    scenario = brief("kanban-line", 200)
    pair = [
        agents.make("adaptive-kanban", scenario, extra=0),
        agents.make("conwip", scenario),
    ]
    costs = [evaluate.rollout(policy, scenario, 4)["cost"] for policy in pair]
    np.testing.assert_allclose(*costs, rtol=1e-12)


def press() -> Scenario:
    """Two products on one press, one of them slow."""
    return plant(
        items={"door": {"holding_cost": 1}, "hood": {"holding_cost": 1}},
        work_centers={"press": {"time": 10}},
        sources={
            "doors": {"makes": "door", "at": "press", "time_per_unit": 1, "setup_time": 1},
            "hoods": {"makes": "hood", "at": "press", "time_per_unit": 3, "setup_time": 1},
        },
        demands={
            name: {"item": item, "quantity": 1, "unmet": "backordered", "shortage_cost": 5}
            for name, item in (("a", "door"), ("b", "hood"))
        },
    )


def test_longest_queue_counts_work_and_finishes_what_is_set_up() -> None:
    policy = agents.make("longest-queue", press(), levels=[9, 5])
    assert row_at(policy)[:4] == [9, 5, 9, 15]
    assert row_at(policy, **{"press.setup": 1})[:4] == [9, 5, 16, 15]
    # The press is set up for doors, but none are missing, so hoods are next.
    done = row_at(policy, **{"press.setup": 1, "door.stock": 9})
    assert done[:2] == [0, 5]
    rows = evaluate.rollout(policy, press(), 4)
    assert rows["throughput"].mean() > 1.8


def test_longest_queue_is_refused_where_no_work_center_has_a_choice() -> None:
    assert agents.why_not("longest-queue", "kanban-line").startswith("no work center has two")


def now_and_then() -> Scenario:
    quantity = {
        "distribution": "intermittent",
        "probability": 0.25,
        "quantity": {"distribution": "uniform", "low": 1, "high": 11},
    }
    demand = {"item": "product", "quantity": quantity, "unmet": "backordered", "shortage_cost": 9}
    return plant(
        items={"product": {"holding_cost": 1}},
        sources={"supplier": {"makes": "product", "lead_time": 2}},
        demands={"customers": demand},
    )


def test_croston_and_tsb_estimate_the_mean_of_intermittent_demand() -> None:
    rng = np.random.default_rng(1)
    demand = np.where(rng.random((4000, 200)) < 0.25, rng.integers(1, 12, (4000, 200)), 0.0)
    croston, tsb = np.tile([6.0, 4.0, 1.0], (200, 1)), np.tile([6.0, 0.25, 1.0], (200, 1))
    means = np.zeros(2)
    for row in demand:
        means += revise_croston(croston, row, 0.1).mean(), revise_tsb(tsb, row, 0.1).mean()
    found = means / len(demand)
    assert found[1] == pytest.approx(1.5, rel=0.01)
    assert found[0] == pytest.approx(1.5, rel=0.04)  # the correction is approximate


@pytest.mark.parametrize("name", ["croston", "tsb"])
def test_policies_with_intermittent_forecasts_can_be_tuned(name: str) -> None:
    scenario = now_and_then()
    still = evaluate.rollout(agents.make(name, scenario, weight=0), scenario, 4)["cost"]
    fixed = evaluate.rollout(agents.make("base-stock", scenario), scenario, 4)["cost"]
    np.testing.assert_allclose(still, fixed, rtol=1e-12)
    tuning = agents.tune(name, scenario, episodes=4).tuning
    assert tuning.cost <= tuning.textbook_cost
    assert agents.why_not(name, "kanban-line").startswith("demand occurs in nearly every period")


@pytest.mark.parametrize("name", ["croston", "tsb"])
def test_intermittent_forecasts_equal_those_that_the_plant_shows(name: str) -> None:
    """The scenario's causal forecast of recorded demand, computed again from the view."""
    method = {"method": name, "weight": 0.3}
    scenario = jitgym.load("recorded-retail", **{"demands.customers.forecast": method})
    probe = Probe(scenario, split="test")
    layout = lay_out(scenario)
    revise = revise_croston if name == "croston" else revise_tsb
    smoothed = next(part for part in layout.state if part.what == "smoothed")
    memory = probe.engine.state[:, smoothed.start : smoothed.stop].copy()
    for _ in range(30):
        flows = probe.step()
        mine = revise(memory, np.array([flows["customers.requested"]]), 0.3)
        assert mine[0] == pytest.approx(probe["customers.forecast"], rel=1e-9)


def test_generalized_kanban_asks_for_the_smaller_of_level_and_cards() -> None:
    policy = agents.make("generalized-kanban", "tandem", cards=[4, 3], levels=[3, 2])
    # The last station owes 2 + 4, and its cards allow 3. It asks the first one, which has 1, for 3.
    asked = asked_at(policy, **{"customers.backlog": 4, "part.stock": 1})
    assert asked == [min(3 - (1 - 3), 4), 3]


# --- the linear rule on what a learner sees -------------------------------------------------------


def test_the_linear_rule_sees_what_the_environment_shows() -> None:
    import gymnasium

    policy: Any = agents.make("linear", "regime-switching")
    names = agents.classic.CLASSICS["linear"].parameters(jitgym.load("regime-switching"))[1].of
    env = gymnasium.make("jitgym/RegimeSwitching-v0")
    assert len(names) == env.observation_space.shape[0]
    # Each entry alone, with w0 = 0: minus the weight times the entry (in units, if it has a unit).
    entries = list(names)
    regime = next(k for k, name in enumerate(entries) if "regime" in name)
    stock = next(k for k, name in enumerate(entries) if name.endswith(".stock"))
    weights = np.zeros(len(entries))
    weights[regime], weights[stock] = -7, -0.5
    policy = agents.make("linear", "regime-switching", level=0, weights=weights.tolist())
    shown = entries[regime].split("=")[-1]
    quantity: Any = next(iter(policy.layout.scenario.demands.values())).quantity
    number = float(list(quantity.regimes).index(shown))
    regime_cell = next(part.name for part in policy.layout.state if part.what == "regime")
    stock_cell = entries[stock].split(": ")[1]
    assert asked_at(policy, **{stock_cell: 8, regime_cell: number}) == [7 + 4]
    assert asked_at(policy, **{stock_cell: 8, regime_cell: 1 - number}) == [4]
    assert asked_at(policy, **{stock_cell: 1e6, regime_cell: number}) == [7 + 5e5]


def test_the_linear_rule_gains_from_information_that_base_stock_ignores() -> None:
    scenario = brief("regime-switching", 200)
    linear, level = (
        agents.tune(name, scenario, seed=0, episodes=20) for name in ("linear", "base-stock")
    )
    assert linear.tuning.cost < 0.75 * level.tuning.cost


def test_a_linear_rule_with_too_many_numbers_is_refused() -> None:
    reason = agents.why_not("linear", "fast-fashion")
    assert "parameters; the search can handle at most 80" in reason
