"""The layout: from a scenario to the arrays that compiled code reads.

The whole state of a plant is one row of float64 with named slices. The flows of one period are
another row. The records say where each cell lies: code reads `state[item.stock + age]`,
`flows[source.granted]`, `tape[demand.channel]`. A batch of plants is a matrix, one row per plant.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.distributions import SPLITS, Recorded
from jitgym.errors import ScenarioError
from jitgym.scenario import Scenario

from . import basics, features
from .prices import emission_weights, price_list
from .records import CHANNEL, DISTRIBUTION, NONE, RECORDED, Plant
from .rows import Plan, Slice
from .tape import channel_number


@dataclass(frozen=True)
class Layout:
    """Where each cell lies, by name: the Python side of a plant."""

    scenario: Scenario
    plant: Plant
    state: tuple[Slice, ...]
    flows: tuple[Slice, ...]
    terms: tuple[str, ...]  # the ledger's terms that this scenario books
    emissions: npt.NDArray[np.float64]  # of a unit of each flow, (flow cells,)
    channels: tuple[str, ...]  # names of the tape's cells
    key_cells: int  # the first cells of a state row determine the future; the rest only reports

    def __repr__(self) -> str:
        """Return one line about the plant, without the arrays."""
        return (
            f"layout of {self.scenario.name}: a state of {self.cells} cells, "
            f"{self.flow_cells} flows per period"
        )

    @property
    def cells(self) -> int:
        """Number of cells of a state row."""
        return int(self.plant.initial.size)

    @property
    def flow_cells(self) -> int:
        """Number of cells of a row of flows."""
        return self.flows[-1].stop

    @property
    def asked_cells(self) -> int:
        """Number of cells of a row of asks: quantities, priorities, projects to begin."""
        return 2 * self.plant.sources.size + self.plant.projects.size

    def plant_in(self, split: str) -> Plant:
        """Return the plant with the episode length and the first phases of this split.

        Where demand has a cycle, an episode of `train` begins at a random phase of it, so that
        short episodes together see the whole cycle. All other episodes begin at the first phase.
        """
        periods, warm_up = self.scenario.horizon.of_split(split)
        varies = any(demand.varies for demand in self.scenario.demands.values())
        return self.plant._replace(
            periods=periods,
            warm_up=warm_up,
            average=_weight(self.scenario, periods - warm_up),
            first_phases=max(self.plant.cycle, 1) if split == "train" and varies else 1,
        )

    def range_of(self, part: Slice) -> tuple[float, float, bool]:
        """Return the least and largest value of these cells of a state, and if they are whole."""
        scenario, what = self.scenario, part.what
        if what == "up":
            return 0.0, 1.0, True
        if what == "setup":
            return 0.0, float(len(scenario.sources)), True
        if what == "regime":
            count = int(self.plant.regimes["count"][self._regimes.index(part.owner)])
            return 0.0, count - 1.0, True
        if what == "period" and part.kind == "clock":
            ends = scenario.horizon.ends
            last = self.plant.periods if ends else self.plant.cycle
            return 0.0, last - 1.0 if last else np.inf, True
        if what in ("owed", "latent"):
            return -np.inf, np.inf, False
        return 0.0, np.inf, False

    @cached_property
    def _regimes(self) -> list[str]:
        names = list(self.scenario.demands)
        return [names[k] for k in self.plant.regimes["demand"]]

    @cached_property
    def named(self) -> dict[str, Slice]:
        """Name -> its cells in a state row."""
        return {part.name: part for part in self.state}

    @cached_property
    def place_of_source(self) -> dict[str, int]:
        """Source -> its number, in scenario order."""
        return {name: k for k, name in enumerate(self.scenario.sources)}

    @cached_property
    def _flow_cells(self) -> dict[tuple[str, str], int]:
        return {(cell.kind, cell.name): cell.start for cell in self.flows}

    def flow(self, name: str, kind: str | None = None) -> int:
        """Return the cell of a flow, such as 'supplier.granted'; NONE where there is none.

        `kind` ('item', 'source', 'center', 'demand', 'carrier', 'project', 'total') is needed where
        an item and a demand, say, have the same name.
        """
        kinds = FLOW_KINDS if kind is None else (kind,)
        return next(
            (self._flow_cells[k, name] for k in kinds if (k, name) in self._flow_cells), NONE
        )

    @cached_property
    def items_upstream_first(self) -> tuple[str, ...]:
        """The items in an order in which materials come before the items made of them."""
        return self.scenario.items_upstream_first

    def cells_of(self, flow: str, things: str) -> npt.NDArray[np.intp]:
        """Return the cells of a flow, (things,); NONE for a thing without this flow.

        `things` is a field of the scenario: 'items', 'sources', 'work_centers', 'demands', ...
        """
        if (flow, things) not in self._cells_of:
            kind = "center" if things == "work_centers" else things.removesuffix("s")
            names = getattr(self.scenario, things)
            cells = [self.flow(f"{name}.{flow}", kind) for name in names]
            self._cells_of[flow, things] = np.array(cells, dtype=np.intp)
        return self._cells_of[flow, things]

    @cached_property
    def _cells_of(self) -> dict[tuple[str, str], npt.NDArray[np.intp]]:
        return {}


FLOW_KINDS = ("item", "source", "center", "demand", "carrier", "project", "total")


def lay_out(scenario: Scenario) -> Layout:
    """Lay out a scenario as a plant: the place of each cell, and the prices."""
    plan = Plan(scenario)
    # The order of the state's cells: item, source, center, demand, forecast, clock, reports.
    items = basics.lay_items(plan)
    sources = basics.lay_sources(plan)
    centers = basics.lay_centers(plan)
    demands = basics.lay_demands(plan)
    partials = features.lay_partials(plan, sources)
    qualities = features.lay_qualities(plan, sources)
    commitments = features.lay_commitments(plan)
    ups_and_downs = features.lay_ups_and_downs(plan, sources, centers)
    projects = features.lay_projects(plan)
    abandonment = features.lay_abandonment(plan)
    regimes = features.lay_regimes(plan, demands)
    lives = features.lay_lives(plan, demands)
    parts = features.lay_parts(plan, demands)
    revealed = features.lay_revealed(plan, demands)
    smoothing = features.lay_smoothing(plan)
    obsolescence = features.lay_obsolescence(plan)
    salvage = features.lay_salvage(plan)
    carriers, loads = features.lay_carriers(plan)
    savings, reduced = features.lay_savings(plan, sources, carriers)
    clock, cycle = features.lay_clock(plan)
    key_cells = plan.state.width
    basics.lay_reports(plan, demands)
    totals = basics.lay_totals(plan)
    links = basics.link(plan, items, sources, centers)
    recorded, series = _recordings(plan.tables.recorded)
    terms, prices = price_list(plan, reduced)
    initial = np.zeros(plan.state.width)
    for cell, value in plan.initial.items():
        initial[cell] = value
    _expect_names_apart(scenario, plan.state.slices)
    tables = plan.tables
    plant = Plant(
        items=items,
        sources=sources,
        centers=centers,
        demands=demands,
        materials=links.materials,
        users=links.users,
        makers=links.makers,
        crew=links.crew,
        distributions=np.array(tables.records, dtype=DISTRIBUTION),
        values=np.concatenate(tables.values),
        ends=np.concatenate(tables.ends),
        guides=np.concatenate(tables.guides),
        hazards=np.array(plan.hazards, dtype=np.float64),
        channels=np.array(
            [(channel_number(name), *rest) for name, *rest in tables.channels], dtype=CHANNEL
        ),
        recorded=recorded,
        series=series,
        totals=totals,
        prices=prices,
        ups_and_downs=ups_and_downs,
        qualities=qualities,
        partials=partials,
        obsolescence=obsolescence,
        salvage=salvage,
        abandonment=abandonment,
        commitments=commitments,
        carriers=carriers,
        loads=loads,
        projects=projects,
        savings=savings,
        regimes=regimes,
        lives=lives,
        revealed=revealed,
        smoothing=smoothing,
        parts=parts,
        numbers=np.array(tables.numbers, dtype=np.float64),
        initial=initial,
        clock=clock,
        cycle=cycle,
        is_contested=links.is_contested,
        warm_up=scenario.horizon.warm_up,
        periods=scenario.horizon.periods,
        discount=1.0 if scenario.discount is None else scenario.discount,
        average=_weight(scenario, scenario.horizon.periods - scenario.horizon.warm_up),
        first_phases=1,
    )
    return Layout(
        scenario,
        plant,
        tuple(plan.state.slices),
        tuple(plan.flows.slices),
        terms,
        emission_weights(plan),
        tuple(name for name, *_ in tables.channels),
        key_cells,
    )


def _expect_names_apart(scenario: Scenario, slices: list[Slice]) -> None:
    """Raise ScenarioError if two parts of a plant have cells of the same name."""
    seen: dict[str, Slice] = {}
    for cell in slices:
        other = seen.setdefault(cell.name, cell)
        if other is not cell:
            raise ScenarioError(
                f"{scenario.file}: {cell.owner}: is a {other.kind} and a {cell.kind}, and both "
                f"would have a cell {cell.name}; expected another name for one of them"
            )


def _weight(scenario: Scenario, measured: int) -> float:
    """Return the weight of the first measured period's cost in the yardstick."""
    return 1.0 / measured if scenario.yardstick.startswith("average") else 1.0


def _recordings(recorded: list[Recorded]) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    rows = np.zeros((len(recorded), len(SPLITS)), dtype=RECORDED)
    parts: list[npt.NDArray[np.float64]] = [np.empty(0)]
    for row, demand in zip(rows, recorded, strict=True):
        for cell, split in zip(row, SPLITS, strict=True):
            series = demand.series(split)
            cell["first"] = sum(part.size for part in parts)
            cell["length"] = series.size
            cell["block"] = demand.block(split)
            parts.append(series)
    return rows, np.concatenate(parts)
