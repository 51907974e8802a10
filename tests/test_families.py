"""Families of plants: the properties that every member has."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import agents
import jitgym
from jitgym import ScenarioError, evaluate
from jitgym.distributions import LifeCycle
from jitgym.plant import lay_out
from tests.scenarios import Probe


@pytest.mark.parametrize("stations", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("utilization", [0.75, 0.85, 0.95])
def test_a_line_has_its_stations_and_its_utilization(stations: int, utilization: float) -> None:
    scenario = jitgym.load("line", stations=stations, utilization=utilization)
    assert len(scenario.sources) == len(scenario.items) == len(scenario.work_centers) == stations
    center = scenario.work_centers["machine_1"]
    assert center.breakdown is not None
    up = center.breakdown.repaired / (center.breakdown.fails + center.breakdown.repaired)
    demand = scenario.mean_requirement("parts_1")
    assert demand / (up * center.time.expectation) == pytest.approx(utilization)
    costs = [item.holding_cost for item in scenario.items.values()]
    assert costs == sorted(set(costs))  # more downstream
    assert scenario == jitgym.load(scenario)  # it can be written and read like any other
    assert jitgym.Scenario.from_document(scenario.document()) == scenario


def test_a_line_is_small_enough_to_be_solved() -> None:
    """Its state has stocks, backlog and stations that are up, but nothing in process."""
    layout = lay_out(jitgym.load("line"))
    seen = {part.name for part in layout.state if part.kind not in ("hidden", "report")}
    seen = {name for name in seen if not name.endswith(".in_process")}
    stocks = {f"parts_{k}.stock" for k in (1, 2, 3)}
    assert seen == {*stocks, *(f"machine_{k}.up" for k in (1, 2, 3)), "customers.backlog"}
    sizes = {part.name: part.size for part in layout.state}
    assert all(sizes[f"station_{k}.in_process"] == 0 for k in (1, 2, 3))


def test_a_part_is_material_only_in_the_period_after_it_was_made() -> None:
    probe = Probe(jitgym.load("line", stations=2, mean_time_to_failure=1e9))
    made = [probe.step(station_1=2, station_2=2) for _ in range(50)]
    assert made[0]["station_2.granted"] == 0
    assert 0.8 < np.mean([flows["station_1.granted"] for flows in made]) < 1.2
    assert np.mean([flows["station_2.granted"] for flows in made]) > 0.8


def test_keywords_of_a_family_and_paths_can_be_combined() -> None:
    scenario = jitgym.load("line", stations=2, holding=[1, 5], **{"horizon.ongoing": 300})
    assert [item.holding_cost for item in scenario.items.values()] == [1, 5]
    assert scenario.horizon.periods == 300
    other = jitgym.load(scenario, backorder=7, holding=2)
    assert other.demands["customers"].shortage_cost == 7
    assert [item.holding_cost for item in other.items.values()] == [2, 2]
    assert jitgym.load("line", holding=3, backorder=9).reward_scale == pytest.approx(
        9 * jitgym.load("line").demands["customers"].mean
    )


@pytest.mark.parametrize("stations", [3, 4])
def test_a_line_runs_as_an_environment(stations: int) -> None:
    env = gymnasium.make("jitgym/Plant-v0", scenario="line", stations=stations)
    env.action_space.seed(0)
    env.reset(seed=0)
    for _ in range(50):
        observation, reward, terminated, _, info = env.step(env.action_space.sample())
        assert np.isfinite(observation).all()
        assert np.isfinite(float(reward))
        assert info["cost"] >= 0
        assert not terminated
    envs = gymnasium.make_vec("jitgym/Plant-v0", num_envs=4, scenario="line", utilization=0.95)
    envs.reset(seed=0)
    assert np.isfinite(envs.step(envs.action_space.sample())[0]).all()


def test_base_stock_is_the_best_simple_pull_policy_of_a_line() -> None:
    """The levels come from tuning; every policy faces the same 256 episodes."""
    scenario = jitgym.load("line")
    given: dict[str, dict[str, Any]] = {
        "kanban": {"cards": [4, 3, 7]},
        "conwip": {"cards": 12},
        "hybrid": {"cards": [9, 3, 7], "line_cards": [13]},
        "base-stock": {"levels": [3, 2, 7]},
    }
    costs = {
        name: evaluate.rollout(agents.make(name, scenario, **parameters), scenario)["cost"].mean()
        for name, parameters in given.items()
    }
    assert costs["base-stock"] < costs["hybrid"] < min(costs["kanban"], costs["conwip"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"stations": 0}, "line: stations: 0; expected a whole number, at least 1"),
        ({"stations": 2.5}, "line: stations: 2.5; expected a whole number"),
        ({"stations": True}, "line: stations: True; expected a whole number"),
        ({"utilization": 1.0}, "line: utilization: 1.0; expected a number above 0 and below 1"),
        ({"utilization": 0}, "line: utilization: 0; expected a number above 0 and below 1"),
        ({"utilization": "high"}, "line: utilization: 'high'; expected a number"),
        ({"mean_time_to_repair": 0.5}, "line: mean_time_to_repair: 0.5; expected a number at lea"),
        ({"mean_time_to_failure": float("nan")}, "line: mean_time_to_failure: nan; expected a"),
        ({"holding": [1, 2]}, "line: holding: has 2 values; expected 3, one per station"),
        ({"holding": -1}, "line: items.parts_1.holding_cost"),
        ({"backorder": "x"}, "line: demands.customers.shortage_cost"),
        ({"station": 4}, "unknown parameter 'station'"),
    ],
)
def test_wrong_arguments_of_a_line_are_refused_by_their_names(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        jitgym.load("line", **given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("weeks", [1, 2, 4])
def test_a_style_is_one_item_of_a_season_in_packs(weeks: int) -> None:
    season, style = jitgym.load("fast-fashion"), jitgym.load("style", style="teri", weeks=weeks)
    assert style.horizon.periods * weeks == season.horizon.periods
    quantity, whole = style.demands["teri_buyers"].quantity, season.demands["teri_buyers"].quantity
    assert isinstance(quantity, LifeCycle)
    assert isinstance(whole, LifeCycle)
    assert quantity.mean * 200 == pytest.approx(whole.mean)
    assert quantity.first * weeks == whole.first
    assert sum(quantity.shares) == pytest.approx(sum(whole.shares))
    # The cost of a piece per week and the price of a piece are the same.
    assert style.items["teri"].holding_cost == pytest.approx(
        season.items["teri"].holding_cost * weeks * 200
    )
    assert style.demands["teri_buyers"].price == pytest.approx(112 * 200)
    assert style.sources["teri_far"].minimum_order == 6
    assert style.mean_lead_time("teri_near") == -(-3 // weeks)
    assert jitgym.Scenario.from_document(style.document()) == style


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"style": "gale"}, "style: style: 'gale'; expected one of gail, isis"),
        ({"weeks": 3}, "style: weeks: 3; expected 1, 2 or 4"),
        ({"pieces": 0}, "style: pieces: 0; expected a whole number, at least 1"),
    ],
)
def test_wrong_arguments_of_a_style_are_refused_by_their_names(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        jitgym.load("style", **given)
