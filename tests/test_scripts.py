"""The scripts as users run them: results, clean JSON, and one clear message for each fault.

Most are called within this process. A few are started as users start them: those that show what
happens during imports, and what a process leaves on its streams.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import jitgym
from agents.tuning import trial
from jitgym import exact
from jitgym.plant import lay_out
from tests.calls import call

ROOT = Path(__file__).resolve().parents[1]

SHOP = """\
name: shop
period: one day
horizon: {ongoing: 50}
items: {milk: {holding_cost: 1}}
sources: {dairy: {makes: milk, lead_time: 1}}
demands: {customers: {item: milk, quantity: {distribution: poisson, mean: 2}, unmet: lost,
  shortage_cost: 4}}
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tune on few periods: these tests are about scripts, not about how good a tuning is."""
    monkeypatch.setattr(trial, "PERIODS", 2_000)


def started(folder: Path, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / f"{script}.py"), *options]
    quiet = os.environ | {"COLUMNS": "100"}
    return subprocess.run(command, cwd=folder, env=quiet, capture_output=True, text=True)


@pytest.mark.parametrize(
    "script", ["compare", "frontier", "train", "tune", "solve", "validate", "bench"]
)
def test_the_help_of_a_script_explains_every_option(script: str, tmp_path: Path) -> None:
    done = call(tmp_path, script, "--help")
    assert done.returncode == 0
    blocks = re.split(r"\n│ (?=-)", done.stdout)[1:]
    assert len(blocks) > 2
    for block in blocks:
        text = " ".join(line.strip("│ ") for line in block.splitlines())
        assert len(text.split()) > 3, text
        assert any(word in text for word in ("(default: ", "(repeatable)", "--help")), text
    assert not any(tmp_path.iterdir())


def test_tune_prints_one_json_object_and_stores_its_rows(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(SHOP)
    done = started(tmp_path, "tune", "shop.yaml", "base-stock", "--episodes", "20", "--json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["policies"]
    assert found["policy"] == "base-stock"
    assert found["tuned_cost"] <= found["textbook_cost"] * 1.05
    (run,) = (tmp_path / "runs").iterdir()
    record = json.loads((run / "run.json").read_text())
    assert record["state"] == "finished"
    assert (run / "rows.csv").read_text().count("\n") == 1 + 2 * 20


def test_tune_to_a_target_reports_stock_and_policies_that_do_not_reach_it(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(SHOP)
    options = ("--target", "fill_rate=0.9", "--episodes", "50", "--json")
    done = call(tmp_path, "tune", "shop.yaml", "base-stock", *options)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["policies"]
    assert found["fill_rate"] > 0.88
    assert found["average_inventory"] > 0
    done = call(tmp_path, "tune", "shop.yaml", "constant", "--target", "fill_rate=1", "--out", "x")
    assert done.returncode == 1
    text = " ".join(done.stdout.split())
    assert "constant does not reach fill_rate >= 1; the best of" in text
    assert 'agents.make("constant", scenario, order=' in text
    assert json.loads((tmp_path / "x" / "run.json").read_text())["state"] == "finished"


def test_a_missed_target_is_in_the_json_with_the_best_candidate_that_was_found(
    tmp_path: Path,
) -> None:
    (tmp_path / "shop.yaml").write_text(SHOP)
    options = ("--target", "fill_rate=1", "--episodes", "10", "--json")
    done = call(tmp_path, "tune", "shop.yaml", "constant", *options)
    assert done.returncode == 1
    (found,) = json.loads(done.stdout)["policies"]
    assert found["reached"] is False
    assert found["tuned"]["order"] > 0
    assert 0 < found["fill_rate"] < 1


def test_tune_names_the_source_of_each_number_within_80_columns(tmp_path: Path) -> None:
    fixed = ("--fix", "cards=3,12,11,10", "--set", "horizon.ongoing=40", "horizon.warm_up=10")
    done = call(tmp_path, "tune", "kanban-line", "kanban", "conwip", *fixed, "--episodes", "4")
    assert done.returncode == 2
    assert "conwip: cards has 4 values; expected 1" in done.stderr
    done = call(tmp_path, "tune", "kanban-line", "kanban", *fixed, "--episodes", "4")
    assert done.returncode == 0, done.stderr
    assert 'agents.make("kanban", scenario, cards=[3, 12, 11, 10])' in done.stdout
    assert "cards: mill 3, pressing 12, welding 11, finishing 10" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_compare_prints_a_table_with_the_gap_to_the_known_optimum(tmp_path: Path) -> None:
    options = ("lost-sales", "--agents", "base-stock", "constant", "--episodes", "30")
    done = call(tmp_path, "compare", *options, "--out", "run")
    assert done.returncode == 0, done.stderr
    assert "base-stock (tuned)" in done.stdout
    assert "constant (textbook)" in done.stdout
    assert "gap" in done.stdout
    assert "optimal: 4.72853, exact, from 9,984 states" in " ".join(done.stdout.split())
    rows = (tmp_path / "run" / "rows.csv").read_text()
    assert ",optimal," in rows
    layout = lay_out(jitgym.load("lost-sales"))
    assert exact.OptimalPolicy.load(tmp_path / "run" / "optimal.npz", layout).states.size > 0
    assert (tmp_path / "run" / "optimal.svg").read_text().rstrip().endswith("</svg>")


def test_solve_exactly_prints_the_best_parameters(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(SHOP)
    done = call(tmp_path, "solve", "shop.yaml", "base-stock", "conwip", "--exactly", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for line in found["policies"]:
        assert line["cost"] >= found["lower"]
        assert line["gap_percent"] < 10
    assert found["policies"][0]["parameters"].keys() == {"level"}


def test_compare_says_why_a_plant_is_not_solved(tmp_path: Path) -> None:
    hidden = "{distribution: regimes, seen: false, regimes: {a: 1, b: 3}, stay: {a: 0.5, b: 0.5}}"
    (tmp_path / "shop.yaml").write_text(SHOP.replace("{distribution: poisson, mean: 2}", hidden))
    options = ("shop.yaml", "--agents", "base-stock", "--episodes", "4")
    done = call(tmp_path, "compare", *options, "--out", "run")
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "not solved exactly: shop.yaml: demands.customers.quantity: its regime" in text
    assert not (tmp_path / "run" / "optimal.npz").exists()


@pytest.mark.parametrize(
    ("script", "options", "message"),
    [
        ("compare", ["lost-sale"], "unknown scenario 'lost-sale'; did you mean 'lost-sales'"),
        ("compare", ["lost-sales", "--agents", "base-stok"], "unknown policy 'base-stok'"),
        ("tune", ["shop.yaml"], "shop.yaml, line 4: items.milk.holdng_cost: unknown key"),
        ("tune", ["lost-sales", "--set", "penalty=-1"], "penalty=-1"),
        ("train", ["lost-sales", "--set", "penalty"], "is not an assignment; expected NAME=VALUE"),
        ("train", ["lost-sales", "--steps", "0"], "steps"),
        ("tune", ["lost-sales", "--seed", "-1"], "--seed is -1; expected a whole number from 0"),
        ("tune", ["lost-sales", "--set", "mean=2", "mean=3"], "--set mean is given twice"),
        ("compare", ["lost-sales", "--episodes", "1"], "--episodes is 1; expected at least 2"),
        ("compare", ["lost-sales", "lost-sales"], "two scenarios have the same name"),
        (
            "tune",
            ["lost-sales", "--target", "fil_rate=0.9"],
            "no such KPI; did you mean 'fill_rate'",
        ),
        ("tune", ["lost-sales", "--target", "fill_rate=98"], "fill_rate is 98; expected a share"),
        ("tune", ["lost-sales", "--target", "fill_rate"], "not an assignment; expected NAME=VALUE"),
        ("tune", ["lost-sales", "--least", "stock"], "least is 'stock', but there is no target"),
        ("tune", ["lost-sales", "--fix", "level=3"], "--fix is given without a policy"),
        ("frontier", ["lost-sales", "--low", "0.9", "--high", "0.5"], "expected 0 <= low < high"),
        ("validate", ["--workers", "0"], "--workers is 0; expected at least 1"),
        ("train", ["lost-sales", "--config", "none.yaml"], "none.yaml: no such file"),
        ("sweep", ["none.yaml"], "none.yaml: no such file; expected"),
        ("bound", ["lost-sales", "--tapes", "1"], "--tapes is 1; expected at least 2"),
        ("tune", ["lost-sales", "--set", "penalty=2020-13-45"], "2020-13-45 is not a date"),
        ("tune", ["lost-sales", "--set", "penalty=[1"], "--set penalty=[1: did not find expected"),
        ("solve", ["lost-sales", "--set", "penalty=0,5"], "write 0.5, with a decimal point"),
    ],
)
def test_wrong_input_gives_one_message_and_exit_code_2(
    script: str, options: list[str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "shop.yaml").write_text(SHOP.replace("holding_cost", "holdng_cost"))
    done = call(tmp_path, script, *options)
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert message in said
    assert said.count("; expected") <= 1  # nothing is said twice
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["shop.yaml"]


def test_scripts_list_the_paths_of_an_own_plant_that_can_be_set(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(SHOP)
    done = call(tmp_path, "tune", "shop.yaml", "--set", "lead_time=3")
    assert done.returncode == 2
    assert "expected a path, sources.dairy.lead_time, or a short name" in done.stderr


def test_a_scenario_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "shop.yaml").write_text(SHOP.replace("name: shop", "name: ../../evil"))
    options = ("shop.yaml", "lost-sales", "--agents", "base-stock", "--episodes", "4")
    done = call(tmp_path / "inner", "compare", *options, "--out", "runs/here")
    assert done.returncode == 2
    assert "name: is '../../evil'; files are named after it" in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["inner", "shop.yaml"]


def test_a_full_disk_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(SHOP)
    command = [sys.executable, str(ROOT / "scripts/tune.py"), "shop.yaml", "base-stock"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*command, "--episodes", "4", "--json"],
            cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "No space left on device; nothing more was written"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("moment", [0.1, 0.4, 1.0])
def test_an_interrupt_during_imports_prints_one_line(moment: float, tmp_path: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED, str(ROOT / "scripts"), str(moment)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr.split() == ["interrupted"]


INTERRUPTED = """
import os, runpy, signal, sys, threading
folder, moment = sys.argv[1:]
sys.path.insert(0, folder)
sys.modules["__main__"].__file__ = folder + "/train.py"
import _interrupt
threading.Timer(float(moment), os.kill, (os.getpid(), signal.SIGINT)).start()
sys.argv = ["train.py", "lost-sales", "--steps", "1000000"]
runpy.run_path(folder + "/train.py", run_name="imported")
import time; time.sleep(5)
"""
