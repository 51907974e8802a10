"""The evidence on learning: trainings on many plants, each judged beside the classic at its start.

    plants x training seeds -> one table, with verdicts that hold together

A plan is a YAML file (configs/studies/learning.yaml). All trainings of a plant are judged on
the same episodes of the split `test`. That a final policy costs more than its start by more than a
margin is tested for every training, and all tests together err in 5 % at most (Holm 1979).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from jitgym.control import Policy
from jitgym.distributions import Part
from jitgym.documents import read_as, write_whole
from jitgym.evaluate import holm, rollout, skew_paired
from jitgym.plant import lay_out
from jitgym.report.tables import KEPT, Column, Table, markdown
from jitgym.scenario import Scenario

from ..learned import online
from ..learned import start as starts
from ..learned.session import Problem
from ..progress import Progress
from ..tuning.search import tune
from . import judging, trainings

ONLINE = 8
"""Episodes on which decisions by simulation are measured."""

MARGIN = 0.003
"""A policy is worse than its start if it costs more by more than this share."""


class Plant(Part):
    """A plant of the plan."""

    scenario: str
    set: dict[str, Any] = Field(default={})  # short name or dotted path -> value
    seeds: Annotated[int, Field(ge=1)] | None = None  # if other than those of the plan
    agent: str = ""  # if other than that of the plan
    start: str = ""  # the classic to start from; "": the best one, "nothing": from scratch
    rivals: list[str] = Field(default=[])  # tuned classics beside it, with their exact gaps
    earlier: dict[str, dict[str, Any]] = Field(default={})  # classics as they were tuned before
    online: Annotated[int, Field(ge=0)] = 0  # decisions by simulation per episode; 0: not measured
    about: str = ""  # what the policy learned, in a sentence

    @property
    def folder(self) -> str:
        """The name of its folder: the plant, with all that is set."""
        marks = [*(f"{k}={v}" for k, v in self.set.items()), self.agent, self.start]
        return "-".join([self.scenario, *(mark for mark in marks if mark)])


class Plan(Part):
    """The plants, the learner and the seeds."""

    title: str
    agent: str
    seeds: Annotated[int, Field(ge=1)]
    periods: Annotated[int, Field(ge=1)] | None = None
    episodes: Annotated[int, Field(ge=2)] = 256
    plants: Annotated[list[Plant], Field(min_length=1)]


def read_plan(path: Path) -> Plan:
    """Read a plan. Raises ScenarioError with file, line and expectation."""
    return read_as(path, Plan, "a plan of trainings in YAML")


@dataclass(frozen=True)
class Found:
    """The trainings of one plant, as plain data."""

    plant: Plant
    runs: tuple[dict[str, Any], ...]  # as `scripts/train.py --json` prints each
    over_seeds: tuple[float, float, float]  # mean difference to the start and its ends, in money
    beside: dict[str, Any] = field(default_factory=dict)  # see `beside`

    @property
    def label(self) -> str:
        """The plant, with what was set."""
        return " ".join([self.plant.scenario, *(f"{k}={v}" for k, v in self.plant.set.items())])

    @property
    def start_cost(self) -> float:
        """The mean cost of the starts."""
        return math.fsum(run["start_cost"] for run in self.runs) / len(self.runs)


def found_of(plant: Plant, done: trainings.Trainings) -> Found:
    """Return the trainings of a plant as plain data."""
    both = done.over_seeds if len(done.runs) > 1 else done.runs[0].difference
    return Found(plant, tuple(run.as_json() for run in done.runs), (both.mean, both.low, both.high))


def write(found: Found, path: Path) -> None:
    """Write the trainings of a plant, whole or not at all."""
    data = {
        "plant": found.plant.model_dump(),
        "runs": found.runs,
        "over_seeds": found.over_seeds,
    }
    write_whole(path, json.dumps(data, indent=1))


def read(path: Path) -> Found:
    """Read the trainings of a plant."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return Found(Plant(**data["plant"]), tuple(data["runs"]), tuple(data["over_seeds"]))


def beside(
    plant: Plant, scenario: Scenario, episodes: int, *, progress: bool = False
) -> dict[str, Any]:
    """Return what stands beside the trainings of a plant, as plain data.

    `rivals`: name -> cost and exact gap of a tuned classic; `earlier`: name -> cost of a classic
    with the parameters of the plan, and what the start costs more, as shares of it: mean, low,
    high; `online`: what decisions by simulation gain over the start (`agents.learned.online`), as
    shares of its cost: mean, low, high.
    """
    with Progress(f"rivals and decisions by simulation on {scenario.name}", shown=progress):
        return _beside(plant, scenario, episodes)


