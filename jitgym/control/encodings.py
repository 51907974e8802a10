"""Encodings: from a state to an observation in [0, 1], and from an action to what is asked.

The entries of an observation stand in the order item, source, center, demand, forecast, clock, each
kind in the scenario's order. A quantity x is shown as

    1 - 1 / sqrt(1 + 3 x / usual)

so that nothing is 0, the usual size is 1/2, and the entry grows for ever: it never clips, and a
learner that has drifted away finds its way back. In single precision it still tells 10,000 times
the usual size from 10,001 times; x / (x + usual) would not. The usual size of a stock or a pipeline
is an economic order in whole lots, which is the need of a period where an order has no fixed cost.
That of demand, forecast and backlog is the mean demand of a period, that of other quantities half
of their largest value. Categories and clocks are shown as they are.

An action has an entry for every source, in the scenario's order, by `control`:

corrections       Box [-1, 1]: 0 asks for what the textbook base-stock asks for in this state, 1 and
                  -1 for two mean requirements of a period more and less, in whole lots
orders            Box [-1, 1], mapped to [0, largest order] and rounded to whole lots
orders-discrete   MultiDiscrete, or Discrete for a single entry, in lots; with more than 128 choices
                  in equal multiples of lots
cards             Box [-1, 1], mapped to [0, largest level] and rounded: kanban cards, in units
base-stock        Box [-1, 1], likewise: local base-stock levels, in units
orders-priorities Box [-1, 1]: orders, then a priority for every source at its work center

Each improvement project adds one entry; above .5 it begins the project (with `orders-discrete`, the
choice 1 does).

Policies outside an environment act in units; for them there is the identity, `asked`. Compiled code
reads both encodings as tables (`table`); `decoding` turns an action into what is asked.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from jitgym.distributions import LifeCycle, Regimes
from jitgym.errors import ScenarioError
from jitgym.plant import Layout
from jitgym.plant.jit import compiled, kernel
from jitgym.plant.records import PLACE, Matrix, Records, Row
from jitgym.scenario import Scenario
from jitgym.units import whole, whole_up

from .rules import CARDS, LEVEL, Rule, echelon_matrix, pull_rule
from .sizing import base_stock_levels, stages
from .view import Cell, ViewLayout

ENCODING_VERSION = 1
"""The version of both encodings; a net that was trained with another one is refused."""

Control = Literal[
    "corrections",
    "orders",
    "orders-discrete",
    "cards",
    "base-stock",
    "orders-priorities",
    "asked",
]
DEFAULT_CONTROL: Control = "corrections"
"""The control of environments and of `net_policy` if none is named: stock learners do best with it,
because an untrained net is a tolerable policy."""

CONTROLS: tuple[Control, ...] = (
    "corrections",
    "orders",
    "orders-discrete",
    "cards",
    "base-stock",
    "orders-priorities",
)
PRIORITIES = 100.0  # steps of a priority
MOST_CHOICES = 128  # largest number of choices of one entry of a discrete action
WIDTH = 2.0  # mean requirements of a period that a correction adds or takes away at most
MOST_UNITS = 2e6  # of demand over a lead time; the textbook levels of more take minutes
BEGINS = -1e-9  # added to the entry of a project, which begins above .5 and not at .5

ENTRY = np.dtype([("cell", PLACE), ("kind", "i4"), ("category", "f8"), ("scale", "f8")], align=True)

# What an entry shows of its cell: a quantity without a bound, a share of its bound, whether it
# equals a category, or the position in a cycle.
QUANTITY, SHARE, CATEGORY, SINE, COSINE, TO_GO = range(6)

# What an encoded action is turned into.
ASKED, LEVELS, UNITS, CORRECTIONS = range(4)


class ActionTable(NamedTuple):
    """How compiled code decodes an action: x -> round((x + offset) x gain) x step."""

    kind: int  # ASKED, LEVELS or CORRECTIONS; UNITS: the action itself is what is asked
    is_discrete: bool  # whether an entry is a whole number from 0 to `most`
    offset: npt.NDArray[np.float64]  # (entries,)
    gain: npt.NDArray[np.float64]  # (entries,)
    step: npt.NDArray[np.float64]  # units, (entries,)
    least: npt.NDArray[np.float64]  # steps, (entries,)
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
    column: int  # of the state row
    kind: int = QUANTITY
    usual: float = 0.0  # of a quantity: its usual size in natural units, shown as 1/2
    high: float = math.inf  # of all others: in natural units, shown as 1
    category: float = 0.0  # of a category: the value shown as 1

    @property
    def factor(self) -> float:
        """The factor of the cell's value before it is shown."""
        return 3.0 / self.usual if self.kind == QUANTITY else 1.0 / self.high


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
        rows = [(e.column, e.kind, e.category, e.factor) for e in self.entries]
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
        if what == "up":
            return [Entry(cell.name, part.unit, cell.column, CATEGORY, high=1.0, category=1.0)]
        if what == "progress":
            high = scenario.projects[part.owner].periods + 1.0
            return [Entry(cell.name, part.unit, cell.column, SHARE, high=high)]
        if what == "period":
            return self._of_clock(cell)
        if part.kind == "report" and not self._is_informative(part.owner):
            return []
        usual = self._usual(part.owner, what) or 1.0
        return [Entry(cell.name, part.unit, cell.column, usual=usual)]

    def _of_clock(self, cell: Cell) -> list[Entry]:
        cycle = float(self.layout.plant.cycle)
        if cycle == 0.0:
            periods = float(self.layout.plant.periods)
            return [Entry("clock.to_go", "periods", cell.column, TO_GO, high=periods)]
        return [
            Entry("clock.sine", "", cell.column, SINE, high=cycle),
            Entry("clock.cosine", "", cell.column, COSINE, high=cycle),
        ]

    def _is_informative(self, demand: str) -> bool:
        # If demand is independent and known, the last demand says nothing about the next one.
        quantity = self.layout.scenario.demands[demand].quantity
        return quantity.distribution == "recorded" or not getattr(quantity, "seen", True)

    def _usual(self, owner: str, what: str) -> float:
        """Return the usual size of a quantity in natural units; 0 if it has none."""
        scenario = self.layout.scenario
        if what == "stock":
            orders = [self._usual_order(name) for name in scenario.sources_of(owner)]
            return max(orders, default=scenario.items[owner].initial_stock)
        if what in ("in_process", "unshipped"):
            return self._usual_order(owner)
        if what == "owed":
            contract = scenario.sources[owner].commitment
            return 0.0 if contract is None else contract.quantity / 2.0
        if what == "work":
            source = scenario.sources[owner]
            batch = max(source.lot_size, source.minimum_order)
            return (source.setup_time + source.time_per_unit * batch) / 2.0
        quantity = scenario.demands[owner].quantity
        if what == "so_far" and isinstance(quantity, LifeCycle):
            return quantity.mean
        return scenario.demands[owner].mean

    def _usual_order(self, source: str) -> float:
        return stages(self.layout.scenario)[source].order_quantity


