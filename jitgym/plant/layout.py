"""The layout: from a scenario to the arrays that compiled code reads.

A plant's whole state is one row of float64 with named slices, its flows of one period are another,
and the records say where everything lies: code reads `state[item.stock + age]`,
`flows[source.granted]`, `tape[demand.channel]`. A batch of plants is a matrix, one row a plant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.distributions import Distribution, Recorded, hazard
from jitgym.scenario import Demand, Item, Scenario, Source, WorkCenter

from .records import (
    CENTER,
    CHANNEL,
    DEMAND,
    DISTRIBUTION,
    ITEM,
    MATERIAL,
    NONE,
    PRICE,
    RECORDED,
    REPLAYED,
    SOURCE,
    TOTALS,
    UNIFORM,
    UNLIMITED,
    Plant,
)
from .tape import SPLITS, channel_number


@dataclass(frozen=True)
class Slice:
    """Named cells of a row."""

    name: str  # "car.stock", "mill.in_process"
    kind: str  # "item", "source", "center", "demand", "forecast"
    owner: str  # the item, source, center or demand that it belongs to
    start: int
    size: int
    unit: str

    @property
    def stop(self) -> int:
        """The cell after the last."""
        return self.start + self.size


@dataclass(frozen=True)
class Layout:
    """Where things lie, by name: the Python side of a plant."""

    scenario: Scenario
    plant: Plant
    state: tuple[Slice, ...]
    flows: tuple[Slice, ...]
    terms: tuple[str, ...]  # the ledger's terms that this scenario books
    key_cells: int  # the first cells of a state row determine the future; the rest only reports

    @property
    def cells(self) -> int:
        """Cells of a state row."""
        return int(self.plant.initial.size)

    @property
    def flow_cells(self) -> int:
        """Cells of a row of flows."""
        return self.flows[-1].stop

    def flow(self, name: str) -> int:
        """Return the cell of a flow, such as 'supplier.granted'."""
        return next(cell.start for cell in self.flows if cell.name == name)


class _Row:
    """Hands out the cells of a row, in order, and remembers their names."""

    def __init__(self) -> None:
        self.slices: list[Slice] = []
        self.width = 0

    def take(self, kind: str, owner: str, what: str, unit: str, size: int = 1) -> int:
        start = self.width
        self.slices.append(Slice(f"{owner}.{what}", kind, owner, start, size, unit))
        self.width += size
        return start

    def take_fields(self, record: np.void, kind: str, owner: str, fields: dict[str, str]) -> None:
        for field, unit in fields.items():
            record[field] = self.take(kind, owner, field, unit)


class _Tables:
    """Collects distributions as step functions of a uniform, with a guide table each."""

    def __init__(self) -> None:
        self.records: list[tuple[int, int, int, int, float]] = []
        self.values: list[npt.NDArray[np.float64]] = []
        self.ends: list[npt.NDArray[np.float64]] = []
        self.guides: list[npt.NDArray[np.int32]] = []
        self.channels: list[tuple[str, int, int]] = []
        self.recorded: list[Recorded] = []

    def channel(self, name: str, kind: int = UNIFORM, recorded: int = 0, size: int = 1) -> int:
        names = [channel[0] for channel in self.channels]
        if name in names:
            return names.index(name)
        first = len(self.channels)
        self.channels += [(f"{name}[{k}]" if k else name, kind, recorded) for k in range(size)]
        return first

    def add(self, distribution: Distribution, name: str) -> int:
        values, ends = distribution.steps()
        channel, replayed = NONE, 0
        if isinstance(distribution, Recorded):
            channel, replayed = self.channel(name, REPLAYED, len(self.recorded)), 1
            self.recorded.append(distribution)
        elif values.size > 1:
            clock = getattr(distribution, "clock", None)
            # No part's name begins with a dot: a clock never shares a channel with one.
            channel = self.channel(name if clock is None else f".clock.{clock}")
        return self.add_steps(values, ends, channel, replayed)

    def add_steps(
        self,
        values: npt.NDArray[np.float64],
        ends: npt.NDArray[np.float64],
        channel: int,
        replayed: int = 0,
    ) -> int:
        # The guide of u says where the search for its step begins: ends[guide[floor(u * n)]] is the
        # first end beyond floor(u * n) / n, so that a draw takes one comparison or two.
        guides = max(1, 1 << int(np.ceil(np.log2(values.size))) << 1)
        first = sum(part.size for part in self.values)
        guide = np.searchsorted(ends, np.arange(guides) / guides, side="right").astype(np.int32)
        start = sum(part.size for part in self.guides)
        self.records.append((channel, replayed, first, start, float(guides)))
        self.values.append(values)
        self.ends.append(np.concatenate([ends[:-1], [2.0]]))  # no u lies beyond the last step
        self.guides.append(guide + np.int32(first))
        return len(self.records) - 1


def lay_out(scenario: Scenario) -> Layout:
    """Lay out a scenario as a plant: where each cell lies, what each price is."""
    state, flows, tables = _Row(), _Row(), _Tables()
    hazards: list[float] = []
    items = _records(ITEM, len(scenario.items))
    sources = _records(SOURCE, len(scenario.sources))
    centers = _records(CENTER, len(scenario.work_centers))
    demands = _records(DEMAND, len(scenario.demands))
    item_number = {name: k for k, name in enumerate(scenario.items)}
    source_number = {name: k for k, name in enumerate(scenario.sources)}
    center_number = {name: k for k, name in enumerate(scenario.work_centers)}

    for record, (name, item) in zip(items, scenario.items.items(), strict=True):
        _lay_item(record, name, item, state, flows)
    for record, (name, source) in zip(sources, scenario.sources.items(), strict=True):
        record["item"] = item_number[source.makes]
        record["center"] = NONE if source.at is None else center_number[source.at]
        _lay_source(record, name, source, scenario, state, flows, tables, hazards)
    for record, (name, center) in zip(centers, scenario.work_centers.items(), strict=True):
        _lay_center(record, name, center, scenario, state, flows, tables)
    for record, (name, demand) in zip(demands, scenario.demands.items(), strict=True):
        record["item"] = item_number[demand.item]
        _lay_demand(record, name, demand, state, flows, tables)
    for record, (name, demand) in zip(demands, scenario.demands.items(), strict=True):
        record["forecast"], record["weight"] = NONE, 0.0
        if demand.forecast is not None:
            record["forecast"] = state.take("forecast", name, "forecast", "units")
            record["weight"] = demand.forecast.weight
    key_cells = state.width
    for record, name in zip(demands, scenario.demands, strict=True):
        record["last"] = state.take("report", name, "last", "units")
    totals = _records(TOTALS, 1)
    flows.take_fields(totals[0], "total", "total", dict.fromkeys(TOTALS.names or (), "units"))

    materials, users, makers, crew = _links(
        scenario, items, sources, centers, item_number, source_number
    )
    recorded, series = _recordings(tables.recorded)
    terms, prices = _prices(scenario, items, sources, demands)
    horizon = scenario.horizon
    measured = horizon.periods - horizon.warm_up
    plant = Plant(
        items=items,
        sources=sources,
        centers=centers,
        demands=demands,
        materials=materials,
        users=users,
        makers=makers,
        crew=crew,
        distributions=np.array(tables.records, dtype=DISTRIBUTION),
        values=np.concatenate(tables.values),
        ends=np.concatenate(tables.ends),
        guides=np.concatenate(tables.guides),
        hazards=np.array(hazards, dtype=np.float64),
        channels=np.array(
            [(channel_number(name), kind, row) for name, kind, row in tables.channels],
            dtype=CHANNEL,
        ),
        recorded=recorded,
        series=series,
        totals=totals,
        prices=prices,
        is_contested=_is_contested(users["item"]) or _is_contested(sources["center"][crew]),
        initial=_initial_state(scenario, state.width, items, centers, demands),
        warm_up=horizon.warm_up,
        periods=horizon.periods,
        discount=1.0 if scenario.discount is None else scenario.discount,
        average=1.0 / measured if scenario.yardstick.startswith("average") else 1.0,
    )
    return Layout(scenario, plant, tuple(state.slices), tuple(flows.slices), terms, key_cells)


def _records(dtype: np.dtype[Any], count: int) -> npt.NDArray[Any]:
    return np.zeros(count, dtype=dtype)


def _lay_item(record: np.void, name: str, item: Item, state: _Row, flows: _Row) -> None:
    record["ages"] = 1
    record["stock"] = state.take("item", name, "stock", "units", size=int(record["ages"]))
    record["perishes"] = 0
    record["storage"] = UNLIMITED if item.storage is None else item.storage
    units = ("requested", "arrived", "consumed", "served", "wasted", "on_hand")
    flows.take_fields(record, "item", name, dict.fromkeys(units, "units"))


def _lay_source(
    record: np.void,
    name: str,
    source: Source,
    scenario: Scenario,
    state: _Row,
    flows: _Row,
    tables: _Tables,
    hazards: list[float],
) -> None:
    record["outside"] = int(not source.consumes and source.at is None)
    record["lot"] = source.lot_size
    record["per_lot"] = 1.0 / source.lot_size
    record["minimum"] = source.minimum_order
    record["maximum"] = UNLIMITED if source.maximum_order is None else source.maximum_order
    record["lot_time"] = source.time_per_unit * source.lot_size
    record["per_lot_time"] = 1.0 / record["lot_time"] if record["lot_time"] > 0.0 else 0.0
    record["setup_time"] = source.setup_time
    _lay_lead_time(record, name, source, state, tables, hazards)
    record["work"] = NONE
    if source.at is not None and _may_leave_work(scenario, source):
        record["work"] = state.take("source", name, "work", "time")
    fields = dict.fromkeys(("asked", "allowed", "granted"), "units")
    fields |= dict.fromkeys(("turn", "setups", "shipments"), "")
    fields |= dict.fromkeys(("received", "defective", "in_process"), "units")
    flows.take_fields(record, "source", name, fields)


def _lay_lead_time(
    record: np.void,
    name: str,
    source: Source,
    state: _Row,
    tables: _Tables,
    hazards: list[float],
) -> None:
    by_age = hazard(source.lead_time)
    ages = by_age.size - 1
    record["ages"] = ages
    record["pipeline"] = state.take("source", name, "in_process", "units", size=ages)
    record["hazard"] = len(hazards)
    record["crossover"] = record["lead_time"] = NONE
    is_random = source.lead_time.steps()[0].size > 1
    if source.crossover and is_random:
        hazards.extend(by_age[1:])
        record["crossover"] = tables.channel(f"{name}.lead_time", size=ages)
    elif is_random:
        # P(D <= a) = h(a): every order at least D old arrives (Kaplan 1970).
        steps = np.flatnonzero(np.diff(by_age) > 0) + 1
        channel = tables.channel(f"{name}.lead_time")
        record["lead_time"] = tables.add_steps(steps.astype(np.float64), by_age[steps], channel)
    elif ages:
        constant = np.array([float(ages)])
        record["lead_time"] = tables.add_steps(constant, np.ones(1), NONE)


def _may_leave_work(scenario: Scenario, source: Source) -> bool:
    # Where one source has a center to itself, without setups, and each amount of time that can be
    # available is a whole number of lots, nothing is ever left unfinished: no cell is needed.
    assert source.at is not None
    shared = sum(other.at == source.at for other in scenario.sources.values()) > 1
    lot_time = source.time_per_unit * source.lot_size
    if lot_time == 0 and source.setup_time == 0:
        return False
    if shared or source.setup_time > 0 or source.minimum_order > source.lot_size:
        return True
    lots = scenario.work_centers[source.at].time.steps()[0] / lot_time
    return bool(np.any(np.abs(lots - np.round(lots)) > 1e-9))


def _lay_center(
    record: np.void,
    name: str,
    center: WorkCenter,
    scenario: Scenario,
    state: _Row,
    flows: _Row,
    tables: _Tables,
) -> None:
    record["time"] = tables.add(center.time, f"{name}.time")
    record["up"] = record["setup"] = record["channel"] = NONE
    if center.breakdown is not None:
        record["up"] = state.take("center", name, "up", "")
        record["channel"] = tables.channel(f"{name}.breakdown")
        record["fails"] = center.breakdown.fails
        record["repaired"] = center.breakdown.repaired
        record["by_unit"] = int(center.breakdown.per == "unit")
    crew = [source for source in scenario.sources.values() if source.at == name]
    if any(source.setup_time > 0 or source.setup_cost > 0 for source in crew):
        record["setup"] = state.take("center", name, "setup", "")
    fields = {"available": "time", "used": "time", "made": "units"}
    flows.take_fields(record, "center", name, fields)


def _lay_demand(
    record: np.void, name: str, demand: Demand, state: _Row, flows: _Row, tables: _Tables
) -> None:
    record["quantity"] = tables.add(demand.quantity, f"{name}.quantity")
    record["backlog"] = NONE
    if demand.unmet == "backordered":
        record["backlog"] = state.take("demand", name, "backlog", "units")
    units = ("requested", "served", "at_once", "lost", "waiting")
    flows.take_fields(record, "demand", name, dict.fromkeys(units, "units"))


def _links(
    scenario: Scenario,
    items: npt.NDArray[Any],
    sources: npt.NDArray[Any],
    centers: npt.NDArray[Any],
    item_number: dict[str, int],
    source_number: dict[str, int],
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return who consumes what, by source and by item, who makes what, and who works where."""
    links = [
        (item_number[item], source_number[name], quantity)
        for name, source in scenario.sources.items()
        for item, quantity in source.consumes.items()
    ]
    materials = np.array(links, dtype=MATERIAL)
    users = materials[np.argsort(materials["item"], kind="stable")]
    _number_ranges(sources, "materials", materials["source"])
    _number_ranges(items, "users", users["item"])
    makers = np.argsort(sources["item"], kind="stable").astype(np.int32)
    _number_ranges(items, "sources", sources["item"][makers])
    placed = np.flatnonzero(sources["center"] >= 0)
    crew = placed[np.argsort(sources["center"][placed], kind="stable")].astype(np.int32)
    _number_ranges(centers, "crew", sources["center"][crew])
    return materials, users, makers, crew


