"""An experiment from a file: scenarios x policies, judged by cost, KPIs and steps in demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from jitgym import ScenarioError
from jitgym.control import Policy
from jitgym.distributions import Part, Positive
from jitgym.documents import read_as
from jitgym.errors import PlacedError
from jitgym.evaluate import Interval, Run, mean_of, skew_of, step_response
from jitgym.evaluate.steadiness import GROWS
from jitgym.plant import BY_COST, KPIS, Kpi, Leading, headline_kpis, kpis_of, leading
from jitgym.report.tables import KEPT, Column, Table, markdown
from jitgym.scenario import Scenario, with_demand

from .. import classic
from . import comparison
from .sentences import gain, sentences

if TYPE_CHECKING:
    import pandas


class Experiment(Part):
    """The policies and scenarios to compare, and how."""

    title: str
    scenarios: Annotated[list[str], Field(min_length=1)]
    agents: Annotated[list[str], Field(min_length=1)]  # all of them are tuned
    opponents: dict[str, list[str]] = Field(default={})  # scenario -> more policies for it
    references: list[str] = Field(default=[])  # gains are over these; default: the first agent
    demand: Annotated[list[Positive], Field(min_length=1, default=[1.0])]  # x the mean demand
    episodes: Annotated[int, Field(ge=2)] = 128
    seed: Annotated[int, Field(ge=0)] = 0
    kpis: list[str] = Field(default=list(KPIS))
    steps: list[Positive] = Field(default=[])  # steps to these multiples of the mean demand
    step_episodes: Annotated[int, Field(ge=1)] = 64

    @model_validator(mode="after")
    def _known(self) -> Experiment:
        for k, name in enumerate(self.kpis):
            if name not in KPIS:
                raise PlacedError(f"no KPI {name!r}; expected one of {', '.join(KPIS)}", "kpis", k)
        for k, name in enumerate(self.agents):
            _expect_policy(name, "agents", k)
        for scenario, names in self.opponents.items():
            if scenario not in self.scenarios:
                known = ", ".join(self.scenarios)
                raise PlacedError(
                    f"no scenario {scenario!r}; expected one of {known}", "opponents", scenario
                )
            for k, name in enumerate(names):
                _expect_policy(name, "opponents", scenario, k)
        for k, name in enumerate(self.references):
            if name not in self.agents:
                raise PlacedError(
                    f"{name!r} is not an agent of all scenarios; expected one of "
                    f"{', '.join(self.agents)}",
                    "references",
                    k,
                )
        return self

    def kpis_of(self, scenario: Scenario) -> list[str]:
        """The KPIs of a scenario's table: the scenario's own first, then the experiment's.

        The figure that the table leads with is not among them.
        """
        own = headline_kpis(scenario) if scenario.words or scenario.within else ()
        return leading(scenario).beside((*own, *self.kpis))

    @property
    def gains_over(self) -> list[str]:
        """The policies with which the others are compared."""
        return self.references or self.agents[:1]


def _expect_policy(name: str, *place: str | int) -> None:
    try:
        classic.find(name)
    except ScenarioError:
        known = ", ".join(classic.CLASSICS)
        raise PlacedError(f"no policy {name!r}; expected one of {known}", *place) from None


def read_experiment(path: Path) -> Experiment:
    """Read an experiment file. Raises ScenarioError with file, line and expectation."""
    return read_as(path, Experiment, "an experiment in YAML")


def kpi_table(
    rows: pandas.DataFrame,
    kpis: Sequence[str],
    references: Sequence[str],
    named: Mapping[str, Kpi] = KPIS,
    led: Leading = BY_COST,
) -> Table:
    """Return a table of each policy's cost or profit, its gain over each reference, and its KPIs.

    A gain is the paired difference to the reference in percent of the reference's cost (or profit),
    with its 95 % interval; above 0 the policy is better. `named` holds the KPIs with the names that
    the scenario gives them.
    """
    frames = {str(name): frame for name, frame in rows.groupby("policy", sort=False)}
    growing = set(rows.loc[rows[GROWS], "policy"]) if GROWS in rows else set()
    bare = [name.removesuffix(" (tuned)") for name in references]
    columns = (
        Column("policy", importance=KEPT, align="left"),
        Column(led.column, importance=KEPT),
        *(Column(f"gain over {name} (%)", importance=KEPT, form=".2f", sign="+") for name in bare),
        *(Column(k, named[k].title, named[k].unit, form="4") for k in kpis),
    )

    def gained(name: str, over: str) -> Interval | str | None:
        if name == over:
            return "reference"
        return None if growing & {name, over} else gain(frames[over], frames[name], led)

    lines = [
        (
            name,
            UNSTEADY if name in growing else skew_of(frame, led.column),
            *(gained(name, over) for over in references),
            *(mean_of(frame, kpi) for kpi in kpis),
        )
        for name, frame in frames.items()
    ]
    return Table(columns, lines)


UNSTEADY = "no steady state"


def step_table(policies: Sequence[Policy], scenario: Scenario, experiment: Experiment) -> Table:
    """Return a table of each policy's response to each step in demand.

    A scenario that leads with its profit has the profit here too, which is minus the cost.
    """
    led = leading(scenario)
    sign = 1.0 if led.better == "low" else -1.0
    columns = (
        Column("policy", importance=KEPT, align="left"),
        Column("step", importance=KEPT),
        *(Column(name, form="4") for name in (f"{led.column} before", f"{led.column} settled")),
        *(Column(name, form="4") for name in ("periods to settle", "area")),
    )
    lines = []
    for policy in policies:
        for factor in experiment.steps:
            found = step_response(
                policy, scenario, factor, episodes=experiment.step_episodes, seed=experiment.seed
            )
            before = UNSTEADY if scenario.cautions else sign * found.before
            settled = UNSTEADY if found.is_growing else sign * found.settled
            cells = (before, settled, found.periods, sign * found.area)
            lines.append((policy.name, f"{factor - 1:+.0%}", *cells))
    return Table(columns, lines)


def conduct(experiment: Experiment, scenario: Scenario, run: Run, *, progress: bool = False) -> str:
    """Tune and judge the policies on a scenario, save the rows, and return a Markdown section.

    All policies are tuned again for each multiple of the mean demand.
    """
    import pandas

    lines = [f"## {scenario.title or scenario.name}", ""]
    led = leading(scenario)
    lines += [f"`{scenario.name}`; {led.column}: {led.title}; {experiment.episodes} episodes."]
    saved = []
    for factor in experiment.demand:
        plant = scenario if factor == 1.0 else with_demand(scenario, factor)
        if len(experiment.demand) > 1:
            lines += ["", f"### Mean demand × {factor:g}"]
        section, rows = judge(experiment, plant, scenario.name, progress=progress)
        lines += section
        saved.append(rows.assign(demand=factor))
    run.save(pandas.concat(saved, ignore_index=True))
    run.report("\n".join(lines))
    return "\n".join(lines)


def judge(
    experiment: Experiment, scenario: Scenario, name: str, *, progress: bool = False
) -> tuple[list[str], pandas.DataFrame]:
    """Tune and judge the policies on one plant; return the tables as Markdown, and the rows."""
    names = [*experiment.agents, *experiment.opponents.get(name, ())]
    found = comparison.classics(scenario, names, experiment.seed, progress=progress)
    rows = comparison.contest(
        found.tuned, scenario, experiment.episodes, experiment.seed, progress=progress
    )
    references = [f"{known} (tuned)" for known in experiment.gains_over]
    references = [known for known in references if known in found.tuned_names]
    named, led = kpis_of(scenario), leading(scenario)
    kpis = experiment.kpis_of(scenario)
    lines = [
        "",
        markdown(kpi_table(rows, kpis, references, named, led)),
        " ".join(sentences(rows, references, kpis, named, led)),
    ]
    if experiment.steps and not scenario.horizon.ends:
        lines += ["", markdown(step_table(found.tuned, scenario, experiment))]
    elif experiment.steps:
        lines += ["", "There is no step test, because a season has no level to settle at."]
    lines += ["", *(f"- {note}" for note in (*comparison.cautions(scenario), *found.notes)), ""]
    return lines, rows
