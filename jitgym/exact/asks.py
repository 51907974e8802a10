"""Asks: the decisions that are possible in a state, enumerated as code numbers.

The digits of a code describe one decision: the lots asked of each source, the projects that begin,
and one priority order.
"""

from __future__ import annotations

from jitgym.plant.jit import kernel
from jitgym.plant.records import NONE, Plant
from jitgym.plant.stock import on_hand
from jitgym.plant.whole import at_least, whole

from .records import CODE, Box, Scratch, Whole


@kernel
def set_limits(plant: Plant, box: Box, scratch: Scratch) -> None:
    """Limit the lots of each source by the box and by the materials in stock."""
    for s in range(plant.sources.size):
        source = plant.sources[s]
        limit = float(box.most[s])
        for k in range(source.materials, source.materials_end):
            material = plant.materials[k]
            stock = on_hand(scratch.state, plant.items[material.item])
            limit = min(limit, whole(stock / material.quantity * source.per_lot))
        if source.up != NONE and scratch.state[source.up] == 0.0:
            limit = 0.0
        scratch.limits[s] = int(limit)


@kernel
def set_lots(plant: Plant, box: Box, scratch: Scratch, code: int) -> None:
    """Write the lots of each source that a code describes."""
    rest = code // (box.priorities.shape[0] << plant.projects.size)
    for s in range(plant.sources.size):
        scratch.lots[s] = rest % (box.most[s] + 1)
        rest //= box.most[s] + 1


@kernel
def ask(plant: Plant, box: Box, scratch: Scratch, code: int) -> bool:
    """Write what a code asks for; return False if another code has the same effect."""
    sources = plant.sources.size
    way = code % box.priorities.shape[0]
    flags = code // box.priorities.shape[0]
    says = True
    for s in range(sources):
        units = scratch.lots[s] * plant.sources[s].lot
        scratch.asked[s] = units
        scratch.asked[sources + s] = box.priorities[way, s]
        source = plant.sources[s]
        if units > 0.0 and not at_least(units, source.minimum):
            says = False
        if not at_least(source.maximum, units):
            says = False
    for k in range(plant.projects.size):
        begin = (flags >> k) & 1
        scratch.asked[2 * sources + k] = float(begin)
        if begin and scratch.state[plant.projects[k].progress] != 0.0:
            says = False
    return says


@kernel
def next_code(plant: Plant, box: Box, scratch: Scratch, counts: Whole) -> bool:
    """Advance to the next code within the limits of a state; return whether there is one."""
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
