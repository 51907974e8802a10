"""Textbook sizes know what limits an order: no policy of the registry is absurd on a small plant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import agents
from agents.classic import CLASSICS
from jitgym import evaluate
from jitgym.scenario import Scenario
from tests.scenarios import plant

PERIODS = 200
SLOW = {"rolling-lp", "look-ahead", "myopic-2"}


def single(seed: int) -> Scenario:
    """A random item with one source, and what may limit its orders."""
    rng = np.random.default_rng(seed)
    pick = lambda *values: values[rng.integers(len(values))]  # noqa: E731
    mean = pick(2, 5, 12)
    kind = pick("poisson", "geometric", "deterministic")
    demand: Any = mean if kind == "deterministic" else {"distribution": kind, "mean": mean}
    source: dict[str, Any] = {"makes": "product", "lead_time": pick(0, 1, 2, 5)}
    limit = pick("none", "lot", "minimum", "maximum", "lot and minimum", "storage")
    item: dict[str, Any] = {"holding_cost": 1}
    if "lot" in limit:
        source["lot_size"] = pick(4, 24)
    if "minimum" in limit:
        source["minimum_order"] = pick(10, 40)
    if limit == "maximum":
        source["maximum_order"] = float(np.ceil(mean * pick(1.2, 1.5, 3)))
    if limit == "storage":
        item["storage"] = mean * pick(4, 8) * (1 + source["lead_time"])
    if pick(True, False):
        source["shipment_cost"] = pick(5, 60)
    if pick(True, False, False):
        source["unit_cost"] = 2
    customers: dict[str, Any] = {
        "item": "product",
        "quantity": demand,
        "unmet": pick("backordered", "lost"),
        "shortage_cost": pick(4, 19, 99),
    }
    if kind != "geometric" and pick(True, False, False):
        customers["pattern"] = pick([0.5, 1.5], [0.2, 0.8, 2.0, 1.0])
    return plant(
        items={"product": item},
        sources={"supplier": source},
        demands={"customers": customers},
        horizon={"ongoing": PERIODS, "warm_up": 40},
    )


def judged(scenario: Scenario) -> dict[str, tuple[float, float]]:
    """Policy -> cost and fill rate of its textbook sizes, of every policy that applies."""
    found = {}
    for name, classic in CLASSICS.items():
        if name in SLOW or classic.why_not(scenario):
            continue
        rows = evaluate.rollout(agents.make(name, scenario), scenario, episodes=4, seed=1)
        found[name] = (float(rows["cost"].mean()), float(rows["fill_rate"].mean()))
    return found


@pytest.mark.parametrize("seed", range(8))
def test_no_textbook_policy_is_absurd_where_orders_are_limited(seed: int) -> None:
    """None costs more than three times the best of them, and none serves nobody."""
    scenario = single(seed)
    found = judged(scenario)
    # A best cost of nothing at all (certain demand, no lead time) is no measure.
    best = max(min(cost for cost, _ in found.values()), scenario.demands["customers"].mean / 10)
    for name, (cost, fill_rate) in found.items():
        assert cost <= 3 * best, (name, found)
        assert fill_rate > 0, (name, found)
