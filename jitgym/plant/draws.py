"""Draws: the uniforms of one period, and a distribution's value for one of them."""

from __future__ import annotations

import numpy as np

from .jit import kernel
from .records import NONE, REPLAYED, Plant, Record, Row
from .tape import uniform


@kernel
def read_tape(plant: Plant, key: np.uint64, split: int, period: int, tape: Row) -> None:
    """Fill the tape row, (channels,), of a period of the episode with this key."""
    for k in range(plant.channels.size):
        channel = plant.channels[k]
        if channel.kind == REPLAYED:
            tape[k] = replay(plant, channel, key, split, period)
        else:
            tape[k] = uniform(key, np.uint64(period), channel.number)


@kernel
def replay(plant: Plant, channel: Record, key: np.uint64, split: int, period: int) -> float:
    """Return the recorded value of a period: in order, or from moving blocks (Kuensch 1989)."""
    record = plant.recorded[channel.recorded, split]
    if record.block == 0:
        return plant.series[record.first + period % record.length]
    # Each block begins anywhere in the series, with equal chance.
    u = uniform(key, np.uint64(period // record.block), channel.number)
    start = int(u * (record.length - record.block + 1))
    return plant.series[record.first + start + period % record.block]


@kernel
def draw(plant: Plant, which: int, tape: Row) -> float:
    """Return the value of a distribution for this period's uniform."""
    distribution = plant.distributions[which]
    if distribution.channel == NONE:
        return plant.values[distribution.first]
    u = tape[distribution.channel]
    if distribution.replayed:
        return u
    step = plant.guides[distribution.guide + int(u * distribution.guides)]
    while plant.ends[step] <= u:
        step += 1
    return plant.values[step]
