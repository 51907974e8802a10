"""Families of plants whose shape varies: functions that return a Scenario, by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from jitgym.errors import ScenarioError
from jitgym.scenario import Scenario

from . import files

CAPACITY = {0: 0.1, 1: 0.8, 2: 0.1}  # parts per period of a station that is up -> probability
CUSTOMERS = 2  # the largest number of customers per period


def line(
    stations: int = 3,
    utilization: float = 0.75,
    mean_time_to_failure: float = 10,
    mean_time_to_repair: float = 2,
    holding: float | Sequence[float] | None = None,
    backorder: float = 20,
) -> Scenario:
    """Return a serial line of unreliable stations, from unlimited material to customers who wait.

    A station that is up makes 0, 1 or 2 parts per period (probabilities .1, .8, .1); times to
    failure and times to repair are geometric. At most two customers come per period (binomial). The
    numbers are ours, after the lines of Bonvik, Couch and Gershwin (1997). The line is small, so
    that three stations can be solved exactly: a state is the stocks, the backlog and the stations
    that are up; there are no lead times, lots or unfinished work. What makes it hard: a station
    that is down starves all stations downstream, and stock upstream of it must not pile up.

    Parameters
    ----------
    stations
        Number of stations in series; station 1 never lacks material.
    utilization
        Mean demand divided by the long-run capacity of a station, with breakdowns.
    mean_time_to_failure, mean_time_to_repair
        Means of the geometric times, in periods, at least 1.
    holding
        Cost per unit and period of the parts of each station, or one number for all; 1, 2, 3, ...
        by default, because parts are worth more downstream.
    backorder
        Cost per waiting customer and period.

    Raises
    ------
    jitgym.ScenarioError
        If a number is out of range.

    >>> scenario = line(stations=4, utilization=0.85)
    >>> list(scenario.sources)
    ['station_1', 'station_2', 'station_3', 'station_4']
    >>> scenario.mean_requirement("parts_1")
    0.7083
    >>> scenario.parameters["backorder"]
    ('demands.customers.shortage_cost',)
    """
    _check(stations, utilization, mean_time_to_failure, mean_time_to_repair)
    costs = _holding(holding, stations)
    up = mean_time_to_failure / (mean_time_to_failure + mean_time_to_repair)
    demand = utilization * up * sum(parts * chance for parts, chance in CAPACITY.items())
    numbers = range(1, stations + 1)
    time = {
        "distribution": "finite",
        "values": list(CAPACITY),
        "probabilities": list(CAPACITY.values()),
    }
    breakdown = {"fails": 1 / mean_time_to_failure, "repaired": 1 / mean_time_to_repair}
    document: dict[str, Any] = {
        "name": "line",
        "title": f"A serial line of {stations} unreliable stations",
        "tags": ["line", "breakdowns", "backorders", "benchmark"],
        "period": "the time in which a station makes a part on average",
        "horizon": {"ongoing": 2000, "warm_up": 200},
        "items": {
            f"parts_{k}": {"holding_cost": cost} for k, cost in zip(numbers, costs, strict=True)
        },
        "work_centers": {f"machine_{k}": {"time": time, "breakdown": breakdown} for k in numbers},
        "sources": {
            f"station_{k}": {"makes": f"parts_{k}", "at": f"machine_{k}", "time_per_unit": 1}
            | ({"consumes": {f"parts_{k - 1}": 1}} if k > 1 else {})
            for k in numbers
        },
        "demands": {
            "customers": {
                "item": f"parts_{stations}",
                "quantity": {
                    "distribution": "binomial",
                    "trials": CUSTOMERS,
                    "probability": demand / CUSTOMERS,
                },
                "unmet": "backordered",
                "shortage_cost": backorder,
            }
        },
        # No station can make more per period.
        "actions": {"maximum_order": {f"station_{k}": max(CAPACITY) for k in numbers}},
        "parameters": {
            "holding": [f"items.parts_{k}.holding_cost" for k in numbers],
            "backorder": "demands.customers.shortage_cost",
        },
    }
    return Scenario.from_document(document, "line")


def style(style: str = "gail", pieces: int = 200, weeks: int = 4) -> Scenario:
    """Return a single style of `fast-fashion`, small enough to be solved exactly.

    Quantities are in packs of several pieces, and a period has several weeks. Prices, minimum
    orders, level and life cycle are those of `fast-fashion`; lead times are rounded up to whole
    periods. It is coarser in two ways: orders are whole packs, and the near source delivers after
    one period.

    Parameters
    ----------
    style
        Name of the style in `fast-fashion`: gail, isis, entice, ...
    pieces
        Pieces per pack, the unit of all quantities. The size of the Markov decision process grows
        with the square of 1 / pieces.
    weeks
        Weeks per period: 1, 2 or 4.

    Raises
    ------
    jitgym.ScenarioError
        If there is no such style, or a number is out of range.

    >>> scenario = style("anita", pieces=300)
    >>> scenario.sources["anita_far"].lead_time.expectation, scenario.horizon.periods
    (3.0, 8)
    >>> round(scenario.demands["anita_buyers"].quantity.mean * 300)
    3296
    """
    season = files.read("fast-fashion").document()
    if not isinstance(style, str) or style not in season["items"]:
        known = ", ".join(season["items"])
        raise ScenarioError(f"style: style: {style!r}; expected one of {known}")
    if isinstance(weeks, bool) or weeks not in (1, 2, 4):
        raise ScenarioError(f"style: weeks: {weeks!r}; expected 1, 2 or 4")
    if isinstance(pieces, bool) or not isinstance(pieces, int) or pieces < 1:
        raise ScenarioError(f"style: pieces: {pieces!r}; expected a whole number, at least 1")
    item, demand = dict(season["items"][style]), dict(season["demands"][f"{style}_buyers"])
    item["holding_cost"] *= weeks * pieces
    for price in ("value", "salvage_value"):
        item[price] *= pieces
    demand["price"] *= pieces
    demand["quantity"] = _in_packs(demand["quantity"], pieces, weeks)
    document = {
        "name": "style",
        "title": f"One style of a season of ski wear: {style}, in packs of {pieces}",
        "tags": ["season", "lost-sales", "dual-sourcing", "life-cycle", "benchmark"],
        "period": f"{weeks} weeks",
        "horizon": {"season": season["horizon"]["season"] // weeks},
        "items": {style: item},
        "sources": {
            name: _in_packs_from(season["sources"][name], pieces, weeks)
            for name in (f"{style}_far", f"{style}_near")
        },
        "demands": {f"{style}_buyers": demand},
        "unit": "packs",
        "words": season["words"],
        "parameters": {
            "mean": f"demands.{style}_buyers.quantity.mean",
            "deviation": f"demands.{style}_buyers.quantity.standard_deviation_of_level",
            "near_cost": f"sources.{style}_near.unit_cost",
        },
    }
    return Scenario.from_document(document, "style")


def _in_packs(quantity: dict[str, Any], pieces: int, weeks: int) -> dict[str, Any]:
    """Return a life cycle in pieces and weeks, converted to packs and periods."""
    shares = quantity["shares"]
    return quantity | {
        "mean": quantity["mean"] / pieces,
        "standard_deviation_of_level": quantity["standard_deviation_of_level"] / pieces,
        "first": quantity["first"] // weeks,
        "shares": [round(sum(shares[k : k + weeks]), 9) for k in range(0, len(shares), weeks)],
    }


def _in_packs_from(source: dict[str, Any], pieces: int, weeks: int) -> dict[str, Any]:
    """Return a source, with its emissions, converted to packs and periods."""
    changed = {name: source[name] * pieces for name in ("unit_cost", "emissions_per_unit")}
    changed["minimum_order"] = math.ceil(source["minimum_order"] / pieces)
    changed["lead_time"] = math.ceil(source["lead_time"] / weeks)
    return source | changed


def _check(stations: Any, utilization: Any, to_failure: Any, to_repair: Any) -> None:
    if isinstance(stations, bool) or not isinstance(stations, int) or stations < 1:
        raise ScenarioError(f"line: stations: {stations!r}; expected a whole number, at least 1")
    given = {
        "utilization": (utilization, 0.0, 1.0, "above 0 and below 1"),
        "mean_time_to_failure": (to_failure, 1.0, None, "at least 1 period"),
        "mean_time_to_repair": (to_repair, 1.0, None, "at least 1 period"),
    }
    for name, (value, least, most, expected) in given.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not least <= value < math.inf or (most and not least < value < most):
            raise ScenarioError(f"line: {name}: {value!r}; expected a number {expected}")


def _holding(given: Any, stations: int) -> list[float]:
    if given is None:
        return [float(k) for k in range(1, stations + 1)]
    costs = list(given) if isinstance(given, list | tuple) else [given] * stations
    if len(costs) != stations:
        raise ScenarioError(
            f"line: holding: has {len(costs)} values; expected {stations}, one per station"
        )
    return costs


FAMILIES: dict[str, Callable[..., Scenario]] = {"line": line, "style": style}
