"""Prices: the cost of a unit of each flow, by ledger term, and its emissions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .records import PRICE
from .rows import Plan

Booking = tuple[str, int, float]  # term, flow cell, price

# The order of the ledger's terms in every table.
TERMS = (
    "holding",
    "in_process_holding",
    "shortage",
    "abandonment",
    "purchase",
    "shipment",
    "setup",
    "overtime",
    "disposal",
    "commitment",
    "project",
    "emission",
    "salvage",
    "revenue",
)


def price_list(plan: Plan, reduced: list[Booking]) -> tuple[tuple[str, ...], npt.NDArray[Any]]:
    """Return the ledger terms that a scenario uses, and its entries: prices of flows by term."""
    booked = [*_of_items(plan), *_of_sources(plan), *_of_others(plan), *reduced]
    price = plan.scenario.emission_price
    emitted = emission_weights(plan)
    booked += [("emission", int(cell), price * emitted[cell]) for cell in np.flatnonzero(emitted)]
    used = {term for term, _, price in booked if price != 0.0}
    terms = tuple(term for term in TERMS if term in used)
    rows = [(terms.index(term), flow, price) for term, flow, price in booked if price != 0.0]
    return terms, np.array(rows, dtype=PRICE)


def _cells(plan: Plan, kind: str) -> dict[str, int]:
    return {cell.name: cell.start for cell in plan.flows.slices if cell.kind == kind}


def _of_items(plan: Plan) -> list[Booking]:
    cells, booked = _cells(plan, "item"), []
    for name, item in plan.scenario.items.items():
        booked.append(("holding", cells[f"{name}.on_hand"], item.holding_cost))
        booked.append(("disposal", cells[f"{name}.wasted"], item.disposal_cost))
        if f"{name}.salvaged" in cells:
            booked.append(("salvage", cells[f"{name}.salvaged"], -item.salvage_value))
    return booked


def _of_sources(plan: Plan) -> list[Booking]:
    cells, booked = _cells(plan, "source"), []
    for name, source in plan.scenario.sources.items():
        in_process = cells[f"{name}.in_process"]
        booked.append(("in_process_holding", in_process, source.in_process_holding_cost))
        paid = [f"{name}.granted"] if source.paid == "order" else [f"{name}.received"]
        if source.paid == "receipt" and source.quality is not None:
            paid.append(f"{name}.defective")
        booked += [("purchase", cells[flow], source.unit_cost) for flow in paid]
        if (
            source.paid == "order" and source.partial is not None
        ):  # units that never come are not paid
            booked.append(("purchase", cells[f"{name}.cancelled"], -source.unit_cost))
        booked.append(("shipment", cells[f"{name}.shipments"], source.shipment_cost))
        booked.append(("setup", cells[f"{name}.setups"], source.setup_cost))
        if source.quality is not None:
            disposal = plan.scenario.items[source.makes].disposal_cost
            booked.append(("disposal", cells[f"{name}.scrapped"], disposal))
        if source.commitment is not None:
            price = source.commitment.shortfall_cost
            booked.append(("commitment", cells[f"{name}.shortfall"], price))
    return booked


def _of_others(plan: Plan) -> list[Booking]:
    booked: list[Booking] = []
    cells = _cells(plan, "demand")
    scenario = plan.scenario
    for name, demand in scenario.demands.items():
        if demand.waits:
            booked.append(("shortage", cells[f"{name}.waiting"], demand.shortage_cost))
        if demand.unmet != "backordered":
            booked.append(("shortage", cells[f"{name}.lost"], demand.shortage_cost))
        if demand.abandons > 0:
            booked.append(("abandonment", cells[f"{name}.abandoned"], demand.abandonment_cost))
        booked.append(("revenue", cells[f"{name}.served"], -demand.price))
    cells = _cells(plan, "center")
    for name, center in scenario.work_centers.items():
        if center.overtime is not None:
            booked.append(("overtime", cells[f"{name}.over"], center.overtime.cost))
    cells = _cells(plan, "carrier")
    for name, carrier in scenario.carriers.items():
        booked.append(("shipment", cells[f"{name}.trips"], carrier.cost))
    cells = _cells(plan, "project")
    for name, project in scenario.projects.items():
        booked.append(("project", cells[f"{name}.begun"], project.cost))
    return booked


def emission_weights(plan: Plan) -> npt.NDArray[np.float64]:
    """Return the emissions per unit of each flow, (flow cells,)."""
    weights = np.zeros(plan.flows.width)
    cells = _cells(plan, "source")
    for name, source in plan.scenario.sources.items():
        weights[cells[f"{name}.granted"]] += source.emissions_per_unit
        if source.partial is not None:
            weights[cells[f"{name}.cancelled"]] -= source.emissions_per_unit
        weights[cells[f"{name}.shipments"]] += source.emissions_per_shipment
    cells = _cells(plan, "carrier")
    for name, carrier in plan.scenario.carriers.items():
        weights[cells[f"{name}.trips"]] += carrier.emissions
    return weights
