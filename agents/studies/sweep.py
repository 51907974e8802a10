"""A sweep: scenarios x agents x seeds, one file a cell, named by the hash of what produced it.

    cell = (scenario, agent, its settings, seed, budget, episodes, versions) -> costs on `test`

A cell that is there is not computed again, so that the same command goes on where it stopped. A
changed configuration has other hashes, so that its rows never mix with old ones. Cells are written
whole. Shards of a sweep may run on different machines, in one shared folder.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import joblib  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

import jitgym
from jitgym import ScenarioError
from jitgym.control.versions import versions
from jitgym.distributions import Part
from jitgym.documents import read_as, write_whole
from jitgym.errors import PlacedError
from jitgym.evaluate import Interval, RunError, rollout, skew_interval, two_level
from jitgym.evaluate.aggregates import (
    bootstrapped,
    interquartile_mean,
    probability_of_improvement,
    profile,
)
from jitgym.report.tables import KEPT, Column, Table
from jitgym.scenario import Scenario

from .. import classic, learned
from ..tuning.search import tune

Array = npt.NDArray[np.float64]


class Place(Part):
    """A scenario of a sweep, and what is set in it."""

    scenario: str
    set: dict[str, Any] = Field(default={})

    @property
    def label(self) -> str:
        """The scenario, with what is set."""
        return " ".join([self.scenario, *(f"{k}={v}" for k, v in self.set.items())])


class Plan(Part):
    """The scenarios, agents, seeds and budget of a sweep."""

    title: str
    scenarios: Annotated[list[Place], Field(min_length=1)]
    agents: Annotated[list[str], Field(min_length=1)]  # classics are tuned; the first: reference
    seeds: Annotated[int, Field(ge=1)] = 1
    periods: Annotated[int, Field(ge=1)] | None = None  # budget of a training
    episodes: Annotated[int, Field(ge=2)] = 256

    @model_validator(mode="after")
    def _known(self) -> Plan:
        known = [*learned.LEARNERS, *classic.CLASSICS]
        for k, name in enumerate(self.agents):
            if name not in known:
                raise PlacedError(
                    f"no agent {name!r}; expected a learner ({', '.join(learned.LEARNERS)}) or a "
                    "classic policy",
                    "agents",
                    k,
                )
        return self


@dataclass(frozen=True)
class Cell:
    """One scenario, agent and seed of a sweep."""

    place: Place
    scenario: Scenario
    agent: str
    seed: int
    periods: int | None
    episodes: int

    @property
    def made_of(self) -> dict[str, Any]:
        """All that the result depends on, as plain data."""
        settings = None
        if self.agent in learned.LEARNERS:
            settings = learned.find(self.agent).read_settings().model_dump()
        return {
            "scenario": self.scenario.document(),
            "agent": self.agent,
            "settings": settings,
            "seed": self.seed,
            "periods": self.periods,
            "episodes": self.episodes,
            "versions": versions() | {"jitgym": jitgym.__version__},
        }

    @property
    def name(self) -> str:
        """The hash of what the result depends on."""
        text = json.dumps(self.made_of, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_plan(path: Path) -> Plan:
    """Read a plan. Raises ScenarioError with file, line and expectation."""
    return read_as(path, Plan, "a sweep in YAML")


def cells(plan: Plan) -> list[Cell]:
    """Return the cells of a plan. Raises ScenarioError where an agent does not apply."""
    found = []
    for place in plan.scenarios:
        scenario = jitgym.load(place.scenario, **place.set)
        for agent in plan.agents:
            if agent not in learned.LEARNERS and (why := classic.find(agent).why_not(scenario)):
                raise ScenarioError(f"{agent} does not apply to {place.label}: {why}")
            for seed in range(plan.seeds):
                found.append(Cell(place, scenario, agent, seed, plan.periods, plan.episodes))
    return found


def shard(every: Sequence[Cell], text: str) -> list[Cell]:
    """Return the cells of shard `i/n`, such as 1/4. Raises ScenarioError if it is no shard."""
    first, _, last = text.partition("/")
    if not (first.isdigit() and last.isdigit() and 1 <= int(first) <= int(last)):
        raise ScenarioError(f"--shard is {text!r}; expected i/n, such as 1/4 to 4/4")
    return [cell for k, cell in enumerate(every) if k % int(last) == int(first) - 1]


def file_of(cell: Cell, folder: Path) -> Path:
    """Return the file of a cell."""
    return folder / "cells" / f"{cell.name}.json"


BACKENDS = ("loky", "ray")
"""Where cells are computed: in processes of this machine, or of a Ray cluster (an extra)."""


def conduct(
    todo: Sequence[Cell],
    folder: Path,
    workers: int,
    told: Callable[[int], None] = lambda _: None,
    backend: str = "loky",
) -> None:
    """Compute the cells that are not there yet; `told` hears how many are done.

    With the backend "ray", all machines of the cluster must see the folder. Raises ScenarioError if
    Ray is not installed.
    """
    folder = folder.absolute()
    (folder / "cells").mkdir(parents=True, exist_ok=True)
    open_ = [cell for cell in todo if not file_of(cell, folder).is_file()]
    done = len(todo) - len(open_)
    told(done)
    jobs = (joblib.delayed(compute)(cell, folder) for cell in open_)
    if backend == "ray":
        _expect_ray()
        with joblib.parallel_config(backend="ray", n_jobs=workers):
            joblib.Parallel()(jobs)  # without a generator, which Ray does not have
        told(len(todo))
        return
    for _ in joblib.Parallel(n_jobs=workers, backend="loky", return_as="generator")(jobs):
        done += 1
        told(done)


def _expect_ray() -> None:
    try:
        from ray.util.joblib import register_ray  # type: ignore[import-not-found]
    except ImportError:
        raise ScenarioError(
            "the backend ray needs Ray, which is not installed; "
            'pip install "jitgym[ray]", or leave --backend out'
        ) from None
    register_ray()


def compute(cell: Cell, folder: Path) -> None:
    """Compute a cell, and write its file. A training that was stopped goes on."""
    began = time.process_time()
    if cell.agent in learned.LEARNERS:
        place = folder / "trainings" / cell.name
        trained = learned.find(cell.agent).train(
            cell.scenario,
            learned.find(cell.agent).read_settings(),
            place,
            periods=cell.periods,
            seed=cell.seed,
            resume=place.is_dir(),
        )
        policy, kept = trained.policy, trained.kept
        seconds = trained.seconds + trained.start.seconds
    else:
        policy, kept = tune(cell.agent, cell.scenario, cell.seed), False
        seconds = time.process_time() - began
    costs = rollout(policy, cell.scenario, cell.episodes)["cost"].to_numpy()
    data = {
        **cell.made_of,
        "policy": policy.name,
        "kept": kept,
        "seconds": seconds,
        "costs": costs.tolist(),
    }
    write_whole(file_of(cell, folder), json.dumps(data, default=str))


def costs_of(cell: Cell, folder: Path) -> tuple[Array, float]:
    """Return the costs of a cell, (episodes,), and its CPU seconds. Raises RunError."""
    path = file_of(cell, folder)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        costs = np.array(data["costs"], dtype=np.float64)
        seconds = float(data["seconds"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: cannot be read ({error}); remove it to compute it again") from None
    if costs.shape != (cell.episodes,) or not np.isfinite(costs).all():
        raise RunError(f"{path}: expected {cell.episodes} costs; remove it to compute it again")
    return costs, seconds


def results(plan: Plan, every: Sequence[Cell], folder: Path) -> list[dict[str, Any]]:
    """Return a row for each scenario and agent whose cells are all there, as plain data.

    Differences are to the first agent, paired by episode; with several seeds, intervals have two
    levels, seeds and episodes.
    """
    at: dict[tuple[str, str], list[Cell]] = {}
    for cell in every:
        at.setdefault((cell.place.label, cell.agent), []).append(cell)
    found = []
    for (label, agent), group in at.items():
        reference = at[label, plan.agents[0]]
        if not all(file_of(cell, folder).is_file() for cell in (*group, *reference)):
            continue
        costs = np.array([costs_of(cell, folder)[0] for cell in group])
        beside = np.array([costs_of(cell, folder)[0] for cell in reference])
        seconds = math.fsum(costs_of(cell, folder)[1] for cell in group) / len(group)
        apart = None if agent == plan.agents[0] else _over(costs - beside)
        found.append(
            {
                "scenario": label,
                "agent": agent,
                "cost": _over(costs),
                "difference": apart,
                "seeds": len(group),
                "seconds": seconds,
            }
        )
    return found


def _over(values: Array) -> Interval:
    return two_level(values) if len(values) > 1 else skew_interval(values[0])


@dataclass(frozen=True)
class Overall:
    """An agent over all scenarios; a score is a cost as a multiple of the first agent's."""

    agent: str
    middle: Interval  # interquartile mean of the scores
    improves: Interval | None  # probability of a lower cost than the first agent's
    shares: list[float]  # of the runs whose score is at most `PROFILE`


