"""Lays out what every plant has: items, sources, work centers, demands and the links between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from jitgym.distributions import Distribution, Regimes, hazard
from jitgym.scenario import Demand, Source
from jitgym.units import is_whole

from .records import (
    CENTER,
    DEMAND,
    ITEM,
    MATERIAL,
    NONE,
    SOURCE,
    TOTALS,
    UNLIMITED,
    WAITS,
)
from .rows import Plan, records

Records = npt.NDArray[Any]


def lay_items(plan: Plan) -> Records:
    """Lay out the items: the stock by age."""
    rows = records(ITEM, len(plan.items))
    for record, (name, item) in zip(rows, plan.scenario.items.items(), strict=True):
        record["ages"] = item.shelf_life or 1
        record["perishes"] = int(item.shelf_life is not None)
        record["lifo"] = int(item.issuing == "lifo")
        record["stock"] = plan.state.take("item", name, "stock", "units", int(record["ages"]))
        record["storage"] = UNLIMITED if item.storage is None else item.storage
        plan.initial[int(record["stock"])] = item.initial_stock
        flows = ("requested", "arrived", "consumed", "served", "wasted", "on_hand")
        plan.flows.take_fields(record, "item", name, dict.fromkeys(flows, "units"))
    return rows


def lay_sources(plan: Plan) -> Records:
    """Lay out the sources: the pipeline by age, and unfinished work."""
    rows = records(SOURCE, len(plan.sources))
    for record, (name, source) in zip(rows, plan.scenario.sources.items(), strict=True):
        record["item"] = plan.items[source.makes]
        record["center"] = NONE if source.at is None else plan.centers[source.at]
        record["outside"] = int(not source.consumes and source.at is None)
        record["lot"] = source.lot_size
        record["per_lot"] = 1.0 / source.lot_size
        record["minimum"] = source.minimum_order
        record["maximum"] = UNLIMITED if source.maximum_order is None else source.maximum_order
        record["lot_time"] = source.time_per_unit * source.lot_size
        record["per_lot_time"] = 1.0 / record["lot_time"] if record["lot_time"] > 0.0 else 0.0
        record["setup_time"] = source.setup_time
        project, faster = plan.improved(f"sources.{name}.setup_time")
        record["setup_project"] = project
        record["faster_setup"] = source.setup_time if faster is None else faster
        _lay_lead_time(plan, record, name, source)
        record["work"] = record["up"] = record["quality"] = record["partial"] = NONE
        if source.at is not None and _may_leave_work(plan, source):
            record["work"] = plan.state.take("source", name, "work", "time")
        flows = dict.fromkeys(("asked", "allowed", "granted"), "units")
        flows |= dict.fromkeys(("turn", "setups", "shipments"), "")
        flows |= dict.fromkeys(("received", "defective", "in_process"), "units")
        plan.flows.take_fields(record, "source", name, flows)
    return rows


def _lay_lead_time(plan: Plan, record: np.void, name: str, source: Source) -> None:
    by_age = hazard(source.lead_time)
    ages = by_age.size - 1
    record["ages"] = ages
    record["pipeline"] = plan.state.take("source", name, "in_process", "units", ages)
    record["crossover"] = record["lead_time"] = record["hazard"] = NONE
    record["faster_lead_time"] = record["faster_hazard"] = record["lead_project"] = NONE
    if ages == 0:
        return
    if source.crossover:
        record["crossover"] = plan.tables.channel(f"{name}.lead_time", size=ages)
    _lay_hazard(plan, record, name, source.lead_time, "hazard", "lead_time")
    record["lead_project"], faster = plan.improved(f"sources.{name}.lead_time")
    if faster is not None:
        _lay_hazard(plan, record, name, faster, "faster_hazard", "faster_lead_time")


def _lay_hazard(
    plan: Plan, record: np.void, name: str, lead_time: Distribution, by_age: str, overtakes_not: str
) -> None:
    hazards = hazard(lead_time)
    padded = np.ones(int(record["ages"]))
    padded[: hazards.size - 1] = hazards[1:]
    if record["crossover"] != NONE:
        record[by_age] = len(plan.hazards)
        plan.hazards.extend(padded)
    else:
        # P(D <= a) = h(a): every order that is at least D periods old arrives (Kaplan 1970).
        steps = np.flatnonzero(np.diff(padded, prepend=0.0) > 0) + 1
        channel = NONE if steps.size == 1 else plan.tables.channel(f"{name}.lead_time")
        ends = padded[steps - 1]
        record[overtakes_not] = plan.tables.add_steps(steps.astype(np.float64), ends, channel)


def _may_leave_work(plan: Plan, source: Source) -> bool:
    # No work is ever left unfinished, and no cell is needed, if the source is alone at its center,
    # has no setups, and every possible available time is a whole number of lots.
    assert source.at is not None
    scenario = plan.scenario
    center = scenario.work_centers[source.at]
    shared = len(scenario.crew_of(source.at)) > 1
    slowed = any(project.slows == source.at for project in scenario.projects.values())
    lot_time = source.time_per_unit * source.lot_size
    if lot_time == 0 and source.setup_time == 0:
        return False
    if shared or slowed or source.setup_time > 0 or source.minimum_order > source.lot_size:
        return True
    over = 0.0 if center.overtime is None else center.overtime.time
    lots = (center.time.steps()[0] + over) / lot_time
    return not np.all(is_whole(lots))


def lay_centers(plan: Plan) -> Records:
    """Lay out the work centers: the source that each one is set up for."""
    rows = records(CENTER, len(plan.centers))
    for record, (name, center) in zip(rows, plan.scenario.work_centers.items(), strict=True):
        record["time"] = plan.tables.add(center.time, f"{name}.time")
        record["up"] = record["setup"] = record["over"] = NONE
        record["overtime"] = 0.0
        crew = [plan.scenario.sources[source] for source in plan.scenario.crew_of(name)]
        if any(source.setup_time > 0 or source.setup_cost > 0 for source in crew):
            record["setup"] = plan.state.take("center", name, "setup", "")
        flows = {
            "planned": "time",
            "regular": "time",
            "available": "time",
            "used": "time",
            "made": "units",
        }
        plan.flows.take_fields(record, "center", name, flows)
        if center.overtime is not None:
            record["overtime"] = center.overtime.time
            plan.flows.take_fields(record, "center", name, {"over": "time"})
    return rows


def lay_demands(plan: Plan) -> Records:
    """Lay out the demands: the backlog of each."""
    rows = records(DEMAND, len(plan.demands))
    for record, (name, demand) in zip(rows, plan.scenario.demands.items(), strict=True):
        record["item"] = plan.items[demand.item]
        _lay_quantity(plan, record, name, demand)
        record["regime"] = record["life"] = record["revealed"] = record["stream"] = NONE
        record["backlog"] = record["waits_channel"] = NONE
        record["waits"] = 0.0
        if demand.waits:
            record["backlog"] = plan.state.take("demand", name, "backlog", "units")
            record["waits"] = getattr(demand.unmet, "backordered", 1.0)
            if record["waits"] < 1.0:
                record["waits_channel"] = plan.tables.channel(f"{name}.waits")
        flows = dict.fromkeys(("requested", "served", "at_once", "lost", "waiting"), "units")
        flows |= dict.fromkeys(("orders", "in_full", "ready", "cycles", "full_cycles"), "")
        plan.flows.take_fields(record, "demand", name, flows)
        record["waited"] = record["left_after"] = NONE
        if demand.waits:
            record["waited"] = plan.flows.take("demand", name, "waited", "units", WAITS)
        if demand.abandons > 0:
            record["left_after"] = plan.flows.take("demand", name, "left_after", "periods")
    return rows


def _lay_quantity(plan: Plan, record: np.void, name: str, demand: Demand) -> None:
    # The distributions of phases or regimes share one channel.
    several = demand.phases
    if isinstance(demand.quantity, Regimes):
        several = tuple(demand.quantity.regimes.values())
    kinds = list(dict.fromkeys(several))
    numbers = {kind: plan.tables.add(kind, f"{name}.quantity") for kind in kinds}
    record["quantity"] = numbers[several[0]]
    record["phases"], record["phase_rows"] = 1, NONE
    if len(several) > 1:
        record["phases"] = len(demand.phases)
        record["phase_rows"] = plan.tables.add_numbers([numbers[kind] for kind in several])


def lay_reports(plan: Plan, rows: Records) -> None:
    """Lay out the cells that only report: the last demand, stockouts, waiting times."""
    for record, (name, demand) in zip(rows, plan.scenario.demands.items(), strict=True):
        record["last"] = plan.state.take("report", name, "last", "units")
        plan.initial[int(record["last"])] = demand.mean
        record["short"] = plan.state.take("hidden", name, "short", "")
        record["queue"] = NONE
        if demand.waits:
            record["queue"] = plan.state.take("hidden", name, "queue", "units", WAITS)


def lay_totals(plan: Plan) -> Records:
    """Lay out the flows of the plant as a whole."""
    rows = records(TOTALS, 1)
    plan.flows.take_fields(rows[0], "total", "total", dict.fromkeys(TOTALS.names or (), "units"))
    return rows


@dataclass(frozen=True)
class Links:
    """What each source consumes and makes, and at which work center it runs."""

    materials: Records
    users: Records
    makers: npt.NDArray[np.int32]
    crew: npt.NDArray[np.int32]
    is_contested: bool


def link(plan: Plan, items: Records, sources: Records, centers: Records) -> Links:
    """Find the range of rows that belongs to each item, source and center."""
    rows = [
        (plan.items[item], plan.sources[name], quantity)
        for name, source in plan.scenario.sources.items()
        for item, quantity in source.consumes.items()
    ]
    materials = np.array(rows, dtype=MATERIAL)
    users = materials[np.argsort(materials["item"], kind="stable")]
    number_ranges(sources, "materials", materials["source"])
    number_ranges(items, "users", users["item"])
    makers = np.argsort(sources["item"], kind="stable").astype(np.int32)
    number_ranges(items, "sources", sources["item"][makers])
    placed = np.flatnonzero(sources["center"] >= 0)
    crew = placed[np.argsort(sources["center"][placed], kind="stable")].astype(np.int32)
    number_ranges(centers, "crew", sources["center"][crew])
    is_contested = _is_contested(users["item"]) or _is_contested(sources["center"][crew])
    return Links(materials, users, makers, crew, is_contested)


def number_ranges(rows: Records, field: str, owners: npt.NDArray[Any]) -> None:
    """Write where the rows of each owner begin and end; `owners` must be sorted."""
    for k in range(rows.size):
        rows[k][field] = np.searchsorted(owners, k, side="left")
        rows[k][f"{field}_end"] = np.searchsorted(owners, k, side="right")


def _is_contested(owners: npt.NDArray[Any]) -> bool:
    return bool(np.unique(owners).size < owners.size)
