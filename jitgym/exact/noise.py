"""Noise: the draws that read each channel of the tape, and the probabilities of their outcomes.

A draw is a step function of one uniform. A channel is cut wherever a draw that reads it steps.
Between two cuts nothing changes: one uniform, the midpoint, represents the interval, and the length
of the interval is its probability. Cuts that depend on the state (how many of q waiting customers
leave) are made state by state in `atoms`; the others are tabled here.

Atoms with a total probability below `CUT` are left out, and the probability left out is reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from jitgym.distributions import Regimes
from jitgym.plant import Layout, Plant
from jitgym.plant.records import NONE, REPLAYED

from .errors import NotFinite

CUT = 1e-12
"""Largest probability per period of all tails together that are left out."""

WIDEST = 4096
"""Most atoms of one channel; more are refused."""

# The kinds of readers of a channel.
(
    STEPS,
    DEMAND,
    UP_DOWN,
    ABANDON,
    WAITS,
    OBSOLETE,
    PART,
    DRIFT,
    DEFECTS,
    DEFECTS_DRIFTED,
    ESCAPES,
    LIFE,
    REGIME,
    HAZARD,
) = range(14)

READER = np.dtype([("channel", "i4"), ("kind", "i4"), ("index", "i4")], align=True)
CHANNEL = np.dtype(
    [
        ("before", "i4"),  # 1 where Release or Start reads it
        ("after", "i4"),  # 1 where a later stage reads it
        ("readers", "i4"),  # first and last row of `readers`
        ("readers_end", "i4"),
        ("cuts", "i4"),  # first and last row of `cuts`: the cuts in every state
        ("cuts_end", "i4"),
        ("table", "i4"),  # demand or distribution that is its only reader, or NONE
        ("of_demand", "i4"),  # 1 where `table` is a demand
    ],
    align=True,
)


class Noise(NamedTuple):
    """What compiled code knows about the channels."""

    channels: npt.NDArray[Any]  # CHANNEL, (channels,)
    readers: npt.NDArray[Any]  # READER, by channel
    cuts: npt.NDArray[np.float64]
    first: npt.NDArray[np.int32]  # first atom of each distribution, (distributions + 1,)
    u: npt.NDArray[np.float64]  # representative of each atom
    mass: npt.NDArray[np.float64]  # its probability
    value: npt.NDArray[np.float64]
    beyond: npt.NDArray[np.float64]  # probability of it and of the later atoms of its distribution
    mean_beyond: npt.NDArray[np.float64]  # their mean value times that probability
    lost_price: npt.NDArray[np.float64]  # cost of a lost unit, (demands,); nan: do not merge atoms
    is_joint: bool  # whether one channel is read both by Release or Start and later


@dataclass(frozen=True)
class Tabled:
    """The noise of a plant, and the probability of the tails left out."""

    noise: Noise
    cut: float  # probability per period


def table(layout: Layout) -> Tabled:
    """Return the noise of a plant; raise NotFinite if it cannot be enumerated."""
    _expect_finite(layout)
    plant = layout.plant
    readers = sorted(_readers(plant))
    _expect_all_read(layout, readers)
    channels = np.zeros(plant.channels.size, dtype=CHANNEL)
    cuts: list[float] = []
    for c in range(channels.size):
        own = [reader for reader in readers if reader[0] == c]
        _describe(plant, channels[c], own)
        channels[c]["readers"] = sum(reader[0] < c for reader in readers)
        channels[c]["readers_end"] = channels[c]["readers"] + len(own)
        channels[c]["cuts"] = len(cuts)
        cuts += sorted({cut for reader in own for cut in _fixed_cuts(plant, reader)})
        channels[c]["cuts_end"] = len(cuts)
    first, (u, mass, value, beyond, mean_beyond), lost = _atoms(layout)
    noise = Noise(
        channels,
        np.array([reader[:3] for reader in readers], dtype=READER),
        np.array(cuts, dtype=np.float64),
        first,
        u,
        mass,
        value,
        beyond,
        mean_beyond,
        np.array([_lost_price(layout, d) for d in range(plant.demands.size)]),
        bool(np.any((channels["before"] == 1) & (channels["after"] == 1))),
    )
    return Tabled(noise, lost)


def _expect_finite(layout: Layout) -> None:
    scenario, plant = layout.scenario, layout.plant
    for name, demand in scenario.demands.items():
        if isinstance(demand.quantity, Regimes) and not demand.quantity.seen:
            raise NotFinite(
                f"{scenario.file}: demands.{name}.quantity: its regime is hidden, and beliefs "
                "about it form a continuum of states; expected seen: true"
            )
        if demand.forecast is not None:
            raise NotFinite(
                f"{scenario.file}: demands.{name}.forecast: what a forecast reveals is continuous; "
                "expected no forecast"
            )
    if np.any(plant.channels["kind"] == REPLAYED):
        raise NotFinite(
            f"{scenario.file}: recorded demand is one path, not a distribution; expected a "
            "distribution"
        )
    for k, count in enumerate(_sizes(plant)):
        if count > WIDEST:
            raise NotFinite(
                f"{scenario.file}: distribution {k + 1} takes {count:,} values; expected at most "
                f"{WIDEST:,}: use larger units"
            )


def _expect_all_read(layout: Layout, readers: list[Read]) -> None:
    """Raise NotFinite for a channel that no reader lists: its uniform would stay at 0."""
    read = {channel for channel, *_ in readers}
    for c, name in enumerate(layout.channels):
        if c not in read:
            raise NotFinite(
                f"{layout.scenario.file}: the exact solver does not know the draws of {name!r}; "
                "expected a plant without them"
            )


def _sizes(plant: Plant) -> npt.NDArray[np.int64]:
    """Return the number of steps of each distribution."""
    firsts = np.append(plant.distributions["first"], plant.values.size)
    return np.diff(firsts)


Read = tuple[int, int, int, bool]
"""Channel, kind, index, and whether Release or Start reads it."""


def _readers(plant: Plant) -> list[Read]:
    found: list[Read] = []
    for center in plant.centers:
        found += _draw(plant, int(center["time"]), True)
    for s, source in enumerate(plant.sources):
        found += _of_source(plant, s, source)
    for d, demand in enumerate(plant.demands):
        found += _of_demand(plant, d, demand)
    found += [(int(it["channel"]), UP_DOWN, k, False) for k, it in enumerate(plant.ups_and_downs)]
    found += [(int(it["channel"]), ABANDON, k, False) for k, it in enumerate(plant.abandonment)]
    found += [(int(it["channel"]), OBSOLETE, k, False) for k, it in enumerate(plant.obsolescence)]
    found += [(int(it["channel"]), REGIME, k, False) for k, it in enumerate(plant.regimes)]
    return found


def _draw(plant: Plant, which: int, before: bool) -> list[Read]:
    channel = int(plant.distributions[which]["channel"])
    return [] if channel == NONE else [(channel, STEPS, which, before)]


def _of_source(plant: Plant, s: int, source: np.void) -> list[Read]:
    found: list[Read] = []
    at_once = source["ages"] == 0
    if source["partial"] != NONE:
        found += _draw(plant, int(plant.partials[source["partial"]]["share"]), True)
    if source["quality"] != NONE:
        first = int(plant.qualities[source["quality"]]["channel"])
        for k, kind in enumerate((DRIFT, DEFECTS, DEFECTS_DRIFTED, ESCAPES)):
            found.append((first + k, kind, s, bool(at_once)))
    if at_once:
        return found
    if source["crossover"] != NONE:
        for k in range(source["ages"]):
            found.append((int(source["crossover"]) + k, HAZARD, s, False))
        return found
    for field in ("lead_time", "faster_lead_time"):
        if source[field] != NONE:
            found += _draw(plant, int(source[field]), False)
    return found


def _of_demand(plant: Plant, d: int, demand: np.void) -> list[Read]:
    found: list[Read] = []
    if demand["stream"] != NONE:
        part = plant.parts[demand["stream"]]
        found += _draw(plant, int(part["stream"]), False)
        found.append((int(part["channel"]), PART, int(demand["stream"]), False))
    elif demand["life"] != NONE:
        found.append((int(plant.lives[demand["life"]]["channel"]), LIFE, d, False))
    else:
        channels = {int(plant.distributions[k]["channel"]) for k in _distributions(plant, demand)}
        found += [(channel, DEMAND, d, False) for channel in channels if channel != NONE]
    if demand["waits_channel"] != NONE:
        found.append((int(demand["waits_channel"]), WAITS, d, False))
    return found


def _distributions(plant: Plant, demand: np.void) -> list[int]:
    """Return the distributions that a demand may be drawn from, by phase or regime."""
    if demand["phase_rows"] == NONE:
        return [int(demand["quantity"])]
    count = int(demand["phases"])
    for regime in plant.regimes:
        if plant.demands[regime["demand"]]["last"] == demand["last"]:
            count = int(regime["count"])
    first = int(demand["phase_rows"])
    return [int(k) for k in plant.numbers[first : first + count]]


def _describe(plant: Plant, channel: np.void, own: list[Read]) -> None:
    channel["before"] = any(reader[3] for reader in own)
    channel["after"] = any(not reader[3] for reader in own)
    channel["table"] = NONE
    if len(own) == 1 and own[0][1] in (STEPS, DEMAND):
        channel["table"] = own[0][2]
        channel["of_demand"] = own[0][1] == DEMAND


def _fixed_cuts(plant: Plant, reader: Read) -> list[float]:
    """Return the cuts that a reader makes in every state."""
    channel, kind, index, _ = reader
    if kind == STEPS:
        which = [index]
    elif kind == DEMAND:
        which = _distributions(plant, plant.demands[index])
    elif kind == HAZARD:
        source = plant.sources[index]
        age = channel - source["crossover"]
        rows = [source[field] + age for field in ("hazard", "faster_hazard") if source[field] >= 0]
        return [float(plant.hazards[row]) for row in rows]
    else:
        return []
    sizes = _sizes(plant)
    ends: list[float] = []
    for k in which:
        first = int(plant.distributions[k]["first"])
        ends += plant.ends[first : first + sizes[k] - 1].tolist()
    return ends


def _atoms(
    layout: Layout,
) -> tuple[npt.NDArray[np.int32], list[npt.NDArray[np.float64]], float]:
    """Return the atoms of each distribution without tails, and a bound on the probability cut."""
    plant = layout.plant
    sizes = _sizes(plant)
    drawn = int(np.sum(plant.distributions["channel"] != NONE))
    firsts, parts, worst = [0], [], 0.0
    for k, size in enumerate(sizes):
        first = int(plant.distributions[k]["first"])
        values = plant.values[first : first + size]
        ends = np.append(plant.ends[first : first + size - 1], 1.0)
        begins = np.concatenate([[0.0], ends[:-1]])
        mass = ends - begins
        order = np.argsort(mass, kind="stable")
        rare = np.cumsum(mass[order]) <= CUT / max(drawn, 1)
        kept = np.ones(size, dtype=bool)
        kept[order[rare]] = False
        worst = max(worst, float(mass[~kept].sum()))
        mass = mass[kept] / mass[kept].sum()
        u, value = ((begins + ends) / 2)[kept], values[kept]
        beyond = np.cumsum(mass[::-1])[::-1]
        mean_beyond = np.cumsum((mass * value)[::-1])[::-1]
        parts.append((u, mass, value, beyond, mean_beyond))
        firsts.append(firsts[-1] + u.size)
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return np.array(firsts, dtype=np.int32), columns, worst * max(drawn, 1)


def _lost_price(layout: Layout, d: int) -> float:
    """Return the cost of a unit of lost demand if all demand above the stock leads to one state.

    The cost of that demand is then linear in its units. Otherwise return nan.
    """
    plant = layout.plant
    demand = plant.demands[d]
    rivals = int(np.sum(plant.demands["item"] == demand["item"]))
    ascending = all(
        np.all(np.diff(plant.values[first : first + size]) > 0)
        for k, first, size in zip(
            range(plant.distributions.size),
            plant.distributions["first"],
            _sizes(plant),
            strict=True,
        )
        if k in _distributions(plant, demand)
    )
    if demand["backlog"] != NONE or rivals > 1 or plant.parts.size or not ascending:
        return float("nan")
    lost = plant.prices["flow"] == demand["lost"]
    return float(plant.prices["price"][lost].sum())
