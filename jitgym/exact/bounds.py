"""Bounds: the largest orders, stocks and backlogs that are enumerated.

For one item with lost sales, one unconstrained source and linear costs, two bounds are proved to
keep an optimal policy (Zipkin 2008): an optimal order is at most the newsvendor quantile of one
period's demand at the ratio p / (p + h), and an optimal inventory position at most that of L + 1
periods. Elsewhere, the bounds start from a guess, based on the mean and spread of the requirements
over the lead time, and are widened until the optimum is stable.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import numpy.typing as npt

from jitgym.distributions import Distribution, Event, LifeCycle, Regimes
from jitgym.plant import Layout
from jitgym.scenario import Demand, Scenario, economic_order_quantity
from jitgym.units import is_whole, whole, whole_up

from .enumeration import flow_cells, key_cells
from .errors import TooLarge
from .records import Box

MOST_WAYS = 24  # priority orders
MOST_CODES = 2**60


@dataclass(frozen=True)
class Bounds:
    """Bounds on decisions and states, in units, and whether they are proved to keep an optimum."""

    order: dict[str, float]  # by source
    position: dict[str, float]  # by item: in stock and in process, net of backlog
    backlog: dict[str, float]  # by demand
    are_proved: bool

    def widened(
        self, scenario: Scenario, touched: Collection[str] | None = None, factor: float = 1.5
    ) -> Bounds:
        """Return wider bounds, all or only those of the names in `touched`.

        Order bounds never exceed what the plant itself can handle.
        """

        def wider(bounds: dict[str, float], kind: str, by: float) -> dict[str, float]:
            return {
                name: by * q + 1 if touched is None or f"{kind}.{name}" in touched else q
                for name, q in bounds.items()
            }

        order = wider(self.order, "sources", factor)
        return Bounds(
            {name: _limited(scenario, name, units) for name, units in order.items()},
            {n: math.ceil(q) for n, q in wider(self.position, "items", factor).items()},
            {n: math.ceil(q) for n, q in wider(self.backlog, "demands", 2.0).items()},
            False,
        )

    def box(self, layout: Layout) -> Box:
        """Return the bounds in the form that the walk reads."""
        scenario = layout.scenario
        most = [
            int(whole(self.order[name] / source.lot_size))
            for name, source in scenario.sources.items()
        ]
        ways = priorities(scenario)
        codes = math.prod(n + 1 for n in most) * len(ways) * 2 ** len(scenario.projects)
        if codes > MOST_CODES:
            raise TooLarge(
                f"{scenario.file}: {codes:.1e} decisions in one state are too many; use larger "
                "lots or fewer sources"
            )
        return Box(
            np.array(most, dtype=np.int64),
            np.array([self.position[name] for name in scenario.items], dtype=np.float64),
            np.array([self.backlog.get(n, math.inf) for n in scenario.demands], dtype=np.float64),
            ways,
            key_cells(layout),
            np.arange(layout.key_cells, dtype=np.int32),
            flow_cells(layout),
            float(scenario.horizon.periods) if scenario.horizon.ends else math.inf,
            0,
        )


def given_box(layout: Layout, position: dict[str, float], backlog: dict[str, float]) -> Box:
    """Return the box for a given policy, with edges of stock and of backlog."""
    orders = dict.fromkeys(layout.scenario.sources, 0.0)
    return Bounds(orders, position, backlog, False).box(layout)._replace(is_given=1)


def priorities(scenario: Scenario) -> npt.NDArray[np.float64]:
    """Return every priority order of the sources that share a work center."""
    places = {name: k for k, name in enumerate(scenario.sources)}
    crews = [
        [places[name] for name in scenario.crew_of(center)] for center in scenario.work_centers
    ]
    shared = [crew for crew in crews if len(crew) > 1]
    count = math.prod(math.factorial(len(crew)) for crew in shared)
    if count > MOST_WAYS:
        raise TooLarge(
            f"{scenario.file}: the sources at its work centers have {count:,} priority orders; "
            f"expected at most {MOST_WAYS}"
        )
    rows = []
    for orders in product(*(permutations(crew) for crew in shared)):
        row = np.zeros(len(places))
        for order in orders:
            row[list(order)] = np.arange(len(order), 0, -1)
        rows.append(row)
    return np.array(rows)


def first_bounds(scenario: Scenario) -> Bounds:
    """Return bounds that are proved to keep an optimum where some are known, else a guess."""
    return newsvendor_bounds(scenario) or guessed(scenario)


def newsvendor_bounds(scenario: Scenario) -> Bounds | None:
    """Return the bounds of Zipkin (2008), or None where they do not apply."""
    if not _is_plain_lost_sales(scenario):
        return None
    ((item_name, item),) = scenario.items.items()
    ((source_name, source),) = scenario.sources.items()
    ((_, demand),) = scenario.demands.items()
    worth = demand.shortage_cost + demand.price
    if item.holding_cost <= 0 or worth <= 0:
        return None
    ratio = worth / (worth + item.holding_cost)
    periods = int(source.lead_time.support_max) + 1
    order = quantile_of_sum(demand.quantity, 1, ratio)
    position = quantile_of_sum(demand.quantity, periods, ratio)
    return Bounds({source_name: order}, {item_name: max(position, item.initial_stock)}, {}, True)


def _is_plain_lost_sales(scenario: Scenario) -> bool:
    if not len(scenario.items) == len(scenario.sources) == len(scenario.demands) == 1:
        return False
    (item,), (source,), (demand,) = (
        scenario.items.values(),
        scenario.sources.values(),
        scenario.demands.values(),
    )
    plain = {"makes", "lead_time", "unit_cost", "paid", "in_process_holding_cost"}
    plain |= {"emissions_per_unit", "pays_after", "crossover"}
    stocked = {"holding_cost", "value", "initial_stock", "salvage_value"}
    return (
        not scenario.horizon.ends
        and source.model_fields_set <= plain
        and item.model_fields_set <= stocked
        and source.lead_time.support_max == source.lead_time.expectation
        and demand.unmet == "lost"
        and not demand.varies
        and not isinstance(demand.quantity, Regimes | LifeCycle | Event)
        and bool(np.all(demand.quantity.steps()[0] % 1 == 0))
        and item.initial_stock % 1 == 0
    )


def quantile_of_sum(demand: Distribution, periods: int, ratio: float) -> float:
    """Return the newsvendor quantile of the demand of several periods, in whole units.

    >>> from jitgym.distributions import Poisson
    >>> quantile_of_sum(Poisson(mean=6), 1, 0.8)  # Snyder and Shen, chapter 4
    8.0
    """
    support, chances = demand.pmf()
    one = np.zeros(int(support[-1]) + 1)
    one[support.astype(int)] = chances
    mass = np.ones(1)
    for _ in range(periods):
        mass = np.convolve(mass, one)
    # A ratio that is met exactly counts as not met: a bound one unit higher is still valid.
    return float(np.searchsorted(np.cumsum(mass), ratio + 1e-12))


def guessed(scenario: Scenario) -> Bounds:
    """Return guessed bounds to start from."""
    position: dict[str, float] = {}
    for name, item in scenario.items.items():
        mean, variance = _needed(scenario, name)
        makers = [scenario.sources[s] for s in scenario.sources_of(name)]
        longest = max((s.lead_time.support_max for s in makers), default=0.0)
        lots = max((max(s.lot_size, s.minimum_order) for s in makers), default=0.0)
        level = mean * (longest + 1) + 3 * math.sqrt(variance * (longest + 1)) + lots
        level += 1.2 * _economic(scenario, name, mean)
        if any(s.at for s in makers):
            level += 4 + 4 * math.sqrt(variance)
        if item.shelf_life is not None:
            level = min(level, mean * (longest + item.shelf_life) + 4 * math.sqrt(variance) + lots)
        position[name] = math.ceil(max(level, item.initial_stock))
    order: dict[str, float] = {}
    for name, source in scenario.sources.items():
        mean, variance = _needed(scenario, source.makes)
        wanted = mean + 3 * math.sqrt(variance) + max(source.minimum_order, source.lot_size)
        wanted += 1.5 * _economic(scenario, source.makes, mean)
        order[name] = _limited(scenario, name, min(wanted, position[source.makes] + wanted))
    return Bounds(order, position, first_backlogs(scenario), False)


def first_positions(scenario: Scenario) -> dict[str, float]:
    """Return the first edges of stock for a given policy; a season, which ends, has none."""
    if scenario.horizon.ends:
        return dict.fromkeys(scenario.items, math.inf)
    return {name: 2.0 * units for name, units in guessed(scenario).position.items()}


def first_backlogs(scenario: Scenario) -> dict[str, float]:
    """Return the first edges of backlog."""
    waiting = {name: demand for name, demand in scenario.demands.items() if demand.waits}
    return {name: _first_backlog(demand) for name, demand in waiting.items()}


def _first_backlog(demand: Demand) -> float:
    if isinstance(demand.quantity, Event):
        return 64.0
    deviation = math.sqrt(max(phase.variance for phase in demand.phases))
    return math.ceil(max(p.expectation for p in demand.phases) + 6 * deviation + 2)


def _needed(scenario: Scenario, item: str) -> tuple[float, float]:
    """Return mean and variance of the units of an item needed per period, by bill of materials."""
    units_in = _units_in(scenario, item)
    mean = variance = 0.0
    for demand in scenario.demands.values():
        units = units_in[demand.item]
        peak = max(demand.phases, key=lambda phase: phase.expectation)
        mean += units * peak.expectation
        variance += units**2 * peak.variance
    return mean, variance


def _units_in(scenario: Scenario, item: str) -> dict[str, float]:
    """Return the units of an item that are contained in one unit of every product."""
    units: dict[str, float] = {}
    for product_ in scenario.items_upstream_first:
        found = [
            quantity * units[material]
            for source in scenario.sources_of(product_)
            for material, quantity in scenario.sources[source].consumes.items()
        ]
        units[product_] = 1.0 if product_ == item else max(found, default=0.0)
    return units


def _economic(scenario: Scenario, item: str, mean: float) -> float:
    """Return the largest economic order quantity of an item's sources; 0 without a fixed cost."""
    holding = scenario.items[item].holding_cost
    sources = [scenario.sources[name] for name in scenario.sources_of(item)]
    carriers = {s.carrier for s in sources if s.carrier}
    fixed = max((s.shipment_cost + s.setup_cost for s in sources), default=0.0)
    fixed += max((scenario.carriers[name].cost for name in carriers), default=0.0)
    return economic_order_quantity(fixed, mean, holding)