PROFILE = (0.9, 0.95, 1.0, 1.05)
"""Scores at which the performance profile is read."""


def overall(plan: Plan, every: Sequence[Cell], folder: Path) -> list[Overall]:
    """Return every agent over all scenarios, once all cells are there; else an empty list.

    The score of a run is its mean cost over the mean cost of the first agent's runs there; where
    such a cost is not above 0, the list is empty.
    """
    if not all(file_of(cell, folder).is_file() for cell in every):
        return []
    means: dict[str, dict[str, list[float]]] = {agent: {} for agent in plan.agents}
    for cell in every:
        group = means[cell.agent].setdefault(cell.place.label, [])
        group.append(float(costs_of(cell, folder)[0].mean()))
    first = means[plan.agents[0]]
    base = {label: math.fsum(group) / len(group) for label, group in first.items()}
    if min(base.values()) <= 0:
        return []  # where the first agent earns money, a ratio says nothing
    theirs = [np.array(group) / base[label] for label, group in first.items()]

    def improvement(ours: list[Array]) -> float:
        return probability_of_improvement(ours, theirs)

    found = []
    for agent in plan.agents:
        scores = [np.array(group) / base[label] for label, group in means[agent].items()]
        middle = bootstrapped(lambda each: interquartile_mean(np.concatenate(each)), scores)
        improves = None
        if agent != plan.agents[0]:
            improves = bootstrapped(improvement, scores)
        shares = profile(np.concatenate(scores), PROFILE)
        found.append(Overall(agent, middle, improves, shares))
    return found


