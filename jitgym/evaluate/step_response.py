"""The response of a policy to a step in demand: its duration and its cost.

The plant runs with its own demand until it has settled. Then every mean demand steps to a multiple
of itself and stays there. The policy, its parameters and the plant's state do not change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jitgym.control import Policy
from jitgym.envs import Engine
from jitgym.envs.engine import MOST_SEED
from jitgym.errors import whole_number
from jitgym.plant import lay_out
from jitgym.scenario import Scenario, can_pile_up, with_demand

from . import closed_loop
from .statistics import interval
from .steadiness import LEVEL

Array = npt.NDArray[np.float64]

WITHIN = 0.05  # tolerance, as a share of the level at which the cost settles
SMOOTHED = 10  # periods over which the cost is averaged before it is compared


@dataclass(frozen=True)
class StepResponse:
    """The effect of a step in demand on the cost of a policy."""

    factor: float  # multiple of every mean demand
    cost: Array  # mean over the episodes, in each period after the step, (periods,)
    before: float  # mean cost per period just before the step
    settled: float  # mean cost per period in the last quarter; nan: see `is_growing`
    periods: float  # until the smoothed cost is within 5 % of `settled`; nan: it does not settle
    area: float  # cost above `settled`, summed over these periods: the cost of the step
    is_growing: bool = False  # no steady state after the step: the cost grows with the horizon

    def __repr__(self) -> str:
        """Return one line, without the cost of each period."""
        if self.is_growing:
            return f"demand x {self.factor:g}: cost {self.before:.4g} before, then no steady state"
        settles = f"after {self.periods:g} periods"
        return (
            f"demand x {self.factor:g}: cost {self.before:.4g} before, {self.settled:.4g} "
            f"{'without settling' if np.isnan(self.periods) else settles}, area {self.area:.4g}"
        )


def step_response(
    policy: Policy,
    scenario: Scenario,
    factor: float,
    *,
    episodes: int = 256,
    seed: int = 0,
    before: int | None = None,
    after: int | None = None,
) -> StepResponse:
    """Let every mean demand of an ongoing scenario step to `factor` times itself.

    `before` and `after` are numbers of periods; the defaults are the warm-up and the rest of the
    horizon.

    Raises
    ------
    ValueError
        If the scenario is a season (it has no level to settle at), or a number is not valid.
    """
    horizon = scenario.horizon
    if horizon.ends:
        raise ValueError(f"{scenario.name} is a season; expected an ongoing scenario")
    before = horizon.warm_up if before is None else before
    after = horizon.periods - before if after is None else after
    episodes = whole_number("episodes", episodes, least=1)
    seed = whole_number("seed", seed, 0, MOST_SEED)
    before = whole_number("before", before, least=0)
    after = whole_number("after", after, least=1)
    start, then = lay_out(scenario), lay_out(with_demand(scenario, factor))
    rows = np.arange(episodes)
    engine = closed_loop.at_start(start, "test", seed, rows)
    decide = closed_loop.deciding(policy, start, episodes)  # both plants have the same cells
    calm = _costs(engine, decide, before)
    stepped = closed_loop.at_start(then, "test", seed, rows)
    stepped.state[:] = engine.state
    stepped.period[:] = engine.period
    cost = _costs(stepped, decide, after)
    grows = can_pile_up(then.scenario) and (bool(then.scenario.cautions) or _grows(cost))
    return respond(factor, calm.mean(axis=1), cost.mean(axis=1), grows)


def respond(factor: float, calm: Array, cost: Array, is_growing: bool = False) -> StepResponse:
    """Measure a step response from the mean costs before and after the step, (periods,) each.

    If the cost grows with the horizon, there is no level at which it settles.
    """
    if is_growing:
        return StepResponse(factor, cost, _before(calm), math.nan, math.nan, math.nan, True)
    settled = float(cost[-max(1, cost.size // 4) :].mean())
    window = np.ones(min(SMOOTHED, cost.size)) / min(SMOOTHED, cost.size)
    smooth = np.convolve(cost, window, mode="valid")
    near = np.flatnonzero(np.abs(smooth - settled) <= WITHIN * abs(settled))
    quarter = max(1, cost.size // 4)
    earlier = float(cost[-2 * quarter : -quarter].mean()) if cost.size >= 2 else settled
    is_settled = abs(earlier - settled) <= WITHIN * abs(settled)
    periods = float(near[0]) if is_settled and near.size else float("nan")
    until = cost.size if np.isnan(periods) else int(periods) + window.size
    area = float((cost[:until] - settled).sum())
    return StepResponse(factor, cost, _before(calm), settled, periods, area)


def _before(calm: Array) -> float:
    """Return the mean cost per period just before the step; nan without periods before it."""
    return float(calm[-max(1, calm.size // 2) :].mean()) if calm.size else math.nan


def _grows(cost: Array) -> bool:
    """Return whether cost, (periods, episodes), clearly rises from the third to the last quarter.

    It must rise by more than the tolerance, with the 99 % interval over the episodes above 0.
    """
    quarter = cost.shape[0] // 4
    if quarter == 0 or cost.shape[1] < 2:
        return False
    last = cost[-quarter:].mean(axis=0)
    rise = interval(last - cost[-2 * quarter : -quarter].mean(axis=0), LEVEL)
    return rise.low > 0 and rise.mean > WITHIN * abs(float(last.mean()))


def _costs(engine: Engine, decide: closed_loop.Decide, periods: int) -> Array:
    """Return the cost of each period and episode, (periods, episodes)."""
    costs = [engine.cost.copy() for _ in closed_loop.run(engine, decide, periods)]
    return np.array(costs).reshape(periods, engine.batch)
