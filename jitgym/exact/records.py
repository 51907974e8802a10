"""The records of a walk: the box, working rows, and what was found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jitgym.plant.records import Row

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Short = npt.NDArray[np.int32]

# Places in `counts`: how much was found, and where the walk stands.
(STATES, DECISIONS, LINKS, POSTS, TRANSITIONS, LAWS, CHANCES, STAMP, AT, CODE) = range(10)


class Box(NamedTuple):
    """The decisions and states that are considered."""

    most: Whole  # most lots asked of each source, (sources,)
    position: Floats  # most units of an item in stock and in process, net of backlog, (items,)
    backlog: Floats  # most units that wait for each demand, (demands,)
    priorities: Floats  # priority orders, (orders, sources)
    key: Short  # state cells that tell states apart
    post_key: Short  # the same for post-decision states
    flow_key: Short  # flow cells that later stages read
    ends: float  # period in which the season is over
    is_given: int  # 1 if a policy is given: one decision per state


class Scratch(NamedTuple):
    """Working rows."""

    state: Row
    asked: Row
    wanted: Row  # what a given policy asks for, before orders are held back
    held: Row  # largest grant of each item that was held back, in units
    tape: Row
    post: Row
    post_flows: Row
    next: Row
    flows: Row
    booked: Row
    u: Floats  # representatives, (channels, atoms)
    mass: Floats
    atoms: Whole  # number of atoms of each channel
    digits: Whole  # current atom of each channel
    lots: Whole  # lots asked of each source
    limits: Whole
    key: Row
    bits: npt.NDArray[np.uint64]  # the memory of `key`
    post_key: Row
    post_bits: npt.NDArray[np.uint64]


class Found(NamedTuple):
    """What was found, in arrays with room for more."""

    counts: Whole
    states: Floats  # (states, key cells)
    slots: Short
    seen: Whole  # stamp of the last row that leads to a state, and its place in that row
    place: Whole
    first: Whole  # first decision of each state, (states + 1,)
    cost: Floats  # immediate cost of each decision
    code: Whole  # what each decision asks for
    held: Floats  # probability that orders of a given policy are held back; otherwise size 1
    link_first: Whole  # first link of each decision; size 1 if each has one link
    link_post: Short
    link_prob: Floats  # probability of each link; size 1 if each decision has one link
    post_cost: Floats  # mean cost of the rest of the period
    post_edge: Floats  # probability that demand is turned away
    post_first: Whole  # first transition
    post_law: Short  # its row of probabilities
    owner: Short  # last state that leads to it, and the decision that does
    owner_decision: Whole
    digests: npt.NDArray[np.uint64]  # (posts, 2)
    post_slots: Short
    next: Short  # next states, (transitions,)
    law_first: Whole
    law_prob: Floats
    law_digests: npt.NDArray[np.uint64]  # (laws, 1)
    law_bits: npt.NDArray[np.uint64]  # memory of law_prob
    law_slots: Short
