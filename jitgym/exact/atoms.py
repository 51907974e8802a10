"""Atoms: the intervals of one channel's uniform on which the outcome is constant in a state."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from jitgym.plant.demand import drawn_from, foreseen
from jitgym.plant.draws import NOTHING, binomial_tail, negative_binomial_tail
from jitgym.plant.jit import kernel, separate
from jitgym.plant.nature import chance_to_fail
from jitgym.plant.records import NONE, Plant, Record, Row
from jitgym.plant.stock import on_hand
from jitgym.plant.whole import whole

from .noise import (
    ABANDON,
    DEFECTS,
    DRIFT,
    ESCAPES,
    LIFE,
    OBSOLETE,
    PART,
    REGIME,
    UP_DOWN,
    WAITS,
    Noise,
)

Floats = npt.NDArray[np.float64]

NEW_PRODUCT = 100.0  # units: most requests for a new product whose waiting share is enumerated
FINEST = 1e-15  # cuts closer together than this count as one


@kernel
def partition(
    plant: Plant, noise: Noise, c: int, state: Row, flows: Row, asked: Row, u: Row, mass: Row
) -> int:
    """Write representatives and probabilities of a channel's atoms; return how many there are.

    Return -1 if there are too many. `state` and `flows` are those before the stage that reads the
    channel; `asked` holds the asked quantities of the sources.
    """
    channel = noise.channels[c]
    if channel.table != NONE:
        return tabled(plant, noise, channel, state, u, mass)
    return cut_channel(plant, noise, c, state, flows, asked, u, mass)


@separate
def cut_channel(
    plant: Plant, noise: Noise, c: int, state: Row, flows: Row, asked: Row, u: Row, mass: Row
) -> int:
    """Write the atoms of a channel from the cuts of all its readers; see `partition`."""
    channel = noise.channels[c]
    count = 0
    for k in range(channel.cuts, channel.cuts_end):
        count = push(u, count, noise.cuts[k])
    for k in range(channel.readers, channel.readers_end):
        reader = noise.readers[k]
        if reader.kind == UP_DOWN or reader.kind == REGIME:
            count = cut_nature(plant, reader, state, flows, u, count)
        elif reader.kind == LIFE:
            life = plant.lives[plant.demands[reader.index].life]
            size, mean = foreseen(plant, state, life)
            count = cut_negative_binomial(u, count, size, mean)
        elif reader.kind == DRIFT:
            quality = plant.qualities[plant.sources[reader.index].quality]
            if 0.0 < quality.drifts < 1.0:
                _, most = batches(plant, reader.index, state, asked)
                for n in range(1, int(most) + 1):
                    count = push(u, count, 1.0 - (1.0 - quality.drifts) ** n)
        else:
            for which in range(2):
                least, most, chance = hits(plant, noise, reader, which, state, asked)
                count = cut_binomials(u, count, least, most, chance)
    if count >= u.size - 1:
        return -1
    sort(u, count)
    return middles(u, mass, count)


@kernel
def middles(u: Row, mass: Row, count: int) -> int:
    """Replace ascending cuts by the midpoints between them; return how many there are."""
    atoms = 0
    low = 0.0
    for k in range(count + 1):
        high = 1.0
        if k < count:
            high = min(u[k], 1.0)
        if high - low > FINEST:
            u[atoms] = 0.5 * (low + high)
            mass[atoms] = high - low
            atoms += 1
            low = high
    return atoms


@kernel
def tabled(plant: Plant, noise: Noise, channel: Record, state: Row, u: Row, mass: Row) -> int:
    """Write the atoms of the one distribution that reads a channel in this state."""
    which = channel.table
    last = -1
    if channel.of_demand:
        d = channel.table
        demand = plant.demands[d]
        which = drawn_from(plant, state, demand)
        if noise.lost_price[d] == noise.lost_price[d]:
            last = first_lost(plant, noise, which, state, demand)
    count = 0
    for k in range(noise.first[which], noise.first[which + 1]):
        if count >= u.size:
            return -1
        u[count] = noise.u[k]
        mass[count] = noise.mass[k]
        if k == last:
            mass[count] = noise.beyond[k]
            return count + 1
        count += 1
    return count


@kernel
def first_lost(plant: Plant, noise: Noise, which: int, state: Row, demand: Record) -> int:
    """Return the first atom that takes all of the stock; demand beyond it is lost."""
    stock = on_hand(state, plant.items[demand.item])
    for k in range(noise.first[which], noise.first[which + 1]):
        if noise.value[k] >= stock:
            return k
    return -1


@kernel
def lost_beyond(plant: Plant, noise: Noise, c: int, state: Row) -> float:
    """Return the mean cost of the demand that is lost beyond the last atom of `tabled`."""
    channel = noise.channels[c]
    if channel.table == NONE or not channel.of_demand:
        return 0.0
    price = noise.lost_price[channel.table]
    if price != price or price == 0.0:
        return 0.0
    demand = plant.demands[channel.table]
    k = first_lost(plant, noise, drawn_from(plant, state, demand), state, demand)
    if k < 0:
        return 0.0
    return price * (noise.mean_beyond[k] - noise.value[k] * noise.beyond[k])


@kernel
def cut_nature(plant: Plant, reader: Record, state: Row, flows: Row, cuts: Row, count: int) -> int:
    """Append the cuts at which something fails, recovers or changes its regime."""
    k = reader.index
    if reader.kind == UP_DOWN:
        it = plant.ups_and_downs[k]
        if state[it.cell] == 0.0:
            return push(cuts, count, it.repaired)
        return push(cuts, count, chance_to_fail(plant, state, it, flows))
    regime = plant.regimes[k]
    cell = plant.demands[regime.demand].regime
    row = regime.chances + (1 + int(state[cell])) * regime.count
    for j in range(regime.count - 1):
        count = push(cuts, count, plant.numbers[row + j])
    return count


@kernel
def hits(
    plant: Plant, noise: Noise, reader: Record, which: int, state: Row, asked: Row
) -> tuple[float, float, float]:
    """Return the range of units at risk and the probability per unit: (least, most, chance).

    A reader may have two such draws: defects before and after a project.
    """
    k = reader.index
    if DEFECTS <= reader.kind <= ESCAPES:
        least, most = batches(plant, k, state, asked)
        quality = plant.qualities[plant.sources[k].quality]
        if reader.kind == DEFECTS:
            if quality.drifts > 0.0:
                least = 0.0
            if which == 0:
                return least, most, quality.defects
            if quality.project != NONE:
                return least, most, quality.defects_after
        elif which == 0:
            if reader.kind == ESCAPES:
                return 0.0, most, quality.escapes
            if quality.drifts > 0.0:
                return 0.0, most, quality.drifted
        return 0.0, 0.0, 0.0
    if which == 1:
        return 0.0, 0.0, 0.0
    if reader.kind == ABANDON:
        gone = plant.abandonment[k]
        units = state[plant.demands[gone.demand].backlog]
        return units, units, gone.chance
    if reader.kind == OBSOLETE:
        decay = plant.obsolescence[k]
        return 0.0, on_hand(state, plant.items[decay.item]), decay.chance
    if reader.kind == WAITS:
        return 0.0, most_requested(plant, noise, state, k), plant.demands[k].waits
    if reader.kind == PART:
        part = plant.parts[k]
        least = most_certain(plant, noise, k) if part.first else 0.0
        return least, noise.value[noise.first[part.stream + 1] - 1], part.share
    return 0.0, 0.0, 0.0


@kernel
def most_certain(plant: Plant, noise: Noise, p: int) -> float:
    """Return the smallest demand of a stream."""
    return noise.value[noise.first[plant.parts[p].stream]]


@kernel
def most_requested(plant: Plant, noise: Noise, state: Row, d: int) -> float:
    """Return the largest demand that is possible in a period."""
    demand = plant.demands[d]
    which = demand.quantity
    if demand.stream != NONE:
        which = plant.parts[demand.stream].stream
    elif demand.life != NONE:
        return NEW_PRODUCT
    else:
        which = drawn_from(plant, state, demand)
    return noise.value[noise.first[which + 1] - 1]


@kernel
def batches(plant: Plant, s: int, state: Row, asked: Row) -> tuple[float, float]:
    """Return the least and the most units of a source that may arrive in this period."""
    source = plant.sources[s]
    if source.ages == 0:
        most = max(asked[s], 0.0)
        if source.partial != NONE and plant.partials[source.partial].waiting != NONE:
            most += state[plant.partials[source.partial].waiting]
        return 0.0, most
    certain = source.crossover == NONE and source.lead_project == NONE
    if certain and plant.distributions[source.lead_time].channel == NONE:
        due = state[source.pipeline + source.ages - 1]
        return due, due
    most = 0.0
    for k in range(source.ages):
        most += state[source.pipeline + k]
    return 0.0, most


@kernel
def push(cuts: Row, count: int, where: float) -> int:
    """Append a cut; return the new count, or the size of the row if it is full."""
    if count < cuts.size - 1:
        cuts[count] = where
        return count + 1
    return cuts.size


@kernel
def cut_binomials(cuts: Row, count: int, least: float, most: float, chance: float) -> int:
    """Append the steps of the quantile functions of binomials of `least` to `most` units."""
    units = max(whole(least), 0.0)
    most = whole(most)
    while units <= most and count < cuts.size - 1:
        count = cut_binomial(cuts, count, units, chance)
        units += 1.0
    return count


@kernel
def cut_binomial(cuts: Row, count: int, units: float, chance: float) -> int:
    """Append the steps of a binomial's quantile function, summed as in `draws.binomial`."""
    if units < 1.0 or chance <= 0.0 or chance >= 1.0:
        return count
    k, mass = binomial_tail(units, chance)
    odds = chance / (1.0 - chance)
    below = mass
    mean = units * chance
    while k < units and (k < mean or mass > NOTHING) and count < cuts.size - 1:
        count = push(cuts, count, below)
        mass *= odds * (units - k) / (k + 1.0)
        k += 1.0
        below += mass
    return count


@kernel
def cut_negative_binomial(cuts: Row, count: int, size: float, mean: float) -> int:
    """Append the steps of a negative binomial's quantile function, summed as in `draws`."""
    if mean <= 0.0:
        return count
    chance = mean / (size + mean)
    k, mass = negative_binomial_tail(size, mean)
    below = mass
    # Less than 1e-13 of the mass lies beyond the last cut; it counts as the value there.
    while below < 1.0 - 1e-13 and (k < mean or mass > NOTHING) and count < cuts.size - 1:
        count = push(cuts, count, below)
        mass *= chance * (size + k) / (k + 1.0)
        k += 1.0
        below += mass
    return count


@kernel
def sort(row: Row, count: int) -> None:
    """Sort the first cells of a row, ascending (Shell 1959)."""
    gap = count // 2
    while gap > 0:
        for i in range(gap, count):
            x = row[i]
            j = i
            while j >= gap and row[j - gap] > x:
                row[j] = row[j - gap]
                j -= gap
            row[j] = x
        gap //= 2
