"""KPIs that a scenario declares, names in its own words, or needs for its trade; each by hand."""

from __future__ import annotations

import pytest

from jitgym import ScenarioError
from jitgym.plant import KPIS, headline_kpis, kpis, kpis_of
from jitgym.plant.records import WAITS
from jitgym.scenario.model import LONGEST_WAIT
from tests.scenarios import NOBODY, Probe, plant

BUYERS = {"item": "product", "quantity": 4, "unmet": "lost"}


def test_served_within_n_counts_customers_who_waited_at_most_n_periods() -> None:
    scenario = plant(
        items={"product": {"initial_stock": 3}},
        sources={"supplier": {"makes": "product", "lead_time": 2}},
        demands={"buyers": BUYERS | {"unmet": "backordered"}},
        horizon={"ongoing": 3},
        within=[0, 1, 2],
    )
    probe = Probe(scenario)
    for asked in (5, 4, 0):  # 3 of 4 at once; then none; then 1 after 2 periods and 4 after 1
        probe.step(supplier=asked)
    found = kpis(probe.layout, probe.engine.sums, 3)
    shares = [float(found[f"within_{n}"][0]) for n in scenario.within]
    assert shares == pytest.approx([3 / 12, 7 / 12, 8 / 12])
    assert shares[0] == found["fill_rate"][0]


def test_waits_longer_than_the_plant_counts_are_refused() -> None:
    assert LONGEST_WAIT == WAITS - 2  # the last cell holds what waited as long or longer
    with pytest.raises(ScenarioError, match=r"within\.0: is 11; expected at most 10"):
        plant(within=[11])


def test_a_season_is_judged_by_profit_margin_and_sell_through() -> None:
    scenario = plant(
        items={"product": {"initial_stock": 10, "salvage_value": 1}},
        demands={"buyers": BUYERS | {"price": 5}},
        horizon={"season": 2},
        sources={"supplier": {"makes": "product", "unit_cost": 2}},
    )
    probe = Probe(scenario)
    probe.step(supplier=0)
    probe.step(supplier=6)  # 8 of 16 sold at 5, 6 bought at 2, 8 sold off at 1
    found = kpis(probe.layout, probe.engine.sums, 2)
    profit = 8 * 5 - 6 * 2 + 8 * 1
    assert found["profit"][0] == profit == -probe.engine.episode_cost[0]
    assert found["margin"][0] == profit / 40
    assert found["sell_through"][0] == 8 / 16


def test_setups_that_spoil_units_count_as_defects_and_waste() -> None:
    source = {"makes": "product", "at": "press", "time_per_unit": 1}
    source |= {"setup_cost": 1, "setup_scrap": 2}
    other = source | {"makes": "other"}
    scenario = plant(
        items={"product": {}, "other": {}},
        sources={"one": source, "two": other},
        work_centers={"press": {"time": 10}},
        demands={"nobody": NOBODY},
        horizon={"ongoing": 1},
    )
    probe = Probe(scenario)
    probe.step(one=4, two=4)
    found = kpis(probe.layout, probe.engine.sums, 1)
    assert probe.engine.sums[0, probe.layout.flow("one.setups")] == 1
    assert found["first_pass_defects"][0] == pytest.approx(1e6 * 4 / 12)
    assert found["waste"][0] == pytest.approx(4 / 12)
    assert found["defect_rate"][0] == 0


def test_scrap_of_a_setup_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ScenarioError, match="setup_scrap: is 2, but the source has no setup"):
        plant(sources={"supplier": {"makes": "product", "setup_scrap": 2}})


def test_a_scenario_names_kpis_in_its_own_words() -> None:
    scenario = plant(words={"waste": "gone stale", "fill_rate": "met"}, unit="posts", within=[1])
    found = kpis_of(scenario)
    assert (found["waste"].title, found["backlog"].unit) == ("gone stale", "posts")
    assert found["within_1"].title == "served within 1 period"
    assert headline_kpis(scenario) == ("waste", "fill_rate", "within_1")
    assert found.keys() == {*KPIS, "within_1"}


def test_a_word_for_an_unknown_kpi_is_refused_before_anything_runs() -> None:
    scenario = plant(words={"wast": "gone stale"})
    with pytest.raises(ScenarioError, match=r"words: there is no KPI 'wast'; expected one of"):
        Probe(scenario)
