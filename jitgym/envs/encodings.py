"""Encodings: from a state to an observation in [0, 1], and from an action to what is asked.

An observation's entries stand in the order item, source, center, demand, forecast, clock, each in
the scenario's order; each is divided by a bound that follows from the bounds of the actions, and
saturates there. An action is, for every source in the scenario's order, by `control`:

orders            Box [-1, 1], mapped to [0, largest order] and rounded to whole lots
orders-discrete   MultiDiscrete, in lots; beyond 128 choices in equal multiples of lots
cards             Box [-1, 1], mapped to [0, largest level] and rounded: kanban cards, in units
base-stock        likewise: local base-stock levels, in units

Policies that are no environment's agent act in units; for them there is the identity, `asked`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from jitgym.control.rules import CARDS, LEVEL, Rule, echelon_matrix, pull_rule
from jitgym.control.view import Cell, ViewLayout
from jitgym.errors import ScenarioError
from jitgym.plant import Layout

Control = Literal["orders", "orders-discrete", "cards", "base-stock", "asked"]
CONTROLS: tuple[Control, ...] = ("orders", "orders-discrete", "cards", "base-stock")
MOST_CHOICES = 128  # of one entry of a discrete action
SMALLEST_PROBABILITY = 0.001  # a demand beyond its quantile of 1 minus this saturates its entry

ENTRY = np.dtype([("cell", "i4"), ("category", "f8"), ("scale", "f8")], align=True)

# What an encoded action becomes.
ASKED, LEVELS, UNITS = 0, 1, 2


class ActionTable(NamedTuple):
    """How compiled code decodes an action: x -> round((x + offset) x gain) x step."""

    kind: int  # ASKED or LEVELS; UNITS: it is what is asked, as it stands
    offset: npt.NDArray[np.float64]  # (sources,)
    gain: npt.NDArray[np.float64]  # (sources,)
    step: npt.NDArray[np.float64]  # units, (sources,)
    most: npt.NDArray[np.float64]  # steps, (sources,)
    column: int  # of the rule's numbers that the levels go to
    matrix: npt.NDArray[np.float64]  # from local levels to the rule's, (sources, sources)
    rule: Rule


@dataclass(frozen=True)
class Entry:
    """One entry of the observation."""

    name: str  # "car.stock", "mill.in_process[1]", "press.setup=welding"
    unit: str
    low: float  # in natural units, shown as 0
    high: float  # in natural units, shown as 1; beyond it the entry saturates
    column: int  # of the state row
    category: float  # for a category: the value that is shown as 1; else nan


@dataclass(frozen=True)
class ActionEntry:
    """One entry of the action."""

    name: str  # the source
    unit: str
    low: float
    high: float  # units at the upper end of the space
    step: float  # units


@dataclass(frozen=True)
class ObservationEncoding:
    """The observation of a plant, entry by entry."""

    layout: Layout

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The entries, in order."""
        return tuple(entry for cell in ViewLayout(self.layout).cells for entry in self._of(cell))

    @cached_property
    def table(self) -> npt.NDArray[Any]:
        """The entries as compiled code reads them, ENTRY (entries,)."""
        rows = [(entry.column, entry.category, 1.0 / entry.high) for entry in self.entries]
        return np.array(rows, dtype=ENTRY)

    def encode(self, view: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Return the observations of a view, (batch, cells) -> (batch, entries)."""
        state = ViewLayout(self.layout).state(view)[:, self.table["cell"]]
        scaled = np.clip(state * self.table["scale"], 0.0, 1.0)
        category = self.table["category"]
        shown = np.where(np.isnan(category), scaled, state == category)
        return np.asarray(shown, dtype=np.float32)

    def _of(self, cell: Cell) -> list[Entry]:
        part, scenario = cell.of, self.layout.scenario
        what = part.name.removeprefix(f"{part.owner}.")
        if what == "setup":
            crew = [name for name, source in scenario.sources.items() if source.at == part.owner]
            place = {name: 1.0 + k for k, name in enumerate(scenario.sources)}
            return [
                Entry(f"{cell.name}={name}", "", 0.0, 1.0, cell.column, place[name])
                for name in crew
            ]
        if part.kind == "report" and not self._is_informative(part.owner):
            return []
        return [
            Entry(cell.name, part.unit, 0.0, self._bound(part.owner, what), cell.column, np.nan)
        ]

    def _is_informative(self, demand: str) -> bool:
        # Yesterday's demand says nothing of tomorrow's where demand is independent and known.
        return self.layout.scenario.demands[demand].quantity.distribution == "recorded"

    def _bound(self, owner: str, what: str) -> float:
        scenario = self.layout.scenario
        if what == "stock":
            return scenario.level_bound(owner)
        if what == "in_process":
            return scenario.order_bound(owner)
        if what == "work":
            source = scenario.sources[owner]
            batch = max(source.lot_size, source.minimum_order)
            return source.setup_time + source.time_per_unit * batch
        if what == "up":
            return 1.0
        demand = scenario.demands[owner]
        if what == "backlog":
            return scenario.level_bound(demand.item)
        return float(max(demand.quantity.quantile(1.0 - SMALLEST_PROBABILITY), 1.0))


@dataclass(frozen=True)
class ActionEncoding:
    """The action of a plant under one control, entry by entry."""

    layout: Layout
    control: Control = "orders"

    def __post_init__(self) -> None:
        if self.control not in (*CONTROLS, "asked"):
            known = ", ".join(CONTROLS)
            raise ScenarioError(f"control {self.control!r} is unknown; expected one of {known}")

    @property
    def is_discrete(self) -> bool:
        """Whether the action counts lots."""
        return self.control == "orders-discrete"

    @property
    def sets_levels(self) -> bool:
        """Whether the action is a card count or a base-stock level."""
        return self.control in ("cards", "base-stock")

    @cached_property
    def entries(self) -> tuple[ActionEntry, ...]:
        """The entries, in the scenario's order of sources."""
        return tuple(self._of(name) for name in self.layout.scenario.sources)

    @cached_property
    def choices(self) -> npt.NDArray[np.int64]:
        """How many values each entry can take, (sources,)."""
        return np.array([1 + round(e.high / e.step) for e in self.entries], dtype=np.int64)

    @cached_property
    def table(self) -> ActionTable:
        """The encoding as compiled code reads it."""
        if self.control == "asked":
            return self._identity()
        steps = np.array([entry.step for entry in self.entries], dtype=np.float64)
        most = (self.choices - 1).astype(np.float64)
        scenario = self.layout.scenario
        is_base_stock = self.control == "base-stock"
        anything = dict.fromkeys(scenario.sources, 0.0)  # the action's levels take its place
        rule = pull_rule(
            self.layout,
            levels=anything if is_base_stock else None,
            cards=None if is_base_stock else anything,
        )
        return ActionTable(
            kind=LEVELS if self.sets_levels else ASKED,
            offset=np.full(steps.size, 0.0 if self.is_discrete else 1.0),
            gain=np.ones(steps.size) if self.is_discrete else most / 2.0,
            step=steps,
            most=most,
            column=LEVEL if is_base_stock else CARDS,
            matrix=echelon_matrix(scenario) if is_base_stock else np.eye(steps.size),
            rule=rule,
        )

    def _identity(self) -> ActionTable:
        sources = len(self.layout.scenario.sources)
        return ActionTable(
            kind=UNITS,
            offset=np.zeros(sources),
            gain=np.ones(sources),
            step=np.ones(sources),
            most=np.full(sources, np.inf),
            column=CARDS,
            matrix=np.eye(sources),
            rule=pull_rule(self.layout),
        )

    def decode(self, action: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return an action in units, (..., sources): quantities to ask for, or local levels."""
        table = self.table
        if table.kind == UNITS:
            return np.asarray(action, dtype=np.float64)
        x = (np.asarray(action, dtype=np.float64) + table.offset) * table.gain
        return np.clip(np.floor(x + 0.5), 0.0, table.most) * table.step

    def _of(self, source: str) -> ActionEntry:
        scenario = self.layout.scenario
        lot = float(scenario.sources[source].lot_size)
        if self.sets_levels:
            step = lot if self.control == "cards" else 1.0
            high = np.ceil(scenario.level_bound(scenario.sources[source].makes) / step) * step
            return ActionEntry(source, "units", 0.0, float(high), step)
        lots = max(1, int(np.floor(scenario.order_bound(source) / lot + 1e-9)))
        step = lot
        if self.is_discrete and 1 + lots > MOST_CHOICES:  # nothing is a choice too
            multiple = int(np.ceil(lots / (MOST_CHOICES - 1)))
            step, lots = lot * multiple, lots // multiple
        return ActionEntry(source, "units", 0.0, lots * step, step)
