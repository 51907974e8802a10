"""Lead times: orders take the stated lead times, with crossover and without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from jitgym.envs import ActionEncoding, Engine
from jitgym.plant import lay_out
from jitgym.scenario import Scenario
from tests.scenarios import MADE_OF_MATERIAL, Probe, plant

PLANTS = 400
ORDERS = 80  # orders of each plant, so far apart that no two of them share a draw
LEVEL = 1e-3  # probability that any chi-square test below fails for a correct simulation

UNIFORM = {"distribution": "uniform", "low": 1, "high": 4}
LATE = {"distribution": "finite", "values": [2, 3, 4], "probabilities": [0.5, 0.3, 0.2]}
GAPS = {"distribution": "finite", "values": [2, 5], "probabilities": [0.4, 0.6]}  # never 3 or 4
LONG = {"distribution": "finite", "values": [1, 2, 9], "probabilities": [0.6, 0.1, 0.3]}
CASES = [  # LONG and GAPS have hazards that decrease: only with crossover
    (UNIFORM, False),
    (LATE, False),
    (UNIFORM, True),
    (LATE, True),
    (GAPS, True),
    (LONG, True),
]


def supplier(lead_time: Any, crossover: bool) -> Scenario:
    return plant(
        sources={"supplier": {"makes": "product", "lead_time": lead_time, "crossover": crossover}}
    )


class Orders:
    """Many plants with one supplier; records when each order of one unit arrives."""

    def __init__(self, scenario: Scenario, plants: int, seed: int) -> None:
        layout = lay_out(scenario)
        part = next(p for p in layout.state if p.name == "supplier.in_process")
        self.ages = part.size
        self._cells = slice(part.start, part.stop)
        self._engine = Engine(layout, plants, ActionEncoding(layout, "asked"))
        self._engine.seed[:] = seed + np.arange(plants)
        self._engine.place(np.ones(plants, dtype=np.bool_))

    def step(self, asked: float) -> tuple[np.ndarray, np.ndarray]:
        """Run a period; return the outstanding orders before and after it, (plants, ages from 1).

        An order that was outstanding at an age and no longer is had that age as its lead time.
        """
        before = self._engine.state[:, self._cells].copy()
        before[:, 0] = asked
        self._engine.step(np.full((before.shape[0], 1), asked))
        after = np.zeros_like(before)
        after[:, :-1] = self._engine.state[:, self._cells][:, 1:]
        return before, after


@pytest.mark.parametrize(("lead_time", "crossover"), CASES)
def test_simulated_lead_times_have_the_stated_distribution(
    lead_time: dict[str, Any], crossover: bool
) -> None:
    scenario = supplier(lead_time, crossover)
    orders = Orders(scenario, PLANTS, seed=7)
    arrived = np.zeros(orders.ages, dtype=np.int64)
    for t in range(ORDERS * orders.ages):
        before, after = orders.step(asked=float(t % orders.ages == 0))
        arrived += (before > after).sum(axis=0)
    assert arrived.sum() == PLANTS * ORDERS
    support, probabilities = scenario.sources["supplier"].lead_time.pmf()
    stated = np.zeros(orders.ages)
    stated[support.astype(int) - 1] = probabilities
    assert arrived[stated == 0].sum() == 0
    test = stats.chisquare(arrived[stated > 0], stated[stated > 0] * arrived.sum())
    assert test.pvalue > LEVEL / len(CASES)


@pytest.mark.parametrize("lead_time", [UNIFORM, LATE])
def test_without_crossover_no_order_overtakes_an_older_one(lead_time: dict[str, Any]) -> None:
    orders = Orders(supplier(lead_time, crossover=False), PLANTS, seed=1)
    for _ in range(100):
        before, after = orders.step(asked=1.0)
        arrived = before > after
        waiting = after > 0
        # The oldest outstanding order is younger than the youngest one that arrived.
        oldest_waiting = np.where(waiting, np.arange(orders.ages), -1).max(axis=1)
        youngest_arrived = np.where(arrived, np.arange(orders.ages), orders.ages).min(axis=1)
        assert (oldest_waiting < youngest_arrived).all()


def test_with_crossover_orders_arrive_independently_of_each_other() -> None:
    orders = Orders(supplier(UNIFORM, crossover=True), PLANTS, seed=1)
    lead_times = np.zeros((PLANTS, 200), dtype=np.int64)
    for t in range(200 + orders.ages):
        before, after = orders.step(asked=1.0)
        for k in range(orders.ages):
            placed = t - k
            if 0 <= placed < 200:
                came = before[:, k] > after[:, k]
                lead_times[came, placed] = k + 1
    assert (lead_times >= 1).all()
    overtaken = lead_times[:, :-1] > lead_times[:, 1:] + 1
    assert overtaken.mean() == pytest.approx(
        3 / 16, abs=0.01
    )  # 3 of 4 x 4 pairs differ by 2 or more
    for lag in (1, 2, 3):
        pairs = 4 * (lead_times[:, :-lag] - 1) + lead_times[:, lag:] - 1
        # Overlapping pairs are dependent; for lag 1 every other pair of a plant is not.
        apart = pairs[:, :: 2 * lag]
        p = stats.chisquare(np.bincount(apart.ravel(), minlength=16)).pvalue
        assert p > LEVEL / 3


def test_crossover_does_not_matter_if_the_lead_time_is_fixed() -> None:
    one, other = (Probe(supplier(3, crossover)) for crossover in (False, True))
    for t in range(12):
        assert one.step(supplier=t % 5) == other.step(supplier=t % 5)
        assert one.state() == other.state()


def test_an_order_never_arrives_twice_and_always_arrives() -> None:
    for lead_time, crossover in CASES:
        probe = Probe(supplier(lead_time, crossover), seed=3)
        for _ in range(30):
            probe.step(supplier=3)
        for _ in range(10):
            probe.step()
        assert probe["product.stock"] == 90
        assert probe["supplier.in_process"] == 0


def test_an_order_with_lead_time_zero_serves_demand_but_is_not_yet_material() -> None:
    scenario = plant(
        **MADE_OF_MATERIAL,
        demands={
            "customers": {"item": "product", "quantity": 1, "unmet": "lost"},
            "others": {"item": "material", "quantity": 1, "unmet": "lost"},
        },
    )
    probe = Probe(scenario)
    flows = probe.step(supplier=3, making=2)
    assert flows["others.served"] == 1
    assert (flows["making.granted"], flows["customers.served"]) == (0, 0)
    flows = probe.step(making=2)
    assert (flows["making.granted"], flows["customers.served"]) == (2, 1)


def test_the_view_shows_the_pipeline_by_age() -> None:
    probe = Probe(supplier(4, crossover=False))
    for quantity in (5, 6, 7):
        probe.step(supplier=quantity)
    # Ordered one, two and three periods ago; the first cell is for this period's order.
    assert probe.state()["supplier.in_process"] == [0, 7, 6, 5]
