"""Costs period by period: warm-up and moving blocks, against cases with a known answer."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import agents
import jitgym
from agents.studies import comparison
from jitgym.evaluate import rollout
from jitgym.evaluate.by_period import costs_by_period, moving_blocks, mser5


def test_the_mean_over_periods_is_the_cost_of_a_rollout() -> None:
    scenario = jitgym.load("lost-sales", **{"horizon.ongoing": 60, "horizon.warm_up": 10})
    policy = agents.make("base-stock", scenario)
    costs = costs_by_period(policy, scenario, 8)
    rows = rollout(policy, scenario, 8)
    assert costs[10:].mean() == pytest.approx(rows["cost"].mean())


def test_a_transient_is_left_out() -> None:
    noise = np.random.default_rng(0).normal(size=600)
    transient = 20.0 * np.exp(-np.arange(600) / 15.0)
    assert 30 <= mser5(5.0 + noise + transient) <= 120
    assert mser5(5.0 + noise) <= 100
    assert mser5(np.arange(100.0)) == 100  # it never ends


def test_blocks_cover_the_mean_of_a_series_with_memory() -> None:
    draw, hits = np.random.default_rng(0), 0
    for _ in range(200):
        noise = draw.normal(size=400)
        series = np.convolve(noise, np.ones(4), "valid")  # each value shares three with the next
        found = moving_blocks(series, block=20)
        hits += found.low <= 0.0 <= found.high
    assert 170 <= hits <= 198  # 95 % of 200 would be 190; independent periods would give about 130
    assert math.isnan(moving_blocks([1.0] * 10).half_width)


def test_a_recorded_demand_is_told_with_an_interval_over_time() -> None:
    scenario = jitgym.load("recorded-retail")
    one, other = (agents.make(name, scenario) for name in ("base-stock", "eoq"))
    [said] = comparison.over_time(one, other, scenario, 0)
    assert "moving blocks of 8 periods" in said
    assert comparison.over_time(one, other, jitgym.load("lost-sales"), 0) == []


def test_a_warm_up_that_is_too_short_is_told() -> None:
    scenario = jitgym.load("lost-sales", **{"items.product.initial_stock": 3000})
    policy = agents.make("base-stock", scenario)
    [said] = comparison.warm_up(policy, scenario, 0)
    assert re.match(r"the warm-up of \d+ periods is too short: MSER-5 leaves out \d+ ", said)
    enough = jitgym.load("lost-sales")
    assert comparison.warm_up(agents.make("base-stock", enough), enough, 0) == []