def _categories(cell: Cell, values: dict[str, float]) -> list[Entry]:
    return [
        Entry(f"{cell.name}={name}", "", cell.column, CATEGORY, high=1.0, category=value)
        for name, value in values.items()
    ]


@kernel
def observe_row(entries: Records, state: Row, observation: npt.NDArray[np.float32]) -> None:
    """Write one observation, (entries,)."""
    for k in range(entries.size):
        entry = entries[k]
        value = state[entry.cell]
        shown = value * entry.scale
        if entry.kind == QUANTITY:
            shown = 1.0 - 1.0 / math.sqrt(1.0 + max(shown, 0.0))
        elif entry.kind == CATEGORY:
            shown = 1.0 if value == entry.category else 0.0
        elif entry.kind == TO_GO:
            shown = 1.0 - shown
        elif entry.kind == SINE:
            shown = 0.5 + 0.5 * math.sin(2.0 * math.pi * shown)
        elif entry.kind == COSINE:
            shown = 0.5 + 0.5 * math.cos(2.0 * math.pi * shown)
        observation[k] = np.float32(max(shown, 0.0))


@compiled
def observe_states(entries: Records, state: Matrix, observation: npt.NDArray[np.float32]) -> None:
    """Write the observation of each state, (batch, entries)."""
    for e in range(state.shape[0]):
        observe_row(entries, state[e], observation[e])


