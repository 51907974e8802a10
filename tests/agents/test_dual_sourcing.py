"""Policies for an item with two suppliers: their asks, and their published gaps."""

from __future__ import annotations

from typing import Any

import pytest

import agents
import jitgym
from agents.classic.sourcing.dual_sourcing import expedited_position
from jitgym import evaluate
from jitgym.plant import lay_out
from jitgym.scenario import Scenario
from tests.tables import published

from .test_classic import asked_at

# The parameters of lowest cost, found by search, by (regular lead time, expedited unit cost).
BEST: dict[tuple[str, str], dict[str, dict[str, Any]]] = {
    ("2", "105"): {
        "single-index": {"expedited_level": 5, "regular_level": 6},
        "dual-index": {"expedited_level": 4, "regular_level": 7},
        "capped-dual-index": {"expedited_level": 4, "regular_level": 7, "cap": 2},
        "tailored-base-surge": {"order": 1, "level": 4},
    },
    ("2", "110"): {
        "single-index": {"expedited_level": 6, "regular_level": 8},
        "dual-index": {"expedited_level": 4, "regular_level": 8},
        "capped-dual-index": {"expedited_level": 4, "regular_level": 8, "cap": 2},
        "tailored-base-surge": {"order": 1, "level": 4},
    },
    ("4", "105"): {
        "single-index": {"expedited_level": 4, "regular_level": 4},
        "dual-index": {"expedited_level": 4, "regular_level": 8},
        "capped-dual-index": {"expedited_level": 4, "regular_level": 11, "cap": 1},
        "tailored-base-surge": {"order": 1, "level": 4},
    },
    ("4", "110"): {
        "single-index": {"expedited_level": 7, "regular_level": 8},
        "dual-index": {"expedited_level": 4, "regular_level": 11},
        "capped-dual-index": {"expedited_level": 4, "regular_level": 11, "cap": 2},
        "tailored-base-surge": {"order": 1, "level": 4},
    },
}


def scenario_of(row: dict[str, str]) -> Scenario:
    names = ("regular_unit_cost", "expedited_unit_cost", "holding", "backorder")
    lead_times = ("regular_lead_time", "expedited_lead_time")
    given = {n: float(row[n]) for n in names} | {n: int(row[n]) for n in lead_times}
    return jitgym.load("dual-sourcing", **given)


@pytest.mark.parametrize(
    "row", published("dual_sourcing.csv"), ids=lambda r: r["regular_lead_time"] + r["optimum_total"]
)
def test_gaps_of_dual_sourcing_are_the_published_ones(row: dict[str, str]) -> None:
    """Gaps are in percent of all costs, paired with the capped dual index on the same episodes."""
    scenario = scenario_of(row)
    best = BEST[row["regular_lead_time"], row["expedited_unit_cost"]]
    cost = {
        name: evaluate.rollout(agents.make(name, scenario, **given), scenario, 512)["cost"].mean()
        for name, given in best.items()
    }
    base = cost["capped-dual-index"]
    published = {name: float(row[f"{name.replace('-', '_')}_gap_pct"]) for name in best}
    for name, gap in published.items():
        more = 100 * (cost[name] - base) / float(row["optimum_total"])
        assert more == pytest.approx(gap - published["capped-dual-index"], abs=0.05), name
    assert base == pytest.approx(
        float(row["optimum_total"]) * (1 + published["capped-dual-index"] / 100), rel=0.002
    )


@pytest.mark.parametrize(
    "row", published("dual_sourcing.csv"), ids=lambda r: r["regular_lead_time"] + r["optimum_total"]
)
@pytest.mark.parametrize("name", ["single-index", "dual-index", "tailored-base-surge"])
def test_the_tuner_finds_the_best_parameters_of_dual_sourcing(
    name: str, row: dict[str, str]
) -> None:
    """It does so even if the cost of a single index has several valleys, as for lead time 4."""
    best = BEST[row["regular_lead_time"], row["expedited_unit_cost"]]
    assert agents.tune(name, scenario_of(row), seed=0).parameters == best[name]


@pytest.mark.parametrize(("regular", "expedited", "counted"), [(4, 0, []), (4, 1, [3]), (3, 2, 3)])
def test_an_expedited_order_counts_only_units_that_arrive_no_later_than_it(
    regular: int, expedited: int, counted: Any
) -> None:
    scenario = jitgym.load(
        "dual-sourcing", regular_lead_time=regular, expedited_lead_time=expedited
    )
    layout = lay_out(scenario)
    parts = {part.name: part for part in layout.state}
    position = expedited_position(layout, "product")
    ages = [cell - parts["regular.in_process"].start for cell in position]
    seen = [age for age in ages if 1 <= age < parts["regular.in_process"].size]
    assert seen == (counted if isinstance(counted, list) else [1, 2])
    assert position[parts["product.stock"].start] == 1
    assert position[parts["customers.backlog"].start] == -1
    in_process = parts["expedited.in_process"]
    assert all(position[in_process.start + age] == 1 for age in range(in_process.size))


@pytest.mark.parametrize(
    ("name", "given", "asked"),
    [
        ("single-index", {"expedited_level": 5, "regular_level": 9}, [4, 2]),
        ("dual-index", {"expedited_level": 4, "regular_level": 9}, [2, 4]),
        ("capped-dual-index", {"expedited_level": 4, "regular_level": 9, "cap": 1}, [1, 4]),
        ("tailored-base-surge", {"order": 1, "level": 4}, [1, 4]),
    ],
)
def test_the_expedited_order_is_placed_first_and_counts_for_the_regular_one(
    name: str, given: dict[str, Any], asked: list[float]
) -> None:
    policy = agents.make(name, "dual-sourcing", **given)
    view = {"product.stock": 0.0, "customers.backlog": 0.0, "regular.in_process": 3.0}
    assert asked_at(policy, **view) == asked


def test_the_expedited_level_of_the_textbook_is_not_above_the_regular_one() -> None:
    for name in ("single-index", "dual-index", "capped-dual-index"):
        found: Any = agents.make(name, "dual-sourcing")
        assert found.parameters["expedited_level"] <= found.parameters["regular_level"]
    found = agents.make("dual-index", "dual-sourcing")
    assert found.parameters == {
        "expedited_level": 4,  # the whole demand of a period: the ratio is .99
        "regular_level": 11,
    }
