"""Tools for policies that are not compiled rules: positions, orders in lots, local levels.

Arrays follow the scenario's order of sources, with one row per plant of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from jitgym.control import Policy, Printed, View, ViewLayout, asking_order, echelon_matrix
from jitgym.control.positions import Cells, echelons
from jitgym.control.rules import most_granted, seen_by
from jitgym.control.sizing import Stage, from_supplier_to_customer, stages
from jitgym.plant import Layout, Plant
from jitgym.plant.jit import compiled
from jitgym.scenario import Scenario
from jitgym.units import at_least, whole

from .declaration import Array, Values, plain

MOST_KNOWN = 200_000  # rows whose results are kept


@dataclass(frozen=True, eq=False)
class Acting(Printed):
    """A policy that computes its orders from the view in Python.

    Its values are rows: one row for a single policy, or one row for each row of a batch. A subclass
    defines `asks`; a subclass with memory also defines `start`.
    """

    name: str
    layout: Layout
    values: Values  # parameter -> (policies, of), see `rows`
    rule: None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters as a person writes them, for tables and files."""
        return plain({name: value[0] for name, value in self.values.items()})

    def start(self, batch: int) -> Array:
        """Return an empty memory."""
        return np.empty((batch, 0))

    def act(self, view: View, memory: Array) -> Array:
        """Return the orders, (batch, sources) in units, followed by priorities if there are any."""
        return self.asks(ViewLayout(self.layout).state(np.asarray(view, np.float64)), memory)

    def asks(self, state: Array, memory: Array) -> Array:
        """Return the same from a matrix of states, (batch, cells)."""
        raise NotImplementedError

    def crowd(self, others: Sequence[Self], episodes: int) -> Self:
        """Return this policy and others as one policy; each acts in `episodes` rows of a batch."""
        policies = (self, *others)
        values = {
            name: np.repeat(np.concatenate([p.values[name] for p in policies]), episodes, axis=0)
            for name in self.values
        }
        return replace(self, values=values)

    @cached_property
    def plan(self) -> Positions:
        """The positions of this plant, and orders from levels."""
        return Positions(self.layout)


@dataclass(frozen=True)
class Positions:
    """The echelon positions of a plant, and the orders that follow from levels."""

    layout: Layout

    @cached_property
    def stages(self) -> list[Stage]:
        """Every source as a stage, in scenario order."""
        at = stages(self.layout.scenario)
        return [at[name] for name in self.layout.scenario.sources]

    @cached_property
    def lots(self) -> Array:
        """The lot size of each source, (sources,)."""
        return np.array([source.lot_size for source in self.layout.scenario.sources.values()])

    @cached_property
    def units(self) -> Array:
        """Units of each source's item per unit of each demand, (demands, sources)."""
        demands = self.layout.scenario.demands
        return np.array([[stage.units.get(d, 0.0) for stage in self.stages] for d in demands])

    @cached_property
    def matrix(self) -> Array:
        """The weight of each state cell in the echelon position of each source, (cells, sources).

        It is the position that each source sees before any other source is asked.
        """
        of_item = echelons(self.layout)
        names = self.layout.scenario.sources
        return self.columns(
            [seen_by(self.layout, name, of_item[names[name].makes]) for name in names]
        )

    def columns(self, positions: Sequence[Cells]) -> Array:
        """Return rows of cells as the columns of a matrix, (cells, positions)."""
        matrix = np.zeros((self.layout.cells, len(positions)))
        for k, position in enumerate(positions):
            for cell, units in position.items():
                if cell >= 0:
                    matrix[cell, k] = units
        return matrix

    @cached_property
    def to_echelon(self) -> Array:
        """The matrix M with echelon levels = local levels @ M, (sources, sources)."""
        return echelon_matrix(self.layout.scenario).T

    @cached_property
    def order(self) -> list[tuple[int, npt.NDArray[np.intp]]]:
        """Each source in the order of asking, and the earlier sources whose orders it counts."""
        scenario = self.layout.scenario
        place = list(scenario.sources).index
        counted, before = scenario.reworked, scenario.asked_before
        return [
            (
                place(name),
                np.array(
                    [place(n) for n in before[name] if name in counted or n not in counted],
                    dtype=np.intp,
                ),
            )
            for name in asking_order(scenario)
        ]

    @cached_property
    def has_rivals(self) -> list[bool]:
        """For each source, whether another one of its item is asked later or shares its storage."""
        scenario = self.layout.scenario
        first = {name for names in scenario.asked_before.values() for name in names}
        return [name in first or scenario.shares_storage(name) for name in scenario.sources]

    def cell(self, name: str) -> int:
        """Return the first state cell with this name."""
        return self.layout.named[name].start

    def total(self, state: Array, name: str) -> Array:
        """Return the sum of the cells with this name, (batch,); 0 if there are none."""
        if (part := self.layout.named.get(name)) is None:
            return np.zeros(state.shape[0])
        return np.asarray(state[:, part.start : part.stop].sum(axis=1))

    def up_to(self, state: Array, levels: Array) -> Array:
        """Return orders in whole lots up to these echelon levels, (batch, sources)."""
        return self.closing(state, levels - state @ self.matrix)

    def up_to_local(self, state: Array, levels: Array, names: Sequence[str] | None = None) -> Array:
        """Return orders up to local levels, which are listed as in `in_scenario_order`."""
        return self.up_to(state, in_scenario_order(self.layout, levels, names) @ self.to_echelon)

    def closing(self, state: Array, gaps: Array) -> Array:
        """Return orders in whole lots that close these gaps, (batch, sources).

        If an item has several sources, what one can be granted also reduces the gap of the next.
        """
        asked = np.zeros_like(gaps)
        for k, others in self.order:
            gap = gaps[:, k]
            if others.size:
                gap = gap - asked[:, others].sum(axis=1)
            asked[:, k] = self.whole(np.maximum(gap, 0.0), k)
            if self.has_rivals[k]:
                write_granted(self.layout.plant, k, state, asked)
        return asked

    def hold_back(self, state: Array, asked: Array, least: Array) -> Array:
        """Return the orders without those that are not yet worth a setup of their work center.

        `least` is the smallest run that is worth a setup, by source in units, (..., sources).
        """
        begins = at_least(asked, np.maximum(least, 0.0))
        for source, center in self.set_up:
            begins[:, source] |= state[:, center] == source + 1.0
        return np.where(begins, asked, 0.0)

    @cached_property
    def set_up(self) -> list[tuple[int, int]]:
        """The sources of `shared`, each with the state cell of its work center's setup."""
        names = list(self.layout.scenario.sources)
        return [
            (names.index(name), self.cell(f"{self.layout.scenario.sources[name].at}.setup"))
            for name in shared(self.layout.scenario)
        ]

    def whole(self, quantity: Array, k: int) -> Array:
        """Return a quantity of source k rounded down to whole lots."""
        if self.lots[k] == 1.0:
            return whole(quantity)
        return np.asarray(whole(quantity / self.lots[k]) * self.lots[k])


