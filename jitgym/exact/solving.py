"""Solving: from a scenario to its optimum, by the scenario's own yardstick."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from jitgym.distributions import LifeCycle
from jitgym.plant import Layout, lay_out
from jitgym.scenario import Scenario, load

from . import solvers
from .bounds import Bounds, first_bounds
from .enumeration import MEMORY, Enumerated, enumerate_states
from .errors import NotFinite, TooLarge
from .noise import Tabled, table
from .policy import OptimalPolicy

Floats = npt.NDArray[np.float64]

STILL = 1e-8
"""The optimum stands still when wider bounds move it by less than this times 1 + its size."""

MOST_ROUNDS = 12


@dataclass(frozen=True)
class Solution:
    """The optimum of a scenario, by its yardstick, and what it took."""

    cost: float  # of `policy`
    lower: float  # no policy costs less
    upper: float  # `policy` costs no more
    states: int
    decisions: int  # in all states together
    transitions: int
    policy: OptimalPolicy = field(repr=False)
    yardstick: str
    seconds: float
    iterations: int  # of the last solution
    cut: float  # probability a period that the tails left out have
    edge: float  # long-run probability a period that demand is turned away at the backlog's edge
    bounds: Bounds
    rounds: int  # how often the bounds were set
    moved: float  # how far the last widening moved the optimum; 0 where bounds lose nothing
    memory: int  # bytes


def solve(
    scenario: Scenario | str,
    *,
    tolerance: float = 1e-9,
    memory: float = MEMORY,
    bounds: Bounds | None = None,
) -> Solution:
    """Return the optimum of a scenario: of all policies that see its view.

    Parameters
    ----------
    scenario
        The plant: a Scenario, a name of the catalog, or a path.
    tolerance
        Of the bounds, as a share of 1 + the cost.
    memory
        Bytes that may be taken; more are refused.
    bounds
        Of decisions and states; by default those that lose nothing where some are known, else a
        guess that is widened until the optimum stands still.

    Raises
    ------
    NotFinite
        If the plant is no finite Markov decision process.
    TooLarge
        If it would take more memory.
    """
    scenario = load(scenario)
    began = time.perf_counter()
    layout = lay_out(scenario)
    tabled = table(layout)
    expect_end(scenario)
    fixed = bounds is not None
    bounds = bounds or first_bounds(scenario)
    before: Round | None = None
    for rounds in range(1, MOST_ROUNDS + 1):
        try:
            now = Round.of(layout, tabled, bounds, tolerance, memory)
        except TooLarge as error:
            if before is None:
                raise
            raise TooLarge(f"{error}, and {before.cost:.6g} at narrower bounds may move") from None
        moved = 0.0 if before is None else abs(now.cost - before.cost)
        is_first = before is None and not bounds.are_proved and not fixed
        if not is_first and moved <= STILL * (1.0 + abs(now.cost)):
            break
        before, bounds = now, bounds.widened(scenario)
    else:
        raise TooLarge(
            f"{scenario.file}: the optimum still moves by {moved:.2g} when its bounds are widened "
            f"for the {MOST_ROUNDS}th time; it may have no finite optimum"
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
        edge=now.edge(layout),
        bounds=bounds,
        rounds=rounds,
        moved=moved,
        memory=arrays.nbytes,
    )


def expect_end(scenario: Scenario) -> None:
    """Raise NotFinite where a clock goes on for ever."""
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

    @classmethod
    def of(
        cls, layout: Layout, tabled: Tabled, bounds: Bounds, tolerance: float, memory: float
    ) -> Round:
        """Enumerate, and solve."""
        enumerated = enumerate_states(layout, tabled, bounds.box(layout), memory=memory)
        return cls.solved_by(layout, enumerated, tolerance)

    @classmethod
    def solved_by(cls, layout: Layout, enumerated: Enumerated, tolerance: float) -> Round:
        """Solve what was enumerated by the scenario's yardstick."""
        arrays, start, plant = enumerated.arrays, enumerated.start, layout.plant
        scenario = layout.scenario
        if scenario.horizon.ends:
            solved = solvers.until_the_end(arrays, plant.discount)
            cost = float(start @ solved.value)
            return cls(enumerated, solved, cost, cost, cost)
        if scenario.discount is None:
            solved = solvers.average(arrays, tolerance=tolerance)
            middle = 0.5 * (solved.lower + solved.upper)
            return cls(enumerated, solved, middle, solved.lower, solved.upper)
        solved = solvers.discounted(arrays, plant.discount, tolerance=tolerance)
        span = (plant.warm_up, plant.periods)
        cost = solvers.cost_of_periods(arrays, solved.choice, plant.discount, *span, start)
        lower = solvers.least_of_periods(arrays, plant.discount, *span, start)
        return cls(enumerated, solved, cost, lower, cost)

    def edge(self, layout: Layout) -> float:
        """Long-run probability a period that demand is turned away."""
        enumerated, choice = self.enumerated, self.solved.choice
        if not np.any(enumerated.edge > 0.0) or layout.scenario.horizon.ends:
            return float(enumerated.edge.max(initial=0.0)) if layout.scenario.horizon.ends else 0.0
        shares = solvers.stationary(enumerated.arrays, choice, enumerated.start)
        return solvers.mean_of_posts(enumerated.arrays, choice, shares, enumerated.edge)
