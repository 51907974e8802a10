"""Tune a classic policy exactly, where the plant is so small that its cost can be computed.

The best of the simulation is where it begins, and of a policy that holds simpler ones (extended
kanban holds kanban) the best of each of those, tuned exactly first: it is not worse than they are.
Numbers that are too high to matter are brought down to where they begin to. Then one number at a
time moves by a step for as long as the exact cost falls, and where none helps, two at a time or by
two steps; what helps is repeated (pattern search, Hooke and Jeeves 1961). Parameters that differ by
.01 % are told apart.

An evaluation stops where edges of backlog that are still too narrow show that it costs more than
the best. Where it takes seconds, neighbors that a long simulation on the same episodes puts clearly
above the point that they are next to, or to the last bit equal to it, are not evaluated.
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
from jitgym.plant import lay_out
from jitgym.scenario import Scenario

from ..classic import applicable, plain, values_of
from ..progress import Progress
from .search import tune
from .space import Point, Space, roles
from .trial import Trial, episodes_for

MEMORY = 30e6
"""Bytes for a neighbor, or `ROOM` times those of where the search began if that is more.

What takes more was going to grow without end.
"""

ROOM = 16.0
FEW = 10_000  # states up to which every neighbor is evaluated: that takes less than a second
LONGER = 20  # times the episodes of `agents.tune`, to leave out neighbors by simulation
CLEARLY = 0.01  # a cost there that is so much above another's, as a share of it
SAME = 1e-6  # costs that differ by less, as a share of 1 + their size, count as equal


@dataclass(frozen=True)
class ExactlyTuned:
    """The parameters of a classic policy that no neighbor beats, and its exact cost."""

    policy: Policy
    parameters: dict[str, Any]
    value: exact.Value
    candidates: int  # that were evaluated
    too_large: int  # neighbors that would have taken too much memory, or grow without end


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
        Parameters to begin at, those left out the textbook's; by default what `agents.tune` takes,
        and the best of simpler policies that this one holds.
    known
        Policies tuned exactly before, by name: simpler ones are taken from it.
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
    """Yield the best of the simulation, and the best of each policy that this one holds."""
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
    """Return a point's numbers, each brought down as far as simulation stays the same, to the bit.

    From where a number does not matter no single step would find to where it does.
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
    """Candidates that were evaluated, and those that were too large."""

    trial: Trial  # in simulation
    bar: Progress
    found: dict[Point, exact.Value] = field(default_factory=dict)
    refused: set[Point] = field(default_factory=set)

    @property
    def too_large(self) -> int:
        """How many were."""
        return len(self.refused)

    @property
    def best(self) -> Point:
        """The cheapest; of equally cheap ones the one with the lowest numbers."""
        return self.cheapest(list(self.found))

    def cheapest(self, points: Sequence[Point]) -> Point:
        """Return the cheapest of those that were evaluated."""
        known = [point for point in points if point in self.found]
        return min(known, key=lambda point: (self.found[point].cost, point))

    def descend(self, point: Point) -> None:
        """Move to better neighbors for as long as there are some: first near ones, one by one."""
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
        """Repeat a move that helped, twice as far each time, for as long as it helps."""
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
        """What costs may differ by and count as equal."""
        return SAME * (1.0 + abs(self.found[self.best].cost))

    def worth_it(self, points: list[Point], beside: Point) -> list[Point]:
        """Return those that may be cheaper than the point that they are next to."""
        if self.found[beside].states <= FEW:
            return points
        trial = self.trial
        trial.run([beside, *points])
        cost = trial.cost[beside]
        limit = cost + CLEARLY * abs(cost)
        return [each for each in points if trial.cost[each] != cost and trial.cost[each] <= limit]

    def run(self, points: Iterator[Point] | Sequence[Point]) -> None:
        """Evaluate candidates that were not evaluated yet."""
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
