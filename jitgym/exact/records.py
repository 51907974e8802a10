"""The records of a walk: the box, rows to work in, and what was found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jitgym.plant.records import Row

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Short = npt.NDArray[np.int32]

# The counts of what was found, and where the walk stands.
(STATES, DECISIONS, LINKS, POSTS, TRANSITIONS, LAWS, CHANCES, STAMP, AT, CODE) = range(10)


class Box(NamedTuple):
    """Which decisions and states are looked at."""

    most: Whole  # lots asked of each source at most, (sources,)
    position: Floats  # units of each item in stock and in process, net of backlog, (items,)
    backlog: Floats  # units that wait for each demand, (demands,)
    priorities: Floats  # ways to set priorities, (ways, sources)
    key: Short  # state cells that tell states apart
    post_key: Short  # likewise of post-decision states
    flow_key: Short  # flow cells that later stages read
    ends: float  # period with which the season is over
    is_given: int  # 1 where decisions are given, row by row


class Scratch(NamedTuple):
    """Rows to work in."""

    state: Row
    asked: Row
    wanted: Row  # what a given policy asks for, before anything is held back
    held: Row  # units of each item: the largest grant that was held back
    tape: Row
    post: Row
    post_flows: Row
    next: Row
    flows: Row
    booked: Row
    u: Floats  # representatives, (channels, atoms)
    mass: Floats
    atoms: Whole  # how many each channel has
    digits: Whole  # which one it is
    lots: Whole  # asked of each source
    limits: Whole
    key: Row
    bits: npt.NDArray[np.uint64]  # the same memory
    post_key: Row
    post_bits: npt.NDArray[np.uint64]


class Found(NamedTuple):
    """What was found; arrays with room for more."""

    counts: Whole
    states: Floats  # (states, key cells)
    slots: Short
    seen: Whole  # stamp of the last row that leads to a state, and its place there
    place: Whole
    first: Whole  # first decision of each state, (states + 1,)
    cost: Floats  # of a decision at once
    code: Whole  # what it asks for
    held: Floats  # probability that orders of a given policy are held back; else of size 1
    link_first: Whole  # first link of each decision; of size 1 where each has one link
    link_post: Short
    link_prob: Floats  # likewise
    post_cost: Floats  # mean cost of the rest of the period
    post_edge: Floats  # probability that demand is turned away
    post_first: Whole  # first transition
    post_law: Short  # its probabilities
    owner: Short  # last state that leads to it, and by which decision
    owner_decision: Whole
    digests: npt.NDArray[np.uint64]  # (posts, 2)
    post_slots: Short
    next: Short  # next states, (transitions,)
    law_first: Whole
    law_prob: Floats
    law_digests: npt.NDArray[np.uint64]  # (laws, 1)
    law_bits: npt.NDArray[np.uint64]  # memory of law_prob
    law_slots: Short
