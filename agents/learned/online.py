"""Online rollout: decide by simulation as it goes, and measure what one step of improvement gives.

At every decision, group by group from the customer upward, each candidate of `improvement` is run
against what the policy would ask, on fresh tapes, until their states are equal. A candidate that
looks cheaper on the first tapes meets more of them; it is picked if it saves more than `sure`
standard errors of all its tapes together. Afterwards both follow the policy (rollout, one agent at
a time: Bertsekas 2020, chapters 2 and 3).

There is nothing to train, and a decision takes 10 to 100 milliseconds: too slow to judge on
hundreds of episodes, so it is not a learner of the registry. `measure` states what it gains on a
few episodes of `test`, and how many periods of simulation that took. The gain is a yardstick for
policies that learn the same picks: it counts each saving once, where the headroom check may count
it twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jitgym import ScenarioError
from jitgym.evaluate import Interval, skew_interval
from jitgym.plant import SPLITS, episode_keys

from ..branches.rows import advance_rows, begin_all
from ..branches.states import working_rows
from .headroom import unimproved
from .improvement.candidates import Places, vary
from .improvement.labels import FAR, picks_of, valued
from .improvement.picking import Picking
from .session import Problem

Array = npt.NDArray[np.float64]

SPLIT = "test"
OTHER = 2**20  # added to the seed of the tapes of decisions: those of labels have the seed itself


@dataclass(frozen=True)
class Rollout:
    """How decisions are made."""

    policy: Picking
    tapes: int = 16  # of every candidate
    more: int = 112  # for candidates that are cheaper on the first ones
    sure: float = 3.0  # standard errors; at 2, skewed costs win that are worth nothing
    cap: int = 100  # periods of a pair
    seed: int = 0

    def asks(
        self, state: Array, memory: Array, periods: Places, number: int
    ) -> tuple[Array, Places, int]:
        """Return asks, (batch, asked cells), picks, (batch, groups), and simulated periods.

        `number` is the number of the decision; each has tapes of its own.
        """
        policy, candidates = self.policy, self.policy.candidates
        base = policy.asking(state, memory)
        picked = picks_of(policy, state, base)
        batch, each = len(state), self.tapes + self.more
        episodes = FAR + number * batch * each + np.arange(batch * each)
        keys = episode_keys("train", self.seed + OTHER, episodes).reshape(batch, each)
        done = 0
        for j in range(candidates.groups):
            tried = np.zeros((batch, candidates.total), dtype=np.bool_)
            tried[:, candidates.first[j] : candidates.first[j + 1]] = True
            parts = []
            for some in (keys[:, : self.tapes], keys[:, self.tapes :]):
                found = valued(
                    policy, base, picked, state, memory, periods, some,
                    split="train", cap=self.cap, tried=tried,
                )  # fmt: skip
                parts.append(found.of_tapes)
                done += found.periods
                if len(parts) == 1:
                    tried = found.of_tapes.mean(axis=1) < 0.0  # not where nothing was simulated
            whole = np.concatenate(parts, axis=1)
            error = whole.std(axis=1, ddof=1) / np.sqrt(whole.shape[1])
            cost = np.where(tried, whole.mean(axis=1) + self.sure * error, np.inf)
            cost[np.isnan(cost)] = np.inf
            best = cost.argmin(axis=1)
            better = cost[np.arange(batch), best] < 0.0
            picked[better, j] = best[better]
        varied = np.empty((batch, candidates.total + 1, base.shape[1]))
        vary(candidates, base, picked, varied, np.empty((batch, candidates.total), np.int64))
        return varied[:, -1].copy(), picked, done


@dataclass(frozen=True)
class Measured:
    """What deciding online gains."""

    difference: Interval  # cost per period with online decisions minus that of the policy, paired
    cost: float  # of the policy, per period
    picks: float  # share of the decisions, group by group, that differ from the policy's
    decisions: int
    periods: int  # of simulation, for all decisions

    @property
    def share(self) -> float:
        """The difference as a share of the policy's cost."""
        return self.difference.mean / abs(self.cost)


def measure(
    problem: Problem,
    policy: Picking | None = None,
    *,
    episodes: int = 8,
    periods: int = 500,
    seed: int = 1,
    tapes: int = 16,
    more: int = 112,
) -> Measured:
    """Measure online decisions on the first periods of some episodes of the split `test`.

    Costs of the warm-up are left out. `policy` is what is improved; the start if None.

    Raises
    ------
    jitgym.ScenarioError
        If the plant hides something: the tapes would start from what a decision maker cannot see.
    """
    layout = problem.layout
    hidden = [
        part.name
        for part in layout.state
        if part.kind == "hidden" and part.start < layout.key_cells
    ]
    if hidden:
        raise ScenarioError(
            f"{problem.scenario.name} hides {hidden[0]}; expected a plant that shows all of its "
            "state, because online decisions simulate from it"
        )
    policy = policy or unimproved(problem)
    online = Rollout(policy, tapes, more, seed=problem.seed)
    plant = layout.plant_in(SPLIT)
    last = min(plant.warm_up + periods, plant.periods)
    keys = episode_keys(SPLIT, seed, np.arange(episodes))
    tape, flows = working_rows(layout)
    states = [np.tile(layout.plant.initial, (episodes, 1)) for _ in range(2)]
    memories = [policy.start(episodes) for _ in range(2)]
    for state in states:
        begin_all(layout.plant, state, keys)
    totals, cost = np.zeros((2, episodes)), np.empty(episodes)
    picks = done = decisions = 0
    for t in range(last):
        now = np.full(episodes, t, dtype=np.int64)
        asked = policy.asks(states[0], memories[0])
        others = asked
        if t < plant.warm_up:  # the online plant warms up under the policy
            memories[1][:] = memories[0]
        else:
            usual = picks_of(policy, states[1], policy.asking(states[1], memories[1].copy()))
            others, picked, simulated = online.asks(states[1], memories[1], now, t)
            picks += int((picked != usual).sum())
            done, decisions = done + simulated, decisions + picked.size
        for k, asks in enumerate((asked, others)):
            split = SPLITS.index(SPLIT)
            advance_rows(plant, tape, flows, split, keys, now, states[k], asks, cost)
            if t >= plant.warm_up:
                totals[k] += cost / (last - plant.warm_up)
    apart = skew_interval(totals[1] - totals[0])
    share = picks / decisions if decisions else 0.0
    return Measured(apart, float(totals[0].mean()), share, decisions, done)
