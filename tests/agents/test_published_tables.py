"""Published tables: how they are read, and small versions of each."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import yaml

import agents
from agents.studies import records
from agents.studies.records import lost_sales, lot_sizing, pages, serial, solved, specialists
from jitgym import ScenarioError
from jitgym.control.net import Net, untrained
from jitgym.evaluate import RunError, rollout

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("name", records.TABLES)
def test_each_table_has_instances_and_says_where_they_come_from(name: str) -> None:
    folder = BENCHMARKS / name
    rows = records.read_rows(records.find(name), folder / "table.csv")
    about = yaml.safe_load((folder / "about.yaml").read_text())
    assert set(about) == {"title", "source", "about"}
    printed = [records.published(records.find(name), row) for row in rows]
    assert all((cost or 0) > 0 for cost in printed) or not records.find(name).printed


def test_the_best_printed_policy_is_published_and_never_a_bound() -> None:
    row = {"best_base_stock": "5.2", "gc_lsn": "", "best_capped_base_stock": "4.9"}
    row["lower_bound"] = "4.0"
    assert records.published(records.find("lost_sales_zero_shot"), row) == 4.9


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("demand,s_S\nconstant 5,6293\n", "no column 'rolling_dynamic_program'"),
        ("demand,s_S,rolling_dynamic_program\n", "has no rows"),
        ("demand,s_S,rolling_dynamic_program\nsine 1,much,7\n", "line 2: s_S is 'much'"),
        ("demand,s_S,rolling_dynamic_program\nsine 1,,\n", "line 2: prints no cost"),
    ],
)
def test_a_file_of_another_form_is_refused_with_its_place(
    text: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=said):
        records.read_rows(records.find("lot_sizing_dehaybe"), path)


def test_an_unknown_table_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ScenarioError, match="did you mean 'serial_pirhooshyaran'"):
        records.find("serial_pirhoshyaran")


def test_plants_that_are_solved_cost_what_is_printed() -> None:
    rows = records.read_rows(
        records.find("s_S_zheng_federgruen"), BENCHMARKS / "s_S_zheng_federgruen" / "table.csv"
    )
    [found] = records.run(records.find("s_S_zheng_federgruen"), rows[:1], 1)
    assert found.ours == pytest.approx(found.published, abs=6e-4)
    assert found.classic == pytest.approx(found.published, rel=2e-3)  # tuned by simulation


def test_printed_returns_are_costs_with_the_other_sign() -> None:
    record = records.find("perishable")
    row = records.read_rows(record, BENCHMARKS / "perishable" / "table.csv")[0]
    assert records.published(record, row) == 1553  # the return -1553 is better than -1565


def test_printed_gaps_are_total_costs() -> None:
    record = records.find("dual_sourcing")
    row = records.read_rows(record, BENCHMARKS / "dual_sourcing" / "table.csv")[1]
    # The optimum is 219.733333, 19.733333 of it above regular purchase; the least gap is .03 %.
    assert records.published(record, row) == pytest.approx(219.733333 + 0.0003 * 19.733333)


def test_serial_systems_cost_what_is_printed() -> None:
    record = records.find("serial_pirhooshyaran")
    rows = records.read_rows(record, BENCHMARKS / record.name / "table.csv")
    for row in rows:
        assert serial.normal_serial(row)["ours"] == pytest.approx(float(row["cost"]), rel=1e-3)


RANDOM = "lost_sales_random_lead_times"


def rows_of_random_lead_times() -> list[dict[str, str]]:
    return records.read_rows(records.find(RANDOM), BENCHMARKS / RANDOM / "table.csv")


def test_each_row_with_a_random_lead_time_has_stored_weights_that_fit_its_plant() -> None:
    with np.load(specialists.STORED, allow_pickle=False) as stored:
        names = set(stored.files)
    keys = [specialists.key_of(row, lost_sales.law_of(row)) for row in rows_of_random_lead_times()]
    assert names == {f"{key} {part}" for key in keys for part in Net._fields}


def test_stored_weights_save_what_the_page_says() -> None:
    """The first row: 2.0 % below base-stock, on a few episodes."""
    row = rows_of_random_lead_times()[0]
    law = lost_sales.law_of(row)
    scenario = lost_sales.scenario_of(row, law)
    both = specialists.policy_of(scenario, specialists.key_of(row, law))
    base, ours = (rollout(each, scenario, 48)["cost"].mean() for each in both)
    assert -0.03 < ours / base - 1 < -0.01


def test_stored_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    row = rows_of_random_lead_times()[0]
    law = lost_sales.law_of(row)
    scenario, key = lost_sales.scenario_of(row, law), specialists.key_of(row, law)
    net = untrained(np.zeros(3), np.ones(3), 4, 1, 0)
    path = tmp_path / "weights.npz"
    np.savez(path, **{f"{key} {name}": part for name, part in net._asdict().items()})
    with pytest.raises(RunError, match="do not fit its plant"):
        specialists.policy_of(scenario, key, path)
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"no archive")
    with pytest.raises(RunError, match="holds no weights of specialists"):
        specialists.policy_of(scenario, key, broken)


def small_setting() -> dict[str, str]:
    """Return a small row of the form of the table of joint replenishment."""
    row = {"setting": "0", "holding": "1,2", "backorder": "9,9", "minor_costs": "2,1"}
    return row | {"major_cost": "5", "truck_capacity": "2", "demand_high": "2,1"}


def optimum_by_hand(least: int, most: int, largest: int) -> float:
    """Return the optimum of the small row from empty stock, by value iteration on a grid."""
    levels = np.arange(least, most + 1)
    value = np.zeros((levels.size, levels.size))
    after = np.arange(least, most + largest + 1)  # stocks after orders
    first, second = np.meshgrid(after, after, indexing="ij")
    for _ in range(1100):
        later = np.zeros(first.shape)
        for a in range(3):
            for b in range(2):
                p, q = first - a, second - b
                held = p.clip(0) + 2 * q.clip(0) + 9 * (-p).clip(0) + 9 * (-q).clip(0)
                known = value[(p - least).clip(0, most - least), (q - least).clip(0, most - least)]
                later += (held + 0.99 * known) / 6
        options = [
            later[i : i + levels.size, j : j + levels.size]
            + 2 * (i > 0) + (j > 0) + 5 * math.ceil((i + j) / 2)
            for i in range(largest + 1)
            for j in range(largest + 1)
        ]  # fmt: skip
        value = np.min(options, axis=0)
    return float(value[-least, -least])


def test_joint_replenishment_is_solved_and_compared_with_no_printed_cost() -> None:
    [found] = records.run(records.find("joint_replenishment"), [small_setting()], 1)
    assert found.ours == pytest.approx(optimum_by_hand(-6, 8, 6), rel=1e-4)
    assert found.published is None
    assert found.ours <= found.classic
    assert "n/a" in pages.table([found]).texts()[0]


def test_orders_are_read_from_a_policy_at_given_stocks() -> None:
    plant = solved.joint_plant(small_setting())
    policy = agents.make("base-stock", plant, levels=[6, 1])
    assert solved.orders_at(policy, plant, (4, 0)) == [2, 1]
    assert solved.full_trips(policy, plant) < 1


def test_a_setting_with_a_number_missing_says_so() -> None:
    row = small_setting() | {"holding": "1"}
    [found] = records.run(records.find("joint_replenishment"), [row], 1)
    assert found.ours is None
    assert "one number each per item" in found.note


def test_policies_are_also_compared_with_base_stock_on_their_own_tapes() -> None:
    given = {"instance": {}, "published": 9.8, "classic": None, "interval": None, "exact": None}
    lucky = records.Row(**given, ours=9.85, base=10.1, printed_base=10.0)  # a tape with less demand
    other = records.Row(**given, ours=9.75, base=10.0, printed_base=9.9)
    assert lucky.below_base == pytest.approx((9.85 / 10.1 - 1, -0.02))
    whole = pages.table([lucky, other])
    assert whole.texts()[0][-2:] == ["-2.48", "-2.00"]
    assert "in 2 of 2 rows; at most 0.00 % above it; mean -0.98 %" in whole.notes[-1]
    assert len(pages.table([records.Row(**given, ours=9.85)]).columns) == len(pages.COLUMNS)


def test_rows_keep_their_order_and_say_what_they_could_not_do() -> None:
    record = records.find("lot_sizing_dehaybe")
    given = [
        {"demand": name, "s_S": "9", "rolling_dynamic_program": "8"} for name in ("up 1", "down 2")
    ]
    found = records.run(record, given, workers=1)
    assert [row.instance["demand"] for row in found] == ["up 1", "down 2"]
    assert all(row.ours is None and "expected 'constant 5'" in row.note for row in found)
    assert "n/a" in pages.table(found).texts()[0]


def test_certain_demand_costs_what_the_best_plan_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lot_sizing, "VARIATION", 1e-3)
    # Six periods of 10 from a stock of 20: one order of 40 serves the last four; it is held for
    # 30 + 20 + 10 unit-periods, and the first stock for 10.
    cost = lot_sizing.expected_cost(lot_sizing.means("constant 10")[:6])
    assert cost == pytest.approx(320 + 60 + 10, rel=0.01)
