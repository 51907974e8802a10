"""The walk: every state that can be reached, every decision in it, and the resulting states.

States are processed in the order in which they are found. A decision is all that is asked of the
sources in one period. It leads by Release and Start (`decide`) to a post-decision state, and from
there the rest of the period (`happen`) leads to the next states, over all atoms of the noise. Both
functions are those of the simulator.

Where Release or Start read noise of their own (a random capacity), a decision leads to several
post-decision states, each with its probability. Where they share a channel with later stages (the
events of one clock), a decision leads to the next states in one step.
"""

from __future__ import annotations

from jitgym.plant.dynamics import decide, happen
from jitgym.plant.jit import compiled, kernel, separate
from jitgym.plant.ledger import book
from jitgym.plant.records import NONE, Plant, Row

from .asks import ask, next_code, set_limits, set_lots
from .atoms import lost_beyond, partition
from .edges import beyond_edge, brings, turn_away
from .found import (
    add_decision,
    add_link,
    add_post,
    add_transition,
    find_post,
    is_full,
    roll_back,
    set_post_key,
)
from .noise import Noise
from .records import (
    AT,
    CHANCES,
    CODE,
    DECISIONS,
    LINKS,
    STAMP,
    STATES,
    TRANSITIONS,
    Box,
    Floats,
    Found,
    Scratch,
)

RARE = 1e-15  # joint atoms with a lower probability are left out
MOST_ATOMS = 20_000_000  # most joint atoms of one post-decision state

# Results of a walk or of a decision; the first three stop the walk.
GROW, WIDE, LONG, DONE, WAIT, TAKEN, BLOCKED, HELD = range(8)


@compiled
def walk(
    plant: Plant, noise: Noise, box: Box, given: Floats, scratch: Scratch, found: Found
) -> int:
    """Continue until everything is found or something is missing; return which.

    Every decision of a state is tried, starting from the current code, or only the given one.
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


@separate
def weigh(
    plant: Plant, noise: Noise, box: Box, scratch: Scratch, found: Found, i: int, code: int
) -> int:
    """Add one decision: its immediate cost, and the post-decision states that it leads to."""
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
def choose_atoms(plant: Plant, noise: Noise, scratch: Scratch, before: bool, state: Row) -> int:
    """Write the atoms of the channels of Release and Start, or of those of later stages only.

    Return the number of joint atoms; -1 if a channel has too many.
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
    """Write the tape of one joint atom; return its probability."""
    chance = 1.0
    for c in range(noise.channels.size):
        channel = noise.channels[c]
        if bool(channel.before) == before and (channel.before or channel.after):
            scratch.tape[c] = scratch.u[c, scratch.digits[c]]
            chance *= scratch.mass[c, scratch.digits[c]]
    return chance


@kernel
def advance(noise: Noise, scratch: Scratch, before: bool) -> None:
    """Advance to the next joint atom."""
    for c in range(noise.channels.size):
        channel = noise.channels[c]
        if bool(channel.before) == before and (channel.before or channel.after):
            scratch.digits[c] += 1
            if scratch.digits[c] < scratch.atoms[c]:
                return
            scratch.digits[c] = 0


@kernel
def decide_within(plant: Plant, box: Box, scratch: Scratch) -> int:
    """Write the post-decision state within the edges of stock; return the resulting status."""
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
