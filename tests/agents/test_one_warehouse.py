"""One warehouse and its stores: the simulator against closed forms, and what is searched."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.studies.records import one_warehouse as model
from jitgym import ScenarioError

UNITS = np.arange(60)


def chain(kind: str, leads: list[int], willing: float, holding: float = 0.0) -> model.Chain:
    """Return stores with this demand, and a warehouse that costs this much per unit."""
    mass = [model._mass(kind, UNITS) for _ in leads]
    means, left = model.stays(mass, 1.0)
    needed = model.covered(mass, leads, 300)
    total = float(means.sum())
    return model.Chain(
        2, np.array(leads), holding, 1.0, 9.0, willing, 1.0, total, 2.0, needed, means, left
    )


def tape(kind: str, stores: int, replications: int, periods: int = 100) -> np.ndarray:
    law = np.cumsum(model._mass(kind, UNITS))
    drawn = np.random.default_rng(3).random((replications, periods, stores))
    return np.searchsorted(law, drawn).astype(np.float64)


@pytest.mark.parametrize("lead", [1, 3])
@pytest.mark.parametrize("kind", [model.PROPORTIONAL, model.SHORTAGE])
def test_stores_behind_a_full_warehouse_cost_what_the_newsvendor_says(lead: int, kind: int) -> None:
    plant = chain("P3", [lead], model.WAITS)
    level = 3.0 * (lead + 1) + 3
    law = np.ones(1)
    for _ in range(lead + 1):
        law = np.convolve(law, model._mass("P3", UNITS))
    demand = np.arange(law.size)
    expected = law @ (np.maximum(level - demand, 0) + 9 * np.maximum(demand - level, 0))
    first = model.First(1e6, 0.0, np.array([level]), np.zeros(1))
    costs = model.run(plant, kind, np.array([0.0, level]), tape("P3", 1, 2000, 200), 0, first)
    begun = model.run(
        plant, kind, np.array([0.0, level]), tape("P3", 1, 2000, 200)[:, :100], 0, first
    )
    apart = (costs.mean() - begun.mean()) / 100
    assert apart == pytest.approx(expected, rel=0.02)


def test_what_is_lost_is_never_served_later() -> None:
    """Without stock anywhere every unit is lost, once."""
    plant, drawn = chain("P3", [1, 1], 0.0), tape("P3", 2, 5)
    nothing = model.First(0.0, 0.0, np.zeros(2), np.zeros(2))
    costs = model.run(plant, model.SHORTAGE, np.zeros(3), drawn, 0, nothing)
    np.testing.assert_allclose(costs, 9 * drawn.sum(axis=(1, 2)))


def test_a_share_of_what_is_short_is_met_from_the_warehouse() -> None:
    drawn = tape("P3", 1, 400)
    full = model.First(1e6, 0.0, np.zeros(1), np.zeros(1))
    costs = model.run(chain("P3", [1], 0.8), model.SHORTAGE, np.zeros(2), drawn, 0, full)
    assert costs.sum() == pytest.approx(0.2 * 9 * drawn.sum(), rel=0.01)


def test_a_warehouse_without_stock_shares_by_what_is_asked() -> None:
    """Six units for stores that lack 9 and 3: 5 and 1 by shares, 6 and 0 by shortage."""
    plant = chain("P3", [1, 1], model.WAITS)
    first, levels = model.First(6.0, 0.0, np.array([0.0, 6.0]), np.zeros(2)), np.full(3, 9.0)
    levels[0] = 0.0
    drawn = np.array([[[0.0, 0.0], [6.0, 0.0]]])
    costs = {
        kind: model.run(plant, kind, levels, drawn, 0, first)[0]
        for kind in (model.PROPORTIONAL, model.SHORTAGE)
    }
    assert costs[model.PROPORTIONAL] == 6 + 9 + 7  # 1 unit waits, 7 are held by the other store
    assert costs[model.SHORTAGE] == 6 + 0 + 6


def test_the_projected_position_of_a_store_that_waits_is_its_position() -> None:
    """With ample stock nothing is lost, so that the projection only moves demand around."""
    plant = chain("P3", [2], 0.0)
    going = np.array([0.0, 4.0, 5.0])
    assert model.projected(plant, 0, 50.0, going) == pytest.approx(59.0)
    assert model.projected(plant, 0, 0.0, going) > 9.0  # no stock can be lost twice


def test_the_searched_rule_is_better_than_the_best_base_stock_where_demand_is_lost() -> None:
    row = {
        "no": "6",
        "unmet": "lost",
        "warehouse_lead_time": "1",
        "retailer_lead_times": "1 1 1",
        "demands": "P3 P3 P3",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "TUNED", 150)
        patch.setattr(model, "JUDGED", 2000)
        patch.setattr(model, "ROUNDS", (1.0,))
        figures = model.kaynov(row)
    assert figures["classic"] == pytest.approx(1366.51, rel=0.01)  # printed
    assert figures["ours"] < figures["classic"]
    low, high = figures["interval"]
    assert low < figures["ours"] < high
    assert math.isfinite(high)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"demands": "P3 Q3 P3"}, "demand is 'Q3'"),
        ({"demands": "P3 P3"}, "3 lead times for 2 demands"),
        ({"unmet": "perhaps"}, "unmet is 'perhaps'"),
    ],
)
def test_a_row_that_is_not_understood_is_refused(change: dict[str, str], said: str) -> None:
    row = {
        "no": "1",
        "unmet": "lost",
        "warehouse_lead_time": "1",
        "retailer_lead_times": "1 1 1",
        "demands": "P3 P3 P3",
    }
    with pytest.raises(ScenarioError, match=said):
        model.kaynov(row | change)
