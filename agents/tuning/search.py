"""Tune a classic policy by simulation.

Every candidate faces the same episodes of the split `tune` (common random numbers); one compiled
run simulates many candidates. The search is a pattern search (Hooke and Jeeves 1961) on the grid of
the parameters' steps. It starts from the best of a first sample, which includes the textbook's
sizes. It moves one or two parameters at a time as long as that helps, and then halves the steps. If
several numbers make a small grid, the whole grid is tried first, on fewer episodes. The best
candidates and the textbook's run again on fresh episodes (another seed of `tune`), and the cheapest
one there is chosen. This excludes candidates that only fitted the first episodes.

If a policy declares real numbers, the search is the cross-entropy method (`cross_entropy`), with
twice as many periods; half of the finalists are then the means of its last generations. For a
policy that contains simpler ones (hybrid contains kanban), the search also starts from the best of
each of those, which are tuned first and are finalists too.

With a target (`target`), another search (`within`) goes from generous numbers down to the least
cost or stock that reaches the target. The finalists must reach it on their episodes too. If none
does, the next best are tried, and the last steps are done on those episodes.

For a policy that improves another by simulation (`look_ahead`), the other one is tuned instead.

If there are more than six numbers, groups of them move (`space`): the first sample scales groups,
and one group or one number moves before pairs of groups do. Then numbers move together: those whose
own moves helped, and all of them toward the bottoms of parabolas through their moves. All but the
finest steps of a compiled rule run on fewer episodes. A search ends when its budget is used up.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym import ScenarioError
from jitgym.catalog import load
from jitgym.control import Policy, Printed, Rule, View
from jitgym.control.policy import printed
from jitgym.envs.engine import MOST_SEED
from jitgym.errors import whole_number
from jitgym.plant import Layout, lay_out
from jitgym.scenario import Scenario

from ..classic import Classic, applicable, plain, values_of
from ..progress import Progress
from .cross_entropy import RUNGS, cross_entropy
from .space import FEW_NUMBERS, MANY_NUMBERS, Point, Space, held, roles
from .target import COST, Score, Targets, aim_of
from .trial import FINALISTS, SAMPLE, Trial, episodes_for
from .within import apart, down, generous, reaches, settled

Array = npt.NDArray[np.float64]

GRID = 1024  # largest number of candidates of a grid that is tried completely
GRID_SHARE = 1 / 8  # share of the episodes on which the grid is tried
GRID_PERIODS = 20e6  # largest number of periods that the grid may take
FINAL_EPISODES = 4  # episodes of a finalist, as a multiple of those of the search
TARGET_EPISODES = 8  # the least multiple if there is a target
MOST_TARGET_EPISODES = 32  # the largest multiple if there is a target
PRECISION = 0.001  # wanted standard error of a target's KPI, relative to its bound
SHARES = (0.25, 0.5, 1.0)  # of the way to the bottoms of all parabolas
FRESH = 1_000_003  # added to the seed for the finalists' episodes


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """The result and the effort of a tuning."""

    cost: float  # of the chosen parameters, on the finalists' episodes, by the scenario's yardstick
    textbook: dict[str, Any]  # the textbook's parameters
    textbook_cost: float  # of the textbook's parameters, on the same episodes
    candidates: int  # number of different candidates that were simulated
    periods: int  # total number of simulated periods
    seconds: float  # CPU time
    seed: int
    target: dict[str, float] = field(default_factory=dict)  # KPI -> its bound
    reached: dict[str, float] = field(default_factory=dict)  # KPIs of the chosen parameters, and
    # their average inventory in units, on the finalists' episodes
    final_episodes: int = 0  # number of episodes of the finalists
    is_reached: bool = True  # whether the chosen parameters reach the target

    def __str__(self) -> str:
        """Return the result in one line."""
        kpis = [f"{name} {value:.4g}" for name, value in self.reached.items()]
        reached = f" with {', '.join(kpis)}" if kpis else ""
        return (
            f"tuned to cost {self.cost:.6g}{reached}, textbook {self.textbook_cost:.6g}; "
            f"{self.candidates:,} candidates, {self.seconds:.1f} s"
        )


@dataclass(frozen=True)
class TunedPolicy(Printed):
    """A policy with the parameters that a tuning chose, and the record of the tuning."""

    policy: Policy
    layout: Layout  # the layout of the plant that it was tuned for
    parameters: dict[str, Any]
    tuning: Tuning

    def __repr__(self) -> str:
        """Return the policy with its parameters, and below it the result of the tuning."""
        return "\n".join([printed(self), str(self.tuning), *self.layout.scenario.cautions])

    @property
    def name(self) -> str:
        """Its name in tables."""
        return self.policy.name

    @property
    def rule(self) -> Rule | None:
        """Its record as a compiled pull rule, or None."""
        return self.policy.rule

    def start(self, batch: int) -> Array:
        """Return its memory at the start of an episode."""
        return self.policy.start(batch)

    def act(self, view: View, memory: Array) -> npt.ArrayLike:
        """Return the asks, (batch, sources) in units."""
        return self.policy.act(view, memory)


class TargetMissed(ScenarioError):
    """None of the parameters that were tried reach the target; `best` misses it least."""

    def __init__(self, message: str, best: TunedPolicy) -> None:
        super().__init__(message)
        self.best = best


def tune(
    name: str,
    scenario: Scenario | str | Path,
    seed: int = 0,
    *,
    episodes: int | None = None,
    target: Targets | None = None,
    least: str = COST,
    fixed: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> TunedPolicy:
    """Return a classic policy with the parameters of lowest cost in simulation.

    With a target, these are the parameters that reach it at the least cost, or with the least
    stock.

    Parameters
    ----------
    name
        One of `agents.names()`.
    scenario
        The plant: a Scenario, a catalog name, or a path.
    seed
        The seed of the episodes and of the first sample; the same seed gives the same policy.
    episodes
        The number of episodes per candidate in the search. Finalists run on four times as many
        other episodes (with a target 8 to 32 times, until the standard error of its KPI is .1 %).
        The default is about 100,000 periods, at least 2 and at most 2,048 episodes. It is less for
        plants with more than four sources and for policies that are not compiled rules, and 1,000
        periods for slow policies.
    target
        `agents.Target("fill_rate", 0.98)`, several of them, or a mapping such as
        `{"fill_rate": 0.98}`.
    least
        What to minimize among the parameters that reach the target: "cost" or "stock" (the average
        inventory).
    fixed
        Parameters that are held at these values, such as `{"quantity": 42}`.
    progress
        Show on standard error how far the search is.

    Raises
    ------
    jitgym.ScenarioError
        If there is no such policy, it does not apply to this plant, or the seed, the episodes, the
        target or a fixed parameter is not valid.
    agents.TargetMissed
        If none of the parameters that were tried reach the target; its `best` misses it least.
    """
    scenario = load(scenario)
    aim = aim_of(target, least, scenario)
    seed = whole_number("seed", seed, 0, MOST_SEED - FRESH)
    if episodes is not None:
        episodes = whole_number("episodes", episodes, least=1)
    classic = applicable(name, scenario)
    parameters = held(name, classic.parameters(scenario), fixed or {})
    if classic.base is not None:
        if aim is not None:
            raise ScenarioError(f"{name} minimizes cost and cannot be tuned to a target")
        return _tune_base(classic, scenario, seed, episodes=episodes, fixed=fixed, shown=progress)
    layout, space = lay_out(scenario), Space(parameters, roles(scenario))
    if episodes is None:
        episodes = episodes_for(classic, layout, space)
    with Progress(f"tune {name} on {scenario.name}", shown=progress) as bar:
        first = Trial(classic, layout, space, seed, 1, aim)
        first.run([space.origin])  # compiles, where that was not done yet
        compiled = time.process_time()
        trial = Trial(classic, layout, space, seed, episodes, aim)
        final = Trial(classic, layout, space, seed + FRESH, FINAL_EPISODES * episodes, aim)
        held_trials = _search(trial, final, seed, bar)
    (taken,) = final.best(1)
    values = space.values(taken)
    policy = classic.build(f"{name} (tuned)", layout, values)
    reached: dict[str, float] = {}
    if aim is not None:
        reached = final.figures(taken, [each.kpi for each in aim.targets])
    record = Tuning(
        cost=final.cost[taken],
        textbook=plain(space.values(space.origin)),
        textbook_cost=final.cost[space.origin],
        candidates=sum(len(part.tried) for part in (trial, *held_trials)),
        periods=sum(part.periods for part in (trial, final, *held_trials)),
        seconds=time.process_time() - compiled,
        seed=seed,
        target={} if aim is None else {each.kpi: each.value for each in aim.targets},
        reached=reached,
        final_episodes=final.episodes,
        is_reached=aim is None or reaches(final, taken),
    )
    found = TunedPolicy(policy, layout, plain(values), record)
    if aim is not None and not record.is_reached:
        numbers = ", ".join(f"{name}={value}" for name, value in found.parameters.items())
        raise TargetMissed(
            f"{name} does not reach {aim} on {scenario.name}: the best of {len(trial.tried)} "
            f"candidates: {aim.told(reached)}, with {numbers}",
            found,
        )
    return found


def _search(trial: Trial, final: Trial, seed: int, bar: Progress) -> list[Trial]:
    """Search, and run the finalists again; return the trials of the simpler policies."""
    scenario, space = trial.layout.scenario, trial.space
    held = [each for each in trial.classic.holds if not each.classic.why_not(scenario)]
    simpler = [trial.of(special.classic) for special in held]
    bar.expect(1 + sum(part.rounds for part in (trial, *simpler)))
    starts = [space.origin]
    for special, part in zip(held, simpler, strict=True):
        finalists = bar.drive(search(part, seed))
        for point in dict.fromkeys([part.space.origin, *finalists]):
            starts.append(space.point(special.embed(scenario, part.space.values(point))))
    finalists = bar.drive(search(trial, seed, starts))
    if trial.aim is not None:
        final.space = trial.space  # it may have been widened
        final.episodes = _target_episodes(trial)
        finalists = [*finalists, *trial.best(1)]
    final.run([*starts, *finalists])
    if trial.aim is not None:
        settled(final, trial)
    bar.advance()
    return simpler


def _target_episodes(trial: Trial) -> int:
    """Return how many episodes are needed to know whether finalists reach the targets."""
    least, most = (times * trial.episodes for times in (TARGET_EPISODES, MOST_TARGET_EPISODES))
    (point,) = trial.best(1)
    wanted = trial.episodes * (trial.noise(point) / PRECISION) ** 2
    return math.ceil(min(max(wanted, least), most))


def _tune_base(
    classic: Classic,
    scenario: Scenario,
    seed: int,
    *,
    episodes: int | None,
    fixed: Mapping[str, Any] | None,
    shown: bool,
) -> TunedPolicy:
    """Return a policy on its tuned base; simulating the policy itself is too slow for a search."""
    assert classic.base is not None
    base = tune(
        classic.base(scenario).name,
        scenario,
        seed,
        episodes=episodes,
        fixed=fixed,
        progress=shown,
    )
    layout = lay_out(scenario)
    space = Space(held(classic.name, classic.parameters(scenario), fixed or {}), roles(scenario))
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


def search(
    trial: Trial, seed: int, starts: Sequence[Point] = ()
) -> Generator[None, None, list[Point]]:
    """Search for the best candidates; yield `trial.rounds` times, and return the finalists."""
    trial.run([trial.space.origin, *starts])
    if trial.aim is not None:
        return (yield from search_within(trial, seed))
    find = search_reals if trial.space.is_real else search_pattern
    return (yield from find(trial, seed))


def search_within(trial: Trial, seed: int) -> Generator[None, None, list[Point]]:
    """Search for the candidates that reach the targets at the least cost or stock (`within`)."""
    generous(trial)
    if trial.space.is_real:
        trial.run((yield from search_reals(trial, seed)))
    else:
        trial.run(first_sample(trial, seed))
        yield
    yield from down(trial, apart(trial))
    return trial.best(min(trial.finalists, FINALISTS // 2))


def search_reals(trial: Trial, seed: int) -> Generator[None, None, list[Point]]:
    """Search by the cross-entropy method; candidates that drop out early ran on fewer episodes."""
    rungs = {share: trial.thinned(share) for share, _ in RUNGS if share < 1} | {1.0: trial}

    def cost(steps: Array, share: float) -> Array:
        points = [tuple(row) for row in np.rint(steps).astype(np.int64).tolist()]
        rungs[share].run(points)
        scores = np.array([rungs[share].score(point) for point in points])
        return ranks(scores)

    (start,) = trial.best(1)
    low, high = (bound.astype(np.float64) for bound in trial.space.bounds)
    middles = []
    for middle in cross_entropy(cost, np.array(start, dtype=np.float64), low, high, seed):
        middles.append(tuple(np.rint(middle).astype(np.int64).tolist()))
        yield
    for rough in rungs.values():
        if rough is not trial:
            trial.add(rough)
    # The best of thousands of candidates fits its own episodes too well; the means do not.
    return [*middles[-FINALISTS // 2 :], *trial.best(FINALISTS // 2)]


def ranks(scores: Array) -> Array:
    """Return the rank of each row in ascending order; equal rows have equal ranks."""
    _, places = np.unique(scores, axis=0, return_inverse=True)
    return np.asarray(places, dtype=np.float64)


def search_pattern(trial: Trial, seed: int) -> Generator[None, None, list[Point]]:
    """Search by pattern search; yield after the sample and after each size of steps.

    If there are many numbers, all but the finest steps run on fewer episodes.
    """
    at = trial.rough()
    at.run([*trial.cost, *first_sample(at, seed)])
    yield
    steps, last = trial.space.coarse, trial.space.halvings - 1
    for k in range(trial.space.halvings):
        if k == last and at is not trial:
            trial.add(at)
            trial.run(at.best(trial.finalists))
            at = trial
        while not at.is_spent and moved(at, steps):
            pass
        steps = np.maximum(steps // 2, 1)
        yield
    return trial.best(trial.finalists)


def moved(trial: Trial, steps: npt.NDArray[np.int64]) -> bool:
    """Try all neighbors of the best candidate at this distance; return whether one is better."""
    (best,) = trial.best(1)
    for pattern in trial.space.patterns:
        trial.run(trial.space.clipped(np.array(best) + pattern * steps))
        if FEW_NUMBERS < steps.size <= MANY_NUMBERS:
            trial.run(together(trial, best, steps))
        if trial.best(1) != [best]:
            return True
    return False


def first_sample(trial: Trial, seed: int) -> list[Point]:
    """Return the starts of a pattern search: the best of a small grid, else evenly spread points.

    The cost over two numbers can have several valleys, for example with a single index.
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
    """Return points that move many numbers at once, from the moves of one at a time.

    These are all moves of single numbers that helped, the better half of them, and `bottoms`.
    """
    helped: list[tuple[Score, int, int]] = []
    for k, step in enumerate(steps.tolist()):
        for way in (step, -step):
            (point,) = trial.space.clipped(np.array([[*best[:k], best[k] + way, *best[k + 1 :]]]))
            if trial.score(point) < trial.score(best):
                helped.append((trial.score(point), k, way))
    found: list[npt.NDArray[np.int64]] = []
    for count in (len(helped), (len(helped) + 1) // 2):
        moved = np.array(best)
        for _, k, way in sorted(helped)[:count]:
            moved[k] += way
        found.append(moved)
    numbers, groups = np.arange(steps.size), trial.space.groups
    for part in (numbers, groups):
        found += bottoms(trial, best, steps, part)
    return trial.space.clipped(np.array(found))


def bottoms(
    trial: Trial, best: Point, steps: npt.NDArray[np.int64], groups: npt.NDArray[np.int64]
) -> list[npt.NDArray[np.int64]]:
    """Return points on the way to where parabolas through the moves of each group are lowest.

    Noise decides whether a small move helps, but it moves the bottom of a parabola only a little.
    """
    shift = np.zeros(steps.size)
    for k in range(int(groups.max()) + 1):
        way = np.where(groups == k, steps, 0)
        (up,), (down,) = (trial.space.clipped(np.array([best]) + move) for move in (way, -way))
        rise = (trial.cost[up] - trial.cost[down]) / 2
        bend = (trial.cost[up] + trial.cost[down]) / 2 - trial.cost[best]
        share = -rise / (2 * bend) if bend > 0 else -np.sign(rise)
        shift += min(max(share, -1.0), 1.0) * way
    return [np.array(best) + np.rint(share * shift).astype(np.int64) for share in SHARES]
