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

from jitgym.plant import SPLITS

from .compiled import run_pairs
from .rows import Keys, Places, advance_rows, compare_rows
from .states import Array, Asking, working_rows

CAP = 100
"""Largest number of periods that a pair runs; of most plants, nearly all pairs meet before."""

MOST_PERIODS = 1 << 40  # an ongoing horizon has no end

ROWS = 4096
"""Rows that run together: enough to hide the cost of a call, few enough for the cache."""


@dataclass(frozen=True)
class Points:
    """Where branches begin: plants that each have made their decision of this period."""

    state: Array  # (plants, cells)
    memory: Array  # of the policy after its decision, (plants, width)
    keys: Keys  # of the episode of each, (plants,)
    periods: Places  # (plants,)
    asked: Array  # what each asks for if nothing is varied, (plants, asked cells)

    def at(self, rows: Places) -> Points:
        """Return some of them."""
        return Points(
            self.state[rows],
            self.memory[rows],
            self.keys[rows],
            self.periods[rows],
            self.asked[rows],
        )


@dataclass(frozen=True)
class Follow:
    """Which policy all follow, period by period."""

    asking: Asking
    later: Asking
    switch: int  # the first period of `later`

    def at(self, t: int) -> Asking:
        """Return the policy of period t."""
        return self.asking if t < self.switch else self.later


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
    asking: Asking,
    points: Points,
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
    points
        The incumbents.
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
    moved = np.flatnonzero((varied != points.asked[of]).any(axis=1))
    done = 0
    share = max(1, ROWS * max(moved.size, 1) // max(moved.size + points.keys.size, 1))
    for first in range(0, moved.size, share):
        some = moved[first : first + share]
        groups, own = np.unique(of[some], return_inverse=True)
        start, tried = points.at(groups), varied[some]
        if asking.as_data is not None and later is None:
            part = _run_compiled(asking, start, tried, own.astype(np.int64), split, cap)
        else:
            follow = Follow(asking, later or asking, switch)
            part = _run(follow, start, tried, own.astype(np.int64), split, cap)
        difference[some], has_met[some] = part.difference, part.has_met
        done += part.periods
    return Branches(difference, has_met, done)


def _run_compiled(
    asking: Asking, points: Points, varied: Array, of: Places, split: str, cap: int
) -> Branches:
    layout, policy = asking.layout, asking.as_data
    assert policy is not None
    plant = layout.plant_in(split)
    tape, flows = working_rows(layout)
    most = 1 + int(np.bincount(of).max())
    difference, has_met = np.zeros(of.size), np.zeros(of.size, dtype=np.bool_)
    done = run_pairs(
        plant, tape, flows, policy, SPLITS.index(split), points.keys, points.periods,
        points.state, points.asked, varied, of, layout.key_cells,
        plant.periods if layout.scenario.horizon.ends else MOST_PERIODS, cap,
        np.empty((most, layout.cells)), np.empty((most, layout.asked_cells)),
        np.empty(most, dtype=np.bool_), difference, has_met,
    )  # fmt: skip
    return Branches(difference, has_met, int(done))


def _run(
    follow: Follow, points: Points, varied: Array, of: Places, split: str, cap: int
) -> Branches:
    layout = follow.asking.layout
    plant = layout.plant_in(split)
    ends = plant.periods if layout.scenario.horizon.ends else None
    tape, flows = working_rows(layout)
    split_number = SPLITS.index(split)
    totals, met = np.zeros(of.size), np.zeros(of.size, dtype=np.bool_)
    alive = np.arange(of.size)
    both = points.at(np.concatenate([np.arange(points.keys.size), of]))
    state, memory = np.ascontiguousarray(both.state), np.ascontiguousarray(both.memory)
    keys, periods = both.keys, both.periods.copy()
    asked = np.concatenate([points.asked, varied])
    difference, has_met = np.zeros(of.size), np.zeros(of.size, dtype=np.bool_)
    weight, done = 1.0, 0
    for t in range(cap):
        if t > 0:
            asked = follow.at(t)(state, memory)
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
