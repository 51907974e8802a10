"""KPIs: each is one formula of the flows, summed over the measured periods of an episode.

The periods after warm-up are measured. A share is a ratio of sums, not a mean of ratios. A KPI that
is not defined (no demand, no work center) is nan, never 0 or infinity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jitgym.errors import ScenarioError
from jitgym.scenario import Scenario
from jitgym.units import at_least

from .layout import Layout
from .records import NONE, WAITS

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Totals:
    """The flows of some episodes, summed over the measured periods."""

    layout: Layout
    sums: Array  # (episodes, flow cells)
    periods: int  # number of measured periods
    _of: dict[tuple[str, str], Array] = field(default_factory=dict)  # many KPIs share a total

    @cached_property
    def _padded(self) -> Array:
        # NONE = -1 points to the last column, which holds 0, the total of a missing flow.
        return np.concatenate([self.sums, np.zeros((self.sums.shape[0], 1))], axis=1)

    def each(self, flow: str, kind: str) -> Array:
        """Return the totals of a flow per item, source, center or demand, (episodes, things)."""
        return self._padded.take(self.layout.cells_of(flow, kind), axis=1)

    def of(self, flow: str, kind: str) -> Array:
        """Return the total of a flow over all things of a kind, (episodes,)."""
        if (flow, kind) not in self._of:
            self._of[flow, kind] = np.asarray(self.each(flow, kind).sum(axis=1))
        return self._of[flow, kind]

    @cached_property
    def values(self) -> tuple[Array, Array, Array]:
        """The value of served units, and of stock and units in process summed over periods."""
        plant, value = self.layout.plant, item_values(self.layout)
        sold = weighed(self.each("served", "demands"), value[plant.demands["item"]])
        moving = weighed(self.each("in_process", "sources"), value[plant.sources["item"]])
        return sold, weighed(self.each("on_hand", "items"), value), moving

    def plant(self, flow: str) -> Array:
        """Return a total of the whole plant, (episodes,)."""
        return self.sums[:, self.layout.flow(f"total.{flow}", "total")]


@dataclass(frozen=True)
class Kpi:
    """One KPI: its formula in words with its source, its unit, and which direction is better."""

    name: str
    title: str
    unit: str
    better: str  # "high", "low", or "" if neither is
    formula: str
    compute: Callable[[Totals], Array]


KPIS: dict[str, Kpi] = {}

USUAL = ("fill_rate", "average_inventory", "turnover")
"""The KPIs beside the cost where a scenario has no words for others."""


def kpi(
    title: str, unit: str, better: str
) -> Callable[[Callable[[Totals], Array]], Callable[[Totals], Array]]:
    """Register a function as the KPI with its name; the docstring is the formula."""

    def registered(compute: Callable[[Totals], Array]) -> Callable[[Totals], Array]:
        formula = " ".join((compute.__doc__ or "").split())
        KPIS[compute.__name__] = Kpi(compute.__name__, title, unit, better, formula, compute)
        return compute

    return registered


def kpis(layout: Layout, sums: Array, periods: int) -> dict[str, Array]:
    """Return the KPIs of episodes from their summed flows, each (episodes,); nan if not defined."""
    total = Totals(layout, sums, periods)
    return {name: each.compute(total) for name, each in kpis_of(layout.scenario).items()}


def kpis_of(scenario: Scenario) -> dict[str, Kpi]:
    """Return the KPIs of a scenario, titled in its own words: `KPIS`, and `within_n` for its n.

    Raises ScenarioError if `words` names a KPI that does not exist.
    """
    found = KPIS | {name: WITHIN[name] for name in _asked_within(scenario)}
    for name, title in scenario.words.items():
        if name not in found:
            known = ", ".join(found)
            raise ScenarioError(
                f"{scenario.file}: words: there is no KPI {name!r}; expected one of {known}"
            )
        found[name] = replace(found[name], title=title)
    if scenario.unit == "units":
        return found
    return {
        name: replace(each, unit=each.unit.replace("units", scenario.unit))
        for name, each in found.items()
    }


def headline_kpis(scenario: Scenario) -> tuple[str, ...]:
    """Return the KPIs that a scenario is judged by beside its cost: those in `words` and `within`.

    Without any, these are fill rate, average inventory and turns.
    """
    return tuple(dict.fromkeys((*scenario.words, *_asked_within(scenario)))) or USUAL


class Leading(NamedTuple):
    """The figure that the tables of a scenario lead with."""

    column: str  # of rows: "cost" or "profit"
    title: str  # in the words of the scenario
    better: str  # "low" or "high"

    @property
    def best(self) -> str:
        """What the best policy has: "lowest cost" or "highest profit"."""
        return f"{self.better}est {self.column}"

    def beside(self, kpis: Iterable[str]) -> list[str]:
        """Return these KPIs, each once, without the leading figure itself."""
        return [name for name in dict.fromkeys(kpis) if name != self.column]


BY_COST = Leading("cost", "cost", "low")


def leading(scenario: Scenario) -> Leading:
    """Return the figure that the tables of a scenario lead with.

    That is the cost, or the profit if the scenario has a word for it: a plant that sells earns more
    than it spends, so its cost is negative and says little to a reader.
    """
    if "profit" in scenario.words and _has_prices(scenario):
        return Leading("profit", scenario.words["profit"], "high")
    return BY_COST._replace(title=scenario.yardstick)


def _asked_within(scenario: Scenario) -> list[str]:
    return [f"within_{n}" for n in scenario.within]


def ratio(numerator: Array, denominator: Array | float) -> Array:
    """Return numerator / denominator; nan (not defined) where the denominator is 0."""
    is_defined = np.not_equal(denominator, 0.0)
    share = np.empty(numerator.shape)
    share.fill(np.nan)
    return np.divide(numerator, denominator, out=share, where=is_defined)


def weighed(amounts: Array, weights: Array) -> Array:
    """Return the weighted sum of each episode's amounts, (episodes, things) -> (episodes,).

    Each row is summed by itself, so that an episode has the same figures in every batch: the
    rounding of a matrix product would depend on the number of rows.
    """
    return np.asarray((amounts * weights).sum(axis=1))


def undefined(total: Totals) -> Array:
    """Return nan for every episode."""
    return np.full(total.sums.shape[0], np.nan)


# Customer satisfaction


@kpi("fill rate", "share", "high")
def fill_rate(total: Totals) -> Array:
    """Units served in the period of their request / units requested (Silver, Pyke and Thomas
    2017: P2, the fraction of demand satisfied directly from the shelf).
    """
    return ratio(total.of("at_once", "demands"), total.of("requested", "demands"))


@kpi("ready rate", "share", "high")
def ready_rate(total: Totals) -> Array:
    """Periods in which stock is left at Count / periods, mean over demands (Silver, Pyke and
    Thomas 2017: P3).
    """
    return np.asarray(total.each("ready", "demands").mean(axis=1) / total.periods)


@kpi("cycle service level", "share", "high")
def cycle_service_level(total: Totals) -> Array:
    """Replenishment cycles without a stockout / replenishment cycles, over all demands (Silver,
    Pyke and Thomas 2017: P1). A cycle ends when goods arrive in stock; it has a stockout if a
    request is not met at once, or a customer still waits.
    """
    return ratio(total.of("full_cycles", "demands"), total.of("cycles", "demands"))


@kpi("period service level", "share", "high")
def period_service_level(total: Totals) -> Array:
    """Periods in which every request is met at once / periods, mean over demands."""
    orders, in_full = total.each("orders", "demands"), total.each("in_full", "demands")
    return np.asarray((1.0 - (orders - in_full) / total.periods).mean(axis=1))


@kpi("on time in full", "share", "high")
def on_time_in_full(total: Totals) -> Array:
    """Periods in which the whole request is served at once / periods with a request."""
    return ratio(total.of("in_full", "demands"), total.of("orders", "demands"))


@kpi("backlog", "units", "low")
def backlog(total: Totals) -> Array:
    """Units backordered at Count, mean over periods."""
    return total.of("waiting", "demands") / total.periods


@kpi("backlog age", "periods of demand", "low")
def backlog_age(total: Totals) -> Array:
    """Units backordered at Count, summed over periods / units requested: the average backlog in
    periods of demand.
    """
    return ratio(total.of("waiting", "demands"), total.of("requested", "demands"))


@kpi("waiting, 95th percentile", "periods", "low")
def waiting_p95(total: Totals) -> Array:
    """Smallest number of periods within which 95 % of the served units were served; 11 stands for
    11 or more. It is 0 if no customer waits.
    """
    served = total.of("served", "demands")
    within = at_least(_served_within(total), 0.95 * served[:, np.newaxis])
    return np.where(served > 0, np.argmax(within, axis=1).astype(np.float64), np.nan)


def _served_within(total: Totals) -> Array:
    """Return the units served within 0, 1, ... periods of their request, (episodes, WAITS)."""
    waited = np.zeros((total.sums.shape[0], WAITS))
    for record in total.layout.plant.demands:
        if record["waited"] != NONE:
            waited += total.sums[:, record["waited"] : record["waited"] + WAITS]
    waited[:, 0] = total.of("served", "demands") - waited[:, 1:].sum(axis=1)
    return np.cumsum(waited, axis=1)


def _within_kpi(periods: int) -> Kpi:
    return Kpi(
        name=f"within_{periods}",
        title=f"served within {periods} period{'s' if periods != 1 else ''}",
        unit="share",
        better="high",
        formula=(
            f"Units served at most {periods} periods after the period of their request / units "
            "requested. Within 0 periods it is the fill rate. A customer who leaves is not served."
        ),
        compute=partial(_within, periods=periods),
    )


def _within(total: Totals, periods: int) -> Array:
    return ratio(_served_within(total)[:, periods], total.of("requested", "demands"))


WITHIN = {f"within_{n}": _within_kpi(n) for n in range(WAITS - 1)}
"""The KPIs that a scenario asks for with `within: [n, ...]`, by name."""


@kpi("abandoned", "share", "low")
def abandoned(total: Totals) -> Array:
    """Units of customers who left, at once or after waiting / units requested."""
    gone = total.of("abandoned", "demands") + total.of("lost", "demands")
    return ratio(gone, total.of("requested", "demands"))


@kpi("waiting of those who left", "periods", "")
def abandoned_waiting(total: Totals) -> Array:
    """Periods that customers waited before they left, summed over units / units that left."""
    return ratio(total.of("left_after", "demands"), total.of("abandoned", "demands"))


# Lead times


@kpi("customer's lead time", "periods", "low")
def customer_lead_time(total: Totals) -> Array:
    """Units that wait at Count, summed over periods, less the waiting of customers who left / units
    served: the area between the cumulative curves of requests and service (Little 1961). Units
    still open at the end are part of the area but not of the count: see `censored`.
    """
    waiting = total.of("waiting", "demands") - total.of("left_after", "demands")
    return ratio(np.maximum(waiting, 0.0), total.of("served", "demands"))


@kpi("production lead time", "periods", "low")
def production_lead_time(total: Totals) -> Array:
    """Time of a unit from the order at the outside supplier to the customer, along the slowest
    route: for each item, units in stock and in process at Count, summed over periods / units that
    left it (Little 1961); the sum over the items of the route.
    """
    scenario = total.layout.scenario
    left = sum(total.each(flow, "items") for flow in ("consumed", "served", "wasted"))
    held = total.each("on_hand", "items")
    place = {name: k for k, name in enumerate(scenario.items)}
    for k, source in enumerate(scenario.sources.values()):
        held[:, place[source.makes]] += total.each("in_process", "sources")[:, k]
    stay = ratio(held, np.asarray(left))
    route = np.zeros_like(stay)
    for item in total.layout.items_upstream_first:
        materials = {
            m for name in scenario.sources_of(item) for m in scenario.sources[name].consumes
        }
        before = [route[:, place[material]] for material in materials]
        longest = np.max(before, axis=0) if before else np.zeros(stay.shape[0])
        route[:, place[item]] = longest + stay[:, place[item]]
    sold = [route[:, place[demand.item]] for demand in scenario.demands.values()]
    return np.asarray(np.max(sold, axis=0)) if sold else undefined(total)


@kpi("still open", "share", "")
def censored(total: Totals) -> Array:
    """Units requested in the measured periods, less those served, lost and abandoned / units
    requested: the share that was still waiting at the end (negative if old backlog was worked off).
    """
    gone = sum(total.of(flow, "demands") for flow in ("served", "lost", "abandoned"))
    requested = total.of("requested", "demands")
    return ratio(requested - np.asarray(gone), requested)


# Quality and waste


@kpi("first-pass defect rate", "ppm", "low")
def first_pass_defects(total: Totals) -> Array:
    """Defective units, found and missed, and units scrapped by setups / units that arrived from
    sources, including those scrapped by setups, in parts per million.
    """
    found, missed = total.of("defective", "sources"), total.of("escaped", "sources")
    scrap = _setup_scrap(total)
    return 1e6 * ratio(found + missed + scrap, found + total.of("received", "sources") + scrap)


@kpi("defect rate after inspection", "ppm", "low")
def defect_rate(total: Totals) -> Array:
    """Defective units that inspection missed / units that entered stock, in parts per million.
    Units that inspection finds and that setups scrap are in `first_pass_defects`.
    """
    return 1e6 * ratio(total.of("escaped", "sources"), total.of("received", "sources"))


@kpi("waste", "share", "low")
def waste(total: Totals) -> Array:
    """Units scrapped (by inspection and by setups), expired or obsolete / units that arrived from
    sources, including those scrapped by setups.
    """
    scrap = _setup_scrap(total)
    wasted = total.of("wasted", "items") + total.of("scrapped", "sources") + scrap
    came = total.of("received", "sources") + total.of("defective", "sources") + scrap
    return ratio(wasted, came)


def _setup_scrap(total: Totals) -> Array:
    """Return the units that setups scrapped, summed over periods."""
    scrap = np.array([source.setup_scrap for source in total.layout.scenario.sources.values()])
    return weighed(total.each("setups", "sources"), scrap)


# Stock and money


@kpi("average inventory", "units", "low")
def average_inventory(total: Totals) -> Array:
    """Stock of all items at Count, mean over periods; without units in process."""
    return total.of("on_hand", "items") / total.periods


@kpi("in process", "units", "low")
def in_process(total: Totals) -> Array:
    """Units in the pipelines of all sources at Count, mean over periods."""
    return total.of("in_process", "sources") / total.periods


@kpi("turns", "per year", "high")
def turnover(total: Totals) -> Array:
    """Periods per year x value at cost of the units served / value at cost of the stock at Count,
    summed over periods; without units in process.
    """
    sold, held, _ = total.values
    return ratio(total.layout.scenario.periods_per_year * sold, held)


@kpi("working capital", "money", "low")
def working_capital(total: Totals) -> Array:
    """Value at cost of stock and units in process, plus what customers owe, less what is owed to
    suppliers, mean over periods; not defined if the value of an item is not stated.
    """
    if any(item.value is None for item in total.layout.scenario.items.values()):
        return undefined(total)
    _, held, moving = total.values
    owed, owing = _terms(total)
    return np.asarray((held + moving + owed - owing) / total.periods)


@kpi("cash conversion cycle", "periods", "low")
def cash_conversion_cycle(total: Totals) -> Array:
    """Periods of inventory + periods until customers pay - periods until suppliers are paid
    (Richards and Laughlin 1980). Periods of inventory are the value at cost of stock and units in
    process, summed over periods / value of the units served; payment terms are weighted by money.
    """
    sold, held, moving = total.values
    owed, owing = _terms(total)
    revenue, purchase = _money(total)
    customers = np.nan_to_num(ratio(owed, revenue))
    suppliers = np.nan_to_num(ratio(owing, purchase))
    return np.asarray(ratio(held + moving, sold) + customers - suppliers)


@kpi("lost margin", "money per period", "low")
def lost_margin(total: Totals) -> Array:
    """Units lost or abandoned x (price - value at cost), per period; not defined without prices, or
    if the value of a sold item is not stated.
    """
    scenario = total.layout.scenario
    values = [scenario.items[demand.item].value for demand in scenario.demands.values()]
    if not _has_prices(total.layout.scenario) or None in values:
        return undefined(total)
    price = np.array([demand.price for demand in scenario.demands.values()])
    margin = price - np.array(values, dtype=np.float64)
    gone = total.each("lost", "demands") + total.each("abandoned", "demands")
    return weighed(gone, margin) / total.periods


@kpi("profit", "money", "high")
def profit(total: Totals) -> Array:
    """Revenue and salvage less every cost of the ledger, in total for a season, otherwise per
    period; not discounted; not defined without prices.
    """
    prices = total.layout.plant.prices
    if not _has_prices(total.layout.scenario):
        return undefined(total)
    # take() and not an index: memory order, and so rounding, must not depend on the rows
    earned = -weighed(total.sums.take(prices["flow"], axis=1), prices["price"])
    return earned if total.layout.scenario.horizon.ends else earned / total.periods


@kpi("margin", "share", "high")
def margin(total: Totals) -> Array:
    """Profit / revenue; not defined without prices."""
    revenue, _ = _money(total)
    periods = 1 if total.layout.scenario.horizon.ends else total.periods
    return ratio(profit(total) * periods, revenue)


@kpi("sell-through", "share", "high")
def sell_through(total: Totals) -> Array:
    """Units served / (initial stock + good units that arrived), of the items that are sold: the
    share of a season's buy that is sold at the full price; not defined without a season.
    """
    scenario = total.layout.scenario
    if not scenario.horizon.ends:
        return undefined(total)
    sold = {demand.item for demand in scenario.demands.values()}
    is_sold = np.array([float(name in sold) for name in scenario.items])
    began = np.array([item.initial_stock for item in scenario.items.values()])
    bought = weighed(total.each("arrived", "items") + began, is_sold)
    return ratio(total.of("served", "demands"), bought)


def _has_prices(scenario: Scenario) -> bool:
    return any(demand.price for demand in scenario.demands.values())


def _money(total: Totals) -> tuple[Array, Array]:
    """Return revenue and purchases, summed over periods."""
    scenario = total.layout.scenario
    price = np.array([demand.price for demand in scenario.demands.values()])
    cost = np.array([source.unit_cost for source in scenario.sources.values()])
    sales = weighed(total.each("served", "demands"), price)
    return sales, weighed(total.each("granted", "sources"), cost)


def _terms(total: Totals) -> tuple[Array, Array]:
    """Return what customers owe and what is owed to suppliers, summed over periods."""
    scenario = total.layout.scenario
    owed = np.array([demand.price * demand.pays_after for demand in scenario.demands.values()])
    owing = np.array([s.unit_cost * s.pays_after for s in scenario.sources.values()])
    debts = weighed(total.each("served", "demands"), owed)
    return debts, weighed(total.each("granted", "sources"), owing)


def item_values(layout: Layout) -> Array:
    """Return the value at cost of a unit of each item, (items,), in money.

    It is the stated value. Without one, it is proportional to the holding cost, which is mostly the
    cost of capital: enough for a ratio such as turnover. Without both, all items count alike.
    """
    items = layout.scenario.items.values()
    if all(item.value is not None for item in items):
        return np.array([item.value for item in items], dtype=np.float64)
    holding = np.array([item.holding_cost for item in items], dtype=np.float64)
    return holding if holding.any() else np.ones(len(items))


# Production and transport


@kpi("throughput", "units per period", "high")
def throughput(total: Totals) -> Array:
    """Units served per period."""
    return total.of("served", "demands") / total.periods


@kpi("utilization", "share", "")
def utilization(total: Totals) -> Array:
    """Time used / time available (with overtime, without downtime), over all work centers."""
    return ratio(total.of("used", "work_centers"), total.of("available", "work_centers"))


@kpi("OEE", "share", "high")
def oee(total: Totals) -> Array:
    """Overall equipment effectiveness (Nakajima 1988), availability x performance x quality: good
    units made x time per unit / planned time, over all work centers. Overtime worked is planned
    time.
    """
    sources = total.layout.scenario.sources.values()
    time = np.array([source.time_per_unit if source.at else 0.0 for source in sources])
    good = weighed(total.each("received", "sources"), time)
    planned = total.of("planned", "work_centers") + total.of("over", "work_centers")
    return ratio(good, planned)


@kpi("setups", "per period", "low")
def setups(total: Totals) -> Array:
    """Setups of all work centers per period."""
    return total.of("setups", "sources") / total.periods


@kpi("shipments", "per period", "low")
def shipments(total: Totals) -> Array:
    """Shipments per period: the trips of carriers, and the periods in which any other source that
    uses no work center ships.
    """
    scenario = total.layout.scenario
    own = total.each("shipments", "sources")
    moves = [s.carrier is None and s.at is None for s in scenario.sources.values()]
    return (own[:, moves].sum(axis=1) + total.of("trips", "carriers")) / total.periods


@kpi("emissions", "per period", "low")
def emissions(total: Totals) -> Array:
    """Emissions of units and shipments per period, in the scenario's unit."""
    return weighed(total.sums, total.layout.emissions) / total.periods


