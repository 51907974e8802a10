"""Users are told if a plant cannot keep up with its demand, from its numbers and from its runs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import agents
import jitgym
from agents.studies import comparison
from jitgym import catalog
from jitgym.control import FunctionPolicy, RulePolicy, View, pull_rule
from jitgym.evaluate import is_growing, rollout, step_response
from jitgym.plant import lay_out
from jitgym.report import comparisons, tables
from jitgym.scenario import utilization

POISSON_10 = {"distribution": "poisson", "mean": 10}


def shop(
    capacity: float = 9.0,
    periods: int = 1000,
    demand: Any = POISSON_10,
    unmet: Any = "backordered",
    **others: Any,
) -> jitgym.Scenario:
    """A plant with one machine and one item; `others` maps dotted paths to their values."""
    document: dict[str, Any] = {
        "name": "shop",
        "period": "one day",
        "horizon": {"ongoing": periods, "warm_up": periods // 5},
        "items": {"part": {"holding_cost": 1.0}},
        "work_centers": {"machine": {"time": capacity}},
        "sources": {"making": {"makes": "part", "at": "machine", "time_per_unit": 1.0}},
        "demands": {
            "customers": {"item": "part", "quantity": demand, "unmet": unmet, "shortage_cost": 10.0}
        },
    }
    for path, value in others.items():
        *folders, last = path.split(".")
        place = document
        for folder in folders:
            place = place.setdefault(folder, {})
        if value is None:
            del place[last]
        else:
            place[last] = value
    return jitgym.Scenario.from_document(document)


BOUGHT = {"sources.making": {"makes": "part", "lead_time": 1}}  # without limit


def loads(scenario: jitgym.Scenario) -> dict[str, float]:
    return {each.place: each.utilization for each in utilization(scenario)}


def test_a_work_center_without_enough_time_gets_a_caution() -> None:
    (caution,) = shop(capacity=9).cautions
    assert "work_centers.machine" in caution
    assert "utilization 1.11" in caution
    assert "no steady state" in caution
    assert shop(capacity=10).cautions  # a random walk has no steady state either
    assert not shop(capacity=10.5).cautions


def test_loading_an_overloaded_plant_raises_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scenario = shop(capacity=9)
        agents.make("base-stock", scenario)


@pytest.mark.parametrize("name", catalog.names())
def test_no_plant_of_the_catalog_is_overloaded(name: str) -> None:
    scenario = jitgym.load(name)
    assert scenario.cautions == ()
    assert all(0 <= each.utilization < 1 for each in utilization(scenario))


BROKEN = {"fails": 0.1, "repaired": 0.4}  # up 80 % of the time


@pytest.mark.parametrize(
    ("others", "place", "expected"),
    [
        ({}, "work_centers.machine", 10 / 20),
        ({"work_centers.machine.breakdown": BROKEN}, "work_centers.machine", 10 / 16),
        (
            {"work_centers.machine.overtime": {"time": 5, "cost": 1}},
            "work_centers.machine",
            10 / 25,
        ),
        ({"sources.making.quality": {"defects": 0.2}}, "work_centers.machine", 12.5 / 20),
        (
            {"sources.making.quality": {"defects": 0.2, "escapes": 1.0}},
            "work_centers.machine",
            10 / 20,
        ),
        ({"sources.making.time_per_unit": 0.5}, "work_centers.machine", 5 / 20),
        (
            {"sources.making.partial": {"share": 0.5, "rest": "cancelled"}},
            "work_centers.machine",
            20 / 20,
        ),
        ({"sources.making.maximum_order": 12.5}, "sources.making.maximum_order", 10 / 12),
        (
            {"sources.making.maximum_order": 25, "sources.making.disruption": BROKEN},
            "sources.making.maximum_order",
            10 / 20,
        ),
        (
            {
                "items.steel": {"holding_cost": 0.1},
                "sources.mill": {"makes": "steel", "maximum_order": 40},
                "sources.making.consumes": {"steel": 3},
            },
            "sources.mill.maximum_order",
            30 / 40,
        ),
        (
            {
                "items.steel": {"holding_cost": 0.1, "storage": 60},
                "sources.mill": {"makes": "steel", "lead_time": 4},
                "sources.making.consumes": {"steel": 1},
            },
            "items.steel.storage",
            10 * (4 + 1) / 60,
        ),
    ],
)
def test_utilization_equals_that_computed_by_hand(
    others: dict[str, Any], place: str, expected: float
) -> None:
    assert loads(shop(capacity=20, **others))[place] == pytest.approx(expected)


def test_two_sources_of_one_item_share_the_load() -> None:
    second = {"makes": "part", "maximum_order": 6}
    scenario = shop(capacity=9, **{"sources.buying": second})
    found = loads(scenario)
    assert found["work_centers.machine"] == pytest.approx(10 / 15)
    assert found["sources.buying.maximum_order"] == pytest.approx(10 / 15)
    assert not scenario.cautions
    assert shop(capacity=3, **{"sources.buying": second}).cautions
    unlimited = shop(capacity=3, **{"sources.buying": {"makes": "part"}})
    assert not unlimited.cautions


def test_rework_uses_time_of_its_work_center() -> None:
    rework = {
        "items.defects": {},
        "sources.making.quality": {"defects": 0.25, "by_product": "defects"},
        "sources.rework": {
            "makes": "part",
            "consumes": {"defects": 1},
            "at": "machine",
            "time_per_unit": 1.0,
        },
    }
    # 10 units are made; 2.5 of them are defective and are reworked at the same machine.
    assert loads(shop(capacity=20, **rework))["work_centers.machine"] == pytest.approx(12.5 / 20)


@pytest.mark.parametrize(
    ("unmet", "mean", "is_told"),
    [
        ("lost", 100, False),
        ({"backordered": 0.5}, 12, False),
        ({"backordered": 0.5}, 20, True),
        ("backordered", 12, True),
    ],
)
def test_only_demand_that_waits_can_pile_up(unmet: Any, mean: float, is_told: bool) -> None:
    demand = {"distribution": "poisson", "mean": mean}
    scenario = shop(capacity=9, demand=demand, unmet=unmet)
    assert bool(scenario.cautions) == is_told
    policy = agents.make("base-stock", scenario)
    assert is_growing(rollout(policy, scenario, 64), policy, scenario) == is_told


def test_customers_who_leave_do_not_pile_up() -> None:
    scenario = shop(capacity=9, **{"demands.customers.abandons": 0.1})
    assert not scenario.cautions


def test_constant_demand_may_use_all_of_the_capacity() -> None:
    assert not shop(capacity=10, demand=10).cautions
    assert shop(capacity=9.5, demand=10).cautions


def test_a_material_that_nothing_makes_runs_out() -> None:
    steel = {"items.steel": {"initial_stock": 50}, "sources.making.consumes": {"steel": 1}}
    (caution,) = shop(capacity=20, **steel).cautions
    assert caution.startswith("items.steel: demand needs more units than can ever be available")
    assert shop(capacity=20, horizon={"season": 10}, **steel).cautions
    assert not shop(capacity=20, horizon={"season": 5}, **steel).cautions
    assert not shop(capacity=20, unmet="lost", **steel).cautions


def test_a_supplier_that_never_recovers_is_named() -> None:
    gone = {"sources.making.disruption": {"fails": 0.1, "repaired": 0.0}}
    (caution,) = shop(capacity=20, **gone).cautions
    assert caution.startswith("sources.making.disruption")


def test_a_season_gets_a_caution_only_for_its_total_demand() -> None:
    season = {"horizon": {"season": 10}}
    (caution,) = shop(capacity=9, **season).cautions
    assert "no policy can serve all demand of the season" in caution
    assert "steady state" not in caution
    assert not shop(capacity=9, **season, **{"items.part.initial_stock": 11}).cautions


@pytest.mark.parametrize(("capacity", "grows"), [(9, True), (10, True), (10.5, False), (12, False)])
def test_a_backlog_that_grows_is_recognized_from_runs(capacity: float, grows: bool) -> None:
    scenario = shop(capacity=capacity)
    layout = lay_out(scenario)
    policy = RulePolicy("base-stock", layout, pull_rule(layout, levels={"making": 30}))
    assert is_growing(rollout(policy, scenario, 64), policy, scenario) == grows


def always_ten(view: View) -> Any:
    """A policy without feedback: it asks for the mean demand, whoever waits."""
    return np.full(len(view), 10.0)


def test_a_policy_may_lack_a_steady_state_although_the_plant_has_one() -> None:
    scenario = shop(**BOUGHT)
    policy = FunctionPolicy(always_ten)
    assert is_growing(rollout(policy, scenario, 64), policy, scenario)


@pytest.mark.parametrize("name", ["kanban-line", "serial-system", "beer-game", "automotive-line"])
def test_plants_of_the_catalog_have_a_steady_state(name: str) -> None:
    scenario = jitgym.load(name)
    policy = agents.make("base-stock", scenario)
    assert not is_growing(rollout(policy, scenario, 64), policy, scenario)


@pytest.mark.parametrize("periods", [500, 2000])
def test_a_table_says_no_steady_state_and_gives_no_gap(periods: int) -> None:
    scenario = shop(capacity=9, periods=periods)
    policies = [agents.make(name, scenario) for name in ("base-stock", "kanban")]
    rows = comparison.contest(policies, scenario, episodes=64)
    compared = comparisons.comparison(rows, ["base-stock (textbook)"], 100.0, scenario)
    assert all(row.gap is None and row.difference is None for row in compared)
    assert all(not row["steady"] for row in comparisons.as_json(compared)["policies"])
    text = tables.markdown(comparisons.table(compared, scenario, comparison.cautions(scenario)))
    assert "no steady state: the average grows with the horizon" in text
    assert "utilization 1.11" in text


def test_the_steady_policies_of_a_table_keep_their_gaps() -> None:
    scenario = shop(**BOUGHT)
    policies = [agents.make("base-stock", scenario), FunctionPolicy(always_ten)]
    rows = comparison.contest(policies, scenario, episodes=64)
    names = [policy.name for policy in policies]
    steady, other = comparisons.comparison(rows, names, 1.0, scenario)
    assert steady.names == ("base-stock (textbook)",)
    assert steady.is_steady
    assert steady.gap is not None
    assert not other.is_steady
    assert other.gap is None


def test_a_step_beyond_capacity_does_not_settle() -> None:
    scenario = shop(capacity=10.8, demand={"distribution": "poisson", "mean": 9})
    policy = agents.make("base-stock", scenario)
    found = step_response(policy, scenario, 1.3, episodes=32, before=100, after=300)
    assert found.is_growing
    assert np.isnan([found.settled, found.periods, found.area]).all()
    assert found.before > 0
    calm = step_response(policy, scenario, 1.05, episodes=32, before=100, after=300)
    assert not calm.is_growing
    assert calm.settled > 0


def test_the_rivals_of_a_learner_suit_the_plant() -> None:
    assert comparison.rivals(jitgym.load("regime-switching"))[0] == "regime-base-stock"
    assert comparison.rivals(jitgym.load("fixed-cost"))[0] == "s-S"
    for name in catalog.names():
        scenario = jitgym.load(name)
        rivals = comparison.rivals(scenario)
        assert 1 <= len(rivals) <= 3
        assert all(not agents.why_not(rival, scenario) for rival in rivals)


def test_kanban_and_eoq_are_in_every_comparison_where_they_apply() -> None:
    scenario = jitgym.load("lost-sales")
    assert comparison.with_always(["constant"], scenario) == ["constant", "kanban", "eoq"]
    for name in catalog.names():
        scenario = jitgym.load(name)
        for policy in comparison.with_always([], scenario):
            assert not agents.why_not(policy, scenario)
