"""Enumeration: from a plant and a box to the arrays of a finite Markov decision process.

The compiled walk finds the states, decisions and transitions. This module allocates its arrays,
enlarges them when they are full, and trims them at the end. It checks the memory before it
allocates, and refuses to exceed a limit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jitgym.plant import Layout
from jitgym.plant.records import NONE

from .errors import NotFinite, TooLarge
from .hashing import fill, fill_digests, find_all
from .model import Arrays
from .noise import WIDEST, Tabled
from .records import (
    CHANCES,
    DECISIONS,
    LAWS,
    LINKS,
    POSTS,
    STATES,
    TRANSITIONS,
    Box,
    Found,
    Scratch,
)
from .walk import DONE, GROW, LONG, MOST_ATOMS, WAIT, WIDE, walk

Floats = npt.NDArray[np.float64]

MEMORY = 6_000_000_000
"""Bytes that an enumeration may take by default."""

FIRST_ROOM = 1 << 12
WIDTH = 1024  # least room for the atoms of a channel

# The arrays that each count fills.
GROWING = {
    STATES: ("states", "seen", "place", "first"),
    DECISIONS: ("cost", "code", "held", "link_first"),
    LINKS: ("link_post", "link_prob"),
    POSTS: (
        "post_cost",
        "post_edge",
        "post_first",
        "post_law",
        "owner",
        "owner_decision",
        "digests",
    ),
    TRANSITIONS: ("next",),
    LAWS: ("law_first", "law_digests"),
    CHANCES: ("law_prob",),
}


@dataclass(frozen=True)
class Enumerated:
    """The enumerated process, and the meaning of its states and decisions."""

    arrays: Arrays
    states: Floats  # rows of key cells, (states, key cells)
    slots: npt.NDArray[np.int32]  # hash table of the states
    code: npt.NDArray[np.int64]  # what each decision asks for
    edge: Floats  # probability that demand is turned away after a post-decision state, (posts,)
    held: Floats  # probability that orders of a given policy are held back, (decisions,)
    held_back: Floats  # largest grant of each item that was held back, in units
    start: Floats  # probability that an episode starts in each state, (states,)
    box: Box

    def find(self, rows: Floats) -> npt.NDArray[np.int64]:
        """Return the state number of each row of key cells; -1 where it is not a state."""
        return find_rows(self.states, self.slots, rows)

    def asked(self, layout: Layout, decisions: npt.NDArray[np.int64]) -> Floats:
        """Return what the decisions ask for, (decisions, asked cells)."""
        return asked_by(layout, self.box, self.code[decisions])


def find_rows(states: Floats, slots: npt.NDArray[np.int32], rows: Floats) -> npt.NDArray[np.int64]:
    """Return the state number of each row of key cells; -1 where there is none."""
    rows = np.ascontiguousarray(rows)
    found = np.empty(rows.shape[0], dtype=np.int64)
    find_all(states, slots, rows, rows.view(np.uint64), found)
    return found


def asked_by(layout: Layout, box: Box, code: npt.NDArray[np.int64]) -> Floats:
    """Return what codes of decisions ask for, (codes, asked cells); see `asks`."""
    plant = layout.plant
    sources = plant.sources.size
    asked = np.zeros((code.size, layout.asked_cells))
    rest, way = np.divmod(code, box.priorities.shape[0])
    asked[:, sources : 2 * sources] = box.priorities[way]
    rest, flags = np.divmod(rest, 1 << plant.projects.size)
    for k in range(plant.projects.size):
        asked[:, 2 * sources + k] = (flags >> k) & 1
    for s in range(sources):
        rest, lots = np.divmod(rest, box.most[s] + 1)
        asked[:, s] = lots * plant.sources[s]["lot"]
    return asked


def key_cells(layout: Layout) -> npt.NDArray[np.int32]:
    """Return the cells that tell states apart when a decision is due.

    The first cell of a pipeline is left out: it is 0 until something is granted in this period.
    """
    empty = {int(s["pipeline"]) for s in layout.plant.sources if s["ages"] > 0}
    kept = [k for k in range(layout.key_cells) if k not in empty]
    return np.array(kept, dtype=np.int32)


def flow_cells(layout: Layout) -> npt.NDArray[np.int32]:
    """Return the flows of Release and Start that later stages read."""
    plant = layout.plant
    cells = {int(it["made"]) for it in plant.ups_and_downs if it["made"] != NONE}
    cells |= {int(saving["flow"]) for saving in plant.savings}
    return np.array(sorted(cells), dtype=np.int32)


def enumerate_states(
    layout: Layout,
    tabled: Tabled,
    box: Box,
    *,
    memory: float = MEMORY,
    given: Callable[[Floats], Floats] | None = None,
) -> Enumerated:
    """Return everything that can be reached from the first states.

    Parameters
    ----------
    layout, tabled
        The plant and its noise.
    box
        The decisions and states that are considered.
    memory
        Bytes that may be used.
    given
        Function from state rows to what is asked in each, (states, asked cells): the only decision
        of each state. Without it, every decision of the box is considered.

    Raises
    ------
    TooLarge
        If the enumeration would take more memory than allowed.
    NotFinite
        If a channel has too many atoms.
    """
    walker = _Walker(layout, tabled, box, memory, mixed=_is_mixed(tabled))
    rows, chances = first_states(layout)
    walker.place(rows[:, box.key])
    asked = np.zeros((0, layout.asked_cells))
    while True:
        status = walk(layout.plant, tabled.noise, box, asked, walker.scratch, walker.found)
        if status == DONE:
            break
        if status == GROW:
            walker.grow()
        elif status == WAIT:
            assert given is not None
            known = asked.shape[0]
            states = walker.rows(known)
            asked = _extended(asked, given(states))
        else:
            walker.refuse(status)
    return walker.result(chances)


def _is_mixed(tabled: Tabled) -> bool:
    channels = tabled.noise.channels
    return bool(np.any(channels["before"] == 1)) and not tabled.noise.is_joint


def _extended(rows: Floats, more: Floats) -> Floats:
    return np.ascontiguousarray(np.concatenate([rows, more]))


def first_states(layout: Layout) -> tuple[Floats, Floats]:
    """Return the states in which an episode may begin, and their probabilities.

    The first regime of each demand is drawn from the long-run shares.
    """
    plant = layout.plant
    rows, chances = plant.initial[np.newaxis].copy(), np.ones(1)
    for regime in plant.regimes:
        count, first = int(regime["count"]), int(regime["chances"])
        shares = np.diff(plant.numbers[first : first + count], prepend=0.0)
        rows = np.repeat(rows, count, axis=0)
        rows[:, plant.demands[regime["demand"]]["regime"]] = np.tile(np.arange(count), chances.size)
        chances = (chances[:, np.newaxis] * shares).ravel()
    kept = chances > 0
    return rows[kept], chances[kept]


class _Walker:
    """The arrays of a walk, enlarged as needed."""

    def __init__(
        self, layout: Layout, tabled: Tabled, box: Box, memory: float, mixed: bool
    ) -> None:
        self.layout, self.box, self.memory, self.mixed = layout, box, memory, mixed
        self.scratch = _scratch(layout, tabled, box)
        self.found = _found(box, mixed)

    def place(self, keys: Floats) -> None:
        """Add the first states."""
        found = self.found
        keys = np.ascontiguousarray(keys + 0.0)
        assert 2 * keys.shape[0] < found.slots.size
        found.states[: keys.shape[0]] = keys
        fill(keys.view(np.uint64), keys.shape[0], found.slots)
        found.counts[STATES] = keys.shape[0]
        found.seen[: keys.shape[0]] = -1

    def rows(self, since: int) -> Floats:
        """Return the state rows from number `since` on."""
        keys = self.found.states[since : self.found.counts[STATES]]
        rows = np.zeros((keys.shape[0], self.layout.cells))
        rows[:, self.box.key] = keys
        return rows

    def grow(self) -> None:
        """Enlarge by half the arrays that are more than half full.

        If one decision alone needs more than the room that is left, all arrays are enlarged. What
        that decision had added has been taken back.
        """
        counts, found = self.found.counts, self.found._asdict()
        one = not any(
            2 * counts[count] > found[name].shape[0] > 1
            for count, names in GROWING.items()
            for name in names
        )
        wanted = {
            name: 3 * found[name].shape[0] // 2
            for count, names in GROWING.items()
            for name in names
            if found[name].shape[0] > 1 and (2 * counts[count] > found[name].shape[0] or one)
        }
        needed = sum(
            array.nbytes * (1.5 if name in wanted else 1.0) for name, array in found.items()
        )
        if needed > self.memory:
            raise TooLarge(
                f"{self.layout.scenario.file}: {counts[STATES]:,} states, "
                f"{counts[DECISIONS]:,} decisions and {counts[TRANSITIONS]:,} transitions so far, "
                f"and more to come, would take {needed / 1e9:.1f} GB; at most "
                f"{self.memory / 1e9:.1f} GB are allowed: allow more memory, or use larger units"
            )
        for name, size in wanted.items():
            array = found[name]
            larger = np.zeros((size, *array.shape[1:]), dtype=array.dtype)
            larger[: array.shape[0]] = array
            found[name] = larger
        found["law_bits"] = found["law_prob"].view(np.uint64)
        slots = _rehash(found, counts)
        self.found = Found(**(found | slots))

    def refuse(self, status: int) -> None:
        """Raise the error that explains why the walk cannot go on."""
        file = self.layout.scenario.file
        if status == LONG:
            raise TooLarge(
                f"{file}: one period has more than {MOST_ATOMS:,} possible outcomes, because too "
                "many random quantities are drawn together; make some of them constant"
            )
        assert status == WIDE
        raise NotFinite(
            f"{file}: a draw that depends on a quantity (customers who leave, defective units, "
            f"sales of a new product) takes more than {self.scratch.u.shape[1]:,} values; use "
            "larger units"
        )

    def result(self, chances: Floats) -> Enumerated:
        """Return what was found, with the arrays trimmed."""
        found, counts = self.found, self.found.counts
        states, decisions, posts = counts[STATES], counts[DECISIONS], counts[POSTS]
        arrays = Arrays(
            first=found.first[: states + 1],
            cost=found.cost[:decisions],
            link_first=found.link_first[: decisions + 1] if self.mixed else found.link_first,
            link_post=found.link_post[: counts[LINKS]],
            link_prob=found.link_prob[: counts[LINKS]] if self.mixed else found.link_prob[:0],
            post_cost=found.post_cost[:posts],
            post_first=found.post_first[:posts],
            post_law=found.post_law[:posts],
            next=found.next[: counts[TRANSITIONS]],
            law_first=found.law_first[: counts[LAWS] + 1],
            law_prob=found.law_prob[: counts[CHANCES]],
        )
        start = np.zeros(states)
        start[: chances.size] = chances
        return Enumerated(
            arrays,
            found.states[:states],
            found.slots,
            found.code[:decisions],
            found.post_edge[:posts],
            found.held[:decisions],
            self.scratch.held,
            start,
            self.box,
        )


def _rehash(
    found: dict[str, npt.NDArray[np.generic]], counts: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[np.int32]]:
    """Return new hash tables, at most half full, for the arrays that grew."""
    tables: dict[str, npt.NDArray[np.int32]] = {}
    for slots, rows, count in (
        ("slots", "states", STATES),
        ("post_slots", "digests", POSTS),
        ("law_slots", "law_digests", LAWS),
    ):
        size = 1 << (2 * found[rows].shape[0]).bit_length()
        if found[slots].size >= size:
            continue
        tables[slots] = np.zeros(size, dtype=np.int32)
        bits = found[rows].view(np.uint64)
        (fill if rows == "states" else fill_digests)(bits, counts[count], tables[slots])
    return tables


def _scratch(layout: Layout, tabled: Tabled, box: Box) -> Scratch:
    plant, noise = layout.plant, tabled.noise
    width = min(WIDEST, max(WIDTH, int(np.diff(noise.first).max(initial=1)) + 2, noise.cuts.size))
    channels = plant.channels.size
    key = np.zeros(box.key.size)
    post_key = np.zeros(box.post_key.size + box.flow_key.size)
    return Scratch(
        state=np.zeros(layout.cells),
        asked=np.zeros(layout.asked_cells),
        wanted=np.zeros(layout.asked_cells),
        held=np.zeros(plant.items.size),
        tape=np.zeros(channels),
        post=np.zeros(layout.cells),
        post_flows=np.zeros(layout.flow_cells),
        next=np.zeros(layout.cells),
        flows=np.zeros(layout.flow_cells),
        booked=np.zeros(len(layout.terms)),
        u=np.zeros((channels, width)),
        mass=np.zeros((channels, width)),
        atoms=np.zeros(channels, dtype=np.int64),
        digits=np.zeros(channels, dtype=np.int64),
        lots=np.zeros(plant.sources.size, dtype=np.int64),
        limits=np.zeros(plant.sources.size, dtype=np.int64),
        key=key,
        bits=key.view(np.uint64),
        post_key=post_key,
        post_bits=post_key.view(np.uint64),
    )


def _found(box: Box, mixed: bool) -> Found:
    room = FIRST_ROOM
    law_prob = np.zeros(room)
    links = room if mixed else 1
    return Found(
        counts=np.zeros(10, dtype=np.int64),
        states=np.zeros((room, box.key.size)),
        slots=np.zeros(4 * room, dtype=np.int32),
        seen=np.zeros(room, dtype=np.int64),
        place=np.zeros(room, dtype=np.int64),
        first=np.zeros(room, dtype=np.int64),
        cost=np.zeros(room),
        code=np.zeros(room, dtype=np.int64),
        held=np.zeros(room if box.is_given else 1),
        link_first=np.zeros(links, dtype=np.int64),
        link_post=np.zeros(room, dtype=np.int32),
        link_prob=np.zeros(links),
        post_cost=np.zeros(room),
        post_edge=np.zeros(room),
        post_first=np.zeros(room, dtype=np.int64),
        post_law=np.zeros(room, dtype=np.int32),
        owner=np.zeros(room, dtype=np.int32),
        owner_decision=np.zeros(room, dtype=np.int64),
        digests=np.zeros((room, 2), dtype=np.uint64),
        post_slots=np.zeros(4 * room, dtype=np.int32),
        next=np.zeros(room, dtype=np.int32),
        law_first=np.zeros(room, dtype=np.int64),
        law_prob=law_prob,
        law_digests=np.zeros((room, 1), dtype=np.uint64),
        law_bits=law_prob.view(np.uint64),
        law_slots=np.zeros(4 * room, dtype=np.int32),
    )
