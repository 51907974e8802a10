"""Steps in demand: the scaled plant, and the figures taken from the cost after the step."""

from __future__ import annotations

import numpy as np
import pytest

from jitgym import catalog
from jitgym.catalog import load
from jitgym.control import RulePolicy, pull_rule
from jitgym.evaluate import step_response
from jitgym.evaluate.step_response import respond
from jitgym.plant import lay_out
from jitgym.scenario import with_demand


@pytest.mark.parametrize("name", [name for name in catalog.names() if name != "tandem"])
def test_every_mean_demand_is_scaled_and_the_plant_stays_the_same(name: str) -> None:
    scenario = load(name)
    more = with_demand(scenario, 1.25)
    for demand, scaled in zip(scenario.demands.values(), more.demands.values(), strict=True):
        assert scaled.mean == pytest.approx(1.25 * demand.mean, rel=0.005)
    assert (more.items, more.sources, more.actions) == (
        scenario.items,
        scenario.sources,
        scenario.actions,
    )
    assert [part.name for part in lay_out(more).state] == [
        part.name for part in lay_out(scenario).state
    ]


def test_without_a_step_the_cost_stays_the_same() -> None:
    scenario = load("lost-sales")
    layout = lay_out(scenario)
    policy = RulePolicy("base-stock", layout, pull_rule(layout, levels={"supplier": 25}))
    found = step_response(policy, scenario, 1.0, episodes=64, before=100, after=400)
    assert found.settled == pytest.approx(found.before, rel=0.05)
    assert found.periods == 0


def test_more_demand_than_planned_costs_more_permanently() -> None:
    scenario = load("lost-sales")
    layout = lay_out(scenario)
    policy = RulePolicy("base-stock", layout, pull_rule(layout, levels={"supplier": 25}))
    found = step_response(policy, scenario, 1.3, episodes=64, before=100, after=400)
    assert found.settled > 1.3 * found.before
    assert 0 <= found.periods < 50


def test_periods_and_area_equal_those_computed_by_hand() -> None:
    cost = np.concatenate([np.full(20, 30.0), np.full(80, 10.0)])
    found = respond(1.3, np.full(10, 10.0), cost)
    assert (found.before, found.settled) == (10, 10)
    # The mean of ten periods is at most 10.5 once all ten lie after the twentieth.
    assert found.periods == 20
    assert found.area == pytest.approx(20 * 20)


def test_a_cost_that_keeps_growing_does_not_settle() -> None:
    assert np.isnan(respond(1.3, np.ones(10), np.arange(100.0)).periods)


def test_a_season_has_no_step_response() -> None:
    scenario = load("fast-fashion")
    layout = lay_out(scenario)
    with pytest.raises(ValueError, match="a season; expected an ongoing scenario"):
        step_response(RulePolicy("x", layout, pull_rule(layout, levels={})), scenario, 1.3)
