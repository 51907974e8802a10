"""Checks across the parts of a scenario. Each fault raises PlacedError with its place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jitgym import documents
from jitgym.distributions import (
    SPLITS,
    Deterministic,
    Distribution,
    Event,
    Part,
    PartOf,
    Recorded,
)
from jitgym.errors import PlacedError
from jitgym.units import at_least

from .model import Written
from .parts import LONGEST_CYCLE, Oracle

RESERVED = frozenset({"control", "scenario", "num_envs", "render_mode", "autoreset_mode", "split"})
"""Keywords of gymnasium.make, which no parameter may have as its name."""

NAMED = (
    "items",
    "work_centers",
    "sources",
    "demands",
    "streams",
    "carriers",
    "projects",
)
"""Sections whose keys are names that the writer chooses."""


MOST_UNITS = 1e100
"""The most units of an item that may go into all products together; products stay finite."""

MOST_UNITS_SHARED = 100_000
"""The most units of a stream per period, because they are shared out one by one."""

MOST_SHARED = 20_000_000
"""A stream is refused if the table of one of its parts would need more steps than this."""

LONGEST_CLOCK = 1e15
"""The longest cycle, in periods, of all patterns, seasons and contracts of a plant together."""


def check(scenario: Written) -> None:
    """Raise PlacedError for the first fault. Also place every event and every part of a stream."""
    _check_names(scenario)
    _check_references(scenario)
    _check_storage(scenario)
    _check_bill_of_materials(scenario)
    _check_cycles(scenario)
    _place_events(scenario)
    _place_parts(scenario)
    _check_forecasts(scenario)
    _check_projects(scenario)
    _check_recordings(scenario)
    _check_parameters(scenario)


LONGEST_NAME = 80
NOT_IN_NAMES = {".": "a dot", "=": "an equals sign", "[": "a bracket", "]": "a bracket"}
"""Paths and cells use these characters: mill.in_process[2], --set items.steel.value=3."""

NOT_IN_FILES = {"/": "a slash", "\\": "a backslash", ":": "a colon"}


def fault_of_name(name: str) -> str:
    """What is wrong with a name that a user chose, and what to write instead; else empty."""
    if not name.strip():
        return "is an empty name; expected text"
    if name != name.strip():
        return f"is {name!r}, with a space at its beginning or end; expected {name.strip()!r}"
    if not name.isprintable():
        return f"is {name!r}; expected a name of printable characters on one line"
    if len(name) > LONGEST_NAME:
        return f"is a name of {len(name):,} characters; expected at most {LONGEST_NAME}"
    for mark, words in NOT_IN_NAMES.items():
        if mark in name:
            return f"is not a valid name; expected text without {words}"
    return ""


def fault_of_file_name(name: str) -> str:
    """The same for a name that is also used for files and folders."""
    for mark, words in NOT_IN_FILES.items():
        if mark in name:
            return f"is {name!r}; files are named after it: expected a name without {words}"
    return fault_of_name(name.replace(".", "")) or (
        f"is {name!r}; files are named after it: expected a name that begins with a letter or digit"
        if name.startswith((".", "-"))
        else ""
    )


def _check_names(scenario: Written) -> None:
    if fault := fault_of_file_name(scenario.name):
        raise PlacedError(fault, "name")
    for section in (*NAMED, "parameters"):
        for name in getattr(scenario, section):
            if fault := fault_of_name(name):
                raise PlacedError(fault, section, name)
    for name, source in scenario.sources.items():
        center = scenario.work_centers.get(name)
        if center is not None and center.breakdown is not None and source.disruption is not None:
            raise PlacedError(
                f"has the name of a work center, so that {name}.up would mean both; expected "
                "another name for one of them",
                "sources",
                name,
            )
    for name in scenario.parameters:
        if name in RESERVED or name in type(scenario).model_fields:
            raise PlacedError("is a reserved word; expected another name", "parameters", name)


def _check_references(scenario: Written) -> None:
    for kind, name, *place in _references(scenario):
        known = getattr(scenario, kind)
        if name not in known:
            one = kind.removesuffix("s").replace("_", " ")
            raise PlacedError(
                f"names the unknown {one} {name!r}; {documents.suggest(name, known)}", *place
            )
    qualities = [source.quality for source in scenario.sources.values() if source.quality]
    by_products = {quality.by_product for quality in qualities}
    for name, demand in scenario.demands.items():
        if not scenario.sources_of(demand.item) and demand.item not in by_products:
            raise PlacedError(
                f"demands {demand.item!r}, which no source makes; expected a source that makes it",
                "demands",
                name,
                "item",
            )


def _check_storage(scenario: Written) -> None:
    for name, item in scenario.items.items():
        if item.storage is None or scenario.is_made_to_order(name):
            continue
        for source_name in scenario.sources_of(name):
            smallest = scenario.sources[source_name].smallest_order
            if not at_least(item.storage, smallest):
                raise PlacedError(
                    f"is {item.storage:g}, but source {source_name!r} delivers at least "
                    f"{smallest:g}, its lot size or minimum order; expected a storage of at least "
                    f"{smallest:g}, or smaller orders",
                    "items",
                    name,
                    "storage",
                )


def _references(scenario: Written) -> Iterator[tuple[str, ...]]:
    """(section, name, place ...) of every reference; the name must exist in the section."""
    for name, source in scenario.sources.items():
        yield "items", source.makes, "sources", name, "makes"
        for item in source.consumes:
            yield "items", item, "sources", name, "consumes", item
        if source.at is not None:
            yield "work_centers", source.at, "sources", name, "at"
        if source.carrier is not None:
            yield "carriers", source.carrier, "sources", name, "carrier"
        if source.quality is not None and source.quality.by_product is not None:
            yield "items", source.quality.by_product, "sources", name, "quality", "by_product"
    for name, project in scenario.projects.items():
        if project.slows is not None:
            yield "work_centers", project.slows, "projects", name, "slows"
    for name, demand in scenario.demands.items():
        yield "items", demand.item, "demands", name, "item"
        if isinstance(demand.quantity, PartOf):
            yield "streams", demand.quantity.stream, "demands", name, "quantity", "stream"
    for name in scenario.actions.maximum_order:
        yield "sources", name, "actions", "maximum_order", name
    for name in scenario.actions.maximum_level:
        yield "items", name, "actions", "maximum_level", name


def _check_bill_of_materials(scenario: Written) -> None:
    if cycle := _cycle(scenario):
        material, made = cycle[:2]
        source = next(
            n for n in scenario.consumers_of(material) if scenario.sources[n].makes == made
        )
        raise PlacedError(
            f"closes a cycle in the bill of materials, {_way(cycle)}; "
            "expected no item that goes into itself",
            "sources",
            source,
            "consumes",
            material,
        )
    contained = scenario.exploded(dict.fromkeys(scenario.items, 1.0))
    for item, units in contained.items():
        if not units <= MOST_UNITS:
            raise PlacedError(
                f"goes into its products with more than {MOST_UNITS:g} units; expected smaller "
                "quantities in consumes",
                "items",
                item,
            )


def _cycle(scenario: Written) -> tuple[str, ...]:
    """The first path from an item back to itself, or nothing; each item is visited once."""
    done: set[str] = set()
    for first in scenario.items:
        way = {first: iter(scenario.goes_into(first))}  # items on the path -> not yet visited
        while way:
            item, following = next(reversed(way.items()))
            made = next((each for each in following if each not in done), None)
            if made is None:
                done.add(item)
                del way[item]
            elif made in way:
                names = list(way)
                return (*names[names.index(made) :], made)
            else:
                way[made] = iter(scenario.goes_into(made))
    return ()


def _way(cycle: tuple[str, ...]) -> str:
    shown = cycle if len(cycle) <= 12 else (*cycle[:6], "...", *cycle[-5:])
    return " -> ".join(shown)


def _check_cycles(scenario: Written) -> None:
    together = 1
    for name, demand in scenario.demands.items():
        together = math.lcm(together, demand.cycle)
        if together > LONGEST_CYCLE:
            raise PlacedError(
                f"has a pattern and seasons that, with those of the demands before it, repeat "
                f"after {together:,} periods; expected at most {LONGEST_CYCLE:,}",
                "demands",
                name,
            )
    for name, source in scenario.sources.items():
        if source.commitment is not None:
            together = math.lcm(together, source.commitment.every)
        if together > LONGEST_CLOCK:
            raise PlacedError(
                "contracts, patterns and seasons repeat together only after more than "
                f"{LONGEST_CLOCK:g} periods; expected numbers of periods with common factors",
                "sources",
                name,
                "commitment",
                "every",
            )


def _events(scenario: Written) -> list[tuple[str, str, str, Event]]:
    """(section, name, field, event) of all work centers, then of all demands, as written."""
    centers = [("work_centers", n, "time", c.time) for n, c in scenario.work_centers.items()]
    demands = [("demands", n, "quantity", d.quantity) for n, d in scenario.demands.items()]
    return [(s, n, f, event) for s, n, f, event in (*centers, *demands) if isinstance(event, Event)]


def _place_events(scenario: Written) -> None:
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
                f"the rates of clock {event.clock!r} sum to 0; expected a sum above 0",
                section,
                name,
                field,
            )
        passed[event.clock] = high = low + event.rate  # summed like the total
        parts = getattr(scenario, section)
        placed = event.placed(low / whole, high / whole)
        parts[name] = parts[name].model_copy(update={field: placed})


def _place_parts(scenario: Written) -> None:
    """Give every part the distribution of its stream, and check that shares sum to at most 1."""
    taken = dict.fromkeys(scenario.streams, 0.0)
    for name, demand in scenario.demands.items():
        part = demand.quantity
        if not isinstance(part, PartOf):
            continue
        taken[part.stream] += part.share
        if taken[part.stream] > 1 + 1e-9:
            raise PlacedError(
                f"the shares of stream {part.stream!r} sum to {taken[part.stream]:g}; "
                "expected at most 1",
                "demands",
                name,
                "quantity",
                "share",
            )
        whole = scenario.streams[part.stream].quantity
        support, _ = whole.pmf()
        if isinstance(whole, Recorded):
            support = np.concatenate([whole.series(split) for split in SPLITS])
        if np.any(support != np.floor(support)):
            raise PlacedError(
                "a stream is shared in whole units; expected integers",
                "streams",
                part.stream,
                "quantity",
            )
        if support[-1] > MOST_UNITS_SHARED or float(support.sum()) > MOST_SHARED:
            raise PlacedError(
                f"is up to {support[-1]:g} units, too many to share one by one; expected a larger "
                "unit, such as a box, so that there are fewer",
                "streams",
                part.stream,
                "quantity",
            )
        placed = demand.model_copy(update={"quantity": part.placed(whole)})
        scenario.demands[name] = placed
    for name, share in taken.items():
        if share == 0.0:
            raise PlacedError("is shared by no demand; expected at least one", "streams", name)


def _check_forecasts(scenario: Written) -> None:
    for name, demand in scenario.demands.items():
        if isinstance(demand.forecast, Oracle) and "leaks" not in scenario.tags:
            raise PlacedError(
                "uses the future of a recording; expected the tag `leaks` in such a scenario",
                "demands",
                name,
                "forecast",
            )
        if demand.varies and demand.forecast is not None:
            raise PlacedError(
                "cannot be combined with a pattern or seasons; expected only one of them",
                "demands",
                name,
                "forecast",
            )


IMPROVABLE = {
    "sources": (
        "setup_time",
        "lead_time",
        "setup_cost",
        "shipment_cost",
        "quality.defects",
        "disruption.fails",
    ),
    "work_centers": ("breakdown.fails",),
    "carriers": ("cost",),
}
"""The fields that a project may reduce, by section."""


def _check_projects(scenario: Written) -> None:
    improved: set[str] = set()
    for name, project in scenario.projects.items():
        if not project.improves:
            raise PlacedError("improves nothing; expected a path", "projects", name, "improves")
        for path, value in project.improves.items():
            place = ("projects", name, "improves", path)
            before = _before(scenario, path, place)
            if path in improved:
                raise PlacedError("is improved by two projects; expected only one", *place)
            improved.add(path)
            after = value
            if isinstance(before, Distribution):
                after = _lead_time(scenario, path, value, place)
                project.improves[path] = after
                old, new = before.expectation, after.expectation
            elif isinstance(value, int | float) and not isinstance(value, bool):
                old, new = before, float(value)  # finite, like every number of a part
            else:
                raise PlacedError(f"is {value!r}; expected a number", *place)
            if new < 0:
                raise PlacedError(f"is {new:g}; expected at least 0", *place)
            if new >= old:
                raise PlacedError(f"is {new:g}; expected less than {old:g}, as it is now", *place)


def _before(scenario: Written, path: str, place: tuple[str, ...]) -> Any:
    """The present value at the path that a project improves."""
    section, _, rest = path.partition(".")
    owner, _, what = rest.partition(".")
    if what not in IMPROVABLE.get(section, ()):
        known = ", ".join(f"{s}.NAME.{w}" for s, ways in IMPROVABLE.items() for w in ways)
        raise PlacedError(f"cannot be improved; expected one of {known}", *place)
    node = getattr(scenario, section).get(owner)
    for key in what.split("."):
        node = None if node is None else getattr(node, key)
    if node is None:
        raise PlacedError("does not exist; expected the path of an existing value", *place)
    return node


def _lead_time(scenario: Written, path: str, value: Any, place: tuple[str, ...]) -> Distribution:
    """The new lead time of a source, with the same checks as the source itself."""
    source = scenario.sources[path.split(".")[1]]
    data = source.model_dump(exclude_unset=True) | {"lead_time": value}
    try:
        faster = type(source).model_validate(data).lead_time
    except ValueError:
        raise PlacedError(f"is {value!r}; expected a lead time", *place) from None
    if faster.support_max < 1 or faster.pmf()[0][0] < 1:
        raise PlacedError("can be 0; expected at least 1 period, also when improved", *place)
    if faster.support_max > source.lead_time.support_max:
        raise PlacedError("can be longer than before; expected a shorter lead time", *place)
    return faster


def _check_recordings(scenario: Written) -> None:
    periods = scenario.horizon.periods
    owners: list[tuple[str, Any]] = [(n, d.quantity) for n, d in scenario.demands.items()]
    owners += [(name, stream.quantity) for name, stream in scenario.streams.items()]
    owners = [(name, quantity) for name, quantity in owners if isinstance(quantity, Recorded)]
    _check_same_periods(scenario, owners)
    for name, quantity in owners:
        for split in SPLITS:
            recorded = len(quantity.series(split))
            if quantity.block(split) == 0 and recorded < periods:
                raise PlacedError(
                    f"has {periods} periods, but split {split} of {name!r} has only {recorded} to "
                    f"replay; expected at most {recorded}, or a `block` for resampling",
                    "horizon",
                )


def _check_same_periods(scenario: Written, recorded: list[tuple[str, Recorded]]) -> None:
    """Raise PlacedError unless all records have the same periods, and the same first one."""
    for name, quantity in recorded[1:]:
        other, first = recorded[0]
        place = ("demands" if name in scenario.demands else "streams", name, "quantity")
        if quantity.spacing != first.spacing:
            raise PlacedError(
                f"has a record every {quantity.spacing}, but {other!r} every {first.spacing}; "
                "expected the same periods for all demands",
                *place,
            )
        for split in SPLITS:
            begins, began = quantity.first(split), first.first(split)
            if not quantity.block(split) and not first.block(split) and begins != began:
                raise PlacedError(
                    f"begins split {split} at {begins}, but {other!r} begins it at {began}; "
                    "expected the same dates",
                    *place,
                    "splits",
                )


def _check_parameters(scenario: Written) -> None:
    for name, paths in scenario.parameters.items():
        for path in paths:
            if not exists(scenario, path):
                raise PlacedError(
                    f"leads to {path!r}, which does not exist; expected a dotted path such as "
                    "demands.NAME.shortage_cost",
                    "parameters",
                    name,
                )


def exists(scenario: Written, path: str) -> bool:
    """Whether a scenario has a part at a dotted path."""
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
