"""Tuning to a service target: least stock among those who reach it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import agents
import jitgym
from agents.tuning.search import FINAL_EPISODES, FRESH
from agents.tuning.target import MISSED, Target
from jitgym import ScenarioError, evaluate
from jitgym.scenario import Scenario


def short(name: str, periods: int = 100) -> Scenario:
    return jitgym.load(name, **{"horizon.ongoing": periods, "horizon.warm_up": periods // 4})


@pytest.mark.parametrize("bound", [0.9, 0.95, 0.98])
def test_it_takes_the_least_level_that_reaches_the_target(bound: float) -> None:
    scenario = short("lost-sales", 400)
    policy = agents.tune("base-stock", scenario, seed=0, target={"fill_rate": bound})
    fresh = {"seed": FRESH, "split": "tune"}
    episodes = FINAL_EPISODES * 250
    level = policy.parameters["level"]
    rates = [
        evaluate.rollout(
            agents.make("base-stock", scenario, level=each), scenario, episodes, **fresh
        )
        for each in (level - 1, level)
    ]
    assert rates[0]["fill_rate"].mean() < bound <= rates[1]["fill_rate"].mean()
    assert policy.tuning.cost == pytest.approx(rates[1]["average_inventory"].mean())
    assert policy.tuning.reached["fill_rate"] == pytest.approx(rates[1]["fill_rate"].mean())
    assert policy.tuning.target == {"fill_rate": bound}


@pytest.mark.parametrize("name", ["smoothed", "hybrid", "linear-capped"])
def test_every_kind_of_policy_and_search_reaches_a_target(name: str) -> None:
    scenario = short("lost-sales" if name == "linear-capped" else "kanban-line", 60)
    target = {"fill_rate": 0.8}
    policy = agents.tune(name, scenario, seed=1, episodes=4, target=target)
    assert policy.tuning.reached["fill_rate"] >= 0.8
    rows = evaluate.rollout(policy, scenario, 4 * FINAL_EPISODES, 1 + FRESH, "tune")
    assert rows["fill_rate"].mean() == pytest.approx(policy.tuning.reached["fill_rate"])
    assert rows["average_inventory"].mean() == pytest.approx(policy.tuning.cost)


def test_costs_do_not_count() -> None:
    scenario, dear = (
        jitgym.load(short("lost-sales"), penalty=penalty, holding=holding)
        for penalty, holding in ((4, 1), (99, 3))
    )
    found = [
        agents.tune("base-stock", s, episodes=20, target={"fill_rate": 0.9})
        for s in (scenario, dear)
    ]
    assert found[0].parameters == found[1].parameters


def test_a_bound_from_above_and_several_at_once() -> None:
    scenario = short("kanban-line")
    target = {"fill_rate": 0.5, "backlog": 20}
    policy = agents.tune("base-stock", scenario, episodes=4, target=target)
    assert policy.tuning.reached["fill_rate"] >= 0.5
    assert policy.tuning.reached["backlog"] <= 20


def test_of_those_who_miss_the_nearest_is_best_and_reaching_is_better() -> None:
    target = Target({"fill_rate": 0.9, "backlog": 10})
    far, near, reached = (
        target._objective({"fill_rate": f, "backlog": b, "average_inventory": 500})
        for f, b in ((0.5, 12), (0.85, 12), (0.9, 10))
    )
    assert far > near > MISSED > reached == 500
    undefined = {"fill_rate": np.nan, "backlog": 0, "average_inventory": 0}
    assert target._objective(undefined) > far
    assert target.told(undefined) == "fill_rate is not defined here, backlog 0"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({}, "the target is empty; expected a KPI and its bound"),
        ({"fil_rate": 0.9}, "target fil_rate: no such KPI; did you mean 'fill_rate'"),
        ({"fill_rate": 98}, "target fill_rate is 98; expected a share, from 0 to 1"),
        ({"fill_rate": -0.1}, "target fill_rate is -0.1; expected a share, from 0 to 1"),
        ({"backlog": -1}, "target backlog is -1; expected at least 0"),
        ({"fill_rate": "high"}, "target fill_rate is 'high'; expected a number"),
        ({"fill_rate": float("nan")}, "target fill_rate is nan; expected a number"),
        ({"fill_rate": True}, "target fill_rate is True; expected a number"),
        ({"utilization": 0.5}, "target utilization: neither high nor low is better"),
        (
            {"fill_rate": 0.99, "average_inventory": 1},
            "does not reach fill_rate >= 0.99, average_inventory <= 1 on lost-sales: the best of",
        ),
    ],
)
def test_a_target_that_makes_no_sense_gets_one_clear_message(
    target: dict[str, Any], message: str
) -> None:
    with pytest.raises(ScenarioError, match=re.escape(message)) as caught:
        agents.tune("constant", short("lost-sales", 40), episodes=2, target=target)
    assert "\n" not in str(caught.value)