def _beside(plant: Plant, scenario: Scenario, episodes: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    optimum = judging.optimum_of(scenario) if plant.rivals else None
    for name in plant.rivals:
        policy = tune(name, scenario, 0)
        cost = float(rollout(policy, scenario, episodes)["cost"].mean())
        found[name] = {"cost": cost, "gap": judging.gap(policy, scenario, optimum)}
    data: dict[str, Any] = {"rivals": found}
    if plant.earlier:
        start = starts.find(scenario, plant.start)
        data["earlier"] = _earlier(plant, scenario, start.policy, episodes)
    if plant.online:
        start = starts.find(scenario, plant.start)
        problem = Problem(scenario, lay_out(scenario), start, 0, 0)
        measured = online.measure(problem, episodes=ONLINE, periods=plant.online)
        apart, cost = measured.difference, abs(measured.cost) or 1.0
        data["online"] = [apart.mean / cost, apart.low / cost, apart.high / cost]
    return data


def _earlier(
    plant: Plant, scenario: Scenario, start: Policy, episodes: int
) -> dict[str, dict[str, Any]]:
    now, found = rollout(start, scenario, episodes), {}
    for name, parameters in plant.earlier.items():
        before = rollout(starts.made(name, scenario, parameters), scenario, episodes)
        cost, apart = float(before["cost"].mean()), skew_paired(now, before)
        shares = [each / abs(cost) for each in (apart.mean, apart.low, apart.high)]
        found[name] = {"cost": cost, "difference": shares}
    return found


def p_value(run: dict[str, Any], episodes: int) -> float:
    """Return the one-sided probability of such a cost if the policy is not worse than the margin.

    The standard error is taken from the 95 % interval of the paired difference.
    """
    from scipy import stats  # a slow import, so only here

    low, high = run["difference_interval"]
    error = (high - low) / (2 * float(stats.t.ppf(0.975, episodes - 1)))
    worse = run["difference"] - MARGIN * abs(run["start_cost"])
    if error == 0:
        return 0.0 if worse > 0 else 1.0
    return float(stats.t.sf(worse / error, episodes - 1))


def table(found: Sequence[Found]) -> Table:
    """Return the table of all plants; differences and gaps are in percent."""
    columns = (
        Column("plant", importance=KEPT, align="left"),
        Column("start", importance=KEPT, align="left"),
        Column("learner", align="left"),
        Column("kept"),
        Column("difference (%)", importance=KEPT),
        Column("worst (%)"),
        Column("retuned (%)"),
        Column("gap (%)"),
        Column("gap of start (%)"),
        Column("online (%)"),
        Column("tune (s)"),
        Column("train (s)"),
    )
    rows = [_row(each) for each in found]
    return Table(columns, rows)


def _row(found: Found) -> tuple[str, ...]:
    runs, base = found.runs, abs(found.start_cost) or 1.0
    starts = dict.fromkeys(run["start"] for run in runs)
    learners = dict.fromkeys(run["policy"] for run in runs)
    mean, low, high = (100 * each / base for each in found.over_seeds)
    worst = max(run["difference"] / (abs(run["start_cost"]) or 1.0) for run in runs)
    return (
        found.label,
        ", ".join(starts),
        ", ".join(name.removeprefix("learned ").strip("()") for name in learners),
        f"{sum(run['kept'] for run in runs)} of {len(runs)}",
        f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]",
        f"{100 * worst:+.2f}",
        _retuned(runs),
        _median_and_worst([run["gap"] for run in runs]),
        _percent(runs[0]["start_gap"]),
        _online(found),
        f"{_mean([run['tuning_seconds'] for run in runs]):.0f}",
        f"{_mean([run['seconds'] for run in runs]):.0f}",
    )


def _retuned(runs: Sequence[dict[str, Any]]) -> str:
    known = [run["retuned"] / (abs(run["start_cost"]) or 1.0) for run in runs if run["retuned"]]
    return f"{100 * _mean(known):+.2f}" if known else "n/a"


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{100 * share:.3f}"


