"""Tune a classic policy by simulation.

Every candidate faces the same episodes of the split `tune` (common random numbers), whole
populations of them in one compiled run. The search is a pattern search (Hooke and Jeeves 1961) on
the grid of the parameters' steps: from the best of a first sample, the textbook's sizes among it,
move one or two parameters at a time for as long as that helps, then halve the steps. Where several
numbers make a small grid all of it is tried first, on fewer episodes. The best candidates and the
textbook's are run again on fresh episodes, another seed of `tune`, and the cheapest there is taken:
what only fitted the first episodes is found out.

Where a policy declares real numbers the search is the cross-entropy method (`cross_entropy`), on
episodes for twice as many periods; half of the finalists are then the middles of its last
generations. A policy that holds simpler ones as special cases (hybrid holds kanban) is also started
from the best of each of those, tuned first, and they are finalists too.

With a target (`service`) it is not cost but average inventory that is made small, among those who
reach the target, on the finalists' episodes too: where no finalist does, the next best are tried.

Of a policy that improves another by simulation (`look_ahead`) the other is tuned in its place.

With more than six numbers to tune, those of a group move together, each by its own step, or one
alone (with more than 32, groups only). A group is one parameter of all sources that stand alike: at
one work center, or as far from the customer, and of one rank among the sources of their items. The
first sample scales whole groups. What helped alone is then tried together. A search ends when its
budget is spent.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from jitgym import ScenarioError
from jitgym.control import Policy, Rule, View, ViewLayout
from jitgym.envs import ActionEncoding, Engine
from jitgym.evaluate.loop import run_rules
from jitgym.plant import Layout, episode_keys, lay_out
from jitgym.scenario import Scenario, load

from .classic import Classic, Parameter, Values, applicable, plain, values_of
from .cross_entropy import GENERATIONS, RUNGS, cross_entropy
from .service import MISSED, Target, figures

Array = npt.NDArray[np.float64]

SPLIT = "tune"
SAMPLE = 32  # candidates of the first sample
GRID = 1024  # candidates in all: so few of several numbers are all tried, on fewer episodes
GRID_SHARE = 1 / 8  # of the episodes
GRID_PERIODS = 20e6  # but not for longer than so many periods
FINALISTS = 8
PERIODS = 100_000  # of a candidate in the search, about; fewer with more than FEW_SOURCES of them
FEW_SOURCES = 4
FINER = 2.0  # times the periods, for real numbers
SLOWER = 0.4  # of the periods, for a policy that is no compiled rule
FEW_NUMBERS = 6  # with more of them, groups move
MANY_NUMBERS = 32  # with more of them, nothing moves alone
BUDGET = 120e6  # periods x sources of a search with many numbers
SLOW_PERIODS = 1000  # of a candidate, for a policy that is slow
SLOW_SAMPLE, SLOW_CANDIDATES, SLOW_FINALISTS = 12, 24, 3  # of a policy that is slow
FEWEST_EPISODES, MOST_EPISODES = 2, 2048  # of a candidate in the search
FINAL_EPISODES = 4  # times the episodes of the search, for a finalist
FRESH = 1_000_003  # added to the seed for the finalists' episodes
ROWS = 8192  # of a batch, for policies that are no compiled rule


@dataclass(frozen=True)
class Tuning:
    """What a tuning came to, and what it took."""

    cost: float  # of the parameters taken, on the finalists' episodes, by the scenario's yardstick;
    # with a target, their average inventory in units
    textbook: dict[str, Any]  # the textbook's parameters
    textbook_cost: float  # likewise
    candidates: int  # different ones that were simulated
    periods: int  # simulated in all
    seconds: float  # CPU time
    seed: int
    target: dict[str, float] = field(default_factory=dict)  # KPI -> its bound
    reached: dict[str, float] = field(default_factory=dict)  # by the parameters taken, likewise


@dataclass(frozen=True)
class TunedPolicy:
    """A policy with the parameters that a tuning took, and the record of it."""

    policy: Policy
    layout: Layout  # of the plant that it was tuned for
    parameters: dict[str, Any]
    tuning: Tuning

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.policy.name

    @property
    def rule(self) -> Rule | None:
        """Its record in the compiled family of pull rules, or None."""
        return self.policy.rule

    def start(self, batch: int) -> Array:
        """Return its memory at the beginning of an episode."""
        return self.policy.start(batch)

    def act(self, view: View, memory: Array) -> npt.ArrayLike:
        """Return what it asks for, (batch, sources) in units."""
        return self.policy.act(view, memory)


def tune(
    name: str,
    scenario: Scenario | str | Path,
    seed: int = 0,
    *,
    episodes: int | None = None,
    target: Mapping[str, float] | None = None,
    progress: bool = False,
) -> TunedPolicy:
    """Return a classic policy with the parameters that cost least in simulation.

    With a target: with those that need the least stock to reach it.

    Parameters
    ----------
    name
        One of `agents.names()`.
    scenario
        The plant that it is for: a Scenario, a name of the catalog, or a path.
    seed
        Of the episodes and of the first sample; the same seed gives the same policy.
    episodes
        That a candidate is run on in the search; finalists are run on four times as many others.
        By default as many as make 100,000 periods (fewer, the more sources beyond four there are,
        and where the policy is no compiled rule), at least 2 and at most 2,048 of them; of one that
        is slow as many as make 1,000.
    target
        Bounds on KPIs such as `{"fill_rate": 0.98}`; then costs do not count.
    progress
        Show on the terminal how far it is.

    Raises
    ------
    jitgym.ScenarioError
        If there is no such policy, it does not apply to this plant, the target makes no sense, or
        no parameters reach it.
    """
    scenario = load(scenario)
    aim = None if target is None else Target(target)
    classic = applicable(name, scenario)
    if classic.base is not None:
        if aim is not None:
            raise ScenarioError(f"{name} follows costs: it cannot be tuned to a target")
        return _tune_base(classic, scenario, seed, episodes, progress)
    layout, space = lay_out(scenario), Space(classic.parameters(scenario), roles(scenario))
    if episodes is None:
        episodes = episodes_for(classic, layout, space)
    if episodes < 1:
        raise ScenarioError(f"{episodes} episodes; expected at least 1")
    textbook = space.origin
    first = Trial(classic, layout, space, seed, 1, aim)
    first.run([textbook])  # compiles, where that was not done yet
    began = time.process_time()
    trial = Trial(classic, layout, space, seed, episodes, aim)
    final = Trial(classic, layout, space, seed + FRESH, FINAL_EPISODES * episodes, aim)
    held = [special for special in classic.holds if not special.classic.why_not(scenario)]
    simpler = [trial.of(special.classic) for special in held]

    def rounds() -> Iterator[None]:
        starts = [textbook]
        for special, part in zip(held, simpler, strict=True):
            finalists = yield from search(part, seed)
            for point in dict.fromkeys([part.space.origin, *finalists]):
                starts.append(space.point(special.embed(scenario, part.space.values(point))))
        finalists = yield from search(trial, seed, starts)
        final.run([*starts, *finalists])
        if aim is not None:
            run_until_reached(final, trial)
        yield

    shown = track(
        rounds(),
        f"{name} on {scenario.name}",
        total=1 + sum(part.space.rounds for part in (trial, *simpler)),
        console=Console(stderr=True),
        transient=True,
        disable=not progress,
    )
    for _ in shown:
        pass
    (taken,) = final.best(1)
    values = space.values(taken)
    policy = classic.build(f"{name} (tuned)", layout, values)
    reached: dict[str, float] = {}
    if aim is not None:
        reached = final.figures(taken)
        if final.cost[taken] >= MISSED:
            raise ScenarioError(
                f"{name} does not reach {aim} on {scenario.name}: the best of {len(trial.tried)} "
                f"tried comes to {aim.told(reached)}"
            )
    record = Tuning(
        cost=final.cost[taken],
        textbook=plain(space.values(textbook)),
        textbook_cost=final.cost[textbook],
        candidates=sum(len(part.tried) for part in (trial, *simpler)),
        periods=sum(part.periods for part in (trial, final, *simpler)),
        seconds=time.process_time() - began,
        seed=seed,
        target=dict(target or {}),
        reached=reached,
    )
    return TunedPolicy(policy, layout, plain(values), record)


def _tune_base(
    classic: Classic, scenario: Scenario, seed: int, episodes: int | None, progress: bool
) -> TunedPolicy:
    """Return a policy on its base, tuned: a simulation of it costs too much to search with."""
    assert classic.base is not None
    base = tune(classic.base(scenario).name, scenario, seed, episodes=episodes, progress=progress)
    layout, space = lay_out(scenario), Space(classic.parameters(scenario), roles(scenario))
    began = time.process_time()
    final = Trial(classic, layout, space, seed + FRESH, FINAL_EPISODES * (episodes or 1))
    tuned = space.point(values_of(classic.name, space.parameters, base.parameters))
    final.run([space.origin, tuned])
    (taken,) = final.best(1)
    values = space.values(taken)
    record = replace(
        base.tuning,
        cost=final.cost[taken],
        textbook=plain(space.values(space.origin)),
        textbook_cost=final.cost[space.origin],
        candidates=base.tuning.candidates + len(final.tried),
        periods=base.tuning.periods + final.periods,
        seconds=base.tuning.seconds + time.process_time() - began,
    )
    policy = classic.build(f"{classic.name} (tuned)", layout, values)
    return TunedPolicy(policy, layout, plain(values), record)


Point = tuple[int, ...]
"""A candidate: how many steps each number is away from the textbook's."""


