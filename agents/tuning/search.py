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

With a target (`target`) the search is another one (`within`): from generous numbers down to the
least cost or stock that reaches it. The finalists must reach it on their episodes too: where none
does, the next best are tried, and the last steps are done there.

Of a policy that improves another by simulation (`look_ahead`) the other is tuned in its place.

With more than six numbers to tune whole groups of them move (`space`): the first sample scales
groups, and what helped alone is then tried together. A search ends when its budget is spent.
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
from jitgym.plant import Layout, lay_out
from jitgym.scenario import Scenario

from ..classic import Classic, applicable, plain, values_of
from ..progress import Progress
from .cross_entropy import RUNGS, cross_entropy
from .space import FEW_NUMBERS, MANY_NUMBERS, Point, Space, held, roles
from .target import COST, Targets, aim_of
from .trial import FINALISTS, SAMPLE, Trial, episodes_for
from .within import apart, down, generous, reaches, settled

Array = npt.NDArray[np.float64]

GRID = 1024  # candidates in all: so few of several numbers are all tried, on fewer episodes
GRID_SHARE = 1 / 8  # of the episodes
GRID_PERIODS = 20e6  # but not for longer than so many periods
FINAL_EPISODES = 4  # times the episodes of the search, for a finalist
TARGET_EPISODES = 8  # likewise at least, where it has to reach a target, and at most so many:
MOST_TARGET_EPISODES = 32
PRECISION = 0.001  # standard error of a target's KPI, relative to its bound, that is wanted there
FRESH = 1_000_003  # added to the seed for the finalists' episodes


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What a tuning came to, and what it took."""

    cost: float  # of the parameters taken, on the finalists' episodes, by the scenario's yardstick
    textbook: dict[str, Any]  # the textbook's parameters
    textbook_cost: float  # likewise
    candidates: int  # different ones that were simulated
    periods: int  # simulated in all
    seconds: float  # CPU time
    seed: int
    target: dict[str, float] = field(default_factory=dict)  # KPI -> its bound
    reached: dict[str, float] = field(default_factory=dict)  # KPIs of the parameters taken, and
    # their average inventory in units, on the finalists' episodes
    final_episodes: int = 0  # that the finalists were run on
    is_reached: bool = True  # whether they reach the target

    def __str__(self) -> str:
        """Return in a line what it came to."""
        kpis = [f"{name} {value:.4g}" for name, value in self.reached.items()]
        reached = f" with {', '.join(kpis)}" if kpis else ""
        return (
            f"tuned to cost {self.cost:.6g}{reached}, textbook {self.textbook_cost:.6g}; "
            f"{self.candidates:,} candidates, {self.seconds:.1f} s"
        )


@dataclass(frozen=True)
class TunedPolicy(Printed):
    """A policy with the parameters that a tuning took, and the record of it."""

    policy: Policy
    layout: Layout  # of the plant that it was tuned for
    parameters: dict[str, Any]
    tuning: Tuning

    def __repr__(self) -> str:
        """Return the policy with its parameters, and below it what the tuning came to."""
        return "\n".join([printed(self), str(self.tuning), *self.layout.scenario.cautions])

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


class TargetMissed(ScenarioError):
    """No parameters that were tried reach the target; `best` are those that miss it least."""

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
    """Return a classic policy with the parameters that cost least in simulation.

    With a target: with the parameters that reach it at the least cost, or with the least stock.

    Parameters
    ----------
    name
        One of `agents.names()`.
    scenario
        The plant that it is for: a Scenario, a name of the catalog, or a path.
    seed
        Of the episodes and of the first sample; the same seed gives the same policy.
    episodes
        That a candidate is run on in the search; finalists are run on four times as many others
        (with a target 8 to 32 times, until its KPI is known to a standard error of .1 %).
        By default as many as make 100,000 periods (fewer, the more sources beyond four there are,
        and where the policy is not a compiled rule), at least 2 and at most 2,048 of them; of a
        policy that is slow as many as make 1,000.
    target
        `agents.Target("fill_rate", 0.98)`, several of them, or a mapping such as
        `{"fill_rate": 0.98}`.
    least
        What is made small among the parameters that reach the target: "cost" or "stock" (the
        average inventory).
    fixed
        Parameters that keep these values, such as `{"quantity": 42}`.
    progress
        Show on standard error how far the search is.

    Raises
    ------
    jitgym.ScenarioError
        If there is no such policy, it does not apply to this plant, or the target or a fixed
        parameter makes no sense.
    agents.TargetMissed
        If no parameters that were tried reach the target; its `best` missed it least.
    """
    scenario = load(scenario)
    aim = aim_of(target, least)
    classic = applicable(name, scenario)
    parameters = held(name, classic.parameters(scenario), fixed or {})
    if classic.base is not None:
        if aim is not None:
            raise ScenarioError(f"{name} follows costs: it cannot be tuned to a target")
        return _tune_base(classic, scenario, seed, episodes=episodes, fixed=fixed, shown=progress)
    layout, space = lay_out(scenario), Space(parameters, roles(scenario))
    if episodes is None:
        episodes = episodes_for(classic, layout, space)
    if episodes < 1:
        raise ScenarioError(f"{episodes} episodes; expected at least 1")
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
    cost, textbook_cost = final.cost[taken], final.cost[space.origin]
    reached: dict[str, float] = {}
    if aim is not None:
        kpis = [each.kpi for each in aim.targets]
        cost, reached = final.figures(taken, kpis)
        textbook_cost, _ = final.figures(space.origin, kpis)
    record = Tuning(
        cost=cost,
        textbook=plain(space.values(space.origin)),
        textbook_cost=textbook_cost,
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
            f"tried comes to {aim.told(reached)}, with {numbers}",
            found,
        )
    return found


def _search(trial: Trial, final: Trial, seed: int, bar: Progress) -> list[Trial]:
    """Search, and run the finalists again; return the trials of simpler policies on the way."""
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
    """Return how many episodes tell whether finalists reach the targets."""
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
    """Return a policy on its base, tuned: a simulation of it costs too much to search with."""
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
    """Look for the best candidates; yields `trial.rounds` times, returns finalists."""
    trial.run([trial.space.origin, *starts])
    if trial.aim is not None:
        return (yield from search_within(trial, seed))
    find = search_reals if trial.space.is_real else search_pattern
    return (yield from find(trial, seed))


def search_within(trial: Trial, seed: int) -> Generator[None, None, list[Point]]:
    """Look for the candidates that reach the targets at least cost or stock (`within`)."""
    generous(trial)
    if trial.space.is_real:
        trial.run((yield from search_reals(trial, seed)))
    else:
        trial.run(first_sample(trial, seed))
        yield
    yield from down(trial, apart(trial))
    return trial.best(min(trial.finalists, FINALISTS // 2))


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
