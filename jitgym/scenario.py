"""A scenario: what is held, how each item is replenished, who asks for it.

Quantities are in units of the item, times in periods (a work center's time and what a unit takes of
it are in any one unit), costs in money: a unit, and for holding and backorders a unit and period.

>>> scenario = load("lost-sales", penalty=19)
>>> scenario.demands["customers"].shortage_cost
19.0
>>> scenario.yardstick
'average cost a period'
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from jitgym import catalog, documents
from jitgym.distributions import (
    SPLITS,
    AnyDistribution,
    DemandDistribution,
    Deterministic,
    Event,
    Nonnegative,
    Part,
    Positive,
    Probability,
    Recorded,
    hazard,
    is_monotone,
)
from jitgym.errors import PlacedError, ScenarioError

RESERVED = frozenset({"control", "scenario", "num_envs", "render_mode", "autoreset_mode", "split"})
"""Keywords of gymnasium.make that no parameter may be named after."""

NAMED = ("items", "work_centers", "sources", "demands")
"""Sections whose keys are names that the writer chose."""

FREQUENT = 0.999
"""An order bound by default covers this quantile of a period's demand."""


class Item(Part):
    """A thing in a place."""

    holding_cost: Nonnegative = 0.0  # a unit and period
    value: Nonnegative | None = None  # a unit
    storage: Nonnegative | None = None  # units; None: unlimited
    initial_stock: Nonnegative = 0.0


class Source(Part):
    """One way to replenish one item: bought, made or moved."""

    makes: str
    consumes: dict[str, Positive] = Field(default={})  # item -> units for one unit made
    at: str | None = None  # work center
    time_per_unit: Nonnegative = 0.0  # of the work center's time
    setup_time: Nonnegative = 0.0
    setup_cost: Nonnegative = 0.0
    lead_time: AnyDistribution = Deterministic(value=0)
    crossover: bool = False  # whether orders may overtake each other
    lot_size: Positive = 1.0
    minimum_order: Nonnegative = 0.0
    maximum_order: Positive | None = None  # None: unlimited
    unit_cost: Nonnegative = 0.0
    paid: Literal["order", "receipt"] = "order"
    shipment_cost: Nonnegative = 0.0  # a period in which anything is ordered
    in_process_holding_cost: Nonnegative = 0.0  # a unit and period in process

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.at is None and (self.time_per_unit or self.setup_time):
            raise PlacedError("takes time but stands at no work center; expected one", "at")
        _check_order_sizes(self)
        _check_lead_time(self)
        return self


def _check_order_sizes(source: Source) -> None:
    most = source.maximum_order
    if most is None:
        return
    for name, least in (("minimum_order", source.minimum_order), ("lot_size", source.lot_size)):
        if most < least:
            raise PlacedError(
                f"is {most:g}; expected at least {name}, which is {least:g}", "maximum_order"
            )


def _check_lead_time(source: Source) -> None:
    lead_time = source.lead_time
    if isinstance(lead_time, Event):
        raise PlacedError("an event is no lead time; expected periods", "lead_time")
    support, _ = lead_time.pmf()
    if any(value != math.floor(value) for value in support.tolist()):
        raise PlacedError("not in whole periods; expected integers", "lead_time")
    if len(support) > 1 and support[0] < 1:
        raise PlacedError("can be 0; expected at least 1 period where it is random", "lead_time")
    if not source.crossover and not is_monotone(hazard(lead_time)):
        raise PlacedError(
            "its hazard P(L = a | L >= a) decreases, so that orders must overtake each other; "
            "expected a non-decreasing hazard, or crossover: true",
            "lead_time",
        )


class Breakdown(Part):
    """A work center goes down and comes back up, each by chance.

    `per` period: the chances are a period's; unit: `fails` is a chance for every unit made.
    """

    fails: Probability
    repaired: Probability
    per: Literal["period", "unit"] = "period"


class WorkCenter(Part):
    """Time available a period, shared by the sources that stand at it."""

    time: AnyDistribution
    breakdown: Breakdown | None = None


class Forecast(Part):
    """A causal forecast of recorded demand: F' = F + weight (demand - F)."""

    method: Literal["exponential-smoothing"]
    weight: Annotated[float, Field(gt=0, le=1)] = 0.2