@dataclass(frozen=True)
class Space:
    """The numbers that a tuner moves, one after the other, on the grid of their steps."""

    parameters: Sequence[Parameter]
    roles: Mapping[str, object] = field(default_factory=dict)  # source -> what it shares with some

    @property
    def groups(self) -> npt.NDArray[np.int64]:
        """Group of each number, (numbers,): each its own where there are few."""
        keys = [(p.name, self.roles.get(of, of)) for p in self.parameters for of in p.of]
        if len(keys) <= FEW_NUMBERS:
            return np.arange(len(keys))
        number = {key: k for k, key in enumerate(dict.fromkeys(keys))}
        return np.array([number[key] for key in keys])

    @property
    def moves(self) -> npt.NDArray[np.int64]:
        """Ways to move the numbers, in steps, (moves, numbers)."""
        groups, count = self.groups, self.size
        if count <= FEW_NUMBERS:
            return moves_of(count)
        together = moves_of(int(groups.max()) + 1)[:, groups]
        if count > MANY_NUMBERS:
            return together
        alone = np.eye(count, dtype=np.int64)
        return np.unique(np.vstack([together, alone, -alone]), axis=0)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self.textbook.size

    @property
    def origin(self) -> Point:
        """The textbook's sizes."""
        return (0,) * self.textbook.size

    @property
    def textbook(self) -> Array:
        """The textbook's values, (numbers,)."""
        return np.concatenate([parameter.textbook for parameter in self.parameters])

    @property
    def step(self) -> Array:
        """Finest differences, (numbers,)."""
        return np.concatenate([parameter.step for parameter in self.parameters])

    @property
    def bounds(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Lowest and highest steps from the textbook, (numbers,) each."""
        low = np.concatenate([np.broadcast_to(p.low, p.textbook.size) for p in self.parameters])
        high = np.concatenate([p.high for p in self.parameters])
        down = np.ceil((low - self.textbook) / self.step - 1e-9)
        up = np.floor((high - self.textbook) / self.step + 1e-9)
        return np.minimum(down, 0).astype(np.int64), np.maximum(up, 0).astype(np.int64)

    def values(self, point: Point) -> Values:
        """Return the values of a candidate, by parameter."""
        numbers = np.round(self.textbook + np.array(point) * self.step, 9)
        sizes = np.cumsum([parameter.textbook.size for parameter in self.parameters])
        parts = np.split(numbers, sizes[:-1])
        return {p.name: part for p, part in zip(self.parameters, parts, strict=True)}

    def point(self, values: Values) -> Point:
        """Return the candidate nearest to these values, within the bounds."""
        numbers = np.concatenate([values[parameter.name] for parameter in self.parameters])
        steps = np.rint((numbers - self.textbook) / self.step).astype(np.int64)
        (found,) = self.clipped(steps[np.newaxis])
        return found

    def clipped(self, points: npt.NDArray[np.int64]) -> list[Point]:
        """Return points within the bounds, each once."""
        inside = np.clip(points, *self.bounds)
        return list(dict.fromkeys(tuple(point) for point in inside.tolist()))

    def sample(self, count: int, seed: int) -> list[Point]:
        """Return the textbook's sizes and other points, evenly spread: a Latin hypercube."""
        low, high = self.bounds
        rng = np.random.default_rng(seed)
        groups = self.groups
        cells = rng.permuted(np.tile(np.arange(count), (groups.max() + 1, 1)), axis=1).T
        spread: Array = ((cells + rng.random(cells.shape)) / count)[:, groups]
        if low.size <= FEW_NUMBERS:
            spread = np.asarray(low + spread * (high - low + 1), dtype=np.float64)
        else:  # from the lowest by way of the textbook's to the highest
            spread = np.where(spread < 0.5, (1 - 2 * spread) * low, (2 * spread - 1) * high)
        return self.clipped(np.concatenate([[self.origin], np.floor(spread).astype(np.int64)]))

    @property
    def coarse(self) -> npt.NDArray[np.int64]:
        """Return the steps of the first pattern: powers of two, about an eighth of the range."""
        low, high = self.bounds
        return 1 << np.maximum(np.log2(np.maximum(high - low, 1) / 8), 0).astype(np.int64)

    @property
    def halvings(self) -> int:
        """Rounds of the search, each with steps of half the size: down to 1 for one or two numbers.

        With more of them at most four, down to about a hundredth of each range: what is finer than
        that drowns in the noise, and costs most of the time.
        """
        down_to_one = int(self.coarse.max()).bit_length()
        return down_to_one if self.coarse.size <= 2 else min(down_to_one, 4)

    @property
    def is_real(self) -> bool:
        """Whether some of the numbers are real."""
        return any(parameter.real for parameter in self.parameters)

    @property
    def rounds(self) -> int:
        """How often a search yields."""
        return GENERATIONS if self.is_real else 1 + self.halvings


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


def search(
    trial: Trial, seed: int, starts: Sequence[Point] = ()
) -> Generator[None, None, list[Point]]:
    """Look for the cheapest candidates; yields `trial.space.rounds` times, returns finalists."""
    trial.run([trial.space.origin, *starts])
    find = search_reals if trial.space.is_real else search_pattern
    return (yield from find(trial, seed))


def search_reals(trial: Trial, seed: int) -> Generator[None, None, list[Point]]:
    """Look for it by the cross-entropy method; what is thinned out early ran on fewer episodes."""
    rungs = {share: trial.thinned(share) for share, _ in RUNGS if share < 1} | {1.0: trial}

    def cost(steps: Array, share: float) -> Array:
        points = [tuple(row) for row in np.rint(steps).astype(np.int64).tolist()]
        rungs[share].run(points)
        return np.array([rungs[share].cost[point] for point in points])

    (start,) = trial.best(1)
    low, high = (bound.astype(np.float64) for bound in trial.space.bounds)
    middles = []
    for middle in cross_entropy(cost, np.array(start, dtype=np.float64), low, high, seed):
        middles.append(tuple(np.rint(middle).astype(np.int64).tolist()))
        yield
    for rough in rungs.values():
        if rough is not trial:
            trial.add(rough)
    # The best of thousands fits its episodes best of all; the middle of the good ones does not.
    return [*middles[-FINALISTS // 2 :], *trial.best(FINALISTS // 2)]


def search_pattern(trial: Trial, seed: int) -> Generator[None, None, list[Point]]:
    """Look for it by pattern search; yields after the sample and after each size of steps."""
    trial.run(first_sample(trial, seed))
    (best,) = trial.best(1)
    yield
    steps, moves = trial.space.coarse, trial.space.moves
    for _ in range(trial.space.halvings):
        moved = not trial.is_spent
        while moved:
            tried = np.array(best) + moves * steps
            trial.run(trial.space.clipped(tried))
            if FEW_NUMBERS < steps.size <= MANY_NUMBERS:
                trial.run(together(trial, best, steps))
            moved = trial.best(1) != [best] and not trial.is_spent
            (best,) = trial.best(1)
        steps = np.maximum(steps // 2, 1)
        yield
    return trial.best(trial.finalists)


def first_sample(trial: Trial, seed: int) -> list[Point]:
    """Return where a pattern search may begin: the best of a small grid, else points spread evenly.

    Two numbers can have valleys of their own, such as the two levels of a single index.
    """
    rough = trial.thinned(GRID_SHARE)
    low, high = trial.space.bounds
    count = math.prod((high - low + 1).tolist())
    periods = count * rough.episodes * trial.layout.plant.periods
    if trial.classic.is_slow or trial.space.size < 2 or count > GRID or periods > GRID_PERIODS:
        return trial.space.sample(trial.sample_size, seed)
    ranges = (range(a, b + 1) for a, b in zip(low.tolist(), high.tolist(), strict=True))
    rough.run(list(product(*ranges)))
    trial.add(rough)
    return rough.best(SAMPLE)


def together(trial: Trial, best: Point, steps: npt.NDArray[np.int64]) -> list[Point]:
    """Return the moves of single numbers that helped, all at once, and the better half of them."""
    helped: list[tuple[float, int, int]] = []
    for k, step in enumerate(steps.tolist()):
        for way in (step, -step):
            (point,) = trial.space.clipped(np.array([[*best[:k], best[k] + way, *best[k + 1 :]]]))
            if trial.cost[point] < trial.cost[best]:
                helped.append((trial.cost[point], k, way))
    found: list[npt.NDArray[np.int64]] = []
    for count in (len(helped), (len(helped) + 1) // 2):
        moved = np.array(best)
        for _, k, way in sorted(helped)[:count]:
            moved[k] += way
        found.append(moved)
    return trial.space.clipped(np.array(found))


def roles(scenario: Scenario) -> dict[str, object]:
    """Return of each source what makes it like others: center, way to the customer, rank."""
    far: dict[str, int] = {}
    for item in reversed(scenario.items_upstream_first):
        users = [scenario.sources[name].makes for name in scenario.consumers_of(item)]
        far[item] = 1 + max((far[user] for user in users), default=-1)
    return {
        name: (
            source.at,
            0 if source.at else far[source.makes],
            scenario.sources_of(source.makes).index(name),
        )
        for name, source in scenario.sources.items()
    }


def moves_of(numbers: int) -> npt.NDArray[np.int64]:
    """Return every way to move one or two of the numbers up or down, (moves, numbers)."""
    units = np.vstack([np.eye(numbers, dtype=np.int64), -np.eye(numbers, dtype=np.int64)])
    pairs = [a + b for a, b in combinations(units, 2) if np.any(a + b)]
    return np.array([*units, *pairs])


def run_until_reached(final: Trial, trial: Trial) -> None:
    """Run more and more candidates of a search again, the best first, until one reaches the target.

    Those who only just reached it do so on other episodes half of the time.
    """
    count = FINALISTS
    ranked = [point for point in trial.best(len(trial.cost)) if trial.cost[point] < MISSED]
    final.run(ranked[: 4 * count])
    while final.cost[final.best(1)[0]] >= MISSED and count < len(ranked):
        count *= 2
        final.run(ranked[: 4 * count])


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
    rows = len(policies) * episodes
    crowd = policies[0].crowd(policies[1:], episodes)
    engine = Engine(layout, rows, ActionEncoding(layout, "asked"))
    engine.split = SPLIT
    engine.seed[:] = seed
    engine.episode[:] = np.tile(np.arange(episodes), len(policies))
    engine.place(np.ones(rows, dtype=np.bool_))
    view, memory = ViewLayout(layout), crowd.start(rows)
    for _ in range(layout.plant.periods):
        engine.step(crowd.act(view.of(engine.state), memory))
    shape = (len(policies), episodes)
    return engine.episode_cost.reshape(shape), engine.sums.reshape(*shape, -1).copy()
