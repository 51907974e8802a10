"""The text of the parts of a plant in a drawing: a few words per line."""

from __future__ import annotations

from collections.abc import Iterator

from jitgym.distributions import Distribution, PartOf, Recorded
from jitgym.scenario import Demand, Scenario, Source, WorkCenter


def words_of_item(scenario: Scenario, name: str) -> tuple[str, ...]:
    """Return the limits of the stock of an item, and how it perishes."""
    return tuple(_of_item(scenario, name))


def _of_item(scenario: Scenario, name: str) -> Iterator[str]:
    item = scenario.items[name]
    if scenario.is_made_to_order(name):
        yield "made to order: no stock"
    elif item.storage is not None:
        yield f"storage {item.storage:g}"
    if item.shelf_life is not None:
        yield f"shelf life {item.shelf_life} period{'s' if item.shelf_life > 1 else ''}"
    if item.obsolescence == 1:
        yield "unserved units are scrapped"
    elif item.obsolescence:
        yield f"{_percent(item.obsolescence)} become obsolete per period"
    if item.salvage_value:
        yield f"salvage value {item.salvage_value:g}"


def words_of_source(scenario: Scenario, source: Source) -> tuple[str, ...]:
    """Return how a source makes or delivers its item."""
    return tuple(_of_source(scenario, source))


def _of_source(scenario: Scenario, source: Source) -> Iterator[str]:
    if source.at is not None:
        yield f"at {source.at.replace('_', ' ')}"
    if source.lead_time.expectation > 0:
        support, _ = source.lead_time.pmf()
        yield f"lead time {_span(support[0], support[-1])}"
    if source.crossover:
        yield "with order crossover"
    for material, quantity in source.consumes.items():
        if quantity != 1:
            yield f"{quantity:g} {material.replace('_', ' ')} per unit"
    if source.setup_time:
        yield f"setup takes {source.setup_time:.3g}"
    if source.setup_cost:
        yield f"setup costs {source.setup_cost:g}"
    if source.setup_scrap:
        yield f"setup spoils {source.setup_scrap:g}"
    if source.lot_size != 1:
        yield f"lots of {source.lot_size:g}"
    if source.minimum_order:
        yield f"minimum order {source.minimum_order:g}"
    if source.maximum_order is not None:
        yield f"maximum order {source.maximum_order:g}"
    if source.shipment_cost:
        yield f"{source.shipment_cost:g} per order"
    if source.quality is not None:
        yield f"{_percent(source.quality.defects)} defective"
    if source.disruption is not None:
        yield "can be down"
    if source.partial is not None:
        yield "partial deliveries"
    if source.commitment is not None:
        yield f"contract: {source.commitment.quantity:g} in {source.commitment.every} periods"


def words_of_work_center(center: WorkCenter) -> tuple[str, ...]:
    """Return the time of a work center, and its breakdowns."""
    return tuple(_of_work_center(center))


def _of_work_center(center: WorkCenter) -> Iterator[str]:
    yield f"time {center.time.expectation:.4g} per period"
    if center.overtime is not None:
        yield f"overtime up to {center.overtime.time:g}, at {center.overtime.cost:g}"
    if center.breakdown is not None:
        per = "unit" if center.breakdown.per == "unit" else "period"
        yield f"breaks down: {_percent(center.breakdown.fails)} per {per}"


def words_of_demand(scenario: Scenario, demand: Demand) -> tuple[str, ...]:
    """Return the size of a demand, and what happens to unmet demand."""
    return tuple(_of_demand(scenario, demand))


def _of_demand(scenario: Scenario, demand: Demand) -> Iterator[str]:
    if isinstance(demand.quantity, Recorded):
        yield "recorded demand"
    if isinstance(demand.quantity, PartOf):
        yield f"{_percent(demand.quantity.share)} of {demand.quantity.stream.replace('_', ' ')}"
    yield f"mean {demand.mean:.4g} per period"
    if demand.varies:
        means = [phase.expectation for phase in demand.phases]
        yield f"from {min(means):.4g} to {max(means):.4g}"
    for name, regime in _regimes(demand.quantity):
        yield f"{name}: {regime.expectation:.4g}"
    if demand.price:
        yield f"price {demand.price:g}"
    if demand.unmet == "lost":
        yield "unmet: lost"
    elif demand.unmet == "backordered":
        yield "unmet: backordered"
    else:
        yield f"unmet: {_percent(demand.unmet.backordered)} backordered"
    if demand.abandons:
        yield f"{_percent(demand.abandons)} leave per period"
    if demand.forecast is not None:
        yield f"forecast: {demand.forecast.method}"


def _regimes(quantity: object) -> list[tuple[str, Distribution]]:
    regimes = getattr(quantity, "regimes", None)
    return list(regimes.items()) if isinstance(regimes, dict) else []


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _span(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
