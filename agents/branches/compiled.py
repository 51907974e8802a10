"""Lockstep in machine code, for pull rules that a net corrects: the same results as `lockstep`.

An incumbent and its variants take turns period by period, and read one row of the tape together.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from jitgym.control.net import Corrector, ask_by_net
from jitgym.plant.draws import read_tape
from jitgym.plant.dynamics import step
from jitgym.plant.jit import compiled, kernel
from jitgym.plant.records import Matrix, Plant, Row

from .rows import Keys, Places


@kernel
def cost_of(plant: Plant, flows: Row) -> float:
    """Return the cost of a period, in money."""
    total = 0.0
    for k in range(plant.prices.size):
        total += plant.prices[k].price * flows[plant.prices[k].flow]
    return total


@compiled
def run_pairs(
    plant: Plant,
    tape: Row,
    flows: Row,
    policy: Corrector,
    split: int,
    keys: Keys,
    periods: Places,
    state: Matrix,
    asked: Matrix,
    varied: Matrix,
    of: Places,
    cells: int,
    ends: int,
    cap: int,
    rows: Matrix,
    asks: Matrix,
    alive: npt.NDArray[np.bool_],
    difference: Row,
    has_met: npt.NDArray[np.bool_],
) -> int:
    """Write what each variant costs more than its incumbent, and whether they met; see `branch`.

    `rows`, `asks` and `alive` are working rows of one more than the most variants of an incumbent;
    row 0 is the incumbent. Returns the number of simulated periods.
    """
    done, last = 0, 0
    for g in range(keys.size):
        first = last
        while last < of.size and of[last] == g:
            last += 1
        count = last - first
        for r in range(count + 1):
            for c in range(state.shape[1]):
                rows[r, c] = state[g, c]
            for c in range(asked.shape[1]):
                asks[r, c] = asked[g, c] if r == 0 else varied[first + r - 1, c]
            alive[r] = True
        living, weight = count, 1.0
        for t in range(cap):
            if living == 0:
                break
            period = periods[g] + t
            read_tape(plant, keys[g], split, period, tape)
            base = 0.0
            for r in range(count + 1):
                if not alive[r]:
                    continue
                if t > 0:
                    ask_by_net(plant, policy, rows[r], asks[r])
                step(plant, rows[r], asks[r], tape, flows)
                done += 1
                cost = cost_of(plant, flows)
                if r == 0:
                    base = cost
                    continue
                v = first + r - 1
                difference[v] += weight * (cost - base)
                is_equal = period + 1 >= ends
                if not is_equal:
                    is_equal = True
                    for c in range(cells):
                        if rows[r, c] != rows[0, c]:
                            is_equal = False
                            break
                if is_equal:
                    has_met[v], alive[r] = True, False
                    living -= 1
            weight *= plant.discount
    return done
