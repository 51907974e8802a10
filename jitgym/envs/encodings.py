"""Encodings: from a state to an observation in [0, 1], and from an action to what is asked.

The entries of an observation stand in the order item, source, center, demand, forecast, clock, each
kind in the scenario's order. Each entry is divided by a bound that follows from the bounds of the
actions; above it the entry saturates. An action has an entry for every source, in the scenario's
order, by `control`:

orders            Box [-1, 1], mapped to [0, largest order] and rounded to whole lots
orders-discrete   MultiDiscrete, or Discrete for a single entry, in lots; with more than 128 choices
                  in equal multiples of lots
cards             Box [-1, 1], mapped to [0, largest level] and rounded: kanban cards, in units
base-stock        Box [-1, 1], likewise: local base-stock levels, in units
orders-priorities Box [-1, 1]: orders, then a priority for every source at its work center

Each improvement project adds one entry; its upper half begins the project.

Policies outside an environment act in units; for them there is the identity, `asked`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from jitgym.control.rules import CARDS, LEVEL, Rule, echelon_matrix, pull_rule
from jitgym.control.view import Cell, ViewLayout
from jitgym.distributions import LifeCycle, Regimes
from jitgym.errors import ScenarioError
from jitgym.plant import Layout
from jitgym.plant.jit import compiled, kernel
from jitgym.plant.records import PLACE, Matrix, Records, Row
from jitgym.units import whole, whole_up

Control = Literal["orders", "orders-discrete", "cards", "base-stock", "orders-priorities", "asked"]
CONTROLS: tuple[Control, ...] = (
    "orders",
    "orders-discrete",
    "cards",
    "base-stock",
    "orders-priorities",
)
PRIORITIES = 100.0  # steps of a priority
MOST_CHOICES = 128  # largest number of choices of one entry of a discrete action
SMALLEST_PROBABILITY = 0.001  # a demand above its quantile of 1 - this saturates its entry

ENTRY = np.dtype([("cell", PLACE), ("kind", "i4"), ("category", "f8"), ("scale", "f8")], align=True)

# What an entry shows of its cell: a share of its bound, whether it equals a category, or the
# position in a cycle.
SHARE, CATEGORY, SINE, COSINE, TO_GO = range(5)

# What an encoded action is turned into.
ASKED, LEVELS, UNITS = 0, 1, 2


class ActionTable(NamedTuple):
    """How compiled code decodes an action: x -> round((x + offset) x gain) x step."""

    kind: int  # ASKED or LEVELS; UNITS: the action itself is what is asked
    is_discrete: bool  # whether an entry is a whole number from 0 to `most`
    offset: npt.NDArray[np.float64]  # (entries,)
    gain: npt.NDArray[np.float64]  # (entries,)
    step: npt.NDArray[np.float64]  # units, (entries,)
    most: npt.NDArray[np.float64]  # steps, (entries,)
    cells: npt.NDArray[np.int32]  # cells of `asked`, (entries,)
    column: int  # column of the rule's numbers for the levels
    matrix: npt.NDArray[np.float64]  # from local levels to the rule's, (sources, sources)
    rule: Rule


@dataclass(frozen=True)
class Entry:
    """One entry of the observation."""

    name: str  # "car.stock", "mill.in_process[1]", "press.setup=welding"
    unit: str
    low: float  # in natural units, shown as 0
    high: float  # in natural units, shown as 1; above it the entry saturates
    column: int  # of the state row
    kind: int = SHARE
    category: float = 0.0  # for a category: the value shown as 1


@dataclass(frozen=True)
class ActionEntry:
    """One entry of the action."""

    name: str  # a source, "priority of" a source, or a project
    unit: str
    low: float
    high: float  # units at the upper end of the space
    step: float  # units
    cell: int  # of `asked`: quantities, priorities, projects to begin


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
        rows = [(e.column, e.kind, e.category, 1.0 / e.high) for e in self.entries]
        return np.array(rows, dtype=ENTRY)

    def encode(self, view: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Return the observations of views, (batch, cells) -> (batch, entries)."""
        state = ViewLayout(self.layout).state(np.asarray(view, dtype=np.float64))
        shown = np.empty((state.shape[0], self.table.size), dtype=np.float32)
        observe_states(self.table, state, shown)
        return shown

    def _of(self, cell: Cell) -> list[Entry]:
        part, scenario = cell.of, self.layout.scenario
        what = part.what
        if what == "setup":
            place = {name: 1.0 + k for k, name in enumerate(scenario.sources)}
            return _categories(cell, {name: place[name] for name in scenario.crew_of(part.owner)})
        if what == "regime":
            quantity = scenario.demands[part.owner].quantity
            regimes = quantity.regimes if isinstance(quantity, Regimes) else {}
            return _categories(cell, {name: float(k) for k, name in enumerate(regimes)})
        if what == "period":
            return self._of_clock(cell)
        if part.kind == "report" and not self._is_informative(part.owner):
            return []
        return [Entry(cell.name, part.unit, 0.0, self._bound(part.owner, what), cell.column)]

    def _of_clock(self, cell: Cell) -> list[Entry]:
        cycle = float(self.layout.plant.cycle)
        if cycle == 0.0:
            periods = float(self.layout.plant.periods)
            return [Entry("clock.to_go", "periods", 0.0, periods, cell.column, TO_GO)]
        return [
            Entry("clock.sine", "", 0.0, cycle, cell.column, SINE),
            Entry("clock.cosine", "", 0.0, cycle, cell.column, COSINE),
        ]

    def _is_informative(self, demand: str) -> bool:
        # If demand is independent and known, the last demand says nothing about the next one.
        quantity = self.layout.scenario.demands[demand].quantity
        return quantity.distribution == "recorded" or not getattr(quantity, "seen", True)

    def _bound(self, owner: str, what: str) -> float:
        scenario = self.layout.scenario
        if what == "stock":
            return scenario.level_bound(owner)
        if what in ("in_process", "unshipped"):
            return scenario.order_bound(owner)
        if what == "progress":
            return scenario.projects[owner].periods + 1.0
        if what == "owed":
            contract = scenario.sources[owner].commitment
            return 1.0 if contract is None else contract.quantity
        if what == "work":
            source = scenario.sources[owner]
            batch = max(source.lot_size, source.minimum_order)
            return source.setup_time + source.time_per_unit * batch
        if what == "up":
            return 1.0
        demand = scenario.demands[owner]
        if what == "backlog":
            return scenario.level_bound(demand.item)
        if what == "so_far":
            return 2.0 * demand.quantity.mean if isinstance(demand.quantity, LifeCycle) else 1.0
        frequent = max(float(phase.quantile(1.0 - SMALLEST_PROBABILITY)) for phase in demand.phases)
        return max(frequent, 1.0)