@dataclass(frozen=True)
class ActionEncoding:
    """The action of a plant under one control, entry by entry."""

    layout: Layout
    control: Control = DEFAULT_CONTROL

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
        counts = [1 + round((e.high - e.low) / e.step) for e in self.entries]
        return np.array(counts, dtype=np.int64)

    @cached_property
    def table(self) -> ActionTable:
        """The encoding as compiled code reads it."""
        if self.control == "asked":
            return self._identity()
        entries, scenario = self.entries, self.layout.scenario
        step = np.array([entry.step for entry in entries], dtype=np.float64)
        least = np.array([round(entry.low / entry.step) for entry in entries], dtype=np.float64)
        most = np.array([round(entry.high / entry.step) for entry in entries], dtype=np.float64)
        # From -1 and 1 to the smallest and the largest number of steps; choices are steps already.
        offset, gain = np.zeros(step.size), np.ones(step.size)
        if not self.is_discrete:
            offset, gain = (most + least) / (most - least), (most - least) / 2.0
            begins = step.size - len(scenario.projects)
            offset[begins:], gain[begins:] = BEGINS, 1.0
        kind = LEVELS if self.sets_levels else ASKED
        is_base_stock = self.control == "base-stock"
        anything = dict.fromkeys(scenario.sources, 0.0)  # the action's levels replace these
        levels = anything if is_base_stock else None
        if self.control == "corrections":
            kind, levels = CORRECTIONS, textbook_levels(scenario)
        return ActionTable(
            kind=kind,
            is_discrete=self.is_discrete,
            offset=offset,
            gain=gain,
            step=step,
            least=least,
            most=most,
            cells=np.array([entry.cell for entry in entries], dtype=np.int32),
            column=LEVEL if is_base_stock else CARDS,
            matrix=echelon_matrix(scenario) if is_base_stock else np.eye(len(scenario.sources)),
            rule=pull_rule(self.layout, levels=levels, cards=anything if levels is None else None),
        )

    def _identity(self) -> ActionTable:
        width = self.layout.asked_cells
        return ActionTable(
            kind=UNITS,
            is_discrete=False,
            offset=np.zeros(width),
            gain=np.ones(width),
            step=np.ones(width),
            least=np.zeros(width),
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
        """Return an action in units, (..., sources): quantities, corrections or local levels."""
        table = self.table
        if table.kind == UNITS:
            return np.asarray(action, dtype=np.float64)
        x = (np.asarray(action, dtype=np.float64) + table.offset) * table.gain
        return np.clip(np.floor(x + 0.5), table.least, table.most) * table.step

    def _of(self, source: str, cell: int) -> ActionEntry:
        scenario = self.layout.scenario
        lot = float(scenario.sources[source].lot_size)
        if self.sets_levels:
            step = lot if self.control == "cards" else 1.0
            high = whole_up(scenario.level_bound(scenario.sources[source].makes) / step) * step
            return ActionEntry(source, "units", 0.0, float(high), step, cell)
        if self.control == "corrections":
            needed = WIDTH * scenario.mean_requirement(scenario.sources[source].makes)
            most = max(1.0, float(whole(needed / lot))) * lot
            return ActionEntry(source, "units", -most, most, lot, cell)
        lots = max(1, int(whole(scenario.order_bound(source) / lot)))
        step = lot
        if self.is_discrete and 1 + lots > MOST_CHOICES:  # an order of 0 is a choice too
            multiple = int(np.ceil(lots / (MOST_CHOICES - 1)))
            step, lots = lot * multiple, lots // multiple
        return ActionEntry(source, "units", 0.0, lots * step, step, cell)


def textbook_levels(scenario: Scenario) -> dict[str, float]:
    """Return source -> echelon level of the textbook base-stock, which corrections start from.

    No local level is above the storage, because orders above the storage are never granted. The
    levels of the last scenarios are kept, because many environments are made of one scenario.

    Raises
    ------
    ScenarioError
        If the levels cannot be computed.
    """
    for known, levels in _SIZED:
        if known is scenario or known == scenario:
            return levels
    _expect_countable(scenario)
    try:
        at, local = stages(scenario), base_stock_levels(scenario)
        within = [min(local[name], at[name].storage) for name in scenario.sources]
        echelon = echelon_matrix(scenario) @ within
    except (ArithmeticError, MemoryError, ValueError) as error:
        raise ScenarioError(_unsized(scenario, str(error))) from None
    if not np.isfinite(echelon).all():
        raise ScenarioError(_unsized(scenario, "a level is not finite"))
    levels = dict(zip(scenario.sources, echelon.tolist(), strict=True))
    _SIZED.append((scenario, levels))
    return levels


_SIZED: deque[tuple[Scenario, dict[str, float]]] = deque(maxlen=8)


def _expect_countable(scenario: Scenario) -> None:
    """Raise ScenarioError if a level covers more units than can be counted one by one in time."""
    for name, source in scenario.sources.items():
        covered = scenario.mean_requirement(source.makes) * (scenario.mean_lead_time(name) + 1.0)
        if covered > MOST_UNITS:
            reason = f"{name} covers {covered:g} units, more than {MOST_UNITS:g}"
            raise ScenarioError(_unsized(scenario, reason))


def _unsized(scenario: Scenario, reason: str) -> str:
    return (
        f"{scenario.file}: the control 'corrections' needs the textbook base-stock levels, which "
        f"cannot be computed ({reason}); expected another control, such as control='orders'"
    )
