"""Found: states, decisions and transitions are stored, each only once.

States are told apart by their numbers, post-decision states by their digests. Several decisions may
lead to one post-decision state, whose transitions are computed once. Equal rows of probabilities
are stored once.
"""

from __future__ import annotations

import numpy as np

from jitgym.plant.jit import kernel
from jitgym.plant.records import NONE, Plant

from .hashing import OTHER_SEED, SEED, after, digest, find, place_of
from .records import (
    CHANCES,
    DECISIONS,
    LAWS,
    LINKS,
    POSTS,
    STAMP,
    STATES,
    TRANSITIONS,
    Box,
    Found,
    Scratch,
    Whole,
)


@kernel
def is_full(found: Found) -> bool:
    """Return whether there is no room for another transition."""
    counts = found.counts
    return (
        counts[STATES] + 2 >= found.states.shape[0]
        or 2 * counts[STATES] + 4 >= found.slots.size
        or counts[TRANSITIONS] + 2 >= found.next.size
        or counts[CHANCES] + 2 >= found.law_prob.size
        or counts[POSTS] + 2 >= found.post_cost.size
        or 2 * counts[POSTS] + 4 >= found.post_slots.size
        or counts[LAWS] + 2 >= found.law_digests.shape[0]
        or 2 * counts[LAWS] + 4 >= found.law_slots.size
        or counts[LINKS] + 2 >= found.link_post.size
    )


@kernel
def roll_back(counts: Whole, links: int, transitions: int, chances: int) -> None:
    """Remove what an unfinished decision has added."""
    counts[LINKS] = links
    counts[TRANSITIONS] = transitions
    counts[CHANCES] = chances


@kernel
def tidied(x: float) -> float:
    """Return a quantity without the rounding errors of sums, and without a negative zero."""
    whole = np.floor(x + 0.5)
    if abs(x - whole) < 1e-9:
        return whole + 0.0
    return np.floor(x * 1e9 + 0.5) / 1e9


@kernel
def set_post_key(box: Box, scratch: Scratch) -> None:
    """Write the key of a post-decision state."""
    for k in range(box.post_key.size):
        scratch.post_key[k] = tidied(scratch.post[box.post_key[k]])
    for k in range(box.flow_key.size):
        scratch.post_key[box.post_key.size + k] = tidied(scratch.post_flows[box.flow_key[k]])


@kernel
def find_post(found: Found, scratch: Scratch) -> int:
    """Return the number of a post-decision state; -1 - slot if it is new."""
    one = digest(scratch.post_bits, scratch.post_key.size, SEED)
    other = digest(scratch.post_bits, scratch.post_key.size, OTHER_SEED)
    slot = place_of(one, found.post_slots)
    while found.post_slots[slot] != 0:
        post = found.post_slots[slot] - 1
        if found.digests[post, 0] == one and found.digests[post, 1] == other:
            return post
        slot = after(slot, found.post_slots)
    found.digests[found.counts[POSTS], 0] = one
    found.digests[found.counts[POSTS], 1] = other
    return -1 - slot


@kernel
def add_transition(
    plant: Plant,
    box: Box,
    scratch: Scratch,
    found: Found,
    p: float,
    first_next: int,
    first_chance: int,
) -> None:
    """Add probability `p` to the next state, which may be new."""
    counts = found.counts
    over = plant.clock != NONE and scratch.next[plant.clock] >= box.ends
    for k in range(box.key.size):
        scratch.key[k] = tidied(scratch.next[box.key[k]])
        if over:
            scratch.key[k] = box.ends if box.key[k] == plant.clock else 0.0
    j = find(found.states, found.slots, scratch.key, scratch.bits)
    if j < 0:
        slot = -1 - j
        j = counts[STATES]
        for k in range(box.key.size):
            found.states[j, k] = scratch.key[k]
        found.seen[j] = -1
        found.slots[slot] = j + 1
        counts[STATES] += 1
    if found.seen[j] == counts[STAMP]:
        found.law_prob[first_chance + found.place[j]] += p
        return
    found.seen[j] = counts[STAMP]
    found.place[j] = counts[TRANSITIONS] - first_next
    found.next[counts[TRANSITIONS]] = j
    found.law_prob[counts[CHANCES]] = p
    counts[TRANSITIONS] += 1
    counts[CHANCES] += 1


@kernel
def add_post(
    found: Found,
    scratch: Scratch,
    first_next: int,
    first_chance: int,
    cost: float,
    edge: float,
    covered: float,
    slot: int,
) -> int:
    """Add a post-decision state with the transitions written last; return its number."""
    counts = found.counts
    post = counts[POSTS]
    for k in range(first_chance, counts[CHANCES]):
        found.law_prob[k] /= covered
    found.post_cost[post] = cost / covered
    found.post_edge[post] = edge / covered
    found.post_first[post] = first_next
    found.post_law[post] = law_of(found, first_chance)
    found.owner[post] = -1
    if slot >= 0:
        found.post_slots[slot] = post + 1
    counts[POSTS] = post + 1
    return post


@kernel
def law_of(found: Found, first_chance: int) -> int:
    """Return the number of the row of probabilities written last; an equal older row is reused."""
    counts = found.counts
    size = counts[CHANCES] - first_chance
    h = SEED
    for k in range(first_chance, counts[CHANCES]):
        h = digest(found.law_bits[k : k + 1], 1, h)
    slot = place_of(h, found.law_slots)
    while found.law_slots[slot] != 0:
        law = found.law_slots[slot] - 1
        first = found.law_first[law]
        if found.law_digests[law, 0] == h and found.law_first[law + 1] - first == size:
            same = True
            for k in range(size):
                if found.law_prob[first + k] != found.law_prob[first_chance + k]:
                    same = False
                    break
            if same:
                counts[CHANCES] = first_chance
                return law
        slot = after(slot, found.law_slots)
    law = counts[LAWS]
    found.law_slots[slot] = law + 1
    found.law_digests[law, 0] = h
    found.law_first[law + 1] = counts[CHANCES]
    counts[LAWS] = law + 1
    return law


@kernel
def add_link(found: Found, post: int, chance: float, first_link: int) -> None:
    """Link the current decision to a post-decision state, or add to the link's probability."""
    link = found.counts[LINKS]
    for k in range(first_link, link):
        if found.link_post[k] == post:
            found.link_prob[k] += chance
            return
    found.link_post[link] = post
    if found.link_first.size > 1:
        found.link_prob[link] = chance
    found.counts[LINKS] = link + 1


@kernel
def add_decision(
    found: Found, i: int, code: int, cost: float, held: float, first_link: int
) -> None:
    """Add a decision; of two with the same post-decision state the cheaper one is kept."""
    counts = found.counts
    if counts[LINKS] == first_link + 1:
        post = found.link_post[first_link]
        if found.owner[post] == i:
            rival = found.owner_decision[post]
            if cost < found.cost[rival] - 1e-12:
                found.cost[rival] = cost
                found.code[rival] = code
            counts[LINKS] = first_link
            return
        found.owner[post] = i
        found.owner_decision[post] = counts[DECISIONS]
    decision = counts[DECISIONS]
    found.cost[decision] = cost
    found.code[decision] = code
    if found.held.size > 1:
        found.held[decision] = held
    if found.link_first.size > 1:
        found.link_first[decision + 1] = counts[LINKS]
    counts[DECISIONS] = decision + 1
