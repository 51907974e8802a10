"""Margins: how much a candidate must save before it is picked, group by group.

They are the trust region of an improvement: the largest expected saving among many candidates is
partly noise, and without a margin the policy follows the noise. All options run side by side on the
same episodes of `validate`. First one margin for all groups is chosen, then that of each group in
turn. A margin moves only if the cost falls by more than one standard error.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from jitgym.plant import SPLITS, episode_keys

from ...branches.rows import advance_rows, begin_all
from ...branches.states import working_rows
from .picking import Picking

Array = npt.NDArray[np.float64]

SPLIT = "validate"


def costs(policy: Picking, margins: Array, episodes: int, seed: int) -> Array:
    """Return the cost of the policy with each of these margins, (options, episodes).

    `margins` is (options, groups). The episodes are 0 to `episodes` - 1 of the split `validate`,
    and the cost is the scenario's yardstick.
    """
    layout = policy.layout
    plant = layout.plant_in(SPLIT)
    rows = len(margins) * episodes
    keys = np.tile(episode_keys(SPLIT, seed, np.arange(episodes)), len(margins))
    policy = policy.with_margins(np.repeat(margins, episodes, axis=0))
    state, memory = np.tile(layout.plant.initial, (rows, 1)), policy.start(rows)
    begin_all(layout.plant, state, keys)
    tape, flows = working_rows(layout)
    total, cost, weight = np.zeros(rows), np.empty(rows), plant.average
    for t in range(plant.periods):
        periods = np.full(rows, t, dtype=np.int64)
        asked = policy.asks(state, memory)
        split = SPLITS.index(SPLIT)
        advance_rows(plant, tape, flows, split, keys, periods, state, asked, cost)
        if t >= plant.warm_up:
            total += weight * cost
            weight *= plant.discount
    return total.reshape(len(margins), episodes)


def chosen(
    policy: Picking, options: list[float], episodes: int, rounds: int, seed: int
) -> tuple[Array, int]:
    """Return the margins of the groups, (1, groups), and the number of simulated periods."""
    groups = policy.candidates.groups
    each = episodes * policy.layout.plant_in(SPLIT).periods
    tried = np.array([np.inf, *options])
    found = np.full(groups, np.inf)
    apart = costs(policy, np.repeat(tried[:, np.newaxis], groups, axis=1), episodes, seed)
    periods = tried.size * each
    now, best = apart[0], _better(apart[1:], apart[0])
    if best >= 0:
        found[:], now = options[best], apart[1 + best]
    for _ in range(rounds):
        before = found.copy()
        for j in range(groups):
            others = tried[tried != found[j]]
            margins = np.tile(found, (others.size, 1))
            margins[:, j] = others
            if not np.isfinite(margins).any():
                continue
            apart = costs(policy, margins, episodes, seed)
            periods += others.size * each
            if (best := _better(apart, now)) >= 0:
                found[j], now = others[best], apart[best]
        if (found == before).all():
            break
    return found[np.newaxis], periods


def _better(costs: Array, now: Array) -> int:
    """Return the option with the lowest mean cost, or -1 unless it is surely below the present."""
    if not costs.shape[0]:
        return -1
    best = int(costs.mean(axis=1).argmin())
    apart = costs[best] - now
    error = apart.std(ddof=1) / np.sqrt(apart.size) if apart.size > 1 else 0.0
    return best if apart.mean() < -error else -1
