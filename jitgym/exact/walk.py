"""The walk: every state that can be reached, every decision in it, and where that leads.

From the first state on, states are taken in the order in which they were found. A decision, all
that is asked of the sources in one period, leads by Release and Start (`decide`) to a post-decision
state, and the rest of the period (`happen`) to the next states, over all atoms of the noise. Both
are the functions that simulate. Post-decision states are found again by digest, so that what
several decisions lead to is worked out once.

Where Release or Start read noise of their own (a random capacity), a decision leads to several
post-decision states, each with its probability. Where they share a channel with later stages (the
events of one clock), decision and atoms lead to the next states together.

At an edge of stock the plant blocks: a decision that would exceed it is not allowed, and of a given
policy the orders that would exceed it are not placed. Beyond an edge of backlog, demand is turned
away.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jitgym.plant.dynamics import decide, happen, in_process
from jitgym.plant.jit import compiled, kernel, separate
from jitgym.plant.ledger import book
from jitgym.plant.records import NONE, Plant, Row
from jitgym.plant.stock import on_hand

from .atoms import lost_beyond, partition
from .hashing import OTHER_SEED, SEED, after, digest, find, place_of
from .noise import Noise

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Short = npt.NDArray[np.int32]

RARE = 1e-15  # joint atoms with less probability are left out
MOST_ATOMS = 20_000_000  # joint atoms of one post-decision state

# What comes of a walk or a decision; the first three stop the walk.
GROW, WIDE, LONG, DONE, WAIT, TAKEN, BLOCKED, HELD = range(8)

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


@compiled
def walk(
    plant: Plant, noise: Noise, box: Box, given: Floats, scratch: Scratch, found: Found
) -> int:
    """Go on until all is found or something is missing; return what.

    Every decision of a state is weighed, from the code on where the walk stands, or the given one.
    """
    counts = found.counts
    while counts[AT] < counts[STATES]:
        i = counts[AT]
        if box.is_given and i >= given.shape[0]:
            return WAIT
        place_state(box, found, scratch, i)
        more = plant.clock == NONE or scratch.state[plant.clock] < box.ends
        if more:
            set_limits(plant, box, scratch)
            set_lots(plant, box, scratch, counts[CODE])
        while more:
            says = ask(plant, box, scratch, counts[CODE])
            if box.is_given:
                for k in range(scratch.asked.size):
                    scratch.wanted[k] = given[i, k]
                    scratch.asked[k] = given[i, k]
            if says or box.is_given:
                status = weigh(plant, noise, box, scratch, found, i, counts[CODE])
                if status <= LONG:
                    return status
            more = not box.is_given and next_code(plant, box, scratch, counts)
        found.first[i + 1] = counts[DECISIONS]
        counts[AT] = i + 1
        counts[CODE] = 0
    return DONE


@kernel
def place_state(box: Box, found: Found, scratch: Scratch, i: int) -> None:
    """Write the row of state i."""
    scratch.state[:] = 0.0
    for k in range(box.key.size):
        scratch.state[box.key[k]] = found.states[i, k]


@kernel
def set_limits(plant: Plant, box: Box, scratch: Scratch) -> None:
    """Bound the lots of each source by the box and by the materials in stock."""
    for s in range(plant.sources.size):
        source = plant.sources[s]
        limit = float(box.most[s])
        for k in range(source.materials, source.materials_end):
            material = plant.materials[k]
            stock = on_hand(scratch.state, plant.items[material.item])
            limit = min(limit, np.floor(stock / material.quantity * source.per_lot + 1e-9))
        if source.up != NONE and scratch.state[source.up] == 0.0:
            limit = 0.0
        scratch.limits[s] = int(limit)


@kernel
def set_lots(plant: Plant, box: Box, scratch: Scratch, code: int) -> None:
    """Write the lots of each source that a code stands for."""
    rest = code // (box.priorities.shape[0] << plant.projects.size)
    for s in range(plant.sources.size):
        scratch.lots[s] = rest % (box.most[s] + 1)
        rest //= box.most[s] + 1


@kernel
def ask(plant: Plant, box: Box, scratch: Scratch, code: int) -> bool:
    """Write what a code asks for; return whether it says anything that no other code says."""
    sources = plant.sources.size
    way = code % box.priorities.shape[0]
    flags = code // box.priorities.shape[0]
    says = True
    for s in range(sources):
        units = scratch.lots[s] * plant.sources[s].lot
        scratch.asked[s] = units
        scratch.asked[sources + s] = box.priorities[way, s]
        if 0.0 < units < plant.sources[s].minimum - 1e-9 or units > plant.sources[s].maximum:
            says = False
    for k in range(plant.projects.size):
        begin = (flags >> k) & 1
        scratch.asked[2 * sources + k] = float(begin)
        if begin and scratch.state[plant.projects[k].progress] != 0.0:
            says = False
    return says


@kernel
def next_code(plant: Plant, box: Box, scratch: Scratch, counts: Whole) -> bool:
    """Go on to the next code within the limits of a state; return whether there is one."""
    low = box.priorities.shape[0] << plant.projects.size
    if (counts[CODE] + 1) % low != 0:
        counts[CODE] += 1
        return True
    weight = low
    counts[CODE] -= low - 1
    for s in range(plant.sources.size):
        if scratch.lots[s] < scratch.limits[s]:
            scratch.lots[s] += 1
            counts[CODE] += weight
            return True
        counts[CODE] -= weight * scratch.lots[s]
        scratch.lots[s] = 0
        weight *= box.most[s] + 1
    return False


@separate
def weigh(
    plant: Plant, noise: Noise, box: Box, scratch: Scratch, found: Found, i: int, code: int
) -> int:
    """Add one decision: its cost at once, and the post-decision states that it leads to."""
    counts = found.counts
    if counts[DECISIONS] + 2 >= found.cost.size or is_full(found):
        return GROW
    first_link, first_next = counts[LINKS], counts[TRANSITIONS]
    first_chance = counts[CHANCES]
    asked_cost = 0.0
    later_cost = 0.0
    edge = 0.0
    covered = 0.0
    held = 0.0
    counts[STAMP] += 1
    joint = choose_atoms(plant, noise, scratch, True, scratch.state)
    if joint < 0:
        return WIDE
    if joint > MOST_ATOMS:
        return LONG
    for _ in range(joint):
        chance = set_tape(noise, scratch, True)
        advance(noise, scratch, True)
        if chance < RARE and joint > 1:
            continue
        status = decide_within(plant, box, scratch)
        if status == BLOCKED:
            roll_back(counts, first_link, first_next, first_chance)
            return BLOCKED
        if status == HELD:
            held += chance
        at_once = book(plant, scratch.post_flows, scratch.booked)
        asked_cost += chance * at_once
        post = -1
        slot = 0
        if not noise.is_joint:
            set_post_key(box, scratch)
            post = find_post(found, scratch)
            slot = -1 - post
        if post < 0:
            within = choose_atoms(plant, noise, scratch, False, scratch.post)
            if within < 0 or within > MOST_ATOMS:
                roll_back(counts, first_link, first_next, first_chance)
                return WIDE if within < 0 else LONG
            weight = chance
            if not noise.is_joint:
                counts[STAMP] += 1
                first_next, first_chance = counts[TRANSITIONS], counts[CHANCES]
                later_cost = 0.0
                edge = 0.0
                covered = 0.0
                weight = 1.0
            for c in range(noise.channels.size):
                if noise.channels[c].after and not noise.channels[c].before:
                    later_cost += weight * lost_beyond(plant, noise, c, scratch.post)
            for _ in range(within):
                p = weight * set_tape(noise, scratch, False)
                advance(noise, scratch, False)
                if p < RARE:
                    continue
                if is_full(found):
                    roll_back(counts, first_link, first_next, first_chance)
                    return GROW
                for k in range(scratch.post.size):
                    scratch.next[k] = scratch.post[k]
                for k in range(scratch.post_flows.size):
                    scratch.flows[k] = scratch.post_flows[k]
                happen(plant, scratch.next, scratch.tape, scratch.flows)
                later_cost += p * (book(plant, scratch.flows, scratch.booked) - at_once)
                covered += p
                if turn_away(plant, box, scratch.next):
                    edge += p
                add_transition(plant, box, scratch, found, p, first_next, first_chance)
            if not noise.is_joint:
                post = add_post(
                    found, scratch, first_next, first_chance, later_cost, edge, covered, slot
                )
                first_next, first_chance = counts[TRANSITIONS], counts[CHANCES]
        if not noise.is_joint:
            if counts[LINKS] + 2 >= found.link_post.size:
                roll_back(counts, first_link, counts[TRANSITIONS], counts[CHANCES])
                return GROW
            add_link(found, post, chance, first_link)
    if noise.is_joint:
        post = add_post(found, scratch, first_next, first_chance, later_cost, edge, covered, -1)
        add_link(found, post, 1.0, first_link)
    add_decision(found, i, code, asked_cost, held, first_link)
    return TAKEN


@kernel
def roll_back(counts: Whole, links: int, transitions: int, chances: int) -> None:
    """Take back what an unfinished decision has added."""
    counts[LINKS] = links
    counts[TRANSITIONS] = transitions
    counts[CHANCES] = chances


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
def choose_atoms(plant: Plant, noise: Noise, scratch: Scratch, before: bool, state: Row) -> int:
    """Write the atoms of the channels of Release and Start, or of those of later stages only.

    Return how many joint atoms there are; -1 where a channel has too many.
    """
    joint = 1
    for c in range(noise.channels.size):
        channel = noise.channels[c]
        if bool(channel.before) != before or not (channel.before or channel.after):
            continue
        scratch.digits[c] = 0
        scratch.atoms[c] = partition(
            plant,
            noise,
            c,
            state,
            scratch.post_flows,
            scratch.asked,
            scratch.u[c],
            scratch.mass[c],
        )
        if scratch.atoms[c] < 1:
            return -1
        joint = min(joint * scratch.atoms[c], 2 * MOST_ATOMS)
    return joint


@kernel
def set_tape(noise: Noise, scratch: Scratch, before: bool) -> float:
    """Write the tape of one joint atom, and return its probability."""
    chance = 1.0
    for c in range(noise.channels.size):
        channel = noise.channels[c]
        if bool(channel.before) == before and (channel.before or channel.after):
            scratch.tape[c] = scratch.u[c, scratch.digits[c]]
            chance *= scratch.mass[c, scratch.digits[c]]
    return chance


@kernel
def advance(noise: Noise, scratch: Scratch, before: bool) -> None:
    """Go on to the next joint atom."""
    for c in range(noise.channels.size):
        channel = noise.channels[c]
        if bool(channel.before) == before and (channel.before or channel.after):
            scratch.digits[c] += 1
            if scratch.digits[c] < scratch.atoms[c]:
                return
            scratch.digits[c] = 0


@kernel
def decide_within(plant: Plant, box: Box, scratch: Scratch) -> int:
    """Write the post-decision state, within the edges of stock; return what became of the asks."""
    status = TAKEN
    if box.is_given:
        for k in range(scratch.asked.size):
            scratch.asked[k] = scratch.wanted[k]
    while True:
        for k in range(scratch.state.size):
            scratch.post[k] = scratch.state[k]
        decide(plant, scratch.post, scratch.asked, scratch.tape, scratch.post_flows)
        i = beyond_edge(plant, box, scratch)
        if i == NONE:
            return status
        if not box.is_given:
            return BLOCKED
        status = HELD
        for s in range(plant.sources.size):
            if brings(plant, s, i):
                scratch.asked[s] = 0.0


@kernel
def brings(plant: Plant, s: int, i: int) -> bool:
    """Return whether a source brings an item, as what it makes or as a by-product."""
    source = plant.sources[s]
    if source.item == i:
        return True
    return source.quality != NONE and plant.qualities[source.quality].by_product == i


@kernel
def beyond_edge(plant: Plant, box: Box, scratch: Scratch) -> int:
    """Return the first item of which a grant exceeds its edge of stock; NONE if there is none."""
    for i in range(plant.items.size):
        granted = 0.0
        position = on_hand(scratch.post, plant.items[i])
        for s in range(plant.sources.size):
            source = plant.sources[s]
            if brings(plant, s, i):
                position += in_process(plant, scratch.post, source)
                granted += scratch.post_flows[source.granted]
        for d in range(plant.demands.size):
            demand = plant.demands[d]
            if demand.item == i and demand.backlog != NONE:
                position -= scratch.post[demand.backlog]
        if granted > 0.0 and position > box.position[i] + 1e-9:
            scratch.held[i] = max(scratch.held[i], granted)
            return i
    return NONE


@kernel
def turn_away(plant: Plant, box: Box, state: Row) -> bool:
    """Turn away who would wait beyond the edge of a backlog; return whether there was anybody."""
    turned = False
    for d in range(plant.demands.size):
        cell = plant.demands[d].backlog
        if cell != NONE and state[cell] > box.backlog[d]:
            state[cell] = box.backlog[d]
            turned = True
    return turned


@kernel
def tidied(x: float) -> float:
    """Return a quantity without the rounding of sums, and without a negative zero."""
    whole = np.floor(x + 0.5)
    if abs(x - whole) < 1e-9:
        return whole + 0.0
    return np.floor(x * 1e9 + 0.5) / 1e9


@kernel
def set_post_key(box: Box, scratch: Scratch) -> None:
    """Write what tells a post-decision state apart."""
    for k in range(box.post_key.size):
        scratch.post_key[k] = tidied(scratch.post[box.post_key[k]])
    for k in range(box.flow_key.size):
        scratch.post_key[box.post_key.size + k] = tidied(scratch.post_flows[box.flow_key[k]])


@kernel
def find_post(found: Found, scratch: Scratch) -> int:
    """Return the number of a post-decision state; -1 - slot where it is new."""
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
    """Add a probability to the next state's, which may be new."""
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
    """Add a post-decision state with the transitions that were written last; return its number."""
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
    """Return the number of the row of probabilities that was written last; it may be an old one."""
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
    """Add a post-decision state to the decision that is being weighed, or to its probability."""
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
    """Add a decision; of two that lead to the same the cheaper one stays."""
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
