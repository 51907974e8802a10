"""Published tables: how they are read, and small versions of each."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from agents.studies import records
from agents.studies.records import lot_sizing, pages, serial
from jitgym import ScenarioError

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("name", records.TABLES)
def test_each_table_has_instances_and_says_where_they_come_from(name: str) -> None:
    folder = BENCHMARKS / name
    rows = records.read_rows(records.find(name), folder / "table.csv")
    about = yaml.safe_load((folder / "about.yaml").read_text())
    assert set(about) == {"title", "source", "about"}
    assert all(records.published(records.find(name), row) > 0 for row in rows)


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