def overall_table(plan: Plan, found: Sequence[Overall]) -> Table:
    """Return the agents over all scenarios as a table."""
    first = plan.agents[0]
    columns = (
        Column("agent", importance=KEPT, align="left"),
        Column("middle", "score (interquartile mean)", importance=KEPT, form=".3f"),
        Column("improves", f"beats {first} (probability)", form=".2f", absent="reference"),
        *(Column(f"at_{each}", f"<= {each:g}", "%", form=".0f") for each in PROFILE),
    )
    lines = [(each.agent, each.middle, each.improves, *each.shares) for each in found]
    notes = [
        f"Score: the mean cost of a run over that of {first} on the same scenario. Intervals: "
        "95 %, from a stratified bootstrap over seeds; n/a with one seed. <= x: runs with a score "
        "up to x.",
    ]
    return Table(columns, lines, f"{plan.title}: over all scenarios", notes)


def table(plan: Plan, rows: Sequence[dict[str, Any]], missing: int) -> Table:
    """Return the results as a table; `missing` cells are still to be computed."""
    columns = (
        Column("scenario", importance=KEPT, align="left"),
        Column("agent", importance=KEPT, align="left"),
        Column("cost", importance=KEPT),
        Column("difference", f"difference to {plan.agents[0]}", importance=KEPT, sign="+",
               absent="reference"),
        Column("seconds", unit="CPU", importance=10, form=".0f"),
    )  # fmt: skip
    lines = [tuple(row[c.name] for c in columns) for row in rows]
    notes = [
        f"± or [from, to]: 95 % interval over {plan.episodes} episodes and {plan.seeds} seeds; "
        "differences are paired by episode."
    ]
    if missing:
        notes.append(f"{missing} cells are still to be computed: run the same command again.")
    return Table(columns, lines, plan.title, notes)


def as_json(
    rows: Sequence[dict[str, Any]], missing: int, over: Sequence[Overall] = ()
) -> dict[str, Any]:
    """Return the results as plain data."""

    def plain(each: Interval | None) -> list[float | None] | None:
        if each is None:
            return None
        return [None if math.isnan(x) else x for x in (each.mean, each.low, each.high)]

    listed = [
        row | {"cost": plain(row["cost"]), "difference": plain(row["difference"])} for row in rows
    ]
    scores = [
        {
            "agent": each.agent,
            "interquartile_mean": plain(each.middle),
            "probability_of_improvement": plain(each.improves),
            "profile": dict(zip(map(str, PROFILE), each.shares, strict=True)),
        }
        for each in over
    ]
    return {"rows": listed, "missing": missing, "overall": scores}
