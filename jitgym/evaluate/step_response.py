"""The answer of a policy to a step in demand: how long it hurts, and how much.

The plant runs on its own demand until it has settled; then every mean demand steps to a multiple of
itself and stays there, while the policy, its parameters and the plant's state stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jitgym.control import Policy, ViewLayout
from jitgym.envs import ActionEncoding, Engine
from jitgym.envs.engine import MOST_SEED
from jitgym.errors import whole_number
from jitgym.plant import Layout, lay_out
from jitgym.scenario import Scenario, with_demand

from .rollout import checked

Array = npt.NDArray[np.float64]

WITHIN = 0.05  # of the level that the cost settles at
SMOOTHED = 10  # periods over which the cost is averaged before it is compared


@dataclass(frozen=True)
class StepResponse:
    """What a step in demand did to the cost of a policy."""

    factor: float  # of every mean demand
    cost: Array  # mean over the episodes, in each period after the step, (periods,)
    before: float  # mean cost a period just before the step
    settled: float  # mean cost a period in the last quarter after the step
    periods: float  # until the smoothed cost is within 5 % of `settled`; nan: it does not settle
    area: float  # cost beyond `settled`, summed over the periods until then: what the step cost

    def __repr__(self) -> str:
        """Return it in a line, without the cost of each period."""
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

    `before` and `after` are periods: by default the warm-up, and what the horizon has beyond it.

    Raises
    ------
    ValueError
        If the scenario is a season, which has no level to settle at, or a number makes no sense.
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
    engine = _engine(start, episodes, seed)
    memory = policy.start(episodes)
    calm = _run(engine, policy, memory, before)
    stepped = _engine(then, episodes, seed)
    stepped.state[:] = engine.state
    stepped.period[:] = engine.period
    cost = _run(stepped, policy, memory, after)
    return respond(factor, calm, cost)


def respond(factor: float, calm: Array, cost: Array) -> StepResponse:
    """Measure a step response from the mean costs before and after the step, (periods,) each."""
    settled = float(cost[-max(1, cost.size // 4) :].mean())
    window = np.ones(min(SMOOTHED, cost.size)) / min(SMOOTHED, cost.size)
    smooth = np.convolve(cost, window, mode="valid")
    near = np.flatnonzero(np.abs(smooth - settled) <= WITHIN * abs(settled))
    quarter = max(1, cost.size // 4)
    earlier = float(cost[-2 * quarter : -quarter].mean()) if cost.size >= 2 else settled
    is_settled = abs(earlier - settled) <= WITHIN * abs(settled)
    periods = float(near[0]) if is_settled and near.size else float("nan")
    until = cost.size if np.isnan(periods) else int(periods) + window.size
    tail = calm[-max(1, calm.size // 2) :]
    before = float(tail.mean()) if calm.size else float("nan")
    area = float((cost[:until] - settled).sum())
    return StepResponse(factor, cost, before, settled, periods, area)


def _engine(layout: Layout, episodes: int, seed: int) -> Engine:
    engine = Engine(layout, episodes, ActionEncoding(layout, "asked"))
    engine.split = "test"
    engine.seed[:] = seed
    engine.episode[:] = np.arange(episodes)
    engine.place(np.ones(episodes, dtype=np.bool_))
    return engine


def _run(engine: Engine, policy: Policy, memory: Array, periods: int) -> Array:
    view = ViewLayout(engine.layout)
    cost = np.zeros(periods)
    for period in range(periods):
        asked = np.asarray(policy.act(view.of(engine.state), memory), dtype=np.float64)
        engine.step(checked(asked, engine.batch, engine.layout, policy.name))
        cost[period] = engine.cost.mean()
    return cost
