"""An experiment written down: scenarios x policies, judged by KPIs and by steps in demand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, ValidationError, model_validator

from jitgym import ScenarioError
from jitgym.control import Policy
from jitgym.distributions import Part, Positive
from jitgym.documents import explain, read_file
from jitgym.errors import PlacedError
from jitgym.evaluate import Run, interval, paired, step_response
from jitgym.plant import KPIS
from jitgym.scenario import Scenario

from . import classic, comparison

if TYPE_CHECKING:
    import pandas


class Experiment(Part):
    """What is compared with what, and by which yardsticks."""

    title: str
    scenarios: Annotated[list[str], Field(min_length=1)]
    agents: Annotated[list[str], Field(min_length=1)]  # each tuned; the first is the reference
    episodes: Annotated[int, Field(ge=2)] = 128
    seed: Annotated[int, Field(ge=0)] = 0
    kpis: list[str] = Field(default=list(KPIS))
    steps: list[Positive] = Field(default=[])  # multiples of the mean demand
    step_episodes: Annotated[int, Field(ge=1)] = 64

    @model_validator(mode="after")
    def _known(self) -> Experiment:
        for k, name in enumerate(self.kpis):
            if name not in KPIS:
                raise PlacedError(f"no KPI {name!r}; expected one of {', '.join(KPIS)}", "kpis", k)
        for k, name in enumerate(self.agents):
            if name not in classic.CLASSICS:
                known = ", ".join(classic.CLASSICS)
                raise PlacedError(f"no policy {name!r}; expected one of {known}", "agents", k)
        return self


def read_experiment(path: Path) -> Experiment:
    """Read an experiment file. Raises ScenarioError with file, line and expectation."""
    if not path.is_file():
        raise ScenarioError(f"{path}: no such file; expected an experiment in YAML")
    document = read_file(path)
    try:
        return Experiment.model_validate(document.data)
    except ValidationError as error:
        raise explain(error, Experiment, document) from None


def kpi_lines(
    rows: pandas.DataFrame, kpis: Sequence[str], reference: str
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return head and lines of a table: a policy's cost, what it gains on the reference, its KPIs.

    The gain is the paired difference of cost, reference less policy, with its 95 % interval.
    """
    head = ("policy", "cost", "gain", *(f"{KPIS[k].title} ({KPIS[k].unit})" for k in kpis))
    frames = {str(name): frame for name, frame in rows.groupby("policy", sort=False)}
    base = frames[reference]
    lines = []
    for name, frame in frames.items():
        cost = interval(frame["cost"].to_numpy())
        gain = "reference"
        if name != reference:
            gained = paired(base, frame)
            gain = f"{gained.mean:+.4g} ± {gained.half_width:.2g}"
        shown = [_written(interval(frame[kpi].to_numpy()).mean) for kpi in kpis]
        lines.append((name, f"{cost.mean:.5g} ± {cost.half_width:.2g}", gain, *shown))
    return head, lines


def step_lines(
    policies: Sequence[Policy], scenario: Scenario, experiment: Experiment
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return head and lines of a table: each policy's answer to each step in demand."""
    head = ("policy", "step", "cost before", "cost settled", "periods to settle", "area")
    lines = []
    for policy in policies:
        for factor in experiment.steps:
            found = step_response(
                policy, scenario, factor, episodes=experiment.step_episodes, seed=experiment.seed
            )
            cells = (found.before, found.settled, found.periods, found.area)
            lines.append((policy.name, f"{factor - 1:+.0%}", *map(_written, cells)))
    return head, lines


def _written(value: float) -> str:
    return "n/a" if value != value else f"{value:.4g}"


def conduct(experiment: Experiment, scenario: Scenario, run: Run, *, progress: bool = False) -> str:
    """Tune and judge the policies on a scenario; save rows, return its section as Markdown."""
    found = comparison.classics(scenario, experiment.agents, experiment.seed, progress=progress)
    rows = comparison.contest(
        found.tuned, scenario, experiment.episodes, experiment.seed, progress=progress
    )
    run.save(rows)
    lines = [f"## {scenario.title or scenario.name}", ""]
    lines += [f"`{scenario.name}`; cost: {scenario.yardstick}; {experiment.episodes} episodes."]
    reference = next((p.name for p in found.tuned if p.name.startswith(experiment.agents[0])), "")
    if reference:
        lines += ["", *markdown_table(*kpi_lines(rows, experiment.kpis, reference))]
    if experiment.steps and not scenario.horizon.ends:
        lines += ["", *markdown_table(*step_lines(found.tuned, scenario, experiment))]
    elif experiment.steps:
        lines += ["", "No step test: a season has no level to settle at."]
    lines += ["", *(f"- {note}" for note in (*comparison.cautions(scenario), *found.notes)), ""]
    return "\n".join(lines)


def markdown_table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """Return a table in Markdown, line by line."""
    rule = ["---", *("---:" for _ in head[1:])]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *lines)]
