"""Gates: orders of a pull rule that wait until a setup or a trip is worth it.

They act after all sources are asked, in this order:

    setup   an order is kept if it is at least a run, or if its work center is set up for it
    joint   a carrier goes if one order must go, or if all orders that can go are at least a load;
            then the orders that can go are kept

An order *must* go if it is at least `must` units, and *can* go if it is at least `must` or `can`
units. All other orders are 0. Orders of sources without a gate are kept.

A setup gate is that of heijunka. A joint gate is a can-order policy (Balintfy 1964) with, in
addition, a least load of the carrier. Quantities are in units.
"""

from __future__ import annotations

import numpy as np

from jitgym.plant.jit import kernel
from jitgym.plant.records import NONE, PLACE, Matrix, Records, Row
from jitgym.plant.whole import at_least, is_some

# The columns of a gate's thresholds; a setup gate has only the first one.
MUST, CAN, LOAD = range(3)

GATE = np.dtype(
    [
        ("source", PLACE),
        ("setup", "i4"),  # state cell of its work center's setup; NONE at a joint gate
        # The end of its carrier's rows of gates, at the first of them; 0 elsewhere.
        ("crew_end", "i4"),
    ],
    align=True,
)


@kernel
def hold_back(gates: Records, thresholds: Matrix, state: Row, asked: Row) -> None:
    """Set the orders that a gate holds back to 0; `thresholds` is (gates, 3), in units."""
    for k in range(gates.size):
        source = gates[k].source
        if gates[k].setup != NONE:
            is_set_up = state[gates[k].setup] == source + 1.0
            if not is_set_up and not at_least(asked[source], thresholds[k, MUST]):
                asked[source] = 0.0
        elif gates[k].crew_end > 0:
            goes, load = False, 0.0
            for j in range(k, gates[k].crew_end):
                units = asked[gates[j].source]
                if not can_go(units, thresholds[j]):
                    asked[gates[j].source] = 0.0
                    continue
                load += units
                if at_least(units, thresholds[j, MUST]):
                    goes = True
            if not goes and not at_least(load, thresholds[k, LOAD]):
                for j in range(k, gates[k].crew_end):
                    asked[gates[j].source] = 0.0


@kernel
def can_go(units: float, thresholds: Row) -> bool:
    """Return whether an order goes if its carrier goes."""
    enough = at_least(units, thresholds[CAN]) or at_least(units, thresholds[MUST])
    return bool(enough and is_some(units))
