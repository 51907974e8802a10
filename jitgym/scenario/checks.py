"""Checks across the parts of a scenario: each fault raises PlacedError, with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jitgym import documents
from jitgym.distributions import SPLITS, Deterministic, Event, Part, Recorded
from jitgym.errors import PlacedError

if TYPE_CHECKING:
    from .model import Scenario

RESERVED = frozenset({"control", "scenario", "num_envs", "render_mode", "autoreset_mode", "split"})
"""Keywords of gymnasium.make that no parameter may be named after."""

NAMED = ("items", "work_centers", "sources", "demands")
"""Sections whose keys are names that the writer chose."""


def check(scenario: Scenario) -> None:
    """Raise PlacedError for the first fault; give every event its share of its clock."""
    _check_names(scenario)
    _check_references(scenario)
    _check_bill_of_materials(scenario)
    _place_events(scenario)
    _check_recordings(scenario)
    _check_parameters(scenario)


def _check_names(scenario: Scenario) -> None:
    for section in (*NAMED, "parameters"):
        for name in getattr(scenario, section):
            if not name or "." in name:
                raise PlacedError("is no name; expected text without a dot", section, name)
    for name in scenario.parameters:
        if name in RESERVED or name in type(scenario).model_fields:
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
                    f"has {periods} periods, but split {split} of {name!r} replays {recorded}; "
                    f"expected at most {recorded}, or a block to resample in",
                    "horizon",
                )


def _check_parameters(scenario: Scenario) -> None:
    for name, paths in scenario.parameters.items():
        for path in paths:
            if not exists(scenario, path):
                raise PlacedError(
                    f"leads to {path!r}, which does not exist; expected a dotted path such as "
                    "demands.NAME.shortage_cost",
                    "parameters",
                    name,
                )


def exists(scenario: Scenario, path: str) -> bool:
    """Whether a dotted path leads to something that a scenario has."""
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
