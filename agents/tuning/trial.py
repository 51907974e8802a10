"""A trial: candidates of a policy on one set of episodes, and the cost of each.

Many candidates run in one compiled loop; policies that are not compiled rules run as one batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.control import Policy
from jitgym.evaluate import closed_loop
from jitgym.evaluate.compiled_loop import run_rules
from jitgym.plant import Layout, episode_keys

from ..classic import Classic
from .cross_entropy import GENERATIONS
from .space import FEW_NUMBERS, Point, Space
from .target import Aim, Score, Standing, figures, noise

Array = npt.NDArray[np.float64]

SPLIT = "tune"
SAMPLE = 32  # candidates of the first sample
FINALISTS = 8
PERIODS = 100_000  # periods per candidate in the search; fewer with more than FEW_SOURCES sources
FEW_SOURCES = 4
FINER = 2.0  # factor of the periods if the numbers are real
SLOWER = 0.4  # factor of the periods if the policy is not a compiled rule
ROUGH = 0.4  # factor of the periods for the coarse steps of a rule with many numbers
ROUGH_BUDGET = 0.6  # share of the budget for these steps
BUDGET = 120e6  # periods x sources of a search with many numbers
MORE = 4.0  # factor of the budget with a target, because its edge takes small steps
SLOW_PERIODS = 1000  # periods per candidate of a slow policy
SLOW_SAMPLE, SLOW_CANDIDATES, SLOW_FINALISTS = 12, 24, 3  # for a slow policy
FEWEST_EPISODES, MOST_EPISODES = 2, 2048  # per candidate in the search
FLOWS = 10_000_000  # largest number of flow sums in memory at once
ROWS = 8192  # rows of a batch, for policies that are not compiled rules


@dataclass
class Trial:
    """Candidates on one set of episodes, and the cost of each."""

    classic: Classic
    layout: Layout
    space: Space
    seed: int
    episodes: int
    aim: Aim | None = None  # the targets, and what is minimized within them
    cost: dict[Point, float] = field(default_factory=dict)  # mean over the episodes
    standing: dict[Point, Standing] = field(default_factory=dict)  # only with an aim
    periods: int = 0
    tried: set[Point] = field(default_factory=set)
    share: float = 1.0  # of the budget, see `is_spent`

    def of(self, classic: Classic) -> Trial:
        """Return a new trial of another policy on the same episodes."""
        space = Space(classic.parameters(self.layout.scenario), self.space.roles)
        return Trial(classic, self.layout, space, self.seed, self.episodes, self.aim)

    def thinned(self, share: float) -> Trial:
        """Return a new trial of this policy on the first part of the episodes."""
        episodes = math.ceil(share * self.episodes)
        return replace(self, episodes=episodes, cost={}, standing={}, periods=0, tried=set())

    def rough(self) -> Trial:
        """Return a new trial for coarse steps: fewer episodes where there are many numbers.

        Without it, the budget would end before the search: a candidate of a large plant takes as
        many periods as any other, but many numbers need many candidates.
        """
        is_rule = self.policy(self.space.origin).rule is not None
        if self.space.size <= FEW_NUMBERS or self.classic.is_slow or not is_rule:
            return self
        return replace(self.thinned(ROUGH), share=ROUGH_BUDGET)

    def asking(self, more: Array) -> Trial:
        """Return a trial with the same candidates whose targets require extra reserves."""
        assert self.aim is not None
        aim = replace(self.aim, more=tuple(more.tolist()))
        standing = {
            point: replace(each, reserves=tuple(np.subtract(each.reserves, more).tolist()))
            for point, each in self.standing.items()
        }
        return replace(
            self, aim=aim, cost=dict(self.cost), standing=standing, periods=0, tried=set(self.tried)
        )

    def learn(self, asking: Trial) -> None:
        """Copy the results of a trial that required extra reserves."""
        assert asking.aim is not None
        more = np.array(asking.aim.more)
        for point, each in asking.standing.items():
            if point not in self.standing:
                reserves = tuple(np.add(each.reserves, more).tolist())
                self.standing[point] = replace(each, reserves=reserves)
                self.cost[point] = asking.cost[point]
        self.add(asking)

    def run(self, points: Sequence[Point]) -> None:
        """Simulate those of the candidates that were not simulated before."""
        new = [point for point in dict.fromkeys(points) if point not in self.cost]
        if not new:
            return
        policies = [self.policy(point) for point in new]
        if self.aim is None:
            costs = mean_costs(self.layout, policies, self.seed, self.episodes)
            self.cost.update(zip(new, costs.tolist(), strict=True))
        else:
            at_once = max(1, FLOWS // (self.episodes * self.layout.flow_cells))
            for k in range(0, len(new), at_once):
                some = slice(k, k + at_once)
                found, sums = outcomes(
                    self.layout, policies[some], self.seed, self.episodes, flows=True
                )
                standings = self.aim.standings(self.layout, found, sums)
                self.standing.update(zip(new[some], standings, strict=True))
                self.cost.update(zip(new[some], found.mean(axis=1).tolist(), strict=True))
        self.periods += len(new) * self.episodes * self.layout.plant.periods
        self.tried.update(new)

    def figures(self, point: Point, kpis: Sequence[str]) -> dict[str, float]:
        """Return the KPIs and the stock of a candidate."""
        return figures(self.layout, self._sums(point), kpis)

    def noise(self, point: Point) -> float:
        """Return the largest standard error of a candidate's KPIs, relative to their bounds."""
        assert self.aim is not None
        return noise(self.layout, self._sums(point), self.aim.targets)

    def policy(self, point: Point) -> Policy:
        """Return a candidate as a policy."""
        return self.classic.build(self.classic.name, self.layout, self.space.values(point))

    def _sums(self, point: Point) -> Array:
        """Flows of a candidate, summed over the measured periods, (episodes, flow cells)."""
        _, sums = outcomes(self.layout, [self.policy(point)], self.seed, self.episodes, flows=True)
        return sums[0]

    def add(self, other: Trial) -> None:
        """Add what another trial simulated to the counts of this one."""
        self.periods += other.periods
        self.tried |= other.tried

    @property
    def sample_size(self) -> int:
        """The number of candidates of the first sample."""
        return SLOW_SAMPLE if self.classic.is_slow else SAMPLE

    @property
    def finalists(self) -> int:
        """The number of the best candidates that run again."""
        return SLOW_FINALISTS if self.classic.is_slow else FINALISTS

    @property
    def is_spent(self) -> bool:
        """Whether a search with many numbers, or for a slow policy, has used up its budget."""
        if self.classic.is_slow:
            return len(self.tried) >= SLOW_CANDIDATES
        many = self.space.size > FEW_NUMBERS
        is_whole = self.aim is not None and not self.aim.more  # not one of the last rounds
        budget = self.share * (MORE * BUDGET if is_whole else BUDGET)
        return many and self.periods * len(self.layout.scenario.sources) > budget

    @property
    def rounds(self) -> int:
        """The number of times that a search yields."""
        rounds = GENERATIONS if self.space.is_real else 1
        if self.aim is not None:
            return rounds + self.space.fine
        return rounds if self.space.is_real else 1 + self.space.halvings

    def score(self, point: Point) -> Score:
        """Return what a search minimizes: the cost or, with an aim, the score of the standing."""
        return (self.cost[point],) if self.aim is None else self.standing[point].score

    def best(self, count: int) -> list[Point]:
        """Return the best candidates; ties go to the nearest to the textbook's."""

        def rank(point: Point) -> tuple[Score, int, Point]:
            return self.score(point), sum(map(abs, point)), point

        return sorted(self.cost, key=rank)[:count]


