"""The cross-entropy search, alone and as a tuner of rules with real numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import agents
import jitgym
from agents.classic import CLASSICS
from agents.tuning.cross_entropy import GENERATIONS, POPULATION, RUNGS, cross_entropy
from agents.tuning.space import Space
from agents.tuning.trial import Trial
from jitgym import evaluate
from jitgym.control import ViewLayout
from jitgym.plant import lay_out
from jitgym.scenario import Scenario

from .test_classic import asked_at, assert_batches_equal_the_loop

Array = npt.NDArray[np.float64]


def short(periods: int = 60) -> Scenario:
    return jitgym.load("lost-sales", **{"horizon.ongoing": periods, "horizon.warm_up": 20})


@pytest.mark.parametrize("numbers", [1, 2, 6])
def test_the_cross_entropy_method_finds_the_bottom_of_a_slanting_bowl(numbers: int) -> None:
    best = np.linspace(20, 80, numbers)
    calls: list[tuple[int, float]] = []

    def cost(vectors: Array, share: float) -> Array:
        calls.append((len(vectors), share))
        away = vectors - best
        return np.asarray((away**2).sum(axis=1) + 3 * away.sum(axis=1) ** 2)

    low, high = np.zeros(numbers), np.full(numbers, 100.0)
    middles = list(cross_entropy(cost, np.full(numbers, 50.0), low, high, seed=1))
    assert len(middles) == GENERATIONS
    np.testing.assert_allclose(middles[-1], best, atol=1.0)
    first, second = RUNGS
    assert calls == GENERATIONS * [(POPULATION, first[0]), (first[1], second[0])]
    again = list(cross_entropy(cost, np.full(numbers, 50.0), low, high, seed=1))
    np.testing.assert_array_equal(again, middles)


def test_no_candidate_outside_the_bounds_is_tried() -> None:
    low, high = np.array([0.0, 2.0]), np.array([1.0, 3.0])

    def cost(vectors: Array, share: float) -> Array:
        assert (vectors >= low).all()
        assert (vectors <= high).all()
        return np.asarray(vectors.sum(axis=1))

    *_, last = cross_entropy(cost, np.array([0.5, 2.5]), low, high, seed=0)
    np.testing.assert_allclose(last, low, atol=0.02)


def test_tuning_a_rule_of_real_numbers_is_deterministic_and_counts_its_periods() -> None:
    policies = [agents.tune("linear-capped", short(), seed=s, episodes=16) for s in (5, 5, 6)]
    untimed = [dataclasses.replace(policy.tuning, seconds=0) for policy in policies]
    assert untimed[0] == untimed[1] != untimed[2]
    assert policies[0].parameters == policies[1].parameters
    tuning = policies[0].tuning
    assert tuning.cost <= tuning.textbook_cost
    assert 0 < tuning.candidates <= GENERATIONS * POPULATION + 1
    assert tuning.periods >= 60 * tuning.candidates
    space = Space(CLASSICS["linear-capped"].parameters(short()))
    trial = Trial(CLASSICS["linear-capped"], lay_out(short()), space, seed=0, episodes=1)
    assert trial.rounds == GENERATIONS


def test_linear_capped_costs_less_than_the_policies_that_it_contains() -> None:
    """On lost sales it costs less than the best base-stock (5.197769) or capped one (4.797850)."""
    scenario = jitgym.load("lost-sales")
    policy = agents.tune("linear-capped", scenario, seed=0)
    assert policy.tuning.seconds < 30
    cost = evaluate.rollout(policy, scenario, episodes=512, seed=1)["cost"].mean()
    assert cost == pytest.approx(4.728525, rel=0.006)
    capped = agents.make("capped-base-stock", scenario, level=26, cap=5)
    other = evaluate.rollout(capped, scenario, episodes=512, seed=1)["cost"].mean()
    assert other == pytest.approx(4.797850, rel=0.004)
    assert cost < other


# --- the rules ----------------------------------------------------------------------------------


def test_linear_capped_weighs_every_cell_by_its_age() -> None:
    policy = agents.make(
        "linear-capped", "lost-sales", level=18.5, weights=[0.9, 0.8, 0.7, 0.6], cap=5.5
    )
    layout = lay_out(short())
    view = ViewLayout(layout)
    state = np.zeros((4, layout.cells))
    columns = {cell.name: cell.column for cell in view.cells}
    for age in (1, 2, 3):
        state[:, columns[f"supplier.in_process[{age}]"]] = age
    state[:, columns["product.stock"]] = (20, 15, 0, 100)
    asked = np.asarray(policy.act(view.of(state), policy.start(4)))[:, 0]
    # 18.5 - .9 x 1 - .8 x 2 - .7 x 3 - .6 x stock, rounded down
    assert asked.tolist() == [1, 4, 5, 0]
    assert_batches_equal_the_loop(policy, short())


def test_linear_capped_with_weights_of_one_and_a_high_cap_is_base_stock() -> None:
    linear = agents.make("linear-capped", short(), level=25, weights=[1, 1, 1, 1], cap=1000)
    level = agents.make("base-stock", short(), level=25)
    costs = [evaluate.rollout(policy, short(), 8)["cost"] for policy in (linear, level)]
    np.testing.assert_array_equal(*costs)


def test_linear_capped_counts_backorders_against_the_stock() -> None:
    policy: Any = agents.make("linear-capped", "fixed-cost", level=10, weights=[0.5], cap=100)
    assert asked_at(policy, **{"product.stock": 0.0, "customers.backlog": 6.0}) == [13]


@pytest.mark.parametrize(("position", "asked"), [(26, 0), (24, 2), (21, 5), (0, 5)])
def test_capped_base_stock_orders_up_to_its_level_but_no_more_than_its_cap(
    position: float, asked: float
) -> None:
    policy = agents.make("capped-base-stock", "lost-sales", level=26, cap=5)
    assert asked_at(policy, **{"product.stock": position}) == [asked]


@pytest.mark.parametrize("name", ["lost-sales", "kanban-line", "recorded-retail", "dual-sourcing"])
def test_capped_base_stock_gives_the_same_rows_in_batches_and_in_the_loop(name: str) -> None:
    scenario = jitgym.load(name, **{"horizon.ongoing": 40, "horizon.warm_up": 10})
    assert_batches_equal_the_loop(agents.make("capped-base-stock", scenario), scenario)
