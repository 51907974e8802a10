"""Readback: a linear rule is found again, its net is linear, and it says what it does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import agents
import jitgym
from agents.learned.corrections import Corrected, corrected
from agents.learned.readback import MOST_NUMBERS, linear_net, readback
from agents.studies.verdict import Effort, verdict
from jitgym.control.net import outputs_of
from jitgym.evaluate import rollout
from jitgym.plant import lay_out
from jitgym.report import comparisons


def linear(scenario: jitgym.Scenario, numbers: dict[int, float], constant: float) -> Corrected:
    """Return base-stock with a net that is linear in some features, in steps."""
    base = agents.make("base-stock", scenario)
    policy = corrected(base, lay_out(scenario), np.random.default_rng(0))
    weights = np.zeros((policy.net.mean.size, 1))
    for column, number in numbers.items():
        weights[column] = number
    features = np.zeros((2, policy.net.mean.size))
    net = linear_net(weights, np.array([constant]), features, np.full(len(weights), 50.0))
    return replace(policy, name="learned (x)", net=net)


def test_a_linear_net_is_linear() -> None:
    weights, bias = np.array([[0.5, -1.0], [2.0, 0.25]]), np.array([1.0, -3.0])
    features = np.random.default_rng(0).normal(size=(50, 2))
    net = linear_net(weights, bias, features, features.std(axis=0))
    np.testing.assert_allclose(outputs_of(net, features), features @ weights + bias, atol=1e-5)


def test_a_linear_rule_is_read_back_from_its_net() -> None:
    policy = linear(jitgym.load("lost-sales"), {0: -0.4, 2: 0.8}, 1.0)
    found = readback(policy)
    assert found is not None
    assert found.explained > 0.999
    numbers = {term.feature: term.number for term in found.terms}
    step = float(policy.steps.step[0])
    assert numbers["product.stock"] == pytest.approx(-0.4 * step, rel=1e-3)
    assert numbers["supplier.in_process[2]"] == pytest.approx(0.8 * step, rel=1e-3)
    assert numbers[""] == pytest.approx(1.0 * step, rel=1e-2)
    assert len(found.terms) <= MOST_NUMBERS
    costs = [rollout(each, "lost-sales", 16)["cost"].to_numpy() for each in (policy, found.policy)]
    np.testing.assert_allclose(costs[0], costs[1], rtol=1e-3)
    assert str(found).startswith("corrects supplier by ")
    assert found.policy.name == "learned (x), as a linear rule"


def test_what_corrects_nothing_or_is_no_net_has_no_readback() -> None:
    scenario = jitgym.load("lost-sales")
    assert readback(linear(scenario, {}, 0.0)) is None
    assert readback(agents.make("base-stock", scenario)) is None


def test_a_rule_of_several_sources_has_few_numbers() -> None:
    scenario = jitgym.load("kanban-line")
    policy = corrected(
        agents.make("base-stock", scenario), lay_out(scenario), np.random.default_rng(0)
    )
    last = np.random.default_rng(1).normal(size=policy.net.last.shape).astype(np.float32)
    found = readback(policy.with_net(policy.net._replace(last=last)))
    assert found is not None
    assert 2 <= len(found.terms) <= MOST_NUMBERS
    assert 0.0 < found.explained <= 1.0


def test_the_verdict_says_what_the_rule_gets() -> None:
    import pandas as pd

    scenario = jitgym.load("lost-sales")
    rows = rollout(agents.make("base-stock", scenario), scenario, 32)
    frames = [
        rows.assign(policy=name, cost=cost + 0.01 * np.sin(np.arange(32.0)))
        for name, cost in {"base-stock (tuned)": 100.0, "ppo": 90.0, "rule": 92.0}.items()
    ]
    tuned = "base-stock (tuned)"
    compared = comparisons.comparison(pd.concat(frames), [tuned], None, scenario, reference=tuned)
    found = verdict(compared, tuned, scenario, [Effort("ppo", False, 60.0, "rule", 5)])
    assert "a linear rule with 5 numbers gets 80 % of the saving" in found.sentence
    assert found.figures["rule_share"] == pytest.approx(0.8)
