"""Scenarios: the catalog, writing and reading YAML, overrides, and derived quantities."""

from __future__ import annotations

import datetime
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jitgym import catalog
from jitgym.catalog import load
from jitgym.distributions import Geometric, Poisson, Recorded, Uniform
from jitgym.errors import ScenarioError
from jitgym.scenario import Scenario

PRODUCTS = [
    f"sku-{n}" for n in (20676, 21034, 21326, 21733, 21908, 21934, 22027, 22079, 22147, 84836)
]


def two_sources(**changes: object) -> Scenario:
    """A kit of two bolts, made near or far away; the far maker needs more steel."""
    data = {
        "name": "kits",
        "period": "one day",
        "horizon": {"ongoing": 100},
        "items": {"kit": {"holding_cost": 2}, "bolt": {"holding_cost": 1}, "steel": {}},
        "sources": {
            "far": {"makes": "bolt", "consumes": {"steel": 3}, "lead_time": 4, "lot_size": 10},
            "near": {"makes": "bolt", "consumes": {"steel": 2}, "lead_time": 1},
            "packing": {"makes": "kit", "consumes": {"bolt": 2}},
            "mill": {"makes": "steel"},
        },
        "demands": {
            "shop": {"item": "kit", "quantity": 3, "unmet": "backordered", "shortage_cost": 5},
            "spares": {"item": "bolt", "quantity": 4, "unmet": "lost", "price": 6},
        },
        **changes,
    }
    return Scenario.from_document(data)


@pytest.mark.parametrize("name", catalog.names())
def test_the_catalog_survives_writing_and_reading_as_yaml(name: str, tmp_path: Path) -> None:
    scenario = load(name)
    file = tmp_path / "written.yaml"
    text = scenario.to_yaml(file)
    assert file.read_text(encoding="utf-8") == text
    assert load(file) == scenario
    assert load(str(file)).to_yaml() == text
    assert hash(load(file)) == hash(scenario)
    assert [child.name for child in tmp_path.iterdir()] == ["written.yaml"]


@pytest.mark.parametrize("name", catalog.names())
def test_every_catalog_scenario_has_a_header_and_states_its_action_bounds(name: str) -> None:
    header = catalog.text(name).partition("\nname:")[0]
    assert all(line.startswith("#") for line in header.splitlines())
    assert "numbers come from" in header or "other numbers are ours" in header
    assert "makes it hard" in header
    scenario = load(name)
    assert scenario.name == name
    assert scenario.actions.maximum_order.keys() == scenario.sources.keys()
    for source, about in scenario.sources.items():
        assert scenario.order_bound(source) >= about.lot_size


def test_the_scenario_lost_sales_is_that_of_zipkin() -> None:
    scenario = load("lost-sales")
    assert scenario.known_optimum is not None
    assert scenario.known_optimum.cost == 4.7285
    assert scenario.yardstick == "average cost per period"
    assert (scenario.horizon.periods, scenario.horizon.warm_up) == (2000, 200)
    assert scenario.horizon.ends is False
    assert scenario.reward_scale == pytest.approx(20)
    assert scenario.order_bound("supplier") == 10
    assert scenario.level_bound("product") == 60
    assert scenario.mean_lead_time("supplier") == 4
    assert scenario.file == "lost-sales"


def test_every_station_of_the_line_has_a_little_spare_capacity() -> None:
    line = load("kanban-line")
    assert line.items_upstream_first == ("steel", "panel", "frame", "car")
    for source in line.sources.values():
        if source.at is not None:
            center = line.work_centers[source.at]
            assert center.breakdown is not None
            up = center.breakdown.repaired / (center.breakdown.fails + center.breakdown.repaired)
            needed = line.mean_requirement(source.makes) * source.time_per_unit
            assert 0.65 <= needed / (center.time.expectation * up) <= 0.9


