"""Classics over their size: stock and service of a tuned policy made larger or smaller."""

from __future__ import annotations

import pytest

import agents
import jitgym
from agents.studies import sizes
from agents.tuning.search import TunedPolicy, Tuning
from jitgym.plant import lay_out


def tuned(name: str, scenario: str, **parameters: object) -> TunedPolicy:
    """Return a policy with these parameters, as if a tuner had found them."""
    plant = jitgym.load(scenario)
    policy = agents.make(name, plant, **parameters)
    given = dict(policy.parameters)
    named = agents.classic.find(name).build(
        f"{name} (tuned)",
        lay_out(plant),
        agents.classic.values_of(name, agents.classic.find(name).parameters(plant), given),
    )
    tuning = Tuning(
        cost=1.0, textbook=given, textbook_cost=1.0, candidates=1, periods=1, seconds=0.0, seed=0
    )
    return TunedPolicy(named, lay_out(plant), given, tuning)


def test_a_larger_policy_has_more_stock_and_more_service() -> None:
    found = sizes.over_sizes(
        [tuned("base-stock", "lost-sales", level=25)], jitgym.load("lost-sales")
    )
    assert found["factor"].is_monotonic_increasing
    assert found["average_inventory"].is_monotonic_increasing
    assert found["fill_rate"].is_monotonic_increasing
    assert set(found["policy"]) == {"base-stock (tuned)"}


def test_every_number_is_scaled_and_stays_on_its_grid_and_periods_keep_theirs() -> None:
    plant = jitgym.load("kanban-line")
    cards = sizes.sized(tuned("kanban", "kanban-line", cards=[3, 7, 5, 9]), plant, 2.0)
    assert cards is not None
    assert cards["cards"].tolist() == [6, 14, 10, 18]
    joint = jitgym.load("joint-replenishment")
    policy = tuned("can-order", "joint-replenishment", levels=[40, 30, 20, 10], must=2, can=1)
    found = sizes.sized(policy, joint, 0.5)
    assert found is not None
    assert found["levels"].tolist() == [20, 15, 10, 5]
    assert (found["must"].tolist(), found["can"].tolist()) == ([2], [1])


def test_a_policy_without_a_size_has_no_curve() -> None:
    policy = tuned("constant", "lost-sales", order=4)
    assert sizes.sized(policy, jitgym.load("lost-sales"), 2.0) is None
    found = sizes.over_sizes([policy], jitgym.load("lost-sales"))
    assert found.empty
    assert list(found.columns) == ["policy", "factor", *sizes.KPIS]


@pytest.mark.parametrize("factor", sizes.FACTORS)
def test_sizes_of_a_policy_with_several_numbers_are_valid(factor: float) -> None:
    plant = jitgym.load("fixed-cost")
    policy = tuned("s-S", "fixed-cost", reorder_point=5, order_up_to=20)
    values = sizes.sized(policy, plant, factor)
    assert values is not None
    agents.classic.find("s-S").build("s-S", lay_out(plant), values)