class Demand(Part):
    """A stream of requests on one item, and what happens to those that are not met."""

    item: str
    quantity: DemandDistribution  # units a period
    unmet: Literal["backordered", "lost"]
    shortage_cost: Nonnegative = 0.0  # a unit lost; backordered: a unit and period of waiting
    price: Nonnegative = 0.0  # a unit served
    forecast: Forecast | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.forecast and not isinstance(self.quantity, Recorded):
            raise PlacedError("smooths records; expected it with recorded demand only", "forecast")
        return self


class Horizon(Part):
    """How long an episode is: `ongoing` counts all of its periods, warm-up included."""

    ongoing: Annotated[int, Field(ge=1)]
    warm_up: Annotated[int, Field(ge=0)] = 0  # periods left out of cost and KPIs

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.warm_up >= self.ongoing:
            raise PlacedError(
                f"is {self.warm_up}; expected less than the {self.ongoing} periods in all",
                "warm_up",
            )
        return self

    @property
    def periods(self) -> int:
        """Periods of an episode."""
        return self.ongoing

    @property
    def ends(self) -> bool:
        """Whether the end of an episode is real; an ongoing one is only cut off."""
        return False


class Actions(Part):
    """Bounds of the environment's actions; no source and no policy is held to them."""

    maximum_order: dict[str, Positive] = Field(default={})  # source -> units
    maximum_level: dict[str, Positive] = Field(default={})  # item -> units


class KnownOptimum(Part):
    """The best cost possible, by the scenario's yardstick and for its default parameters."""

    cost: float
    source: str


def _listed(paths: object) -> object:
    return (paths,) if isinstance(paths, str) else paths


def _unlisted(paths: tuple[str, ...]) -> str | list[str]:
    return paths[0] if len(paths) == 1 else list(paths)


Paths = Annotated[
    tuple[str, ...],
    Field(min_length=1, strict=False),
    BeforeValidator(_listed),
    PlainSerializer(_unlisted),
]
"""One or more dotted paths into a scenario."""