def test_the_tandem_shares_one_clock_in_proportion_to_its_rates() -> None:
    tandem = load("tandem", demand_rate=0.8, service_rates=[1.25, 1], holding=[1, 2], backorder=10)
    shares = [tandem.work_centers[n].time.expectation for n in ("station_1", "station_2")]
    shares.append(tandem.demands["customers"].quantity.expectation)
    assert shares == pytest.approx([1.25 / 3.05, 1 / 3.05, 0.8 / 3.05])
    u = (np.arange(1000) + 0.5) / 1000
    happened = sum(
        d.quantile(u)
        for d in (
            *(center.time for center in tandem.work_centers.values()),
            tandem.demands["customers"].quantity,
        )
    )
    assert np.all(happened == 1)  # exactly one event per period
    assert [item.holding_cost for item in tandem.items.values()] == [1, 2]


@pytest.mark.parametrize("item", PRODUCTS)
def test_recorded_retail_has_a_year_for_training_and_a_year_for_testing(item: str) -> None:
    scenario = load("recorded-retail", item=item)
    quantity = scenario.demands["customers"].quantity
    assert isinstance(quantity, Recorded)
    assert len(quantity.series("train")) == 52
    assert len(quantity.series("test")) == scenario.horizon.periods
    assert [quantity.block(split) for split in ("train", "tune", "validate", "test")] == [
        8,
        8,
        8,
        0,
    ]
    np.testing.assert_array_equal(quantity.series("tune"), quantity.series("train"))
    np.testing.assert_array_equal(quantity.series("validate"), quantity.series("train"))
    assert quantity.expectation == pytest.approx(quantity.series("train").mean())
    assert quantity.standard_deviation == pytest.approx(quantity.series("train").std())
    assert np.sum(quantity.series("train") == 0) + np.sum(quantity.series("test") == 0) <= 4
    assert not quantity.series("train").flags.writeable


def test_recorded_series_are_in_the_order_of_their_dates(tmp_path: Path) -> None:
    rows = ["date,item,quantity", "2024-01-15,a,3", "2024-01-01,a,1", "2024-01-08,a,2"]
    (tmp_path / "sales.csv").write_text("\n".join([*rows, "2024-01-08,b,9"]))
    data = load("recorded-retail").document() | {"horizon": {"ongoing": 2}}
    data["demands"]["customers"]["quantity"] = {
        "distribution": "recorded",
        "file": str(tmp_path / "sales.csv"),
        "item": "a",
        "splits": {"train": {"from": datetime.date(2024, 1, 1), "to": datetime.date(2024, 1, 10)}},
    }
    quantity = Scenario.from_document(data).demands["customers"].quantity
    assert isinstance(quantity, Recorded)
    assert quantity.series("test").tolist() == [1, 2]
    assert quantity.block("test") == 0


def test_a_horizon_beyond_what_a_split_replays_is_refused() -> None:
    with pytest.raises(
        ScenarioError, match=r"horizon: has 80 periods, but split test .* has only 52 to replay"
    ):
        load("recorded-retail", **{"horizon.ongoing": 80})


def test_overrides_take_a_short_name_or_a_dotted_path() -> None:
    scenario = load(
        "lost-sales",
        demand="geometric",
        mean=np.float64(6),
        penalty=np.int64(19),
        **{"sources.supplier.lead_time": {"distribution": "uniform", "low": 2, "high": 4}},
        discount=0.99,
    )
    assert scenario.demands["customers"].quantity == Geometric(mean=6)
    assert scenario.demands["customers"].shortage_cost == 19
    assert scenario.sources["supplier"].lead_time == Uniform(low=2, high=4)
    assert scenario.yardstick == "discounted cost"
    assert scenario == load(
        load("lost-sales", penalty=19, mean=6),
        demand="geometric",
        lead_time=Uniform(low=2, high=4),
        discount=0.99,
    )


def test_overrides_may_set_values_that_the_file_does_not_write() -> None:
    scenario = load(
        "kanban-line",
        **{
            "items.steel.storage": 80,
            "work_centers.press.breakdown.per": "unit",
            "sources.mill.lead_time.probabilities.0": 0.4,
            "sources.mill.lead_time.probabilities.1": 0.4,
            "sources.pressing.maximum_order": 12,
        },
    )
    assert scenario.items["steel"].storage == 80
    assert scenario.work_centers["press"].breakdown is not None
    assert scenario.work_centers["press"].breakdown.per == "unit"
    assert scenario.mean_lead_time("mill") == pytest.approx(2.8)
    assert (
        scenario.order_bound("pressing") == 12
    )  # the maximum of the source is below that in `actions`


