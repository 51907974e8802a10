"""Frozen mode: the same rows from a program that knows its plant by heart."""

from __future__ import annotations

import pandas.testing
import pytest

import agents
import jitgym
from jitgym import evaluate
from jitgym.plant import frozen


@pytest.mark.parametrize(
    ("name", "policy"), [("lost-sales", "base-stock"), ("kanban-line", "kanban")]
)
def test_rows_are_the_same_when_plant_and_rule_are_frozen(name: str, policy: str) -> None:
    scenario = jitgym.load(name)
    classic = agents.make(policy, scenario)

    free = evaluate.rollout(classic, scenario, episodes=40, seed=3)
    fixed = evaluate.rollout(classic, scenario, episodes=40, seed=3, frozen=True)

    pandas.testing.assert_frame_equal(fixed, free, check_exact=True)


def test_a_plant_that_is_laid_out_anew_is_not_compiled_anew() -> None:
    scenario = jitgym.load("kanban-line")
    classic = agents.make("kanban", scenario)
    evaluate.rollout(classic, scenario, episodes=2, frozen=True)
    known = len(frozen._known)
    for episodes in (1, 3):
        again = jitgym.load("kanban-line")
        evaluate.rollout(agents.make("kanban", again), again, episodes=episodes, frozen=True)
    assert len(frozen._known) == known


def test_another_price_is_another_frozen_plant() -> None:
    costs = []
    for penalty in (4, 19):
        scenario = jitgym.load("lost-sales", penalty=penalty)
        policy = agents.make("base-stock", scenario, level=25)
        costs.append(evaluate.rollout(policy, scenario, episodes=2, frozen=True)["cost"].mean())
        free = evaluate.rollout(policy, scenario, episodes=2)["cost"].mean()
        assert costs[-1] == free

    assert costs[0] < costs[1]
