"""Solving: the optimum of a scenario, by the scenario's own yardstick."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from jitgym.catalog import load
from jitgym.distributions import LifeCycle
from jitgym.plant import Layout, lay_out
from jitgym.scenario import Scenario

from . import solvers
from .bounds import Bounds, first_bounds
from .chains import long_run_shares
from .enumeration import MEMORY, Enumerated, enumerate_states
from .errors import NotFinite, TooLarge
from .noise import Tabled, table
from .policy import OptimalPolicy

Floats = npt.NDArray[np.float64]

STILL = 1e-8
"""The optimum is stable if wider bounds change it by less than this times 1 + its size."""

MOST_ROUNDS = 12
LARGE = 1_000_000  # decisions: in larger problems, bounds that are not touched stay as they are
ENDLESS = 1e-4  # if no wider edge halves this probability of turning demand away, the backlog grows
SELDOM = 1e-10  # probability per period with which a bound may be touched
TOLERANCE = 1e-9

# Above `LARGE` decisions a lower precision is enough: each further digit would take minutes.
ROUGHLY_STILL = 1e-5
ROUGHLY_SELDOM = 1e-7
ROUGH_TOLERANCE = 1e-6
MOST_CELLS = 16  # most cells of a state for which first values are fitted by a quadratic function


@dataclass(frozen=True)
class Solution:
    """The optimum of a scenario by its yardstick, and how it was computed."""

    cost: float  # of `policy`
    lower: float  # no policy costs less
    upper: float  # `policy` costs no more
    states: int
    decisions: int  # in all states together
    transitions: int
    policy: OptimalPolicy = field(repr=False)
    yardstick: str
    seconds: float
    iterations: int  # in the last round
    cut: float  # probability per period of the tails that are left out
    edge: float  # long-run probability per period that demand is turned away at the backlog's edge
    bounds: Bounds
    rounds: int  # number of sets of bounds that were tried
    moved: float  # change of the optimum in the last widening; 0 where bounds are proved
    memory: int  # bytes

    def __repr__(self) -> str:
        """Return the optimum and the effort in one line, without the arrays."""
        return (
            f"{self.policy}: {self.yardstick} {proved(self.cost, self.lower, self.upper)}, "
            f"{self.decisions:,} decisions, {self.seconds:.1f} s"
        )


def proved(cost: float, lower: float, upper: float) -> str:
    """Return a cost, with its bounds if these differ from it in six digits.

    >>> proved(4.72852550, lower=4.72852549, upper=4.72852551)
    '4.72853'
    >>> proved(4.7285, lower=4.72, upper=4.73)
    '4.7285 (between 4.72 and 4.73)'
    """
    shown, least, most = (f"{value:.6g}" for value in (cost, lower, upper))
    return shown if least == shown == most else f"{shown} (between {least} and {most})"


def solve(
    scenario: Scenario | str,
    *,
    tolerance: float | None = None,
    memory: float = MEMORY,
    bounds: Bounds | None = None,
) -> Solution:
    """Return the optimum of a scenario over all policies that see its view.

    Parameters
    ----------
    scenario
        The plant: a Scenario, a name of the catalog, or a path.
    tolerance
        Width of [lower, upper] as a share of 1 + the cost; by default 1e-9, and 1e-6 above a
        million decisions.
    memory
        Bytes that may be used; a solution that needs more is refused.
    bounds
        Bounds on decisions and states; by default those that are proved to keep an optimum where
        some are known, else a guess that is widened until the optimum is stable.

    Raises
    ------
    NotFinite
        If the plant is not a finite Markov decision process.
    TooLarge
        If it would take more memory than allowed.
    """
    scenario = load(scenario)
    began = time.perf_counter()
    layout = lay_out(scenario)
    tabled = table(layout)
    expect_end(scenario)
    now, bounds, rounds, moved = settle(
        layout, tabled, bounds, first_bounds(scenario), tolerance, memory
    )
    arrays = now.enumerated.arrays
    return Solution(
        cost=now.cost,
        lower=now.lower,
        upper=now.upper,
        states=arrays.states,
        decisions=arrays.decisions,
        transitions=arrays.next.size,
        policy=OptimalPolicy.of(layout, now.enumerated, now.solved.choice),
        yardstick=scenario.yardstick,
        seconds=time.perf_counter() - began,
        iterations=now.solved.iterations,
        cut=tabled.cut,
        edge=now.edge,
        bounds=bounds,
        rounds=rounds,
        moved=moved,
        memory=arrays.nbytes,
    )


def settle(
    layout: Layout,
    tabled: Tabled,
    given: Bounds | None,
    first: Bounds,
    tolerance: float | None,
    memory: float,
) -> tuple[Round, Bounds, int, float]:
    """Return the optimum within bounds that no longer matter, the bounds, rounds and last change.

    Bounds that the optimal policy touches in the long run are widened. When it touches none, all
    bounds are widened once more to check that the optimum is stable, unless the problem is large.
    """
    bounds = given or first
    before: Round | None = None
    for rounds in range(1, MOST_ROUNDS + 1):
        try:
            now = Round.of(layout, tabled, bounds, tolerance, memory, before)
        except TooLarge as error:
            if before is None:
                raise
            if not before.touched:
                return before, bounds, rounds - 1, 0.0
            raise TooLarge(
                f"{error}. The optimum within narrower bounds, {before.cost:.6g}, may change: it "
                f"touches the bounds of {', '.join(sorted(before.touched))}"
            ) from None
        moved = 0.0 if before is None else abs(now.cost - before.cost)
        still = ROUGHLY_STILL if now.is_large else STILL
        stands = before is not None and moved <= still * (1.0 + abs(now.cost))
        is_done = before is None and now.is_large and not now.touched
        if given is not None or bounds.are_proved or stands or is_done:
            return now, bounds, rounds, moved
        if before is not None and now.edge > ENDLESS and now.edge > 0.5 * before.edge:
            break
        scenario = layout.scenario
        if now.touched:
            bounds = bounds.widened(scenario, now.touched)
        elif now.is_large:
            return now, bounds, rounds, moved
        else:
            bounds = bounds.widened(scenario, factor=1.25)
        before = now
    waiting = max(bounds.backlog.values(), default=0.0)
    raise TooLarge(
        f"{layout.scenario.file}: the optimum still changes by {moved:.2g} after {rounds} rounds "
        f"of wider bounds, up to {waiting:,.0f} units of backlog: there may be no finite optimum; "
        "check that capacity exceeds demand"
    )


def expect_end(scenario: Scenario) -> None:
    """Raise NotFinite if a clock runs without end."""
    lives = any(isinstance(d.quantity, LifeCycle) for d in scenario.demands.values())
    if lives and not scenario.horizon.ends:
        raise NotFinite(
            f"{scenario.file}: a new product's life ends, but the horizon is ongoing; expected "
            "horizon: {season: ...}"
        )


@dataclass(frozen=True)
class Round:
    """The optimum within one set of bounds."""

    enumerated: Enumerated
    solved: solvers.Solved
    cost: float
    lower: float
    upper: float
    edge: float  # probability per period that demand is turned away
    touched: frozenset[str]  # sources, items and demands whose bounds the policy reaches
    shares: Floats  # how often the policy is in each state, (states,); empty if bounds are proved

    @property
    def is_large(self) -> bool:
        """Whether each further digit takes long."""
        return self.enumerated.arrays.decisions > LARGE

    @classmethod
    def of(
        cls,
        layout: Layout,
        tabled: Tabled,
        bounds: Bounds,
        tolerance: float | None,
        memory: float,
        before: Round | None = None,
    ) -> Round:
        """Enumerate and solve; values start from those within narrower bounds."""
        enumerated = enumerate_states(layout, tabled, bounds.box(layout), memory=memory)
        is_large = enumerated.arrays.decisions > LARGE
        if tolerance is None:
            tolerance = ROUGH_TOLERANCE if is_large else TOLERANCE
        seldom = ROUGHLY_SELDOM if is_large else SELDOM
        value = None
        if before is not None:
            value = foreseen(before.enumerated, before.solved.value, enumerated)
        solved, cost, lower, upper = by_yardstick(layout, enumerated, tolerance, value)
        if bounds.are_proved:
            return cls(enumerated, solved, cost, lower, upper, 0.0, frozenset(), np.empty(0))
        shares = visits(layout, enumerated, solved.choice, 0.01 * seldom, before)
        edge = solvers.mean_of_posts(enumerated.arrays, solved.choice, shares, enumerated.edge)
        reached = touched_by(layout, bounds, enumerated, solved.choice, shares, seldom)
        if edge > seldom:
            reached |= {f"demands.{name}" for name in bounds.backlog}
        return cls(enumerated, solved, cost, lower, upper, edge, frozenset(reached), shares)


def foreseen(known: Enumerated, value: Floats, wider: Enumerated) -> Floats:
    """Return first values in a wider box: the known ones, else a quadratic fit."""
    number = known.find(wider.states)
    values = np.where(number >= 0, value[number], 0.0)
    missing = np.flatnonzero(number < 0)
    if missing.size > 0 and wider.states.shape[1] <= MOST_CELLS:
        fit, *_ = np.linalg.lstsq(_squares(known.states), value)
        values[missing] = _squares(wider.states[missing]) @ fit
    return values


def carried(known: Enumerated, shares: Floats, wider: Enumerated) -> Floats:
    """Return first shares of states in a wider box: those of the same states."""
    number = known.find(wider.states)
    return np.where(number >= 0, shares[number], 0.0)


def _squares(states: Floats) -> Floats:
    """Return ones, the cells of states, and their pairwise products."""
    cells = states.shape[1]
    products = [states[:, i] * states[:, j] for i in range(cells) for j in range(i + 1)]
    return np.column_stack([np.ones(states.shape[0]), states, *products])


def by_yardstick(
    layout: Layout, enumerated: Enumerated, tolerance: float, value: Floats | None = None
) -> tuple[solvers.Solved, float, float, float]:
    """Solve the enumerated process by the scenario's yardstick; return cost and bounds too."""
    arrays, start, plant = enumerated.arrays, enumerated.start, layout.plant
    scenario = layout.scenario
    if scenario.horizon.ends:
        solved = solvers.until_the_end(arrays, plant.discount)
        cost = float(start @ solved.value)
        return solved, cost, cost, cost
    if scenario.discount is None:
        solved = solvers.average(arrays, tolerance=tolerance, value=value)
        middle = 0.5 * (solved.lower + solved.upper)
        return solved, middle, solved.lower, solved.upper
    solved = solvers.discounted(arrays, plant.discount, tolerance=tolerance)
    span = (plant.warm_up, plant.periods)
    cost = solvers.cost_of_periods(arrays, solved.choice, plant.discount, *span, start)
    lower = solvers.least_of_periods(arrays, plant.discount, *span, start)
    return solved, cost, lower, cost