def test_a_list_gives_one_value_to_each_path_and_a_single_value_goes_to_all() -> None:
    dealt = load("tandem", holding=(1, 3))
    assert [item.holding_cost for item in dealt.items.values()] == [1, 3]
    shared = load("tandem", holding=4)
    assert [item.holding_cost for item in shared.items.values()] == [4, 4]


def test_an_override_removes_the_known_optimum_and_settings_without_meaning() -> None:
    scenario = load("lost-sales", **{"demands.customers.quantity": 5})
    assert scenario.known_optimum is None
    assert "mean" not in scenario.parameters
    assert scenario.parameters.keys() == {"holding", "penalty", "lead_time"}
    assert load(scenario.document()["name"]).known_optimum is not None


def test_loading_a_scenario_object_returns_it() -> None:
    scenario = load("tandem")
    assert load(scenario) is scenario


def test_requirements_follow_the_source_that_needs_the_most_material() -> None:
    scenario = two_sources()
    assert scenario.items_upstream_first == ("steel", "bolt", "kit")
    assert scenario.sources_of("bolt") == ("far", "near")
    assert scenario.consumers_of("steel") == ("far", "near")
    assert scenario.mean_requirement("bolt") == 2 * 3 + 4
    assert scenario.mean_requirement("steel") == 3 * 10
    assert scenario.reward_scale == 5 * 3 + 6 * 4


def test_default_bounds_follow_demand_lead_time_and_lots() -> None:
    scenario = two_sources()
    assert scenario.order_bound("far") == 10
    assert scenario.level_bound("bolt") == max(20 * 10, 10 * (4 + 2))
    assert scenario.level_bound("kit") == 20
    assert scenario.order_bound("mill") == 30
    assert scenario.level_bound("steel") == 60


def test_default_bounds_add_twice_the_economic_order() -> None:
    scenario = load("lost-sales", **{"sources.supplier.shipment_cost": 64})
    data = scenario.document()
    del data["actions"]
    bound = Scenario.from_document(data).order_bound("supplier")
    frequent = Poisson(mean=5).quantile(0.999)
    assert bound == math.ceil(frequent + 2 * math.sqrt(2 * 64 * 5 / 1))


def test_bounds_below_the_mean_requirement_are_refused_when_they_are_used() -> None:
    scenario = load("lost-sales", **{"actions.maximum_order.supplier": 4})
    with pytest.raises(ScenarioError, match=r"maximum_order: allows 4 .* mean requirement of 5"):
        scenario.order_bound("supplier")


def test_two_sources_together_may_cover_the_mean_requirement() -> None:
    scenario = two_sources(actions={"maximum_order": {"near": 2}})
    assert scenario.order_bound("near") == 2  # the far source delivers the rest


def test_a_scenario_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load("lost-sales").name = "other"


def test_loading_events_does_not_change_the_given_objects() -> None:
    first = load("tandem")
    second = load(first, demand_rate=0.1)
    assert first.demands["customers"].quantity.expectation == pytest.approx(0.7 / 2.7)
    assert second.demands["customers"].quantity.expectation == pytest.approx(0.1 / 2.1)


def test_importing_scenarios_loads_no_slow_package() -> None:
    code = (
        "import sys, jitgym; jitgym.load('recorded-retail')\n"
        "slow = {'pandas', 'scipy.stats', 'torch', 'matplotlib', 'stable_baselines3'}\n"
        "print(*slow & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_unknown_names_are_refused_with_similar_ones() -> None:
    with pytest.raises(ScenarioError, match="did you mean 'lost-sales'"):
        load("lost-sale")
    with pytest.raises(ScenarioError, match="expected one of automotive-line, beer-game"):
        load("zzz")
    with pytest.raises(ScenarioError, match=r"nowhere.yaml: no such file"):
        load("nowhere.yaml")


def test_an_override_reads_the_records_that_the_scenario_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"2010-01-{day:02},sku-20676,1" for day in range(1, 29)]
    (tmp_path / "retail.csv").write_text("\n".join(["date,item,quantity", *rows]))
    monkeypatch.chdir(tmp_path)
    mean = load("recorded-retail").demands["customers"].quantity.expectation
    varied = load("recorded-retail", penalty=3)
    assert varied.demands["customers"].quantity.expectation == mean
