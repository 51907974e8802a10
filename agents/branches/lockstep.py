"""Lockstep: an incumbent and variants on one tape, period by period, until their states are equal.

    difference = sum over periods of (cost of the variant - cost of the incumbent)

All start in the same state. In the first period each asks for its own quantities; afterwards all
follow one policy. From the period in which a variant's state equals the incumbent's, the two cost
the same for ever. So there is no horizon to choose, and nothing is cut (vine sampling with common
random numbers: Schulman et al. 2015, section 5.2; coupling: Glasserman and Yao 1992). A pair that
has not met after `cap` periods is stopped, and counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jitgym.plant import SPLITS, Layout

from .rows import Keys, Places, advance_rows, compare_rows
from .states import Array, Asking, working_rows

CAP = 100
"""Largest number of periods that a pair runs; of most plants, nearly all pairs meet before."""

ROWS = 4096
"""Rows that run together: enough to hide the cost of a call, few enough for the cache."""


@dataclass(frozen=True)
class Branches:
    """What variants cost more than their incumbents."""

    difference: Array  # in money, summed over the periods of a pair, (variants,)
    has_met: npt.NDArray[np.bool_]  # False: the pair was stopped at the cap, (variants,)
    periods: int  # simulated, of all rows together

    @property
    def unmet(self) -> float:
        """The share of the pairs that were stopped at the cap."""
        return 1.0 - float(self.has_met.mean()) if self.has_met.size else 0.0


def branch(
    layout: Layout,
    asking: Asking,
    state: Array,
    memory: Array,
    keys: Keys,
    periods: Places,
    asked: Array,
    varied: Array,
    of: Places,
    *,
    split: str = "train",
    cap: int = CAP,
    later: Asking | None = None,
    switch: int = CAP,
) -> Branches:
    """Run variants against incumbents, and return what each variant costs more.

    Parameters
    ----------
    asking
        The policy that all follow after the first period.
    state, memory, keys, periods, asked
        The incumbents: states (incumbents, cells), memories after the first decision, the episode
        and the period of each, and what each asks for in the first period, (incumbents, asked
        cells).
    varied
        What each variant asks for in the first period, (variants, asked cells).
    of
        The incumbent of each variant, (variants,), in ascending order.
    split
        The split that the keys belong to.
    cap
        The largest number of periods of a pair.
    later, switch
        From period `switch` on, all follow `later` instead, if it is given. Pairs that follow a
        simple rule meet sooner than pairs that follow a net.
    """
    difference, has_met = np.zeros(of.size), np.ones(of.size, dtype=np.bool_)
    moved = np.flatnonzero((varied != asked[of]).any(axis=1))
    done = 0
    share = max(1, ROWS * max(moved.size, 1) // max(moved.size + state.shape[0], 1))
    for first in range(0, moved.size, share):
        some = moved[first : first + share]
        groups, own = np.unique(of[some], return_inverse=True)
        part = _run(
            layout, asking, state[groups], memory[groups], keys[groups], periods[groups],
            asked[groups], varied[some], own.astype(np.int64), split, cap,
            later or asking, switch,
        )  # fmt: skip
        difference[some], has_met[some] = part.difference, part.has_met
        done += part.periods
    return Branches(difference, has_met, done)


def _run(
    layout: Layout,
    asking: Asking,
    state: Array,
    memory: Array,
    keys: Keys,
    periods: Places,
    asked: Array,
    varied: Array,
    of: Places,
    split: str,
    cap: int,
    later: Asking,
    switch: int,
) -> Branches:
    plant = layout.plant_in(split)
    ends = plant.periods if layout.scenario.horizon.ends else None
    tape, flows = working_rows(layout)
    split_number = SPLITS.index(split)
    totals, met = np.zeros(of.size), np.zeros(of.size, dtype=np.bool_)
    alive = np.arange(of.size)
    first = np.concatenate([np.arange(state.shape[0]), of])
    state, memory = np.ascontiguousarray(state[first]), np.ascontiguousarray(memory[first])
    keys, periods = keys[first], periods[first].copy()
    asked = np.concatenate([asked, varied])
    difference, has_met = np.zeros(of.size), np.zeros(of.size, dtype=np.bool_)
    weight, done = 1.0, 0
    for t in range(cap):
        if t > 0:
            asked = (asking if t < switch else later)(state, memory)
        cost = np.empty(state.shape[0])
        advance_rows(plant, tape, flows, split_number, keys, periods, state, asked, cost)
        done += state.shape[0]
        periods += 1
        compare_rows(state, memory, cost, of, layout.key_cells, weight, difference, has_met)
        weight *= plant.discount
        if ends is not None:
            has_met |= periods[-of.size :] >= ends
        if has_met.any():
            over = np.flatnonzero(has_met)
            totals[alive[over]], met[alive[over]] = difference[over], True
            rest = np.flatnonzero(~has_met)
            alive, difference = alive[rest], difference[rest]
            if not rest.size:
                break
            incumbents = state.shape[0] - of.size
            used, of = np.unique(of[rest], return_inverse=True)
            kept = np.concatenate([used, incumbents + rest])
            of = of.astype(np.int64)
            state, memory, keys, periods = state[kept], memory[kept], keys[kept], periods[kept]
            has_met = np.zeros(rest.size, dtype=np.bool_)
    totals[alive] = difference
    return Branches(totals, met, done)