def visits(
    layout: Layout,
    enumerated: Enumerated,
    choice: npt.NDArray[np.int64],
    tolerance: float,
    before: Round | None,
) -> Floats:
    """Return how often a policy is in each state: long-run shares, or the mean over a season."""
    arrays, start = enumerated.arrays, enumerated.start
    if not layout.scenario.horizon.ends:
        near = start
        if before is not None:
            near = carried(before.enumerated, before.shares, enumerated)
        return long_run_shares(arrays, choice, start, near=near, tolerance=tolerance)
    here, there, total = start.copy(), np.empty_like(start), np.zeros_like(start)
    for _ in range(layout.plant.periods):
        total += here
        solvers.push(arrays, choice, here, there)
        here, there = there, here
    return total / layout.plant.periods


def touched_by(
    layout: Layout,
    bounds: Bounds,
    enumerated: Enumerated,
    choice: npt.NDArray[np.int64],
    shares: Floats,
    seldom: float,
) -> set[str]:
    """Return the sources and items whose bounds a policy reaches in the states that it visits."""
    scenario, plant = layout.scenario, layout.plant
    visited = np.flatnonzero((shares > seldom) & (choice >= 0))
    asked = enumerated.asked(layout, choice[visited])
    rows = np.zeros((visited.size, layout.cells))
    rows[:, enumerated.box.key] = enumerated.states[visited]
    wider = bounds.widened(scenario)
    touched: set[str] = set()
    for s, (name, source) in enumerate(scenario.sources.items()):
        could = wider.order[name] > bounds.order[name]
        if could and asked[:, s].max(initial=0.0) > bounds.order[name] - source.lot_size + 1e-9:
            touched.add(f"sources.{name}")
    for i, name in enumerate(scenario.items):
        item = plant.items[i]
        position = rows[:, item["stock"] : item["stock"] + item["ages"]].sum(axis=1)
        lot, raised = 1.0, np.zeros(visited.size)
        for s, (_, source) in enumerate(scenario.sources.items()):
            by_product = source.quality is not None and source.quality.by_product == name
            if source.makes == name or by_product:
                record = plant.sources[s]
                first = record["pipeline"]
                position += rows[:, first : first + record["ages"]].sum(axis=1)
                raised += asked[:, s]
                lot = max(lot, source.lot_size)
            raised -= asked[:, s] * source.consumes.get(name, 0.0)
        for demand in plant.demands:
            if demand["item"] == i and demand["backlog"] >= 0:
                position -= rows[:, demand["backlog"]]
        highest = (position + np.maximum(raised, 0.0)).max(initial=-np.inf)
        if highest > bounds.position[name] - lot + 1e-9:
            touched.add(f"items.{name}")
    return touched
