"""Tune a classic policy exactly, where the plant is small enough to compute its exact cost.

The search starts from the best parameters found by simulation. For a policy that contains simpler
ones (extended kanban contains kanban) it also starts from the best of each of those, which are
tuned exactly first, so the result is not worse than they are. Numbers that are too high to have an
effect are lowered to where they begin to have one. Then one number at a time moves by a step as
long as the exact cost falls. If no step helps, two numbers move at a time, or one by two steps. A
move that helps is repeated (pattern search, Hooke and Jeeves 1961). Exact costs tell apart
parameters that differ by only .01 %.

An evaluation stops early if edges of backlog that are still narrow show that it costs more than the
best. Where an evaluation takes seconds, neighbors are first simulated for long on the same
episodes; a neighbor that costs clearly more than the current point, or exactly the same, is not
evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jitgym import exact
from jitgym.catalog import load
from jitgym.control import Policy
from jitgym.envs.engine import MOST_SEED
from jitgym.errors import whole_number
from jitgym.plant import lay_out
from jitgym.scenario import Scenario

from ..classic import applicable, plain, values_of
from ..progress import Progress
from .search import FRESH, tune
from .space import Point, Space, roles
from .trial import Trial, episodes_for

MEMORY = 30e6
"""Most bytes for a neighbor, or `ROOM` times those of the first evaluation if that is more.

