"""Labels: what each candidate costs more than what the incumbent picks, in states of a herd.

    difference of a candidate = mean over tapes of the sum over periods of
                                (cost with the candidate in this period - cost of the incumbent)

From each state and on each tape, the incumbent and every candidate run in lockstep until their
states are equal (`agents.branches`). A candidate changes one group; all others keep what the
incumbent picks for them. All candidates of a state meet the same tapes. These are fresh episodes of
the herd's split, but periods keep their numbers, so that what is cyclical or recorded stays in
phase. Candidates that ask for the same as the incumbent are not simulated, and those that ask for
the same as each other only once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...branches import Asking, Herd, Points, branch
from ...branches.rows import Keys
from ...branches.strata import BLOCK, draw_strata
from .candidates import Places, vary
from .picking import Picking

Array = npt.NDArray[np.float64]

FAR = 2**40
"""The first episode of the tapes of labels: no herd gets so far."""

FOLLOW = 16
"""Periods in which all follow the incumbent; afterwards they follow the classic, until they meet.

Plants that follow a net drift apart for longer: on automotive-line 23 % of the pairs have not met
after 100 periods, and cost twice as much to simulate, for labels that are noisier."""

AT_ONCE = 2**15
"""Variants that are prepared together: a bound on memory."""


@dataclass(frozen=True)
class Labels:
    """The values of all candidates in some states; `nan` where a candidate changes nothing."""

    features: Array  # (states, features)
    picked: Places  # what the incumbent picks, (states, groups)
    of_tapes: Array  # differences, in money, (states, tapes, candidates)
    weights: Array  # of the tapes of a state; they add up to 1, (states, tapes)
    periods: int  # simulated
    unmet: float  # share of the pairs that were stopped at the cap

    @property
    def difference(self) -> Array:
        """The mean over the tapes, in money, (states, candidates)."""
        return np.asarray((self.of_tapes * self.weights[:, :, np.newaxis]).sum(axis=1))


@dataclass(frozen=True)
class Values:
    """What candidates cost more than what is picked."""

    of_tapes: Array  # in money, nan where nothing was simulated, (states, tapes, candidates)
    periods: int
    pairs: int
    unmet: int  # pairs that were stopped at the cap


def label(policy: Picking, herd: Herd, tapes: int, cap: int, first: int, rare: int = 0) -> Labels:
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
        The number of states that were labelled before: each has tapes of its own.
    rare
        Tapes per state with a rare event, beside the others (`agents.branches.strata`).
    """
    state, memory = herd.state, herd.memory.copy()
    base = policy.asking(state, memory)
    features = policy.features(state, base)
    picked = picks_of(policy, state, base)
    begins = FAR + BLOCK * first
    drawn = draw_strata(policy.layout, herd.split, herd.seed, begins, herd.period, tapes, rare)
    found = valued(
        policy, base, picked, state, memory, herd.period, drawn.keys, split=herd.split, cap=cap
    )
    unmet = found.unmet / found.pairs if found.pairs else 0.0
    return Labels(features, picked, found.of_tapes, drawn.weights, found.periods, unmet)


def picks_of(policy: Picking, state: Array, base: Array) -> Places:
    """Return what a policy picks in states where its classic asks for `base`, (states, groups)."""
    if policy.is_classic:
        return np.tile(policy.candidates.first[:-1], (state.shape[0], 1))
    return policy.picks(state, base.copy())


def valued(
    policy: Picking,
    base: Array,
    picked: Places,
    state: Array,
    memory: Array,
    periods: Places,
    keys: Keys,
    *,
    split: str,
    cap: int,
    tried: npt.NDArray[np.bool_] | None = None,
) -> Values:
    """Return what candidates cost more than what is picked.

    Parameters
    ----------
    policy
        What all follow after the first period.
    base, picked
        What the classic asks for, (states, asked cells), and the picks, (states, groups).
    state, memory, periods
        The states, (states, cells), the memories after the decision, and the number of the period.
    keys
        The tapes of each state, (states, tapes).
    tried
        The candidates to try, (states, candidates); None for all.
    """
    candidates, count, tapes = policy.candidates, policy.candidates.total, keys.shape[1]
    varied = np.empty((len(base), count + 1, base.shape[1]))
    same = np.empty((len(base), count), dtype=np.int64)
    vary(candidates, base, picked, varied, same)
    found = np.full((len(base), tapes, count), np.nan)
    new = same == np.arange(count)
    if tried is not None:
        new &= tried
    classic = policy.asking
    asking = classic if policy.is_classic else Asking(policy, policy.layout)
    done, pairs, unmet = 0, 0, 0
    for some in _portions(new.sum(axis=1) * tapes):
        rows, own = np.nonzero(new[some])
        # Incumbents: state by state, tape by tape. Variants: by incumbent.
        number = np.bincount(rows, minlength=some.size)
        of = np.repeat(np.arange(some.size * tapes), np.repeat(number, tapes))
        ends = np.cumsum(number)
        parts = [np.tile(np.arange(e - n, e), tapes) for e, n in zip(ends, number, strict=True)]
        places = np.concatenate(parts).astype(np.int64)
        each = np.repeat(some, tapes)
        points = Points(
            state[each], memory[each], keys[some].ravel(), periods[each], varied[each, count]
        )
        run = branch(
            asking, points, varied[some[rows[places]], own[places]], of,
            split=split, cap=cap, later=classic, switch=FOLLOW,
        )  # fmt: skip
        found[each[of], of % tapes, own[places]] = run.difference
        done, pairs = done + run.periods, pairs + of.size
        unmet += int((~run.has_met).sum())
    rows, doubled = np.nonzero((same != np.arange(count)) & (same != count))
    found[rows, :, doubled] = found[rows, :, same[rows, doubled]]
    return Values(found, done, pairs, unmet)


def _portions(work: Places) -> list[Places]:
    """Return states in portions of at most AT_ONCE variants, or of one state."""
    portion = np.cumsum(work) // AT_ONCE
    return [np.flatnonzero(portion == p) for p in np.unique(portion)]
