"""The model of a scenario: all of its parts, and the quantities that follow from them."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr

from jitgym import documents
from jitgym.distributions import Nonnegative, Part, Positive
from jitgym.errors import ScenarioError
from jitgym.units import at_least, whole, whole_up

from .parts import (
    Actions,
    Carrier,
    Demand,
    Horizon,
    Item,
    KnownOptimum,
    Paths,
    Project,
    Source,
    Stream,
    WorkCenter,
)

FREQUENT = 0.999
"""The default order bound covers this quantile of the demand of a period."""


LONGEST_WAIT = 10
"""The longest wait, in periods, that the plant counts (WAITS in jitgym/plant/records.py)."""

Waited = Annotated[int, Field(ge=0, le=LONGEST_WAIT)]


class Written(Part):
    """A plant and how it is judged, as written; not yet checked across its parts."""

    name: str
    title: str = ""
    tags: Annotated[tuple[str, ...], Field(strict=False)] = ()
    period: str  # in words: "one week"
    periods_per_year: Positive = 1.0
    horizon: Horizon
    discount: Annotated[float, Field(gt=0, lt=1)] | None = None  # per period
    items: dict[str, Item]
    work_centers: dict[str, WorkCenter] = Field(default={})
    sources: dict[str, Source]
    demands: dict[str, Demand]
    streams: dict[str, Stream] = Field(default={})
    carriers: dict[str, Carrier] = Field(default={})
    projects: dict[str, Project] = Field(default={})
    emission_price: Nonnegative = 0.0  # per unit of emissions
    actions: Actions = Actions()
    parameters: dict[str, Paths] = Field(default={})  # short name -> dotted paths
    within: Annotated[tuple[Waited, ...], Field(strict=False)] = ()  # n of the KPIs within_n
    unit: str = "units"  # the name of its units, in the plural
    currency: str = ""  # the name of its money, in the plural, such as dollars
    words: dict[str, str] = Field(default={})  # KPI -> its name in the trade, most important first
    known_optimum: KnownOptimum | None = None
    _file: str = PrivateAttr(default="")
    _folder: Path = PrivateAttr(default=Path())  # searched first for its records

    def __repr__(self) -> str:
        """Return one line that describes the scenario; `to_yaml` gives everything."""
        parts = ((self.items, "item"), (self.sources, "source"), (self.demands, "demand"))
        counts = [f"{len(part)} {word}{'' if len(part) == 1 else 's'}" for part, word in parts]
        centers = len(self.work_centers)
        if centers:
            counts.insert(2, f"{centers} work center{'' if centers == 1 else 's'}")
        length = f"{self.horizon.periods:,} periods"
        if self.horizon.warm_up:
            length += f", the first {self.horizon.warm_up:,} left out"
        return f"{self.name}: {', '.join(counts)}; {self.yardstick}, {length}"

    __str__ = __repr__

    @property
    def file(self) -> str:
        """The file that it was read from, or its name."""
        return self._file or self.name

    @property
    def yardstick(self) -> str:
        """The meaning of `cost` in every row and table."""
        if self.discount is not None:
            return "discounted cost"
        return "total cost" if self.horizon.ends else "average cost per period"

    def document(self) -> dict[str, Any]:
        """The scenario as plain data; default values are left out."""
        data = documents.tidy(self)
        assert isinstance(data, dict)
        return data

    def to_yaml(self, path: str | Path | None = None) -> str:
        """The scenario as YAML, which loads as an equal one; with a path, also written there."""
        return documents.write(self.document(), None if path is None else Path(path))

    # Quantities from the bill of materials are computed once, in time proportional to its size.

    def sources_of(self, item: str) -> tuple[str, ...]:
        """Sources that make an item, in scenario order."""
        return self._makers.get(item, ())

    @cached_property
    def _makers(self) -> dict[str, tuple[str, ...]]:
        return _grouped((source.makes, name) for name, source in self.sources.items())

    def consumers_of(self, item: str) -> tuple[str, ...]:
        """Sources that consume an item, in scenario order."""
        return self._consumers.get(item, ())

    def is_made_to_order(self, item: str) -> bool:
        """Whether an item is made for waiting customers only: storage 0, and demand that waits."""
        waits = any(demand.item == item and demand.waits for demand in self.demands.values())
        return self.items[item].storage == 0 and waits

    def shares_storage(self, source: str) -> bool:
        """Whether other sources fill the same limited storage."""
        item = self.sources[source].makes
        return self.items[item].storage is not None and len(self.sources_of(item)) > 1

    @cached_property
    def _consumers(self) -> dict[str, tuple[str, ...]]:
        return _grouped((m, name) for name, source in self.sources.items() for m in source.consumes)

    def crew_of(self, center: str) -> tuple[str, ...]:
        """Sources that stand at a work center, in scenario order."""
        return self._crews.get(center, ())

    @cached_property
    def _crews(self) -> dict[str, tuple[str, ...]]:
        return _grouped((source.at, name) for name, source in self.sources.items() if source.at)

    def needed_at(self, center: str) -> tuple[float, float]:
        """The mean units and the mean time that are needed of a work center per period.

        Each of its sources counts as if it made all that is needed of its item.
        """
        crew = [self.sources[name] for name in self.crew_of(center)]
        units = [self.mean_requirement(source.makes) for source in crew]
        times = [source.time_per_unit for source in crew]
        return math.fsum(units), math.fsum(u * t for u, t in zip(units, times, strict=True))

    def goes_into(self, item: str) -> dict[str, float]:
        """The items that consume an item, with its units per unit of each.

        If there are several ways to make one of them, the one that needs the most units counts.
        """
        made: dict[str, float] = {}
        for name in self.consumers_of(item):
            source = self.sources[name]
            made[source.makes] = max(made.get(source.makes, 0.0), source.consumes[item])
        return made

    @cached_property
    def items_upstream_first(self) -> tuple[str, ...]:
        """All items, materials before their products, otherwise in scenario order."""
        number = {item: k for k, item in enumerate(self.items)}
        made_of: dict[str, set[str]] = {item: set() for item in self.items}
        for source in self.sources.values():
            made_of[source.makes].update(source.consumes)
        missing = {item: len(materials) for item, materials in made_of.items()}
        ready = [number[item] for item in self.items if not missing[item]]  # ascending: a heap
        names, placed = list(self.items), []
        while ready:
            item = names[heapq.heappop(ready)]
            placed.append(item)
            for other in self.goes_into(item):
                missing[other] -= 1
                if not missing[other]:
                    heapq.heappush(ready, number[other])
        return tuple(placed)

    def mean_requirement(self, item: str) -> float:
        """The mean units of an item needed per period, through the bill of materials.

        If there are several ways to make a product, the one that needs the most units counts.
        """
        return self._mean_requirements[item]

    @cached_property
    def _mean_requirements(self) -> dict[str, float]:
        return self._required({name: demand.mean for name, demand in self.demands.items()})

    @cached_property
    def _frequent_requirements(self) -> dict[str, float]:
        return self._required(
            {
                name: max(float(phase.quantile(FREQUENT)) for phase in demand.kinds)
                for name, demand in self.demands.items()
            }
        )

    def _required(self, asked: Mapping[str, float]) -> dict[str, float]:
        """The units of each item that given demands (name -> units) of a period need."""
        direct: dict[str, list[float]] = {item: [] for item in self.items}
        for name, demand in self.demands.items():
            direct[demand.item].append(asked[name])
        return self.exploded({item: math.fsum(each) for item, each in direct.items()})

    def exploded(self, wanted: Mapping[str, float]) -> dict[str, float]:
        """The units of each item needed for the wanted units of it and of all its products."""
        units: dict[str, float] = {}
        for item in reversed(self.items_upstream_first):
            passed_on = [n * units[other] for other, n in self.goes_into(item).items()]
            units[item] = wanted[item] + math.fsum(passed_on)
        return units

    def unit_cost(self, item: str) -> float:
        """The cost of a unit and its materials from the cheapest source; 0 without a source."""
        return self._unit_costs[item]

    @cached_property
    def _unit_costs(self) -> dict[str, float]:
        costs: dict[str, float] = {}
        for item in self.items_upstream_first:
            ways = map(self.sources.__getitem__, self.sources_of(item))
            costs[item] = min(
                (
                    source.unit_cost + math.fsum(q * costs[m] for m, q in source.consumes.items())
                    for source in ways
                ),
                default=0.0,
            )
        return costs

    def route(self, source: str) -> tuple[str, ...]:
        """The sources from this one down to a customer, along the longest mean lead time."""
        return self._routes[source]

    @cached_property
    def _routes(self) -> dict[str, tuple[str, ...]]:
        routes: dict[str, tuple[str, ...]] = {}
        for item in reversed(self.items_upstream_first):
            ways = [routes[name] for name in self.consumers_of(item)]
            longest = max(ways, key=lambda way: sum(map(self.mean_lead_time, way)), default=())
            routes |= {name: (name, *longest) for name in self.sources_of(item)}
        return routes

    def mean_lead_time(self, source: str) -> float:
        """Mean lead time of a source, in periods."""
        return self.sources[source].lead_time.expectation

    @cached_property
    def rework(self) -> frozenset[str]:
        """Sources that work on by-products, and on nothing that a source makes."""
        by_products = {s.quality.by_product for s in self.sources.values() if s.quality}
        made = {source.makes for source in self.sources.values()}
        return frozenset(
            name
            for name, source in self.sources.items()
            if by_products & set(source.consumes) and not made & set(source.consumes)
        )

    @cached_property
    def reworked(self) -> dict[str, tuple[str, float]]:
        """Source of rework -> its by-product and the units that it takes for one.

        Only where all of the by-product comes back so: it is left over of the item that it becomes,
        of no other, and is not sold. Elsewhere a by-product counts once its rework is asked for.
        """
        left_over: dict[str, set[str]] = {}
        for source in self.sources.values():
            if source.quality is not None and source.quality.by_product is not None:
                left_over.setdefault(source.quality.by_product, set()).add(source.makes)
        sold = {demand.item for demand in self.demands.values()}
        found: dict[str, tuple[str, float]] = {}
        for name in self.sources:
            if name not in self.rework or len(self.sources[name].consumes) > 1:
                continue
            ((material, quantity),) = self.sources[name].consumes.items()
            becomes = self.goes_into(material).keys()
            if material not in sold and len(becomes) == 1 and left_over.get(material) == becomes:
                found[name] = material, quantity
        return found

    @cached_property
    def asking_order(self) -> tuple[str, ...]:
        """Sources from the customer upward; those of one item by increasing mean lead time.

        Rework comes before all other sources of its item: what it takes is there already.
        """
        return tuple(
            source
            for item in reversed(self.items_upstream_first)
            for source in sorted(
                self.sources_of(item),
                key=lambda name: (name not in self.rework, self.mean_lead_time(name)),
            )
        )

    @cached_property
    def asked_before(self) -> dict[str, tuple[str, ...]]:
        """Source -> the sources of its item that are asked before it, in the order of asking."""
        asked: dict[str, list[str]] = {}
        before: dict[str, tuple[str, ...]] = {}
        for name in self.asking_order:
            earlier = asked.setdefault(self.sources[name].makes, [])
            before[name] = tuple(earlier)
            earlier.append(name)
        return before

    @cached_property
    def demands_of(self) -> dict[str, tuple[str, ...]]:
        """Item -> the demands on it, in scenario order; an item without one is left out."""
        return _grouped((demand.item, name) for name, demand in self.demands.items())

    def order_bound(self, source: str) -> float:
        """The largest order of the environment's actions, in units, in whole lots.

        It is the bound in `actions`, or else the maximum of the source, or else the .999 quantile
        of the demand of a period through the bill of materials, plus twice the economic order
        quantity if an order has a fixed cost. Raises ScenarioError if the bounds of all sources of
        an item do not cover its mean requirement, because no agent could then keep up with demand.
        """
        item = self.sources[source].makes
        rivals = self.sources_of(item)
        most = {name: self._largest_order(name) for name in rivals}
        needed = self.mean_requirement(item)
        if any(name in self.actions.maximum_order for name in rivals) and (
            not at_least(math.fsum(most.values()), needed)
        ):
            raise ScenarioError(
                f"{self.file}: actions.maximum_order: allows {math.fsum(most.values()):g} of "
                f"{item} per period; expected at least its mean requirement of {needed:g}"
            )
        return most[source]

    def _largest_order(self, name: str) -> float:
        source = self.sources[name]
        stated = self.actions.maximum_order.get(name, math.inf)
        bound = min(stated, source.maximum_order or math.inf)
        if bound < math.inf:
            return max(1.0, float(whole(bound / source.lot_size))) * source.lot_size
        frequent = self._frequent_requirements[source.makes]
        return _whole_lots(frequent + 2 * self._economic_order(name), source.lot_size)

    def _economic_order(self, name: str) -> float:
        """The economic order quantity; 0 without a fixed cost or a holding cost."""
        source = self.sources[name]
        holding = self.items[source.makes].holding_cost
        fixed = source.shipment_cost + source.setup_cost
        return economic_order_quantity(fixed, self.mean_requirement(source.makes), holding)

    def level_bound(self, item: str) -> float:
        """The largest base-stock level or card count of the environment's actions, in units.

        It is the bound in `actions`, or else the order bound times (mean lead time + 2), at least
        20 lots, of the source for which this is largest. For an item that no source makes it is the
        initial stock.
        """
        stated = self.actions.maximum_level.get(item)
        levels = (self._largest_level(name) for name in self.sources_of(item))
        # The stock of an item that no source makes can only decrease.
        return stated or max(levels, default=self.items[item].initial_stock or 1.0)

    def _largest_level(self, name: str) -> float:
        lot = self.sources[name].lot_size
        covered = self.order_bound(name) * (self.mean_lead_time(name) + 2)
        return max(_whole_lots(covered, lot), 20 * lot)

    @property
    def reward_scale(self) -> float:
        """The cost of serving no demand: (shortage cost, else price) times mean demand per period.

        It is summed over all demands, and 1 if the sum is 0.
        """
        return math.fsum(self._worth(demand) for demand in self.demands.values()) or 1.0

    @staticmethod
    def _worth(demand: Demand) -> float:
        return (demand.shortage_cost or demand.price) * demand.mean


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in groups.items()}


def economic_order_quantity(fixed: float, demand: float, holding: float) -> float:
    """Return sqrt(2 K D / h) (Harris 1913), in units; 0 without a fixed or a holding cost.

    >>> economic_order_quantity(fixed=8, demand=1300, holding=0.225)  # Snyder, Shen, example 3.1
    304.0468
    """
    return math.sqrt(2 * fixed * demand / holding) if holding > 0 else 0.0


def _whole_lots(quantity: float, lot: float) -> float:
    return max(1.0, float(whole_up(quantity / lot))) * lot