The stock or backlog of a neighbor that needs more grows without end.
"""

ROOM = 16.0
FEW = 10_000  # states up to which every neighbor is evaluated: that takes less than a second
LONGER = 20  # times the episodes of `agents.tune`, to exclude neighbors by simulation
CLEARLY = 0.01  # share by which the cost in simulation must be higher to exclude a neighbor
SAME = 1e-6  # costs that differ by less, as a share of 1 + their size, count as equal


@dataclass(frozen=True)
class ExactlyTuned:
    """The parameters of a classic policy that no neighbor beats, and its exact cost."""

    policy: Policy
    parameters: dict[str, Any]
    value: exact.Value
    candidates: int  # number of candidates that were evaluated
    too_large: int  # number of neighbors that need too much memory or grow without end


def tune_exactly(
    name: str,
    scenario: Scenario | str | Path,
    seed: int = 0,
    *,
    start: Mapping[str, Any] | None = None,
    known: Mapping[str, ExactlyTuned] | None = None,
    progress: bool = False,
) -> ExactlyTuned:
    """Return a classic policy whose exact cost no neighboring parameters beat.

    Parameters
    ----------
    name, scenario, seed
        As for `agents.tune`.
    start
        Parameters to start from; any left out are the textbook's. The default is the result of
        `agents.tune`, and the best of the simpler policies that this one contains.
    known
        Policies that were tuned exactly before, by name; the simpler ones are taken from here.
    progress
        Show on standard error how far the search is.

    Raises
    ------
    jitgym.ScenarioError
        If there is no such policy, or it does not apply to this plant.
    exact.NotFinite, exact.TooLarge
        If the plant, or the policy, cannot be evaluated exactly.
    """
    scenario = load(scenario)
    seed = whole_number("seed", seed, 0, MOST_SEED - FRESH)
    classic, layout = applicable(name, scenario), lay_out(scenario)
    space = Space(classic.parameters(scenario), roles(scenario))
    trial = Trial(classic, layout, space, seed, LONGER * episodes_for(classic, layout, space))
    with Progress(f"tune {name} exactly on {scenario.name}", shown=progress) as bar:
        search = _Exactly(trial, bar)
        if start is not None:
            begin = space.point(values_of(name, space.parameters, start))
            search.run([begin])
        else:
            search.run(_starts(trial, known or {}))
            begin = tightened(trial, search.best)
            search.run([begin])
        search.descend(begin)
    values = space.values(search.best)
    policy = classic.build(f"{name} (best)", layout, values)
    value = search.found[search.best]
    return ExactlyTuned(policy, plain(values), value, len(search.found), search.too_large)


def _starts(trial: Trial, known: Mapping[str, ExactlyTuned]) -> Iterator[Point]:
    """Yield the best of the simulation, and the best of each policy that this one contains."""
    scenario, space, classic = trial.layout.scenario, trial.space, trial.classic
    tuned = tune(classic.name, scenario, trial.seed).parameters
    yield space.point(values_of(classic.name, space.parameters, tuned))
    for special in classic.holds:
        name = special.classic.name
        if special.classic.why_not(scenario):
            continue
        simpler = known.get(name) or tune_exactly(name, scenario, trial.seed, known=known)
        values = values_of(name, special.classic.parameters(scenario), simpler.parameters)
        yield space.point(special.embed(scenario, values))


def tightened(trial: Trial, point: Point) -> Point:
    """Return a point with each number lowered as far as the simulated cost stays exactly the same.

    From a number that has no effect, no single step would reach one that has an effect.
    """
    trial.run([point])
    for k in range(trial.space.size):
        low, high = int(trial.space.bounds[0][k]), point[k]
        while low < high:
            middle = (low + high) // 2
            lower = (*point[:k], middle, *point[k + 1 :])
            trial.run([lower])
            if trial.cost[lower] == trial.cost[point]:
                high = middle
            else:
                low = middle + 1
        point = (*point[:k], high, *point[k + 1 :])
        trial.run([point])
    return point


@dataclass
class _Exactly:
    """The candidates that were evaluated, and those that were too large."""

    trial: Trial  # the simulation of candidates
    bar: Progress
    found: dict[Point, exact.Value] = field(default_factory=dict)
    refused: set[Point] = field(default_factory=set)

    @property
    def too_large(self) -> int:
        """The number of candidates that were too large."""
        return len(self.refused)

    @property
    def best(self) -> Point:
        """The cheapest candidate; of equally cheap ones, the one with the lowest numbers."""
        return self.cheapest(list(self.found))

    def cheapest(self, points: Sequence[Point]) -> Point:
        """Return the cheapest of the points that were evaluated."""
        known = [point for point in points if point in self.found]
        return min(known, key=lambda point: (self.found[point].cost, point))

    def descend(self, point: Point) -> None:
        """Move to better neighbors as long as there are any; the nearest are tried first."""
        space = self.trial.space
        moves = np.unique(space.moves, axis=0)
        alone = np.count_nonzero(moves, axis=1) == 1
        patterns = [moves[alone], np.vstack([moves[~alone], 2 * moves])]
        while True:
            for pattern in patterns:
                near = self.worth_it(space.clipped(np.array(point) + pattern), point)
                self.run(near)
                better = self.cheapest([point, *near])
                if self.found[better].cost < self.found[point].cost - self.slack:
                    break
            else:
                return
            point = self.further(point, better)

    def further(self, point: Point, better: Point) -> Point:
        """Repeat a move that helped, twice as far each time, as long as it helps."""
        step = np.array(better) - np.array(point)
        while True:
            step *= 2
            (there,) = self.trial.space.clipped(np.array([better]) + step)
            self.run(self.worth_it([there], better))
            cheapest = self.cheapest([better, there])
            if self.found[cheapest].cost >= self.found[better].cost - self.slack:
                return better
            better = there

    @property
    def slack(self) -> float:
        """The difference up to which costs count as equal."""
        return SAME * (1.0 + abs(self.found[self.best].cost))

    def worth_it(self, points: list[Point], beside: Point) -> list[Point]:
        """Return the points that may be cheaper than the one beside them."""
        if self.found[beside].states <= FEW:
            return points
        trial = self.trial
        trial.run([beside, *points])
        cost = trial.cost[beside]
        limit = cost + CLEARLY * abs(cost)
        return [each for each in points if trial.cost[each] != cost and trial.cost[each] <= limit]

    def run(self, points: Iterator[Point] | Sequence[Point]) -> None:
        """Evaluate the candidates that were not evaluated before."""
        for point in points:
            if point not in self.found and point not in self.refused:
                self._evaluate(point)

    def _evaluate(self, point: Point) -> None:
        classic, layout, space = self.trial.classic, self.trial.layout, self.trial.space
        policy = classic.build(classic.name, layout, space.values(point))
        memory, enough = float(exact.MEMORY), np.inf
        if self.found:
            first = next(iter(self.found.values()))
            memory = min(memory, max(MEMORY, ROOM * first.memory))
            enough = self.found[self.best].cost + self.slack
        try:
            self.found[point] = exact.evaluate(
                policy, layout.scenario, memory=memory, enough=enough
            )
        except exact.TooLarge:  # such parameters let stock or backlog grow without end
            if not self.found:
                raise
            self.refused.add(point)
        best = self.found[self.best].cost
        count = len(self.found)
        self.bar.update(count, f"{count} candidates evaluated, best cost {best:.6g}")