class Scenario(Part):
    """A plant and how it is judged; frozen, and checked across its parts.

    `load` reads one and raises ScenarioError; the constructor raises pydantic's ValidationError.
    Two scenarios are equal when they would be written alike.
    """

    name: str
    title: str = ""
    tags: Annotated[tuple[str, ...], Field(strict=False)] = ()
    period: str  # in words: "one week"
    periods_per_year: Positive = 1.0
    horizon: Horizon
    discount: Annotated[float, Field(gt=0, lt=1)] | None = None  # a period
    items: dict[str, Item]
    work_centers: dict[str, WorkCenter] = Field(default={})
    sources: dict[str, Source]
    demands: dict[str, Demand]
    actions: Actions = Actions()
    parameters: dict[str, Paths] = Field(default={})  # short name -> where it goes
    known_optimum: KnownOptimum | None = None
    _file: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_names(self)
        _check_references(self)
        _check_bill_of_materials(self)
        _place_events(self)
        _check_recordings(self)
        _check_parameters(self)
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scenario) and self.to_yaml() == other.to_yaml()

    def __hash__(self) -> int:
        return hash(self.to_yaml())

    @property
    def file(self) -> str:
        """The file that it was read from, or its name."""
        return self._file or self.name

    @property
    def yardstick(self) -> str:
        """What `cost` means in every row and table."""
        return "average cost a period" if self.discount is None else "discounted cost"

    def document(self) -> dict[str, Any]:
        """Plain data that says the same; what has its default value is left out."""
        data = documents.tidy(self)
        assert isinstance(data, dict)
        return data

    def to_yaml(self, path: str | Path | None = None) -> str:
        """The scenario as YAML that loads as the same scenario; with a path, also written there."""
        return documents.write(self.document(), None if path is None else Path(path))

    @classmethod
    def from_document(cls, data: Mapping[str, Any], name: str = "scenario") -> Scenario:
        """A scenario from plain data; raises ScenarioError, with `name` in place of a file."""
        return _build(documents.Document(name, documents.tidy(data)), Path())

    def sources_of(self, item: str) -> tuple[str, ...]:
        """Sources that make an item, in scenario order."""
        return tuple(name for name, source in self.sources.items() if source.makes == item)

    def consumers_of(self, item: str) -> tuple[str, ...]:
        """Sources that consume an item, in scenario order."""
        return tuple(name for name, source in self.sources.items() if item in source.consumes)

    @property
    def items_upstream_first(self) -> tuple[str, ...]:
        """Items, materials before what is made of them, else in scenario order."""
        placed: list[str] = []
        while len(placed) < len(self.items):
            placed += [next(item for item in self.items if self._is_next(item, placed))]
        return tuple(placed)

    def _is_next(self, item: str, placed: list[str]) -> bool:
        materials = {m for name in self.sources_of(item) for m in self.sources[name].consumes}
        return item not in placed and materials <= set(placed)

    def mean_requirement(self, item: str) -> float:
        """Mean units of an item needed a period, through the bill of materials.

        Where an item can be made in several ways, the one that needs most counts.
        """
        return self._required(item, {n: d.quantity.expectation for n, d in self.demands.items()})

    def _required(self, item: str, asked: Mapping[str, float]) -> float:
        """Units of an item that one period's demands (name -> units) need."""
        direct = math.fsum(asked[n] for n, d in self.demands.items() if d.item == item)
        made: dict[str, float] = {}
        for name in self.consumers_of(item):
            source = self.sources[name]
            made[source.makes] = max(made.get(source.makes, 0.0), source.consumes[item])
        return direct + math.fsum(n * self._required(other, asked) for other, n in made.items())

    def mean_lead_time(self, source: str) -> float:
        """Mean lead time of a source, in periods."""
        return self.sources[source].lead_time.expectation

    def order_bound(self, source: str) -> float:
        """The largest order of the environment's actions, in units, whole lots.

        As stated in `actions`; else the source's own maximum; else the .999 quantile of a period's
        demand through the bill of materials, plus twice the economic order quantity where an order
        has a fixed cost. Raises ScenarioError where the bounds stated for an item's sources do not
        add up to its mean requirement: whatever the agent does, the plant would drown.
        """
        item = self.sources[source].makes
        rivals = self.sources_of(item)
        most = {name: self._largest_order(name) for name in rivals}
        needed = self.mean_requirement(item)
        if any(name in self.actions.maximum_order for name in rivals) and (
            math.fsum(most.values()) < needed * (1 - 1e-9)
        ):
            raise ScenarioError(
                f"{self.file}: actions.maximum_order: allows {math.fsum(most.values()):g} of "
                f"{item} a period; expected at least its mean requirement of {needed:g}"
            )
        return most[source]

    def _largest_order(self, name: str) -> float:
        source = self.sources[name]
        stated = self.actions.maximum_order.get(name, math.inf)
        bound = min(stated, source.maximum_order or math.inf)
        if bound < math.inf:
            return max(1.0, math.floor(bound / source.lot_size + 1e-9)) * source.lot_size
        asked = {n: float(d.quantity.quantile(FREQUENT)) for n, d in self.demands.items()}
        frequent = self._required(source.makes, asked)
        return _whole_lots(frequent + 2 * self._economic_order(name), source.lot_size)

    def _economic_order(self, name: str) -> float:
        """sqrt(2 K D / h) (Harris 1913); 0 without a fixed cost or a holding cost."""
        source = self.sources[name]
        holding = self.items[source.makes].holding_cost
        if holding == 0:
            return 0.0
        fixed = source.shipment_cost + source.setup_cost
        return math.sqrt(2 * fixed * self.mean_requirement(source.makes) / holding)

    def level_bound(self, item: str) -> float:
        """The largest base-stock level or card count of the environment's actions, in units.

        As stated in `actions`; else the order bound times (mean lead time + 2), at least 20 lots,
        of the source for which that is most; the initial stock of an item that no source makes.
        """
        stated = self.actions.maximum_level.get(item)
        levels = (self._largest_level(name) for name in self.sources_of(item))
        # What no source makes, can only become less.
        return stated or max(levels, default=self.items[item].initial_stock or 1.0)

    def _largest_level(self, name: str) -> float:
        lot = self.sources[name].lot_size
        covered = self.order_bound(name) * (self.mean_lead_time(name) + 2)
        return max(_whole_lots(covered, lot), 20 * lot)

    @property
    def reward_scale(self) -> float:
        """Cost of serving nobody for a period: (shortage cost, else price) times mean demand.

        1 where nobody pays and nothing is short.
        """
        return math.fsum(self._worth(demand) for demand in self.demands.values()) or 1.0

    @staticmethod
    def _worth(demand: Demand) -> float:
        return (demand.shortage_cost or demand.price) * demand.quantity.expectation


def _whole_lots(quantity: float, lot: float) -> float:
    return max(1.0, math.ceil(quantity / lot - 1e-9)) * lot


def _check_names(scenario: Scenario) -> None:
    for section in (*NAMED, "parameters"):
        for name in getattr(scenario, section):
            if not name or "." in name:
                raise PlacedError("is no name; expected text without a dot", section, name)
    for name in scenario.parameters:
        if name in RESERVED:
            raise PlacedError("is a reserved word; expected another name", "parameters", name)


