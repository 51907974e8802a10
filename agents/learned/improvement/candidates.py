"""Candidates: what else a source could ask for, around what it asks for now.

For each source, from the customer upward:

    keep                what is asked now
    nothing             0
    more, twice more    one and two units more; a unit is the step of the source in whole lots
    less, twice less    one and two units less, at least 0
    economic lot        only where an order has a fixed cost
    stop                only in a group: all of its sources ask for nothing
    run                 only at a work center with setups: this source asks for what a period can
                        make, and the others of the work center for nothing

A group is the sources that share a work center with setups, or else a carrier that is paid per trip.
"A full run of the other product" is the `run` of that other source.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from jitgym.control.sizing import stages
from jitgym.plant import Layout
from jitgym.plant.jit import compiled, kernel
from jitgym.plant.records import Matrix, Row

from ..corrections import Steps

KEEP, NOTHING, MORE, TWICE_MORE, LESS, TWICE_LESS, ECONOMIC, STOP, RUN = range(9)
NAMES = (
    "keep",
    "nothing",
    "more",
    "twice more",
    "less",
    "twice less",
    "economic lot",
    "stop",
    "run",
)

Places = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Candidates(NamedTuple):
    """The candidates of all sources, one after the other; the first of each source is `keep`."""

    source: Places  # the source at each place of the asking order, (sources,)
    first: Places  # its first candidate, and the end of the last one, (sources + 1,)
    kind: Places  # of each candidate, (candidates,)
    unit: Row  # of each source, in units, (sources,)
    economic: Row  # economic lot, (sources,)
    run: Row  # units that a period can make, (sources,)
    group: Places  # of each source, or -1, (sources,)

    @property
    def count(self) -> int:
        """Number of candidates of all sources together."""
        return int(self.kind.size)

    @property
    def owner(self) -> Places:
        """The place in the asking order that each candidate belongs to, (candidates,)."""
        return np.repeat(np.arange(self.source.size), np.diff(self.first))


def candidates_of(layout: Layout, steps: Steps) -> Candidates:
    """Return the candidates of a plant; `steps` are those of the policy that is improved."""
    scenario = layout.scenario
    names, at = list(scenario.sources), stages(scenario)
    order = [names.index(name) for name in scenario.asking_order]
    groups = _groups(layout)
    kinds: list[list[int]] = []
    for s in order:
        source = scenario.sources[names[s]]
        own = [KEEP, NOTHING, MORE, TWICE_MORE, LESS, TWICE_LESS]
        if source.shipment_cost or source.setup_cost:
            own.append(ECONOMIC)
        if groups[s] >= 0:
            own.append(STOP)
        if groups[s] >= 0 and source.at is not None:
            own.append(RUN)
        kinds.append(own)
    return Candidates(
        np.array(order, dtype=np.int64),
        np.concatenate([[0], np.cumsum([len(own) for own in kinds])]).astype(np.int64),
        np.array([kind for own in kinds for kind in own], dtype=np.int64),
        steps.lot * np.maximum(np.floor(steps.step / steps.lot + 0.5), 1.0),
        np.array([at[name].order_quantity for name in names]),
        np.array([_run(layout, name) for name in names]),
        groups,
    )


def _groups(layout: Layout) -> Places:
    """Return the group of each source, numbered from 0, or -1, (sources,)."""
    scenario = layout.scenario
    sources = list(scenario.sources.values())
    with_setups = {s.at for s in sources if s.at is not None and (s.setup_time or s.setup_cost)}
    keys = [
        s.at if s.at in with_setups else s.carrier if s.at is None and s.carrier else None
        for s in sources
    ]
    shared = [key for key in dict.fromkeys(keys) if key is not None and keys.count(key) > 1]
    return np.array([shared.index(key) if key in shared else -1 for key in keys], dtype=np.int64)


def _run(layout: Layout, name: str) -> float:
    """Return the units that a source can make in a regular period, in whole lots, at least one."""
    source = layout.scenario.sources[name]
    lots = 1.0
    if source.at is not None and source.time_per_unit:
        time = layout.scenario.work_centers[source.at].time.expectation
        lots = max(np.floor(time / (source.time_per_unit * source.lot_size) + 1e-9), 1.0)
    most = source.maximum_order or np.inf
    return float(min(lots * source.lot_size, most))


@kernel
def asks_for(candidates: Candidates, j: int, kind: int, asked: Row) -> None:
    """Change the asks of a row into those of a candidate of the source at place j."""
    s = candidates.source[j]
    if kind == NOTHING:
        asked[s] = 0.0
    elif kind == MORE:
        asked[s] += candidates.unit[s]
    elif kind == TWICE_MORE:
        asked[s] += 2.0 * candidates.unit[s]
    elif kind == LESS:
        asked[s] = max(asked[s] - candidates.unit[s], 0.0)
    elif kind == TWICE_LESS:
        asked[s] = max(asked[s] - 2.0 * candidates.unit[s], 0.0)
    elif kind == ECONOMIC:
        asked[s] = candidates.economic[s]
    elif kind >= STOP:
        for other in range(candidates.group.size):
            if candidates.group[other] == candidates.group[s]:
                asked[other] = 0.0
        if kind == RUN:
            asked[s] = candidates.run[s]


@kernel
def changes(candidates: Candidates, j: int, kind: int, asked: Row) -> bool:
    """Return whether a candidate of the source at place j differs from what a row asks now."""
    s = candidates.source[j]
    if kind == KEEP:
        return False
    if kind == NOTHING or kind == LESS or kind == TWICE_LESS:
        return bool(asked[s] > 0.0)
    if kind == ECONOMIC:
        return bool(asked[s] != candidates.economic[s])
    if kind >= STOP:
        for other in range(candidates.group.size):
            if candidates.group[other] == candidates.group[s]:
                wanted = candidates.run[s] if kind == RUN and other == s else 0.0
                if asked[other] != wanted:
                    return True
        return False
    return True


@compiled
def pick(
    candidates: Candidates,
    values: npt.NDArray[np.float32],
    margins: Matrix,
    asked: Matrix,
    picks: Places,
) -> None:
    """Pick a candidate per source, (rows, sources), and change the asks, (rows, asked cells).

    `values` are expected costs of the candidates, (rows, candidates), in the scale of the source;
    only their differences count. A candidate is picked where it is cheapest and cheaper than `keep`
    by more than the margin of its source, (rows or 1, sources).
    """
    for e in range(asked.shape[0]):
        m = min(e, margins.shape[0] - 1)
        for j in range(candidates.source.size):
            keep = candidates.first[j]
            best, least = keep, values[e, keep] - margins[m, j]
            if margins[m, j] < np.inf:
                for c in range(keep + 1, candidates.first[j + 1]):
                    if values[e, c] < least and changes(
                        candidates, j, candidates.kind[c], asked[e]
                    ):
                        best, least = c, float(values[e, c])
            picks[e, j] = best
            asks_for(candidates, j, candidates.kind[best], asked[e])


@compiled
def vary(
    candidates: Candidates, base: Matrix, picks: Places, varied: Any, same: Places
) -> None:
    """Write the asks of every candidate where the other sources keep their picks.

    `base` is what the classic asks for, (rows, asked cells), `picks` the candidates that are picked,
    (rows, sources), `varied` the result, (rows, candidates + 1, asked cells); its last entry holds
    the asks of the picks themselves. `same` (rows, candidates) is the first entry with equal asks,
    `candidates` if they equal those of the picks, and the candidate itself if it is new.
    """
    count = candidates.kind.size
    for e in range(base.shape[0]):
        for entry in range(count, -1, -1):
            row = varied[e, entry]
            for cell in range(base.shape[1]):
                row[cell] = base[e, cell]
            for j in range(candidates.source.size):
                chosen = picks[e, j]
                if candidates.first[j] <= entry < candidates.first[j + 1]:
                    chosen = entry
                asks_for(candidates, j, candidates.kind[chosen], row)
        for c in range(count):
            same[e, c] = c
            for earlier in range(-1, c):
                entry = count if earlier < 0 else earlier
                is_equal = True
                for cell in range(base.shape[1]):
                    if varied[e, c, cell] != varied[e, entry, cell]:
                        is_equal = False
                        break
                if is_equal:
                    same[e, c] = entry
                    break