def episodes_for(classic: Classic, layout: Layout, space: Space) -> int:
    """Return the default number of episodes per candidate in a search."""
    share = min(1.0, FEW_SOURCES / len(layout.scenario.sources))
    if classic.build(classic.name, layout, space.values(space.origin)).rule is None:
        share *= SLOWER
    if space.is_real:
        share *= FINER
    if classic.is_slow:
        return math.ceil(SLOW_PERIODS / layout.scenario.horizon.periods)
    wanted = math.ceil(share * PERIODS / layout.scenario.horizon.periods)
    return min(max(wanted, FEWEST_EPISODES), MOST_EPISODES)


def mean_costs(layout: Layout, policies: Sequence[Any], seed: int, episodes: int) -> Array:
    """Return the mean cost of each policy over the same episodes of the split, (policies,)."""
    costs, _ = outcomes(layout, policies, seed, episodes, flows=False)
    return costs.mean(axis=1)


def outcomes(
    layout: Layout, policies: Sequence[Any], seed: int, episodes: int, *, flows: bool
) -> tuple[Array, Array]:
    """Return costs (policies, episodes), and with `flows` flow sums (policies, episodes, cells).

    All policies run on the same episodes of the split.
    """
    first, *others = policies
    if first.rule is not None:
        rules = first.rule.stack([policy.rule for policy in others])
        keys = episode_keys(SPLIT, seed, np.arange(episodes))
        outcome = run_rules(layout, rules, keys, SPLIT, flows=flows)
        return outcome.cost, outcome.sums
    at_once = max(1, ROWS // episodes)
    groups = [policies[k : k + at_once] for k in range(0, len(policies), at_once)]
    parts = [_run_crowd(layout, group, seed, episodes) for group in groups]
    costs, sums = zip(*parts, strict=True)
    return np.concatenate(costs), np.concatenate(sums)


def _run_crowd(
    layout: Layout, policies: Sequence[Any], seed: int, episodes: int
) -> tuple[Array, Array]:
    """Run policies that are not compiled rules as one batch, with a row per policy and episode."""
    rows = np.tile(np.arange(episodes), len(policies))
    engine = closed_loop.at_start(layout, SPLIT, seed, rows)
    crowd = policies[0].crowd(policies[1:], episodes)
    decide = closed_loop.deciding(crowd, layout, rows.size)
    for _ in closed_loop.run(engine, decide, layout.plant.periods):
        pass
    shape = (len(policies), episodes)
    return engine.episode_cost.reshape(shape), engine.sums.reshape(*shape, -1).copy()
