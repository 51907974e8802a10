"""Hash tables for rows of numbers: open addressing on the bits of the numbers.

States are compared number by number. Post-decision states are far more numerous: only two 64-bit
digests of each are kept (some two of n different ones share both with a probability of about n^2 /
2^129). A slot holds 1 + the number of an entry, or 0 if it is free. The size of a table is a power
of two, and a table is at most half full.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.plant.jit import compiled, kernel
from jitgym.plant.tape import mix

Bits = npt.NDArray[np.uint64]
Slots = npt.NDArray[np.int32]
Matrix = npt.NDArray[np.float64]

SEED = np.uint64(0x243F6A8885A308D3)
OTHER_SEED = np.uint64(0x13198A2E03707344)


@kernel
def digest(bits: Bits, count: int, seed: np.uint64) -> np.uint64:
    """Return a digest of the first `count` words of a row."""
    h = seed
    for k in range(count):
        h = mix(h ^ bits[k])
    return h


@kernel
def place_of(h: np.uint64, slots: Slots) -> int:
    """Return the slot at which the search for a digest begins."""
    slot: Any = np.int64(h & np.uint64(slots.size - 1))
    return slot


@kernel
def after(slot: int, slots: Slots) -> int:
    """Return the next slot."""
    return (slot + 1) & (slots.size - 1)


@kernel
def is_same(states: Matrix, i: int, key: npt.NDArray[np.float64]) -> bool:
    """Return whether state i has this key."""
    for k in range(key.size):  # noqa: SIM110 (no generators in compiled code)
        if states[i, k] != key[k]:
            return False
    return True


@kernel
def find(states: Matrix, slots: Slots, key: npt.NDArray[np.float64], bits: Bits) -> int:
    """Return the number of the state with this key; -1 - slot if there is none."""
    slot = place_of(digest(bits, key.size, SEED), slots)
    while slots[slot] != 0:
        if is_same(states, slots[slot] - 1, key):
            return slots[slot] - 1
        slot = after(slot, slots)
    return -1 - slot


@compiled
def find_all(
    states: Matrix, slots: Slots, rows: Matrix, bits: npt.NDArray[np.uint64], found: Any
) -> None:
    """Write the state number of each row, or -1 if there is none."""
    for e in range(rows.shape[0]):
        found[e] = max(find(states, slots, rows[e], bits[e]), -1)


@compiled
def fill(bits: npt.NDArray[np.uint64], count: int, slots: Slots) -> None:
    """Fill an empty table with the rows of these bits, which must all differ."""
    for i in range(count):
        slot = place_of(digest(bits[i], bits.shape[1], SEED), slots)
        while slots[slot] != 0:
            slot = after(slot, slots)
        slots[slot] = i + 1


@compiled
def fill_digests(digests: npt.NDArray[np.uint64], count: int, slots: Slots) -> None:
    """Fill an empty table with the entries of these digests, (entries, 1 or 2)."""
    for i in range(count):
        slot = place_of(digests[i, 0], slots)
        while slots[slot] != 0:
            slot = after(slot, slots)
        slots[slot] = i + 1