@compiled
def write_granted(plant: Plant, s: int, state: Array, asked: Array) -> None:
    """Reduce the order at source s to what can be granted; `asked` is (batch, sources)."""
    for e in range(state.shape[0]):
        asked[e, s] = most_granted(plant, s, state[e], asked[e])


def shared(scenario: Scenario) -> list[str]:
    """Return the sources at work centers that have setups and several sources.

    The order is from supplier to customer.
    """
    takes = {
        source.at
        for source in scenario.sources.values()
        if source.at and (source.setup_time or source.setup_cost)
    }
    return [
        name
        for name in from_supplier_to_customer(scenario)
        if (center := scenario.sources[name].at) in takes and len(scenario.crew_of(center)) > 1
    ]


def add_due(
    layout: Layout,
    state: Array,
    source: str,
    due: Array,
    lead_time: int,
    *,
    soonest: int = 0,
    share: float = 1.0,
) -> None:
    """Add to `due`, (batch, periods ahead), what a source still owes, in the periods it is due.

    An order is due `lead_time` periods after it was placed, but not before `soonest`; what has not
    shipped ships now. What is due after the last period counts in it. `share` is the share of good
    units.
    """
    last, part = due.shape[1] - 1, layout.named[f"{source}.in_process"]
    for age in range(1, part.size):
        due[:, min(max(lead_time - age, soonest), last)] += share * state[:, part.start + age]
    if unshipped := layout.named.get(f"{source}.unshipped"):
        due[:, min(lead_time, last)] += share * state[:, unshipped.start]


def remembered(
    known: dict[bytes, Array], cells: Array, work: Callable[[list[int]], Array]
) -> Array:
    """Return the result for each row of cells; compute it where the row is new.

    `work` gets the places of the new rows, each row once, and returns their results in that order.
    """
    keys = [row.tobytes() for row in np.ascontiguousarray(cells)]
    if len(known) > MOST_KNOWN:
        known.clear()
    new = list({key: k for k, key in enumerate(keys) if key not in known}.values())
    if new:
        known.update(zip((keys[k] for k in new), work(new), strict=True))
    return np.array([known[key] for key in keys])


def acting(policy: type[Acting], **more: Any) -> Callable[[str, Layout, Values], Policy]:
    """Return the function that builds such a policy from the values of one policy."""

    def build(name: str, layout: Layout, values: Values) -> Policy:
        return policy(name, layout, rows(values), **more)

    return build


def rows(values: Values) -> dict[str, Array]:
    """Return the values of one policy as rows, (1, of)."""
    return {name: value[np.newaxis, :] for name, value in values.items()}


def in_scenario_order(layout: Layout, listed: Array, names: Sequence[str] | None = None) -> Array:
    """Return numbers in scenario order that are listed from supplier to customer, (..., of).

    With `names`, the numbers belong to these sources, and all other sources get 0.
    """
    order = from_supplier_to_customer(layout.scenario) if names is None else list(names)
    found = np.zeros((*listed.shape[:-1], len(layout.scenario.sources)))
    found[..., [list(layout.scenario.sources).index(name) for name in order]] = listed
    return found