def _categories(cell: Cell, values: dict[str, float]) -> list[Entry]:
    return [
        Entry(f"{cell.name}={name}", "", 0.0, 1.0, cell.column, CATEGORY, value)
        for name, value in values.items()
    ]


@kernel
def observe_row(entries: Records, state: Row, observation: npt.NDArray[np.float32]) -> float:
    """Write one observation, (entries,), and return how many entries saturate."""
    saturated = 0.0
    for k in range(entries.size):
        entry = entries[k]
        value = state[entry.cell]
        shown = value * entry.scale
        if entry.kind == CATEGORY:
            shown = 1.0 if value == entry.category else 0.0
        elif entry.kind != SHARE:
            if entry.kind == TO_GO:
                shown = 1.0 - shown
            elif entry.kind == SINE:
                shown = 0.5 + 0.5 * math.sin(2.0 * math.pi * shown)
            else:
                shown = 0.5 + 0.5 * math.cos(2.0 * math.pi * shown)
        elif shown > 1.0:
            shown = 1.0
            saturated += 1.0
        observation[k] = np.float32(max(shown, 0.0))
    return saturated


@compiled
def observe_states(entries: Records, state: Matrix, observation: npt.NDArray[np.float32]) -> None:
    """Write the observation of each state, (batch, entries)."""
    for e in range(state.shape[0]):
        observe_row(entries, state[e], observation[e])


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
        """Whether the action is a number of lots."""
        return self.control == "orders-discrete"

    @property
    def sets_levels(self) -> bool:
        """Whether the action is a card count or a base-stock level."""
        return self.control in ("cards", "base-stock")

    @cached_property
    def entries(self) -> tuple[ActionEntry, ...]:
        """The entries: the sources in the scenario's order, priorities, projects."""
        scenario, sources = self.layout.scenario, len(self.layout.scenario.sources)
        found = [self._of(name, k) for k, name in enumerate(scenario.sources)]
        if self.control == "orders-priorities":
            found += [
                ActionEntry(f"priority of {name}", "", 0.0, PRIORITIES, 1.0, sources + k)
                for k, name in enumerate(scenario.sources)
            ]
        found += [
            ActionEntry(name, "", 0.0, 1.0, 1.0, 2 * sources + k)
            for k, name in enumerate(scenario.projects)
        ]
        return tuple(found)

    @cached_property
    def choices(self) -> npt.NDArray[np.int64]:
        """The number of values of each entry, (entries,)."""
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
        anything = dict.fromkeys(scenario.sources, 0.0)  # the action's levels replace these
        rule = pull_rule(
            self.layout,
            levels=anything if is_base_stock else None,
            cards=None if is_base_stock else anything,
        )
        return ActionTable(
            kind=LEVELS if self.sets_levels else ASKED,
            is_discrete=self.is_discrete,
            offset=np.full(steps.size, 0.0 if self.is_discrete else 1.0),
            gain=np.ones(steps.size) if self.is_discrete else most / 2.0,
            step=steps,
            most=most,
            cells=np.array([entry.cell for entry in self.entries], dtype=np.int32),
            column=LEVEL if is_base_stock else CARDS,
            matrix=echelon_matrix(scenario) if is_base_stock else np.eye(len(scenario.sources)),
            rule=rule,
        )

    def _identity(self) -> ActionTable:
        width = self.layout.asked_cells
        return ActionTable(
            kind=UNITS,
            is_discrete=False,
            offset=np.zeros(width),
            gain=np.ones(width),
            step=np.ones(width),
            most=np.full(width, np.inf),
            cells=np.arange(width, dtype=np.int32),
            column=CARDS,
            matrix=np.eye(len(self.layout.scenario.sources)),
            rule=pull_rule(self.layout),
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one action, as in its space."""
        entries = len(self.entries) if self.control != "asked" else self.layout.asked_cells
        return () if self.is_discrete and entries == 1 else (entries,)

    def checked(self, action: npt.ArrayLike, batch: int) -> npt.NDArray[np.float64]:
        """Return the actions of a batch as (batch, entries); raises ValueError if one is wrong."""
        given = np.asarray(action)
        entries = self.table.cells.size
        if given.shape not in ((batch, *self.shape), (batch, entries)):
            raise ValueError(
                f"the actions have shape {given.shape}; expected {(batch, *self.shape)}: one "
                f"action of the control {self.control!r} for each of {batch} observations"
            )
        if given.dtype.kind not in "fiub":
            raise ValueError(f"the actions are of type {given.dtype}; expected numbers")
        actions = given.reshape(batch, entries).astype(np.float64)
        wrong = ~np.isfinite(actions)
        if self.is_discrete:
            wrong |= (actions < 0) | (actions > self.table.most) | (actions % 1 != 0)
        if wrong.any():
            row = actions[int(np.flatnonzero(wrong.any(axis=1))[0])]
            raise ValueError(f"an action is {row}; expected {self.expected(row)}")
        return actions

    def expected(self, action: npt.NDArray[np.float64]) -> str:
        """Return what was expected instead of a refused action, (entries,)."""
        if not self.is_discrete or not np.isfinite(action).all():
            return "numbers"
        most = self.choices - 1
        return f"whole numbers from 0 to {most if most.size > 1 else most[0]}"

    def decode(self, action: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return an action in units, (..., sources): the quantities to ask for, or local levels."""
        table = self.table
        if table.kind == UNITS:
            return np.asarray(action, dtype=np.float64)
        x = (np.asarray(action, dtype=np.float64) + table.offset) * table.gain
        return np.clip(np.floor(x + 0.5), 0.0, table.most) * table.step

    def _of(self, source: str, cell: int) -> ActionEntry:
        scenario = self.layout.scenario
        lot = float(scenario.sources[source].lot_size)
        if self.sets_levels:
            step = lot if self.control == "cards" else 1.0
            high = whole_up(scenario.level_bound(scenario.sources[source].makes) / step) * step
            return ActionEntry(source, "units", 0.0, float(high), step, cell)
        lots = max(1, int(whole(scenario.order_bound(source) / lot)))
        step = lot
        if self.is_discrete and 1 + lots > MOST_CHOICES:  # an order of 0 is a choice too
            multiple = int(np.ceil(lots / (MOST_CHOICES - 1)))
            step, lots = lot * multiple, lots // multiple
        return ActionEntry(source, "units", 0.0, lots * step, step, cell)