def _check_references(scenario: Scenario) -> None:
    for kind, name, *place in _references(scenario):
        known = getattr(scenario, kind)
        if name not in known:
            one = kind.removesuffix("s").replace("_", " ")
            raise PlacedError(
                f"names the unknown {one} {name!r}; {documents.suggest(name, known)}", *place
            )
    for name, demand in scenario.demands.items():
        if not scenario.sources_of(demand.item):
            raise PlacedError(
                f"asks for {demand.item!r}, which no source makes; expected a source that makes it",
                "demands",
                name,
                "item",
            )


def _references(scenario: Scenario) -> Iterator[tuple[str, ...]]:
    """(section, name, place ...) for every name that must exist."""
    for name, source in scenario.sources.items():
        yield "items", source.makes, "sources", name, "makes"
        for item in source.consumes:
            yield "items", item, "sources", name, "consumes", item
        if source.at is not None:
            yield "work_centers", source.at, "sources", name, "at"
    for name, demand in scenario.demands.items():
        yield "items", demand.item, "demands", name, "item"
    for name in scenario.actions.maximum_order:
        yield "sources", name, "actions", "maximum_order", name
    for name in scenario.actions.maximum_level:
        yield "items", name, "actions", "maximum_level", name


def _check_bill_of_materials(scenario: Scenario) -> None:
    for item in scenario.items:
        cycle = _cycle(scenario, (item,))
        if cycle:
            source = next(
                n for n in scenario.consumers_of(cycle[0]) if scenario.sources[n].makes == cycle[1]
            )
            raise PlacedError(
                f"closes a cycle in the bill of materials, {' -> '.join(cycle)}; "
                "expected that no item goes into itself",
                "sources",
                source,
                "consumes",
                cycle[0],
            )


def _cycle(scenario: Scenario, way: tuple[str, ...]) -> tuple[str, ...]:
    """The way back to its first item, or nothing."""
    for name in scenario.consumers_of(way[-1]):
        made = scenario.sources[name].makes
        if made == way[0]:
            return (*way, made)
        if made not in way and (found := _cycle(scenario, (*way, made))):
            return found
    return ()


def _events(scenario: Scenario) -> list[tuple[str, str, str, Event]]:
    """(section, name, field, event): centers first, then demands, as written."""
    centers = [("work_centers", n, "time", c.time) for n, c in scenario.work_centers.items()]
    demands = [("demands", n, "quantity", d.quantity) for n, d in scenario.demands.items()]
    return [(s, n, f, event) for s, n, f, event in (*centers, *demands) if isinstance(event, Event)]


def _place_events(scenario: Scenario) -> None:
    """Give every event its share of its clock, in proportion to the rates."""
    events = _events(scenario)
    total: dict[str, float] = {}
    for *_, event in events:
        total[event.clock] = total.get(event.clock, 0.0) + event.rate
    passed = dict.fromkeys(total, 0.0)
    for section, name, field, event in events:
        whole, low = total[event.clock], passed[event.clock]
        if whole == 0:
            raise PlacedError(
                f"the rates of clock {event.clock!r} sum to 0; expected more", section, name, field
            )
        passed[event.clock] = high = low + event.rate  # summed as the total was: ends there exactly
        parts = getattr(scenario, section)
        placed = event.placed(low / whole, high / whole)
        parts[name] = parts[name].model_copy(update={field: placed})


def _check_recordings(scenario: Scenario) -> None:
    periods = scenario.horizon.periods
    for name, demand in scenario.demands.items():
        if not isinstance(demand.quantity, Recorded):
            continue
        for split in SPLITS:
            recorded = len(demand.quantity.series(split))
            if demand.quantity.block(split) == 0 and recorded < periods:
                raise PlacedError(
                    f"has {periods} periods, but the demand of {name!r} replays {recorded} in split "
                    f"{split}; expected at most {recorded}, or a block to resample in",
                    "horizon",
                )


def _check_parameters(scenario: Scenario) -> None:
    for name, paths in scenario.parameters.items():
        for path in paths:
            if not _exists(scenario, path):
                raise PlacedError(
                    f"leads to {path!r}, which does not exist; expected a dotted path such as "
                    "demands.NAME.shortage_cost",
                    "parameters",
                    name,
                )


