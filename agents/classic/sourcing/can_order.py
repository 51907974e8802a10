"""Can-order: if one item of a carrier must be ordered, items that can be ordered join it.

    if an item is at or below s, then every item at or below c is ordered up to S

This holds for all items that come on one carrier (Balintfy 1964; Silver 1974). Here s = S - must
and c = S - can. The gaps `must` and `can` are in periods of mean need, one each per carrier. With
both 0 it is base-stock; the tuner also starts from the best base-stock. Positions are echelon
positions. Sources that share no carrier follow their levels every period.

Textbook sizing: `must` covers the economic order of the whole carrier, sqrt(2 K / sum of h D)
periods, with K the cost of a trip and of its items, h their holding costs and D their demands per
period; `can` is half of it. Levels are those of base-stock plus the need of `must` periods, in
units.

>>> round(truck_interval(trip=60, items=[5, 5, 5, 5], holding=[6, 5, 5, 4]), 2)
2.83
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from jitgym.control import Rule, pull_rule, with_joint_gate
from jitgym.control.sizing import stages
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.common import all_echelon_levels, level_parameter
from ..base.declaration import Array, Classic, Parameter, Special, Values, parameter, ruled
from ..pull.base_stock import BASE_STOCK


def truck_interval(trip: float, items: Sequence[float], holding: Sequence[float]) -> float:
    """Return sqrt(2 K / H) periods: K is the fixed cost of a trip, H of holding a period's need."""
    total = math.fsum(holding)
    return math.sqrt(2 * (trip + math.fsum(items)) / total) if total else 1.0


def rule(layout: Layout, values: Values) -> Rule:
    """Return base-stock with these local levels, and a joint gate for each carrier."""
    rule = pull_rule(layout, levels=all_echelon_levels(layout, values["levels"]))
    at, crews = stages(layout.scenario), carried(layout.scenario).values()
    gaps = zip(crews, values["must"].tolist(), values["can"].tolist(), strict=True)
    for crew, must, can in gaps:
        needs = {name: at[name].requirement for name in crew}
        rule = with_joint_gate(
            layout,
            rule,
            must={name: must * need for name, need in needs.items()},
            can={name: can * need for name, need in needs.items()},
        )
    return rule


def carried(scenario: Scenario) -> dict[str, list[str]]:
    """Return carrier -> its sources, for every carrier with several sources."""
    crews = {
        carrier: [name for name, source in scenario.sources.items() if source.carrier == carrier]
        for carrier in scenario.carriers
    }
    return {carrier: crew for carrier, crew in crews.items() if len(crew) > 1}


def why_not(scenario: Scenario) -> str:
    """Return why no sources can order together, or nothing."""
    return "" if carried(scenario) else "no carrier serves several sources"


def textbook_intervals(scenario: Scenario) -> Array:
    """Return the textbook periods between trips of every carrier."""
    at = stages(scenario)
    return np.array(
        [
            truck_interval(
                scenario.carriers[carrier].cost
                + scenario.carriers[carrier].emissions * scenario.emission_price,
                [scenario.sources[name].shipment_cost for name in crew],
                [at[name].holding * at[name].requirement for name in crew],
            )
            for carrier, crew in carried(scenario).items()
        ]
    )


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the local base-stock levels, and `must` and `can` of every carrier."""
    at, crews = stages(scenario), carried(scenario)
    intervals = np.clip(textbook_intervals(scenario), 1.0, 12.0).astype(np.float64).round(1)
    extra = {
        name: at[name].lot * float(whole_up(interval * at[name].requirement / at[name].lot))
        for interval, crew in zip(intervals.tolist(), crews.values(), strict=True)
        for name in crew
    }
    levels = level_parameter(scenario, name="levels")
    textbook = levels.textbook + np.array([extra.get(name, 0.0) for name in at])

    def gap(name: str, value: Array) -> Parameter:
        return parameter(name, "periods of need", value, of=crews, high=12.0, step=0.1)

    return (
        levels.resized(textbook, high=levels.high + textbook),
        gap("must", intervals),
        gap("can", np.round(intervals / 2, 1)),
    )


def of_base_stock(scenario: Scenario, values: Values) -> Values:
    """Return the can-order that is base-stock with these levels: both gaps are 0."""
    none = np.zeros(len(carried(scenario)))
    return {"levels": values["levels"], "must": none, "can": none}


CAN_ORDER = Classic(
    "can-order",
    why_not,
    parameters,
    ruled(rule),
    holds=(Special(BASE_STOCK, of_base_stock),),
)
