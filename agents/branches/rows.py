"""Rows: plants that each run their own episode at their own period, stepped by compiled code."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from jitgym.plant.draws import read_tape
from jitgym.plant.dynamics import begin, step
from jitgym.plant.jit import compiled
from jitgym.plant.records import Matrix, Plant, Row

Keys = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]


@compiled
def advance_rows(
    plant: Plant,
    tape: Row,
    flows: Row,
    split: int,
    keys: Keys,
    periods: Places,
    state: Matrix,
    asked: Matrix,
    cost: Row,
) -> None:
    """Run one period of every row, (rows,), and write its cost in money.

    Row e is in period `periods[e]` of the episode with key `keys[e]`.
    """
    for e in range(state.shape[0]):
        read_tape(plant, keys[e], split, periods[e], tape)
        step(plant, state[e], asked[e], tape, flows)
        total = 0.0
        for k in range(plant.prices.size):
            total += plant.prices[k].price * flows[plant.prices[k].flow]
        cost[e] = total


@compiled
def begin_all(plant: Plant, state: Matrix, keys: Keys) -> None:
    """Put every row at the start of the episode with its key."""
    for e in range(state.shape[0]):
        begin(plant, state[e], keys[e])


@compiled
def compare_rows(
    state: Matrix,
    memory: Matrix,
    cost: Row,
    of: Places,
    cells: int,
    weight: float,
    difference: Row,
    has_met: npt.NDArray[np.bool_],
) -> None:
    """Add up what each variant costs more than its incumbent, and see whether the two have met.

    The first rows are the incumbents; row `first + v` is variant v, of the incumbent `of[v]`. They
    have met if the cells that determine the future and their memories are equal.
    """
    first = state.shape[0] - of.size
    for v in range(of.size):
        own, other = first + v, of[v]
        difference[v] += weight * (cost[own] - cost[other])
        is_equal = True
        for c in range(cells):
            if state[own, c] != state[other, c]:
                is_equal = False
                break
        if is_equal:
            for c in range(memory.shape[1]):
                if memory[own, c] != memory[other, c]:
                    is_equal = False
                    break
        has_met[v] = is_equal