# Orders


@kpi("bullwhip, asked", "ratio", "low")
def bullwhip_asked(total: Totals) -> Array:
    """Squared coefficient of variation of the units asked from outside suppliers / that of demand
    (Chen, Drezner, Ryan and Simchi-Levi 2000).
    """
    asked = _squared_variation(total, total.plant("asked"), "asked_squared")
    return ratio(asked, _of_demand(total))


@kpi("bullwhip", "ratio", "low")
def bullwhip(total: Totals) -> Array:
    """Squared coefficient of variation of the units granted by outside suppliers / that of demand
    (Chen, Drezner, Ryan and Simchi-Levi 2000).
    """
    granted = _squared_variation(total, total.plant("ordered"), "ordered_squared")
    return ratio(granted, _of_demand(total))


@kpi("granted", "share", "high")
def granted_share(total: Totals) -> Array:
    """Units granted / units asked for, over all sources."""
    return ratio(total.of("granted", "sources"), total.of("asked", "sources"))


def _of_demand(total: Totals) -> Array:
    return _squared_variation(total, total.of("requested", "demands"), "demand_squared")


def _squared_variation(total: Totals, first: Array, squared: str) -> Array:
    mean = first / total.periods
    variance = np.maximum(total.plant(squared) / total.periods - mean**2, 0.0)
    variance[variance < 1e-12 * mean**2] = 0.0  # a constant varies only in its last bits
    return ratio(variance, mean**2)
