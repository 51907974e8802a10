"""Labels: what each candidate costs more than what the incumbent picks, in states of a herd.

    difference of a candidate = mean over tapes of the sum over periods of
                                (cost with the candidate in this period - cost of the incumbent)

From each state and on each tape, the incumbent and every candidate run in lockstep until their
states are equal (`agents.branches`). Candidates change one source; all others keep what the
incumbent picks for them. All candidates of a state meet the same tapes. Tapes are fresh episodes of
the herd's split, but a period keeps its number, so that what is cyclical or recorded stays in phase.
A candidate that asks for the same as the incumbent, or as another candidate, is not simulated again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jitgym.plant import episode_keys

from ...branches import Asking, Herd, branch
from .candidates import Places, vary
from .picking import Picking

Array = npt.NDArray[np.float64]

FAR = 2**40
"""The first episode of the tapes of labels: no herd gets so far."""

AT_ONCE = 2**15
"""Variants that are prepared together: a bound on memory."""


@dataclass(frozen=True)
class Labels:
    """The values of all candidates in some states; `nan` where a candidate changes nothing."""

    features: Array  # (states, features)
    picked: Places  # what the incumbent picks, (states, sources)
    of_tapes: Array  # differences, in money, (states, tapes, candidates)
    periods: int  # simulated
    unmet: float  # share of the pairs that were stopped at the cap

    @property
    def difference(self) -> Array:
        """The mean over the tapes, in money, (states, candidates)."""
        return np.asarray(self.of_tapes.mean(axis=1))


def label(policy: Picking, herd: Herd, tapes: int, cap: int, first: int) -> Labels:
    """Return the labels of the states that the herd is in.

    Parameters
    ----------
    policy
        The incumbent, which all follow after the first period.
    tapes
        Tapes per state.
    cap
        The largest number of periods of a pair.
    first
        The number of tapes that were drawn before; the tapes here are the next states x tapes.
    """
    layout, candidates = policy.layout, policy.candidates
    state, memory = herd.state, herd.memory.copy()
    base = policy.asking(state, memory)
    features = policy.features(state, base)
    if policy.is_classic:
        picked = np.tile(candidates.first[:-1], (state.shape[0], 1))
    else:
        picked = policy.picks(state, base.copy())
    count = candidates.count
    varied = np.empty((state.shape[0], count + 1, base.shape[1]))
    same = np.empty((state.shape[0], count), dtype=np.int64)
    vary(candidates, base, picked, varied, same)
    episodes = FAR + first + np.arange(state.shape[0] * tapes).reshape(-1, tapes)
    keys = episode_keys(herd.split, herd.seed, episodes.ravel()).reshape(-1, tapes)
    found = np.full((state.shape[0], tapes, count), np.nan)
    periods, pairs, unmet = 0, 0, 0.0
    new = same == np.arange(count)
    for some in _portions(new.sum(axis=1) * tapes):
        rows, tried = np.nonzero(new[some])
        # Incumbents: state by state, tape by tape; variants by incumbent.
        number = np.bincount(rows, minlength=some.size)
        of = np.repeat(np.arange(some.size * tapes), np.repeat(number, tapes))
        begins = np.concatenate([[0], np.cumsum(number)])
        places = np.concatenate(
            [np.tile(np.arange(begins[r], begins[r + 1]), tapes) for r in range(some.size)]
        ).astype(np.int64)
        own = np.repeat(some, tapes)
        run = branch(
            layout, Asking(policy.base if policy.is_classic else policy, layout),
            state[own], memory[own], keys[some].ravel(), herd.period[own],
            varied[own, count], varied[some[rows[places]], tried[places]], of,
            split=herd.split, cap=cap,
        )  # fmt: skip
        found[own[of], of % tapes, tried[places]] = run.difference
        periods += run.periods
        pairs += of.size
        unmet += run.unmet * of.size
    rows, doubled = np.nonzero((same != np.arange(count)) & (same != count))
    found[rows, :, doubled] = found[rows, :, same[rows, doubled]]
    return Labels(features, picked, found, periods, unmet / pairs if pairs else 0.0)


def _portions(work: Places) -> list[Places]:
    """Return states in portions of at most AT_ONCE variants, or of one state."""
    portion = np.cumsum(work) // AT_ONCE
    return [np.flatnonzero(portion == p) for p in np.unique(portion)]