def _online(found: Found) -> str:
    if "online" not in found.beside:
        return "n/a"
    mean, low, high = (100 * each for each in found.beside["online"])
    return f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _median_and_worst(gaps: Sequence[float | None]) -> str:
    known = sorted(100 * gap for gap in gaps if gap is not None)
    if not known:
        return "n/a"
    median = known[(len(known) - 1) // 2]
    return f"{median:.3f}, worst {known[-1]:.3f}" if len(known) > 1 else f"{median:.3f}"


def _gaps(found: Sequence[Found]) -> list[str]:
    """Return the lines on exact gaps of all trainings together, and of rivals beside them."""
    every = sorted(
        100 * run["gap"]
        for each in found
        if not each.plant.start
        for run in each.runs
        if run["gap"] is not None
    )
    lines = []
    if every:
        median = every[(len(every) - 1) // 2]
        lines.append(
            f"- Exact gaps of {len(every)} trainings, those from scratch left out: "
            f"median {median:.3f} %, worst {every[-1]:.3f} %."
        )
    for each in found:
        for name, rival in each.beside.get("rivals", {}).items():
            gap = _percent(rival["gap"])
            lines.append(f"- {each.label}: tuned {name} costs {rival['cost']:.4f}, gap {gap} %.")
    return lines


def _earlier_lines(found: Sequence[Found]) -> list[str]:
    """Return the lines on classics as they were tuned before."""
    lines = []
    for each in found:
        for name, before in each.beside.get("earlier", {}).items():
            mean, low, high = (100 * share for share in before["difference"])
            learned = [100 * (run["cost"] / before["cost"] - 1) for run in each.runs]
            lines.append(
                f"- {each.label}: {name} with the parameters that the tuner found before costs "
                f"{before['cost']:.2f} on the same episodes. The start differs from it by "
                f"{mean:+.2f} % [{low:+.2f}, {high:+.2f}]: that is retuning. Learned policies "
                f"differ from it by {min(learned):+.2f} to {max(learned):+.2f} %."
            )
    return lines


def _best_lines(found: Sequence[Found]) -> list[str]:
    """Return which learner is best on each plant that several have tried from the same start.

    It saves something for sure if each of its trainings does, on the episodes of the page.
    """
    tried: dict[str, list[Found]] = {}
    for each in found:
        if not each.plant.start:
            tried.setdefault(each.label, []).append(each)
    lines = []
    for label, rivals in tried.items():
        if len(rivals) < 2:
            continue
        ranked = sorted(rivals, key=lambda each: each.over_seeds[0] / abs(each.start_cost))
        said = [
            f"{each.plant.agent or 'the learner of the plan'} "
            f"{100 * each.over_seeds[0] / abs(each.start_cost):+.2f} % in "
            f"{_mean([run['seconds'] for run in each.runs]):.0f} CPU seconds"
            for each in ranked
        ]
        best = ranked[0]
        if any(run["difference_interval"][1] >= 0.0 for run in best.runs):
            said.insert(0, "none saves anything for sure")
        lines.append(f"- **{label}**: {'; '.join(said)}.")
    return ["", "## Which learner is best", "", *lines] if lines else []


def page(plan: Plan, found: Sequence[Found], command: str) -> str:
    """Return the page: the table, and what holds over all trainings."""
    runs = [run for each in found for run in each.runs]
    p_values = [p_value(run, plan.episodes) for run in runs]
    worse = sum(holm(p_values))
    gates = [gate for run in runs for gate in run["gates"]]
    passed = sum(gate["passed"] for gate in gates)
    lines = [
        f"# {plan.title}",
        "",
        f"`{command}` wrote this page. Differences are learned minus start, paired by episode on",
        "the split `test`, in percent of the start's cost, with a 95 % interval over training",
        "seeds and episodes. Retuned is the policy's mean correction as a constant: what it gains",
        "was left by the tuner. Gaps are exact: median and worst over seeds. Online is what",
        f"deciding by simulation gains over the start, on {ONLINE} episodes: an estimate of what",
        "there is to win, not a policy that is fast enough to use. Seconds are CPU seconds per",
        "training; tuning is done once for all seeds.",
        "",
        markdown(table(found)),
        "",
        f"- Trainings: {len(runs)} on {len({each.label for each in found})} plants. Gates: "
        f"{passed} passed, "
        f"{len(gates) - passed} refused.",
        f"- Policies that cost more than their start by more than {100 * MARGIN:g} %, with "
        f"significance (Holm over all {len(runs)} trainings): {worse}.",
    ]
    lines += [*_gaps(found), *_earlier_lines(found), *_best_lines(found)]
    said = [
        f"- **{each.label}{f' from {each.plant.start}' if each.plant.start else ''}**: "
        f"{each.plant.about}"
        for each in found
        if each.plant.about
    ]
    return (
        "\n".join([*lines, *(["", "## What the policies learned", "", *said] if said else [])])
        + "\n"
    )
