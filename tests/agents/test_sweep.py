"""Sweeps: a cell is named by what produced it, so that runs resume and never mix."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agents.studies import sweep
from jitgym import ScenarioError
from jitgym.evaluate import RunError

ROOT = Path(__file__).parents[2]
PLAN = """
title: A small sweep
scenarios:
  - {scenario: lost-sales}
  - {scenario: perishable}
agents: [base-stock, constant]
seeds: 2
episodes: 8
"""


def plan_in(folder: Path, text: str = PLAN) -> Path:
    path = folder / "plan.yaml"
    path.write_text(text)
    return path


def call(plan: Path, out: Path, *options: str) -> dict[str, Any]:
    """Run the script, and return its JSON without the CPU seconds."""
    command = [sys.executable, str(ROOT / "scripts" / "sweep.py"), str(plan), "--out", str(out)]
    done = subprocess.run(
        [*command, "--json", *options], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    for row in found["rows"]:
        row.pop("seconds")
    return found


def test_agents_over_all_scenarios_have_scores_and_a_profile(tmp_path: Path) -> None:
    found = call(plan_in(tmp_path), tmp_path / "out")
    base, constant = found["overall"]
    assert base["agent"] == "base-stock"
    assert base["interquartile_mean"][0] == pytest.approx(1.0, abs=0.01)
    assert base["probability_of_improvement"] is None
    assert constant["interquartile_mean"][1] <= constant["interquartile_mean"][0]
    assert 0.0 <= constant["probability_of_improvement"][0] <= 1.0
    assert sorted(constant["profile"].values()) == list(constant["profile"].values())


def test_a_backend_that_is_not_installed_is_named(tmp_path: Path) -> None:
    try:
        import ray  # noqa: F401
    except ImportError:
        with pytest.raises(ScenarioError, match="pip install"):
            sweep.conduct(
                sweep.cells(sweep.read_plan(plan_in(tmp_path))), tmp_path, 1, backend="ray"
            )


def test_a_local_ray_gives_the_same_cells(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    plan = plan_in(tmp_path)
    spread = call(plan, tmp_path / "ray", "--backend", "ray", "--workers", "2")
    assert spread == call(plan, tmp_path / "here")


def test_a_sweep_that_is_killed_goes_on_to_the_same_table(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, PLAN.replace("  - {scenario: perishable}\n", ""))
    out = tmp_path / "killed"
    command = [sys.executable, str(ROOT / "scripts" / "sweep.py"), str(plan), "--out", str(out)]
    for count in (1, 2):
        running = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        while running.poll() is None and len(list(out.glob("cells/*.json"))) < count:
            time.sleep(0.02)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    before = {path: path.stat().st_mtime_ns for path in out.glob("cells/*.json")}
    resumed, whole = call(plan, out), call(plan, tmp_path / "whole")
    assert resumed == whole
    assert whole["missing"] == 0
    assert len(whole["rows"]) == 2
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())


def test_shards_together_are_the_whole(tmp_path: Path) -> None:
    every = sweep.cells(sweep.read_plan(plan_in(tmp_path)))
    parts = [sweep.shard(every, f"{k}/3") for k in (1, 2, 3)]
    assert sorted(cell.name for part in parts for cell in part) == sorted(c.name for c in every)
    assert len({cell.name for cell in every}) == 8
    for wrong in ("0/3", "4/3", "1", "a/b", "1/0"):
        with pytest.raises(ScenarioError, match="--shard is"):
            sweep.shard(every, wrong)


def test_a_changed_plan_has_other_cells(tmp_path: Path) -> None:
    """Nothing of an old configuration is taken for a new one."""
    first = {c.name for c in sweep.cells(sweep.read_plan(plan_in(tmp_path)))}
    for old, new in (
        ("episodes: 8", "episodes: 9"),
        ("{scenario: lost-sales}", "{scenario: lost-sales, set: {penalty: 5}}"),
        ("constant", "s-S"),
    ):
        text = PLAN.replace(old, new)
        if new == "s-S":
            text = text.replace("  - {scenario: perishable}\n", "")
        names = {c.name for c in sweep.cells(sweep.read_plan(plan_in(tmp_path, text)))}
        assert names - first


def test_a_cell_that_was_changed_by_hand_is_refused(tmp_path: Path) -> None:
    plan = sweep.read_plan(plan_in(tmp_path, PLAN.replace("seeds: 2", "seeds: 1")))
    every = sweep.cells(plan)
    for cell in every[:2]:
        (tmp_path / "cells").mkdir(exist_ok=True)
        sweep.compute(cell, tmp_path)
    rows = sweep.results(plan, every, tmp_path)
    assert [row["agent"] for row in rows] == ["base-stock", "constant"]
    assert "6 cells" not in str(sweep.table(plan, rows, 0).notes)
    path = sweep.file_of(every[0], tmp_path)
    path.write_text(path.read_text().replace('"costs": [', '"costs": [1.0, '))
    with pytest.raises(RunError, match="expected 8 costs; remove it to compute it again"):
        sweep.results(plan, every, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("constant", "constnat", "no agent 'constnat'"),
        ("lost-sales", "lost-sale", "unknown scenario 'lost-sale'"),
        ("seeds: 2", "seeds: 0", "seeds"),
        ("constant", "heijunka", "heijunka does not apply to lost-sales"),
    ],
)
def test_a_wrong_plan_is_refused(old: str, new: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=said):
        sweep.cells(sweep.read_plan(plan_in(tmp_path, PLAN.replace(old, new))))
