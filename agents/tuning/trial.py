"""A trial: candidates of a policy on one set of episodes, and what each cost.

Whole populations run in one compiled loop; policies that are no compiled rule run as one batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.evaluate import closed_loop
from jitgym.evaluate.loop import run_rules
from jitgym.plant import Layout, episode_keys

from ..classic import Classic
from .space import FEW_NUMBERS, Point, Space
from .target import Target, figures

Array = npt.NDArray[np.float64]

SPLIT = "tune"
SAMPLE = 32  # candidates of the first sample
FINALISTS = 8
PERIODS = 100_000  # of a candidate in the search, about; fewer with more than FEW_SOURCES of them
FEW_SOURCES = 4
FINER = 2.0  # times the periods, for real numbers
SLOWER = 0.4  # of the periods, for a policy that is no compiled rule
BUDGET = 120e6  # periods x sources of a search with many numbers
SLOW_PERIODS = 1000  # of a candidate, for a policy that is slow
SLOW_SAMPLE, SLOW_CANDIDATES, SLOW_FINALISTS = 12, 24, 3  # of a policy that is slow
FEWEST_EPISODES, MOST_EPISODES = 2, 2048  # of a candidate in the search
ROWS = 8192  # of a batch, for policies that are no compiled rule


@dataclass
class Trial:
    """Candidates on one set of episodes, and what each cost."""

    classic: Classic
    layout: Layout
    space: Space
    seed: int
    episodes: int
    target: Target | None = None
    cost: dict[Point, float] = field(default_factory=dict)
    periods: int = 0
    tried: set[Point] = field(default_factory=set)

    def of(self, classic: Classic) -> Trial:
        """Return a trial of another policy on the same episodes, nothing simulated yet."""
        space = Space(classic.parameters(self.layout.scenario), self.space.roles)
        return Trial(classic, self.layout, space, self.seed, self.episodes, self.target)

    def thinned(self, share: float) -> Trial:
        """Return a trial of this policy on the first of the episodes, nothing simulated yet."""
        return replace(self.of(self.classic), episodes=math.ceil(share * self.episodes))

    def run(self, points: Sequence[Point]) -> None:
        """Simulate the candidates that were not simulated yet."""
        new = [point for point in dict.fromkeys(points) if point not in self.cost]
        if not new:
            return
        policies = [
            self.classic.build(self.classic.name, self.layout, self.space.values(point))
            for point in new
        ]
        costs = mean_costs(self.layout, policies, self.seed, self.episodes, self.target)
        self.cost.update(zip(new, costs.tolist(), strict=True))
        self.periods += len(new) * self.episodes * self.layout.plant.periods
        self.tried.update(new)

    def figures(self, point: Point) -> dict[str, float]:
        """Return the KPIs of the target, and the stock, of a candidate."""
        assert self.target is not None
        policy = self.classic.build(self.classic.name, self.layout, self.space.values(point))
        _, sums = outcomes(self.layout, [policy], self.seed, self.episodes, flows=True)
        return figures(self.layout, sums[0], self.target.bounds)

    def add(self, other: Trial) -> None:
        """Count what another trial simulated for this one."""
        self.periods += other.periods
        self.tried |= other.tried

    @property
    def sample_size(self) -> int:
        """Candidates of the first sample."""
        return SLOW_SAMPLE if self.classic.is_slow else SAMPLE

    @property
    def finalists(self) -> int:
        """How many of the best are run again."""
        return SLOW_FINALISTS if self.classic.is_slow else FINALISTS

    @property
    def is_spent(self) -> bool:
        """Whether a search with many numbers, or of a slow policy, has used its budget."""
        if self.classic.is_slow:
            return len(self.tried) >= SLOW_CANDIDATES
        many = self.space.size > FEW_NUMBERS
        return many and self.periods * len(self.layout.scenario.sources) > BUDGET

    def best(self, count: int) -> list[Point]:
        """Return the cheapest candidates; of equally cheap ones the nearest to the textbook's."""

        def rank(point: Point) -> tuple[float, int, Point]:
            return self.cost[point], sum(map(abs, point)), point

        return sorted(self.cost, key=rank)[:count]


def episodes_for(classic: Classic, layout: Layout, space: Space) -> int:
    """Return how many episodes a candidate is run on in a search, unless it is told."""
    share = min(1.0, FEW_SOURCES / len(layout.scenario.sources))
    if classic.build(classic.name, layout, space.values(space.origin)).rule is None:
        share *= SLOWER
    if space.is_real:
        share *= FINER
    if classic.is_slow:
        return math.ceil(SLOW_PERIODS / layout.scenario.horizon.periods)
    wanted = math.ceil(share * PERIODS / layout.scenario.horizon.periods)
    return min(max(wanted, FEWEST_EPISODES), MOST_EPISODES)


def mean_costs(
    layout: Layout, policies: Sequence[Any], seed: int, episodes: int, target: Target | None = None
) -> Array:
    """Return the mean cost of each policy over the same episodes of the split, (policies,).

    With a target, what stands for it (`Target.objective`).
    """
    costs, sums = outcomes(layout, policies, seed, episodes, flows=target is not None)
    return costs.mean(axis=1) if target is None else target.objective(layout, sums)


def outcomes(
    layout: Layout, policies: Sequence[Any], seed: int, episodes: int, *, flows: bool
) -> tuple[Array, Array]:
    """Return costs (policies, episodes), and where asked for flow sums (policies, episodes, cells).

    On the same episodes of the split.
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
    """Run policies that are no compiled rule, each on as many rows of a batch as episodes."""
    rows = np.tile(np.arange(episodes), len(policies))
    engine = closed_loop.at_start(layout, SPLIT, seed, rows)
    crowd = policies[0].crowd(policies[1:], episodes)
    decide = closed_loop.deciding(crowd, layout, rows.size)
    for _ in closed_loop.run(engine, decide, layout.plant.periods):
        pass
    shape = (len(policies), episodes)
    return engine.episode_cost.reshape(shape), engine.sums.reshape(*shape, -1).copy()