def _exists(scenario: Scenario, path: str) -> bool:
    node: Any = scenario
    for key in path.split("."):
        if isinstance(node, Part) and not isinstance(node, Deterministic):
            fields = {f.alias or name: name for name, f in type(node).model_fields.items()}
            if key not in fields:
                return False
            node = getattr(node, fields[key])
        elif isinstance(node, Mapping) and key in node:
            node = node[key]
        elif isinstance(node, tuple) and key.isdigit() and int(key) < len(node):
            node = node[int(key)]
        else:
            return False
    return True


def load(scenario: str | Path | Scenario, /, **overrides: Any) -> Scenario:
    """A scenario by its name in the catalog, a family's name, or a path; or one varied.

    Overrides go by a short name of `parameters` or a dotted path. A list for a name with several
    paths is dealt out in their order; one value goes to all of them. A known optimum is dropped
    with any override. Raises ScenarioError.

    >>> lead_time = {"distribution": "uniform", "low": 2, "high": 4}
    >>> load("lost-sales", lead_time=lead_time).mean_lead_time("supplier")
    3.0
    """
    base, overrides = _base(scenario, overrides)
    return _varied(base, overrides) if overrides else base


def _base(
    scenario: str | Path | Scenario, overrides: dict[str, Any]
) -> tuple[Scenario, dict[str, Any]]:
    """The scenario that is meant, and the overrides that are still to be made."""
    if isinstance(scenario, Scenario):
        return scenario, overrides
    name = str(scenario)
    if name in catalog.names():
        return _build(documents.read(catalog.text(name), name), catalog.FOLDER), overrides
    from jitgym.catalog.families import FAMILIES  # they are made of scenarios

    if name in FAMILIES:
        own = overrides.keys() & inspect.signature(FAMILIES[name]).parameters.keys()
        base = FAMILIES[name](**{key: overrides[key] for key in own})
        return base, {key: value for key, value in overrides.items() if key not in own}
    path = Path(scenario)
    if path.suffix in (".yaml", ".yml"):
        return _build(documents.read_file(path), path.parent), overrides
    known = documents.suggest(name, sorted({*catalog.names(), *FAMILIES}))
    raise ScenarioError(f"unknown scenario {name!r}; {known} A file ends in .yaml or .yml")


def _build(document: documents.Document, folder: Path) -> Scenario:
    try:
        scenario = Scenario.model_validate(document.data, context={"folder": folder})
    except ValidationError as error:
        raise documents.explain(error, Scenario, document) from None
    scenario._file = document.name
    return scenario


def _varied(base: Scenario, overrides: Mapping[str, Any]) -> Scenario:
    given = ", ".join(f"{name}={value!r}" for name, value in overrides.items())
    document = documents.Document(f"{base.file} with {given}", base.document())
    for name, value in overrides.items():
        for path, part in _dealt(base, name, documents.tidy(value)):
            _check_path(base, name, path)
            try:
                documents.put(document.data, path, part)
            except ValueError as error:
                raise ScenarioError(f"{document.name}: {path}: {error}") from None
    # What was true of the default parameters need not be true any more.
    document.data.pop("known_optimum", None)
    document.data.pop("parameters", None)
    varied = _build(document, Path())
    parameters = {
        name: paths
        for name, paths in base.parameters.items()
        if all(_exists(varied, path) for path in paths)
    }
    varied = varied.model_copy(update={"parameters": parameters})
    varied._file = base.file
    return varied


def _dealt(base: Scenario, name: str, value: Any) -> list[tuple[str, Any]]:
    """(path, value) of everything that an override sets."""
    paths = base.parameters.get(name, (name,))
    if len(paths) == 1 or not isinstance(value, list):
        return [(path, value) for path in paths]
    if len(value) != len(paths):
        raise ScenarioError(
            f"{base.file}: {name}: has {len(value)} values; expected {len(paths)}, for "
            f"{', '.join(paths)}"
        )
    return list(zip(paths, value, strict=True))


def _check_path(base: Scenario, name: str, path: str) -> None:
    """A path may name what is not written, but no section or part that is not there."""
    section, _, rest = path.partition(".")
    settable = [key for key in Scenario.model_fields if key not in ("parameters", "known_optimum")]
    if section not in settable:
        known = [*base.parameters, *settable]
        raise ScenarioError(
            f"{base.file}: unknown parameter {name!r}; {documents.suggest(name, known)}"
        )
    part = rest.partition(".")[0]
    if section in NAMED and part not in getattr(base, section):
        hint = documents.suggest(part, getattr(base, section))
        raise ScenarioError(f"{base.file}: {name}: there is no {section}.{part}; {hint}")
