"""Experiments written down: read, refused, and conducted in small."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import experiment as experiments
from jitgym import ScenarioError
from jitgym.evaluate import Run
from jitgym.scenario import load

ROOT = Path(__file__).resolve().parents[2]
SMALL = """\
title: Small
scenarios: [lost-sales]
agents: [constant, base-stock]
episodes: 20
kpis: [fill_rate, oee]
steps: [1.3]
step_episodes: 8
"""


@pytest.mark.parametrize("file", sorted((ROOT / "configs" / "experiments").glob("*.yaml")))
def test_every_experiment_in_the_repository_can_be_read(file: Path) -> None:
    plan = experiments.read_experiment(file)
    for name in plan.scenarios:
        load(name)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("fill_rate", "fil_rate", "line 5: kpis.0: no KPI 'fil_rate'; expected one of fill_rate"),
        ("constant", "constnt", "line 3: agents.0: no policy 'constnt'"),
        ("episodes: 20", "episodes: 1", "line 4: episodes: is 1; expected at least 2"),
        ("title: Small", "tile: Small", "line 1: tile: unknown key"),
    ],
)
def test_a_wrong_experiment_is_told_with_its_line(
    before: str, after: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(SMALL.replace(before, after))
    with pytest.raises(ScenarioError) as raised:
        experiments.read_experiment(file)
    assert message in str(raised.value)


def test_an_experiment_gives_gains_kpis_and_steps(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    plan = experiments.read_experiment(file)
    with Run("compare", "lost-sales", configuration=plan, seeds={}, out=tmp_path / "run") as run:
        text = experiments.conduct(plan, load("lost-sales"), run)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert "fill rate (share)" in lines[0]
    constant, base_stock = lines[2:4]
    assert constant.startswith("| constant (tuned) |")
    assert "reference" in constant
    assert "| n/a |" in constant  # no work center, no OEE
    gain = float(base_stock.split("|")[3].split("±")[0])
    assert gain > 0  # base-stock beats a constant order here
    assert lines[6].split("|")[2].strip() == "+30%"
    assert (tmp_path / "run" / "rows.csv").exists()