def _limited(scenario: Scenario, name: str, wanted: float) -> float:
    """Return an order bound limited by the source and its work center, rounded up to whole lots."""
    source = scenario.sources[name]
    lot = source.lot_size
    bound = float(whole_up(wanted / lot) * lot)
    bound = min(bound, source.maximum_order or math.inf)
    item = scenario.items[source.makes]
    waits = any(d.waits for d in scenario.demands.values() if d.item == source.makes)
    if item.storage is not None and not waits:  # goods for waiting customers need no storage
        bound = min(bound, item.storage)
    if source.at is not None and source.time_per_unit > 0:
        center = scenario.work_centers[source.at]
        over = 0.0 if center.overtime is None else center.overtime.time
        time = float(center.time.support_max) + over
        # Asking for more than can be finished may pay: time spent on an unfinished lot is kept.
        alone = len(scenario.crew_of(source.at)) == 1
        takes_all = alone and source.setup_time == 0
        lots = int(whole(time / (source.time_per_unit * lot)))
        bound = min(
            bound, (lots if takes_all and _divides(center.time, over, source) else lots + 2) * lot
        )
    return bound


def _divides(time: Distribution, over: float, source: object) -> bool:
    lot_time = source.time_per_unit * source.lot_size  # type: ignore[attr-defined]
    lots = (time.steps()[0] + over) / lot_time
    return bool(np.all(is_whole(lots)))
