"""The evidence on learning: what the page says of trainings, and which plans are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import jitgym
from agents.studies import evidence
from jitgym import ScenarioError

ROOT = Path(__file__).parents[2]


def run(difference: float, width: float, gap: float | None = None, kept: bool = False) -> Any:
    """A training whose start costs 10, as `scripts/train.py --json` prints it."""
    return {
        "policy": "learned (paired-ppo)",
        "start": "base-stock",
        "start_cost": 10.0,
        "difference": difference,
        "difference_interval": [difference - width, difference + width],
        "gap": gap,
        "start_gap": None if gap is None else 0.05,
        "retuned": None,
        "kept": kept,
        "gates": [{"passed": not kept}],
        "tuning_seconds": 1.0,
        "seconds": 20.0,
    }


def page_of(*runs: Any, **plant: Any) -> str:
    each = found(*runs, **plant)
    plan = evidence.Plan(title="T", agent="learned", seeds=1, plants=[each.plant])
    return evidence.page(plan, [each], "a command")


def found(*runs: Any, **plant: Any) -> evidence.Found:
    given = evidence.Plant(scenario="lost-sales", **plant)
    mean = sum(each["difference"] for each in runs) / len(runs)
    return evidence.Found(given, runs, (mean, mean - 0.1, mean + 0.1))


def test_the_plan_of_the_repository_covers_the_catalog_and_twelve_settings() -> None:
    from jitgym import catalog

    plan = evidence.read_plan(ROOT / "configs" / "studies" / "learning.yaml")
    plain = {plant.scenario for plant in plan.plants if not plant.set and not plant.start}
    assert plain >= set(catalog.names()) - {"line"}
    assert sum(bool(plant.set) for plant in plan.plants) >= 12


def test_a_cost_above_the_margin_counts_only_if_it_is_significant() -> None:
    assert "(Holm over all 1 trainings): 1." in page_of(run(0.5, 0.1))
    assert "(Holm over all 1 trainings): 0." in page_of(run(0.5, 0.6))
    assert "(Holm over all 1 trainings): 0." in page_of(run(0.02, 0.001))  # below .3 %


def test_the_page_counts_gates_and_states_gaps_of_trainings_that_have_one() -> None:
    text = page_of(run(-0.5, 0.1, 0.001), run(-0.4, 0.1, 0.002), run(0.0, 0.0, kept=True))
    assert "Trainings: 3 on 1 plants. Gates: 2 passed, 1 refused." in text
    assert "gaps of 2 trainings, those from scratch left out: median 0.100 %, worst 0.200 %" in text
    assert "Exact gaps of" not in page_of(run(-0.5, 0.1, 0.001), start="nothing")


def test_learners_on_one_plant_are_ranked_and_chance_is_no_winner() -> None:
    tried = [
        found(run(-0.2, 0.1), agent="improve"),
        found(run(-0.5, 0.1), agent="hindsight"),
        found(run(-9.0, 0.1), agent="ppo", start="nothing"),
    ]
    plan = evidence.Plan(title="T", agent="learned", seeds=1, plants=[tried[0].plant])
    text = evidence.page(plan, tried, "a command")
    assert "- Trainings: 3 on 1 plants." in text
    assert (
        "- **lost-sales**: hindsight -5.00 % in 20 CPU seconds; improve -2.00 % in 20 CPU seconds."
        in text
    )
    unsure = [found(run(-0.05, 0.1), agent=name) for name in ("improve", "ppo")]
    assert "none saves anything for sure; " in evidence.page(plan, unsure, "a command")
    assert "Which learner is best" not in evidence.page(plan, tried[1:], "a command")


def test_rivals_and_decisions_by_simulation_stand_beside_the_trainings() -> None:
    plain = found(run(-0.5, 0.1, 0.001))
    beside = {"rivals": {"linear-capped": {"cost": 4.75, "gap": 0.002}}, "online": [-0.1, -0.2, 0]}
    both = evidence.Found(plain.plant, plain.runs, plain.over_seeds, beside)
    plan = evidence.Plan(title="T", agent="learned", seeds=1, plants=[plain.plant])
    text = evidence.page(plan, [both], "a command")
    assert "lost-sales: tuned linear-capped costs 4.7500, gap 0.200 %." in text
    assert "-10.0 [-20.0, +0.0]" in text


def test_a_classic_as_it_was_tuned_before_tells_retuning_apart() -> None:
    plant = evidence.Plant(
        scenario="lost-sales", start="base-stock", earlier={"base-stock": {"levels": [40]}}
    )
    beside = evidence.beside(plant, jitgym.load("lost-sales"), 8)
    mean, low, high = beside["earlier"]["base-stock"]["difference"]
    assert low <= mean <= high < -0.2  # a level of 40 costs far more than the tuned one

    given = [run(-0.5, 0.1) | {"cost": 9.5}, run(-0.3, 0.1) | {"cost": 9.7}]
    plain = found(*given)
    before = {"base-stock": {"cost": 20.0, "difference": [-0.5, -0.51, -0.49]}}
    both = evidence.Found(plain.plant, plain.runs, plain.over_seeds, {"earlier": before})
    plan = evidence.Plan(title="T", agent="learned", seeds=1, plants=[plain.plant])
    text = evidence.page(plan, [both], "a command")
    assert "costs 20.00 on the same episodes" in text
    assert "-50.00 % [-51.00, -49.00]: that is retuning" in text
    assert "-52.50 to -51.50 %" in text


def test_a_plan_with_an_unknown_key_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("title: T\nagent: learned\nseeds: 1\nplants:\n  - {scenari: lost-sales}\n")
    with pytest.raises(ScenarioError, match=r"plan\.yaml, line 5"):
        evidence.read_plan(path)
