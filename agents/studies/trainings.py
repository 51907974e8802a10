"""Trainings of one learner with several seeds, judged on the same episodes of the split `test`.

Each training has a folder of its own and a process of its own, so that results do not depend on the
number of workers. The unit of replication is the training seed: the interval over seeds has two
levels, seeds and episodes (`jitgym.evaluate.two_level`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib  # type: ignore[import-untyped]
import numpy as np

from jitgym.evaluate import Interval, two_level
from jitgym.evaluate.statistics import differences
from jitgym.scenario import Scenario

from .. import learned
from ..learned import start as starts
from . import comparison
from .judging import Judgement, judged

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Plan:
    """What is trained, and how it is judged."""

    agent: str
    scenario: Scenario
    config: Path | None
    folder: Path
    periods: int | None
    minutes: float | None
    episodes: int
    resume: bool
    start: str = ""  # the classic to start from; "": the best one

    def folder_of(self, seed: int) -> Path:
        """Return the folder of one training."""
        return self.folder / f"{self.agent}-seed-{seed}"


@dataclass(frozen=True)
class Trainings:
    """The trainings of one learner, in the order of their seeds."""

    runs: tuple[Judgement, ...]
    seeds: tuple[int, ...]

    @property
    def optimum(self) -> float | None:
        """The exact optimum, or None."""
        return self.runs[0].optimum

    @property
    def over_seeds(self) -> Interval:
        """The mean difference to the start over seeds and episodes, with a two-level interval."""
        return two_level([differences(run.rows, run.start_rows) for run in self.runs])

    @property
    def median(self) -> Judgement:
        """The training with the median cost."""
        order = np.argsort([run.cost.mean for run in self.runs], kind="stable")
        return self.runs[int(order[(len(order) - 1) // 2])]

    @property
    def worst(self) -> Judgement:
        """The training with the largest cost."""
        return max(self.runs, key=lambda run: run.cost.mean)

    @property
    def notes(self) -> list[str]:
        """Sentences about the trainings, for a table."""
        found = []
        for seed, run in zip(self.seeds, self.runs, strict=True):
            found += [f"seed {seed}: {note}" for note in comparison.effort(run.trained)]
        if len(self.runs) > 1:
            costs = f"median {self.median.cost.mean:.6g}, worst {self.worst.cost.mean:.6g}"
            found.append(
                f"{len(self.runs)} seeds: {costs}; difference to the start {self.over_seeds} "
                "(95 %, over seeds and episodes)"
            )
        return found

    def as_json(self) -> dict[str, Any]:
        """Return the median training as plain data; with several seeds, all under `runs`."""
        if len(self.runs) == 1:
            return self.runs[0].as_json()
        both = self.over_seeds
        return self.median.as_json() | {
            "seeds": list(self.seeds),
            "median": self.median.cost.mean,
            "worst": self.worst.cost.mean,
            "over_seeds": both.mean,
            "over_seeds_interval": [both.low, both.high],
            "runs": [run.as_json() for run in self.runs],
        }


def conduct(
    plan: Plan, first: int, count: int, workers: int = 1, *, progress: bool = False
) -> Trainings:
    """Train with the seeds `first`, `first` + 1, ..., and judge each training on `test`.

    All are judged on the same episodes: those of the seed `first`.
    """
    seeds = tuple(range(first, first + count))
    # Once, before processes would all tune it.
    starts.find(plan.scenario, plan.start, progress=progress)
    if workers == 1:
        runs = [one(plan, seed, first, progress) for seed in seeds]
    else:
        os.environ.setdefault("NUMBA_NUM_THREADS", "1")
        jobs = (joblib.delayed(one)(plan, seed, first, progress) for seed in seeds)
        runs = joblib.Parallel(n_jobs=workers, backend="loky")(jobs)
    return Trainings(tuple(runs), seeds)


def one(plan: Plan, seed: int, judge: int, progress: bool) -> Judgement:
    """Run one training and judge it."""
    learner = learned.find(plan.agent)
    folder = plan.folder_of(seed)
    # A training that had not written its first checkpoint begins again.
    resume = plan.resume and (folder / "last.pt").is_file()
    trained = learner.train(
        plan.scenario,
        learner.read_settings(plan.config),
        folder,
        periods=plan.periods,
        minutes=plan.minutes,
        seed=seed,
        start=plan.start,
        resume=resume,
        progress=progress,
    )
    return judged(trained, plan.scenario, plan.episodes, judge)


def rows(
    found: Trainings,
    classics: comparison.Classics,
    scenario: Scenario,
    episodes: int,
    seed: int,
) -> pandas.DataFrame:
    """Return the rows of all trainings, their starts, and the classics, on the same episodes."""
    import pandas

    entrants: list[Any] = [*classics.entrants]
    frames = []
    if entrants:
        frames.append(comparison.contest(entrants, scenario, episodes, seed, strata=False))
    known = {policy.name for policy in entrants}
    for number, run in zip(found.seeds, found.runs, strict=True):
        name = run.trained.policy.name
        label = name if len(found.runs) == 1 else f"{name}, seed {number}"
        frames.append(run.rows.assign(policy=label))
        if run.trained.start.policy.name not in known:
            known.add(run.trained.start.policy.name)
            frames.append(run.start_rows)
    return pandas.concat(frames, ignore_index=True)
