"""The output of a run: tables of 80 columns, the whole table beside its rows, and cautions."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

from agents.studies import trainings
from agents.tuning import trial
from tests.calls import call

ROOT = Path(__file__).resolve().parents[1]

OVERLOADED = """\
name: slow
period: one day
horizon: {ongoing: 200, warm_up: 40}
items: {part: {holding_cost: 1}}
work_centers: {machine: {time: 9}}
sources: {making: {makes: part, at: machine, time_per_unit: 1}}
demands: {customers: {item: part, quantity: {distribution: poisson, mean: 10},
  unmet: backordered, shortage_cost: 10}}
"""
SHOP = """\
name: shop
period: one day
horizon: {ongoing: 60}
items: {milk: {holding_cost: 1}}
sources: {dairy: {makes: milk, lead_time: 1}}
demands: {customers: {item: milk, quantity: {distribution: poisson, mean: 2}, unmet: lost,
  shortage_cost: 4}}
"""


def succeeds(folder: Path, columns: int, script: str, *options: str) -> tuple[str, str]:
    """Run a script that succeeds; return its standard output and its standard error."""
    done = call(folder, script, *options, columns=columns)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tune on few periods: these tests are about tables, not about how good a tuning is."""
    monkeypatch.setattr(trial, "PERIODS", 2_000)


@pytest.fixture
def plants(tmp_path: Path) -> Path:
    (tmp_path / "slow.yaml").write_text(OVERLOADED)
    (tmp_path / "shop.yaml").write_text(SHOP)
    return tmp_path


@pytest.mark.parametrize("columns", [60])
def test_a_comparison_fits_the_terminal_and_shows_policy_cost_and_gap(
    plants: Path, columns: int
) -> None:
    options = ("shop.yaml", "--agents", "base-stock", "constant", "--episodes", "20")
    out, _ = succeeds(plants, columns, "compare", *options, "--out", "run")
    lines = out.splitlines()
    assert max(map(len, lines)) <= columns
    rows = [line for line in lines if "±" in line and line.endswith("%")]
    assert rows  # a cost with its interval, and the gap at the end of the line
    assert "Columns left out for lack of room: " in " ".join(out.split())
    report = (plants / "run" / "report.md").read_text()
    for column in ("average inventory", "turns", "gap", "parameters"):
        assert f" {column} |" in report
    assert "base-stock (tuned): level " in report
    assert "kanban (tuned): cards " in report  # always shown, like eoq
    assert "eoq (tuned): quantity " in report


def test_tuning_stores_its_table_with_named_parameters(plants: Path) -> None:
    out, _ = succeeds(
        plants, 80, "tune", "shop.yaml", "base-stock", "--episodes", "20", "--out", "run"
    )
    assert max(map(len, out.splitlines())) <= 80
    report = (plants / "run" / "report.md").read_text()
    assert "level" in report
    assert "±" in report


def test_a_caution_for_an_overloaded_plant_is_printed_by_load_compare_and_tune(
    plants: Path,
) -> None:
    options = ("slow.yaml", "--agents", "base-stock", "--episodes", "20", "--out", "run")
    out, err = succeeds(plants, 80, "compare", *options)
    assert "slow.yaml: work_centers.machine: demand needs 10 units of time per period" in err
    text = " ".join(out.split())
    assert "no steady state: the average grows with the horizon" in text
    assert "utilization 1.11" in text
    assert "no steady" in (plants / "run" / "report.md").read_text()
    out, err = succeeds(plants, 80, "tune", "slow.yaml", "base-stock", "--episodes", "20", "--json")
    assert "utilization 1.11" in err
    found = json.loads(out)
    assert "utilization 1.11" in found["cautions"][0]
    assert found["policies"][0]["steady"] is False


def test_train_trains_before_it_tunes_rivals(plants: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    script = importlib.import_module("train")
    done = []
    monkeypatch.setattr(trainings, "conduct", lambda *_, **__: done.append("train") or sys.exit())
    monkeypatch.setattr(script.comparison, "classics", lambda *_, **__: done.append("classics"))
    with pytest.raises(SystemExit):
        script.main(str(plants / "shop.yaml"), out=plants / "run")
    assert done == ["train"]


def test_train_has_the_rivals_that_are_named(plants: Path) -> None:
    options = (
        "shop.yaml",
        "--agent",
        "paired-ppo",
        "--periods",
        "9",
        "--episodes",
        "20",
        "--rivals",
        "kanban,constant",
    )
    out, err = succeeds(plants, 80, "train", *options, "--out", "run")
    assert "tensorboard --logdir run" in err
    assert "base-stock (textbook)" not in out
    for name in ("paired-ppo", "kanban (tuned)", "constant (tuned)"):
        assert name in out
    assert max(map(len, out.splitlines())) <= 80
    assert (plants / "run" / "report.md").is_file()
    record = json.loads((plants / "run" / "run.json").read_text())
    assert record["configuration"]["rivals"] == ["kanban", "constant"]
