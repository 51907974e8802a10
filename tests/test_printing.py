"""The objects that users print most often print as one or two lines, without arrays."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
import pytest

import agents
import jitgym
from jitgym import catalog, evaluate, exact
from jitgym.plant import lay_out
from jitgym.scenario import Scenario

MOST_LINES, MOST_LETTERS = 3, 400
SMALL = jitgym.load("lost-sales", lead_time=2, horizon={"ongoing": 60, "warm_up": 10})


def assert_short(thing: Any) -> str:
    for text in (str(thing), repr(thing)):
        assert len(text) <= MOST_LETTERS, text[:1000]
        assert text.count("\n") < MOST_LINES
        assert not re.search(r"array\(|dtype|object at|<function", text), text
    return str(thing)


@cache
def loaded(name: str) -> Scenario:
    return jitgym.load(name)


@pytest.mark.parametrize("name", catalog.names())
def test_a_scenario_and_its_layout_print_short(name: str) -> None:
    scenario = loaded(name)
    assert assert_short(scenario).startswith(f"{name}: {len(scenario.items)} item")
    assert name in assert_short(lay_out(scenario))


@pytest.mark.parametrize("name", agents.names())
def test_a_policy_prints_its_name_its_plant_and_its_parameters(name: str) -> None:
    where = next(
        scenario
        for scenario in ("lost-sales", "kanban-line", *catalog.names())
        if not agents.why_not(name, loaded(scenario))
    )
    policy: Any = agents.make(name, loaded(where))
    text = assert_short(policy)
    assert text.startswith(f"{policy.name} on {where}")
    for parameter in policy.parameters:
        assert parameter in text


def test_results_of_tuning_solving_and_evaluating_print_in_one_or_two_lines() -> None:
    tuned = agents.tune("base-stock", SMALL, episodes=8)
    assert re.fullmatch(
        r"base-stock \(tuned\) on lost-sales: level \d+\n"
        r"tuned to cost [\d.]+, textbook [\d.]+; [\d,]+ candidates, [\d.]+ s",
        assert_short(tuned),
    )
    target = agents.tune("base-stock", SMALL, episodes=8, target={"fill_rate": 0.9})
    assert re.search(
        rf"tuned to cost {target.tuning.cost:.6g} with fill_rate 0\.\d+, average_inventory [\d.]+",
        assert_short(target),
    )
    solution = exact.solve(SMALL)
    assert re.fullmatch(
        r"optimal on lost-sales: a table of [\d,]+ states: average cost .*"
        rf"{solution.cost:.6g}, [\d,]+ decisions, [\d.]+ s",
        assert_short(solution),
    )
    assert_short(solution.policy)
    value = exact.evaluate(tuned, SMALL)
    assert re.fullmatch(rf"cost {value.cost:.6g}, [\d,]+ states, [\d.]+ s", assert_short(value))


def test_an_interval_prints_two_digits_of_its_half_width() -> None:
    rows = evaluate.rollout(lambda view: np.full(len(view), 5.0), SMALL, episodes=16)
    found = evaluate.interval(rows["cost"])
    mean, width = assert_short(found).split(" ± ")
    assert float(mean) == pytest.approx(found.mean, abs=float(width))
    assert float(width) == pytest.approx(found.half_width, rel=0.05)
    assert len(mean.partition(".")[2]) == len(width.partition(".")[2])
    printed = {
        (9.21731, 0.03814): "9.217 ± 0.038",
        (0.0, 0.000999): "0.0000 ± 0.0010",
        (-4.4649e5, 1234.5): "-446490 ± 1234",
        (5.0, 0.0): "5 ± 0",
        (float("nan"), float("nan")): "nan ± n/a",
    }
    for (mean_, width_), text in printed.items():
        assert str(evaluate.Interval(mean_, width_, 9, 0.95)) == text


def test_a_step_response_and_a_function_print_short() -> None:
    policy = agents.make("base-stock", SMALL)
    assert_short(evaluate.step_response(policy, SMALL, 1.2, episodes=4))

    def my_rule(view: np.ndarray) -> np.ndarray:
        return 25 - view["product.stock"]

    assert assert_short(evaluate.net_policy(lambda o: np.zeros(1), SMALL, name="nothing")) == (
        "nothing on lost-sales: control corrections"
    )
    from jitgym.control import as_policy

    assert assert_short(as_policy(my_rule)) == "my_rule"
