"""Candidates: what else the sources could ask for, around what they ask for now.

Sources that share a work center or a carrier are one group, because what one of them gets, the
others do not get: in each period, at most one candidate of a group is picked. Every other source is
a group of its own. Groups come in the asking order, from the customer upward. Their candidates:

    keep                what is asked now
    nothing             0
    more, twice more    one and two units more; a unit is the step of the source in whole lots
    less, twice less    one and two units less, at least 0
    economic lot        only where an order has a fixed cost
    first               the same, before the others of the group: only at a shared work center
    run                 what a period can make, and nothing from the others of the group: only at a
                        work center with setups
    stop                nothing from the whole group: only there and on a carrier

"A full run of the other product" is the `run` of that other source.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jitgym.control.sizing import stages
from jitgym.plant import Layout
from jitgym.plant.jit import compiled, kernel
from jitgym.plant.records import Matrix, Row
from jitgym.units import whole

from ..corrections import Steps

KEEP, NOTHING, MORE, TWICE_MORE, LESS, TWICE_LESS, ECONOMIC, FIRST, STOP, RUN = range(10)

Places = npt.NDArray[np.int64]


class Candidates(NamedTuple):
    """The candidates of all groups, one after the other; the first of each group is `keep`."""

    first: Places  # first candidate of each group, and the end of the last one, (groups + 1,)
    source: Places  # of each candidate, (candidates,)
    kind: Places  # of each candidate, (candidates,)
    group: Places  # of each source, (sources,)
    unit: Row  # of each source, in units, (sources,)
    economic: Row  # economic lot of each source, in units, (sources,)
    run: Row  # what each source can make in a period, in units, (sources,)

    @property
    def total(self) -> int:
        """Number of candidates of all groups together."""
        return int(self.kind.size)

    @property
    def groups(self) -> int:
        """Number of groups."""
        return int(self.first.size) - 1

    @property
    def owner(self) -> Places:
        """The group of each candidate, (candidates,)."""
        return np.repeat(np.arange(self.groups), np.diff(self.first))


def candidates_of(layout: Layout, steps: Steps) -> Candidates:
    """Return the candidates of a plant; `steps` are those of the policy that is improved."""
    scenario = layout.scenario
    names, at = list(scenario.sources), stages(scenario)
    members: dict[str, list[str]] = {}
    for name in scenario.asking_order:
        members.setdefault(_shares(layout, name), []).append(name)
    first, found = [0], []
    for group in members.values():
        found.append((names.index(group[0]), KEEP))
        has_setups = any(
            scenario.sources[name].setup_time or scenario.sources[name].setup_cost for name in group
        )
        has_carrier = scenario.sources[group[0]].carrier is not None
        for name in group:
            source = scenario.sources[name]
            kinds = [NOTHING, MORE, TWICE_MORE, LESS, TWICE_LESS]
            if source.shipment_cost or source.setup_cost:
                kinds.append(ECONOMIC)
            if source.at is not None and len(group) > 1:
                kinds.append(FIRST)
                if has_setups:
                    kinds.append(RUN)
            found += [(names.index(name), kind) for kind in kinds]
        if len(group) > 1 and (has_setups or has_carrier):
            found.append((names.index(group[0]), STOP))
        first.append(len(found))
    group_of = {name: k for k, group in enumerate(members.values()) for name in group}
    source_of, kind_of = np.array(found, dtype=np.int64).T
    return Candidates(
        np.array(first, dtype=np.int64),
        source_of.copy(),
        kind_of.copy(),
        np.array([group_of[name] for name in names], dtype=np.int64),
        steps.lot * np.maximum(np.floor(steps.step / steps.lot + 0.5), 1.0),
        np.array([at[name].order_quantity for name in names]),
        np.array([_run(layout, name) for name in names]),
    )


def _shares(layout: Layout, name: str) -> str:
    """Return the name of what a source shares with others: a key of its group."""
    source = layout.scenario.sources[name]
    if source.at is not None:
        return f"work center {source.at}"
    return f"source {name}" if source.carrier is None else f"carrier {source.carrier}"


def _run(layout: Layout, name: str) -> float:
    """Return the units that a source can make in a regular period, in whole lots, at least one."""
    source = layout.scenario.sources[name]
    lots = 1.0
    if source.at is not None and source.time_per_unit:
        time = layout.scenario.work_centers[source.at].time.expectation
        lots = max(float(whole(time / (source.time_per_unit * source.lot_size))), 1.0)
    most = source.maximum_order or np.inf
    return float(min(lots * source.lot_size, most))


@kernel
def highest_priority(candidates: Candidates, s: int, asked: Row) -> float:
    """Return the highest priority in the group of source s."""
    sources = candidates.group.size
    highest = asked[sources + s]
    for other in range(sources):
        if candidates.group[other] == candidates.group[s]:
            highest = max(highest, asked[sources + other])
    return highest


@kernel
def asks_for(candidates: Candidates, c: int, asked: Row) -> None:
    """Change the asks of a row into those of candidate c."""
    s, kind = candidates.source[c], candidates.kind[c]
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
    elif kind == FIRST:
        asked[candidates.group.size + s] = 1.0 + highest_priority(candidates, s, asked)
    elif kind >= STOP:
        for other in range(candidates.group.size):
            if candidates.group[other] == candidates.group[s]:
                asked[other] = 0.0
        if kind == RUN:
            asked[s] = candidates.run[s]


@kernel
def changes(candidates: Candidates, c: int, asked: Row) -> bool:
    """Return whether candidate c differs from what a row asks now."""
    s, kind = candidates.source[c], candidates.kind[c]
    if kind in (NOTHING, LESS, TWICE_LESS):
        return bool(asked[s] > 0.0)
    if kind == ECONOMIC:
        return bool(asked[s] != candidates.economic[s])
    if kind == FIRST:
        return bool(asked[s] > 0.0)
    if kind >= STOP:
        for other in range(candidates.group.size):
            if candidates.group[other] == candidates.group[s]:
                wanted = candidates.run[s] if kind == RUN and other == s else 0.0
                if asked[other] != wanted:
                    return True
        return False
    return bool(kind != KEEP)


@compiled
def pick(
    candidates: Candidates,
    values: npt.NDArray[np.float32],
    margins: Matrix,
    asked: Matrix,
    picks: Places,
) -> None:
    """Pick a candidate per group, (rows, groups), and change the asks, (rows, asked cells).

    `values` are expected costs of the candidates, (rows, candidates), in the scale of the group;
    only their differences count. A candidate is picked where it is cheapest and cheaper than `keep`
    by more than the margin of its group, (rows or 1, groups).
    """
    for e in range(asked.shape[0]):
        m = min(e, margins.shape[0] - 1)
        for j in range(margins.shape[1]):
            keep = candidates.first[j]
            best, least = keep, values[e, keep] - margins[m, j]
            if margins[m, j] < np.inf:
                for c in range(keep + 1, candidates.first[j + 1]):
                    if values[e, c] < least and changes(candidates, c, asked[e]):
                        best, least = c, float(values[e, c])
            picks[e, j] = best
            asks_for(candidates, best, asked[e])


@compiled
def vary(
    candidates: Candidates,
    base: Matrix,
    picks: Places,
    varied: npt.NDArray[np.float64],
    same: Places,
) -> None:
    """Write the asks of every candidate where the other groups keep their picks.

    `base` is what the classic asks for, (rows, asked cells), `picks` the picked candidates,
    (rows, groups), `varied` the result, (rows, candidates + 1, asked cells); its last entry holds
    the asks of the picks themselves. `same` (rows, candidates) is the first entry with equal asks,
    `candidates` if they equal those of the picks, and the candidate itself if it is new.
    """
    count = candidates.kind.size
    for e in range(base.shape[0]):
        for entry in range(count, -1, -1):
            row = varied[e, entry]
            for cell in range(base.shape[1]):
                row[cell] = base[e, cell]
            for j in range(picks.shape[1]):
                chosen = picks[e, j]
                if candidates.first[j] <= entry < candidates.first[j + 1]:
                    chosen = entry
                asks_for(candidates, chosen, row)
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