def _number_ranges(records: npt.NDArray[Any], field: str, owners: npt.NDArray[Any]) -> None:
    for k in range(records.size):
        records[k][field] = np.searchsorted(owners, k, side="left")
        records[k][f"{field}_end"] = np.searchsorted(owners, k, side="right")


def _is_contested(owners: npt.NDArray[Any]) -> bool:
    return bool(np.unique(owners).size < owners.size)


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


def _prices(
    scenario: Scenario,
    items: npt.NDArray[Any],
    sources: npt.NDArray[Any],
    demands: npt.NDArray[Any],
) -> tuple[tuple[str, ...], npt.NDArray[Any]]:
    """Return the ledger's terms and its entries: a term is a sum of prices times flows."""
    booked: list[tuple[str, int, float]] = []
    for record, item in zip(items, scenario.items.values(), strict=True):
        booked.append(("holding", record["on_hand"], item.holding_cost))
    for record, source in zip(sources, scenario.sources.values(), strict=True):
        paid = record["granted" if source.paid == "order" else "received"]
        booked.append(("in_process", record["in_process"], source.in_process_holding_cost))
        booked.append(("purchase", paid, source.unit_cost))
        booked.append(("shipment", record["shipments"], source.shipment_cost))
        booked.append(("setup", record["setups"], source.setup_cost))
    for record, demand in zip(demands, scenario.demands.values(), strict=True):
        unmet = record["waiting" if demand.unmet == "backordered" else "lost"]
        booked.append(("shortage", unmet, demand.shortage_cost))
        booked.append(("revenue", record["served"], -demand.price))
    used = {term for term, _, price in booked if price != 0.0}
    terms = tuple(term for term in TERMS if term in used)
    rows = [(terms.index(term), flow, price) for term, flow, price in booked if price != 0.0]
    return terms, np.array(rows, dtype=PRICE)


# The order of the ledger's terms in every table.
TERMS = ("holding", "in_process", "shortage", "purchase", "shipment", "setup", "revenue")


def _initial_state(
    scenario: Scenario,
    width: int,
    items: npt.NDArray[Any],
    centers: npt.NDArray[Any],
    demands: npt.NDArray[Any],
) -> npt.NDArray[np.float64]:
    state = np.zeros(width)
    for record, item in zip(items, scenario.items.values(), strict=True):
        state[record["stock"]] = item.initial_stock
    state[centers["up"][centers["up"] >= 0]] = 1.0
    for record, demand in zip(demands, scenario.demands.values(), strict=True):
        state[record["last"]] = demand.quantity.expectation
        if record["forecast"] != NONE:
            state[record["forecast"]] = demand.quantity.expectation
    return state
