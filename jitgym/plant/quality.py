"""Inspection on arrival: good units, scrap or by-products, and missed defects."""

from __future__ import annotations

import math

import numpy as np

from .draws import share_of
from .jit import kernel
from .nature import is_done
from .records import NONE, Plant, Record, Row
from .stock import put


@kernel
def inspect(
    plant: Plant, state: Row, source: Record, quantity: float, tape: Row, flows: Row
) -> None:
    """Good units enter stock; defects that inspection finds are scrap or a by-product.

    All units that arrive in a period are one batch. With drift, the number of units made before the
    process goes out of control is geometric, and at most the batch (Porteus 1986).
    """
    item = plant.items[source.item]
    good = quantity
    if source.quality != NONE:
        quality = plant.qualities[source.quality]
        u = quality.channel  # four cells: drift, defects, defects out of control, escapes
        drifted = 0.0
        if quality.drifts > 0.0:
            drifted = quantity - units_in_control(tape[u], quantity, quality.drifts)
        chance = quality.defects
        if is_done(plant, state, quality.project):
            chance = quality.defects_after
        defective = share_of(tape[u + 1], quantity - drifted, chance)
        defective += share_of(tape[u + 2], drifted, quality.drifted)
        escaped = share_of(tape[u + 3], defective, quality.escapes)
        found = defective - escaped
        good = quantity - found
        flows[quality.escaped] += escaped
        flows[source.defective] += found
        if quality.by_product != NONE:
            put(state, plant.items[quality.by_product], found, flows)
        else:
            flows[quality.scrapped] += found
    put(state, item, good, flows)
    flows[source.received] += good


@kernel
def units_in_control(u: float, units: float, drifts: float) -> float:
    """Return the units of a batch made before the process drifts, N: P(N >= n) = (1 - q)^n."""
    if drifts >= 1.0:
        return 0.0
    return min(units, np.floor(math.log1p(-u) / math.log1p(-drifts)))
