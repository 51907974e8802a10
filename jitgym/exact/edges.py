"""Edges: the limits on stock and backlog that keep the number of states finite.

A decision that would exceed an edge of stock is not allowed; orders of a given policy that would
exceed it are held back. Demand beyond an edge of backlog is turned away.
"""

from __future__ import annotations

from jitgym.plant.dynamics import in_process
from jitgym.plant.jit import kernel
from jitgym.plant.records import NONE, Plant, Row
from jitgym.plant.stock import on_hand
from jitgym.plant.whole import at_least

from .records import Box, Scratch


@kernel
def beyond_edge(plant: Plant, box: Box, scratch: Scratch) -> int:
    """Return the first item whose grant exceeds its edge of stock; NONE if there is none."""
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
        if granted > 0.0 and not at_least(box.position[i], position):
            scratch.held[i] = max(scratch.held[i], granted)
            return i
    return NONE


@kernel
def brings(plant: Plant, s: int, i: int) -> bool:
    """Return whether a source brings an item, as its product or as a by-product."""
    source = plant.sources[s]
    if source.item == i:
        return True
    return source.quality != NONE and plant.qualities[source.quality].by_product == i


@kernel
def turn_away(plant: Plant, box: Box, state: Row) -> bool:
    """Turn away customers beyond the edge of a backlog; return whether there were any."""
    turned = False
    for d in range(plant.demands.size):
        cell = plant.demands[d].backlog
        if cell != NONE and state[cell] > box.backlog[d]:
            state[cell] = box.backlog[d]
            turned = True
    return turned
