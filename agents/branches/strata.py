"""Strata: tapes with and without a rare event, with weights that keep every mean unbiased.

    mean = (1 - P) x mean of the tapes without an event + P x mean of the tapes with one,
    P = 1 - product over the rare channels of (1 - p)^window

A supplier that fails once in 500 periods fails on none of a few tapes, nearly always; labels then
say that its stock is not needed. So some tapes of each state are drawn until an event falls into
the first periods of their branches, and the others until none does (stratified sampling with
proportions that are known exactly: Cochran 1977, chapter 5). An event is that the uniform of a
channel lies below the probability of a failure; whether something then fails depends on the state,
but the weights depend on the tape alone, so that they are right for every policy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jitgym.plant import Layout, episode_keys
from jitgym.plant.jit import compiled
from jitgym.plant.records import NONE
from jitgym.plant.tape import uniform

from .rows import Keys, Places

Array = npt.NDArray[np.float64]

RARE = 0.005
"""A failure is rare if its probability per period is at most this: once in 200 periods."""

WINDOW = 16
"""Periods at the start of a branch in which an event counts: later ones seldom meet a branch."""

LEAST = 0.001
"""No tapes are drawn for events that fall into a window less often: they weigh too little."""

BLOCK = 2**14
"""Episodes from which the tapes of one state are drawn."""


@dataclass(frozen=True)
class Strata:
    """The tapes of some states."""

    keys: Keys  # (states, tapes)
    weights: Array  # they add up to 1 for each state, (states, tapes)


def rare_channels(layout: Layout) -> tuple[Keys, Array]:
    """Return the numbers of the channels of rare failures, and their probabilities per period."""
    rare = [it for it in layout.plant.ups_and_downs if it["made"] == NONE and it["fails"] <= RARE]
    numbers = [layout.plant.channels[it["channel"]]["number"] for it in rare]
    return np.array(numbers, dtype=np.uint64), np.array([float(it["fails"]) for it in rare])


def chance_of(chances: Array) -> float:
    """Return the probability that an event of any of these channels falls into a window."""
    return float(1.0 - np.prod((1.0 - chances) ** WINDOW))


def draw_strata(
    layout: Layout, split: str, seed: int, first: int, periods: Places, tapes: int, rare: int
) -> Strata:
    """Return the tapes for branches that start in these periods, (states,).

    Parameters
    ----------
    first
        State e draws from the `BLOCK` episodes from `first + BLOCK * e` on.
    tapes, rare
        Tapes per state without and with a rare event. A plant without rare events has `tapes`
        ordinary ones.
    """
    numbers, chances = rare_channels(layout)
    chance = chance_of(chances)
    begins = first + BLOCK * np.arange(periods.size, dtype=np.int64)
    if not rare or chance < LEAST:
        keys = episode_keys(split, seed, (begins[:, np.newaxis] + np.arange(tapes)).ravel())
        return Strata(keys.reshape(-1, tapes), np.full((periods.size, tapes), 1.0 / tapes))
    found = np.zeros((periods.size, tapes + rare), dtype=np.uint64)
    missing = np.tile(np.array([tapes, rare]), (periods.size, 1))
    tried = np.arange(64)
    while (rows := np.flatnonzero(missing.any(axis=1))).size:
        episodes = (begins[rows, np.newaxis] + tried).ravel()
        keys = episode_keys(split, seed, episodes).reshape(rows.size, -1)
        some, left = found[rows], missing[rows]
        sort_keys(numbers, chances, keys, periods[rows], tapes, some, left)
        found[rows], missing[rows] = some, left
        tried = tried + tried.size
    weights = np.repeat([(1.0 - chance) / tapes, chance / rare], [tapes, rare])
    return Strata(found, np.tile(weights, (periods.size, 1)))


@compiled
def sort_keys(
    numbers: Keys,
    chances: Array,
    keys: npt.NDArray[np.uint64],
    periods: Places,
    tapes: int,
    found: npt.NDArray[np.uint64],
    missing: npt.NDArray[np.int64],
) -> None:
    """Put keys into the free places of their stratum: ordinary ones first, then those of events."""
    for e in range(keys.shape[0]):
        for k in range(keys.shape[1]):
            stratum = 0
            for t in range(WINDOW):
                for n in range(numbers.size):
                    u = uniform(keys[e, k], np.uint64(periods[e] + t), numbers[n])
                    if u < chances[n]:
                        stratum = 1
            if missing[e, stratum] > 0:
                missing[e, stratum] -= 1
                place = missing[e, stratum]
                found[e, place if stratum == 0 else tapes + place] = keys[e, k]
