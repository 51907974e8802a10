"""Frozen mode: a program compiled for one plant gives the same rows."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas.testing
import pytest
from hypothesis import HealthCheck, given, settings

import agents
import jitgym
from jitgym import catalog, evaluate
from jitgym.control import Rule, pull_rule
from jitgym.control.rules import CAP
from jitgym.evaluate.compiled_loop import run_rules
from jitgym.plant import Layout, episode_keys, frozen, lay_out
from jitgym.scenario import Scenario
from tests.scenarios import scenarios


@pytest.mark.parametrize("flows", [True, False])
@pytest.mark.parametrize("name", catalog.names())
def test_costs_and_flows_are_the_same_when_the_plant_is_frozen(name: str, flows: bool) -> None:
    short = {"horizon.ongoing": 3000, "horizon.warm_up": 0}
    layout = lay_out(jitgym.load(name, **short if name == "tandem" else {}))
    costs = assert_frozen_runs_the_same(layout, some_population(layout), flows)
    assert len(set(costs[:, 0])) > 1  # if all rules did the same, the test would show little


@given(scenarios(periods=12))
@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_costs_and_flows_of_random_plants_are_the_same(scenario: Scenario) -> None:
    layout = lay_out(scenario)
    assert_frozen_runs_the_same(layout, some_population(layout), flows=True)


def some_population(layout: Layout) -> Rule:
    """Rules with different numbers: a number that only one rule has must not limit the others."""
    sources = layout.scenario.sources
    few, many = dict.fromkeys(sources, 6.0), dict.fromkeys(sources, 40.0)
    rules = [
        pull_rule(layout, levels=many),
        pull_rule(layout, cards=few),
        pull_rule(layout, levels=many, caps=few, batches=dict.fromkeys(sources, 3.0)),
        pull_rule(layout),
    ]
    return rules[0].stack(rules[1:])


def assert_frozen_runs_the_same(
    layout: Layout, rules: Rule, flows: bool
) -> npt.NDArray[np.float64]:
    keys = episode_keys("tune", 1, np.arange(3))
    free = run_rules(layout, rules, keys, "tune", flows=flows, is_frozen=False)
    fixed = run_rules(layout, rules, keys, "tune", flows=flows, is_frozen=True)
    for name in ("cost", "terms", "sums"):
        assert np.array_equal(getattr(free, name), getattr(fixed, name)), name
    return free.cost


@pytest.mark.parametrize(
    ("name", "policy"), [("lost-sales", "base-stock"), ("kanban-line", "kanban")]
)
def test_rows_are_the_same_when_the_plant_is_frozen(name: str, policy: str) -> None:
    scenario = jitgym.load(name)
    classic = agents.make(policy, scenario)

    free = evaluate.rollout(classic, scenario, episodes=40, seed=3, frozen=False)
    fixed = evaluate.rollout(classic, scenario, episodes=40, seed=3, frozen=True)

    pandas.testing.assert_frame_equal(fixed, free, check_exact=True)


def test_a_plant_that_is_laid_out_again_is_not_compiled_again() -> None:
    scenario = jitgym.load("kanban-line")
    evaluate.rollout(agents.make("kanban", scenario), scenario, episodes=2, frozen=True)
    known = len(frozen._known)
    for episodes in (1, 3):
        again = jitgym.load("kanban-line")
        evaluate.rollout(agents.make("kanban", again), again, episodes=episodes, frozen=True)
    assert len(frozen._known) == known


def test_a_policy_with_other_numbers_is_not_compiled_again() -> None:
    scenario = jitgym.load("lost-sales")
    costs, known = set(), set()
    for level in (20, 25):
        policy = agents.make("base-stock", scenario, level=level)
        costs.add(evaluate.rollout(policy, scenario, episodes=2, frozen=True)["cost"].mean())
        known.add(len(frozen._known))
    assert len(costs) == 2
    assert len(known) == 1


def test_another_price_is_another_frozen_plant() -> None:
    costs = []
    for penalty in (4, 19):
        scenario = jitgym.load("lost-sales", penalty=penalty)
        policy = agents.make("base-stock", scenario, level=25)
        costs.append(evaluate.rollout(policy, scenario, episodes=2, frozen=True)["cost"].mean())
        free = evaluate.rollout(policy, scenario, episodes=2, frozen=False)["cost"].mean()
        assert costs[-1] == free

    assert costs[0] < costs[1]


def test_a_plant_is_frozen_once_compilation_pays_off(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = jitgym.load("kanban-line", **{"horizon.ongoing": 71, "horizon.warm_up": 0})
    policy = agents.make("kanban", scenario)
    monkeypatch.setattr(frozen, "REPAID", 3 * 71 * len(scenario.sources))  # three episodes' work

    before, rows = len(frozen._known), []
    for known in (0, 1, 1):  # two episodes each time
        rows.append(evaluate.rollout(policy, scenario, episodes=2))
        assert len(frozen._known) == before + known
    for later in rows[1:]:
        pandas.testing.assert_frame_equal(later, rows[0], check_exact=True)


@pytest.mark.parametrize(("name", "limit"), [("LARGEST", 10), ("MOST", 0)])
def test_large_plants_and_too_many_plants_are_frozen_only_on_request(
    monkeypatch: pytest.MonkeyPatch, name: str, limit: int
) -> None:
    horizon = {
        "horizon.ongoing": 80 + limit,
        "horizon.warm_up": 0,
    }  # a plant that is not frozen yet
    scenario = jitgym.load("kanban-line", **horizon)
    policy = agents.make("kanban", scenario)
    monkeypatch.setattr(frozen, "REPAID", 0)
    monkeypatch.setattr(frozen, name, limit)

    before = len(frozen._known)
    evaluate.rollout(policy, scenario, episodes=2)
    assert len(frozen._known) == before
    evaluate.rollout(policy, scenario, episodes=2, frozen=True)
    assert len(frozen._known) == before + 1


def test_a_full_disk_only_costs_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise OSError("no space left on device")

    scenario = jitgym.load("kanban-line", **{"horizon.ongoing": 73, "horizon.warm_up": 0})
    policy = agents.make("kanban", scenario)
    monkeypatch.setattr(frozen, "REPAID", 0)
    monkeypatch.setattr(frozen, "_put_together", full)

    rows = evaluate.rollout(policy, scenario, episodes=2)
    free = evaluate.rollout(policy, scenario, episodes=2, frozen=False)
    pandas.testing.assert_frame_equal(rows, free, check_exact=True)


def test_numbers_of_a_rule_may_be_changed_after_it_was_built() -> None:
    layout = lay_out(jitgym.load("lost-sales"))
    keys = episode_keys("tune", 1, np.arange(3))
    capped = pull_rule(layout, levels={"supplier": 25.0}, caps={"supplier": 3.0})
    changed = pull_rule(layout, levels={"supplier": 25.0})
    before = run_rules(layout, changed, keys, "tune", is_frozen=True).cost
    changed.numbers[0, 0, CAP] = 3.0

    for is_frozen in (False, True):
        expected = run_rules(layout, capped, keys, "tune", is_frozen=is_frozen).cost
        found = run_rules(layout, changed, keys, "tune", is_frozen=is_frozen).cost
        assert np.array_equal(found, expected)
        assert not np.array_equal(found, before)


UNROLLED = """
import numba, numpy as np
import agents, jitgym
from jitgym import evaluate
from jitgym.plant import frozen

def length():
    def total(values):
        found = 0.0
        for k in range(40):
            value = values[k]
            found += np.floor(value * found) if value > found else value / 3.0
        return found
    compiled = numba.njit(total)
    compiled(np.zeros(50))
    return len(*compiled.inspect_asm().values())

before = length()
policy = agents.make("base-stock", "lost-sales", level=7)
evaluate.rollout(policy, jitgym.load("lost-sales"), episodes=1, frozen=True)
after = length()
with frozen._unrolling_more():
    more = length()
print(before, after, more)
"""


def test_code_compiled_after_a_frozen_plant_is_unrolled_as_before() -> None:
    command = [sys.executable, "-c", UNROLLED]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    before, after, more = map(int, found.stdout.split())

    assert before == after < more
