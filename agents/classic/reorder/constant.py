"""Constant order: the same quantity every period, whatever the stock.

    order = q

Where demand is lost and lead times are long this is nearly optimal (Goldberg et al. 2016; Xin and
Goldberg 2016): a long lead time makes today's stock worthless as a signal. Where demand waits,
stock would drift, because nothing reacts to backlog: the policy does not apply. Nor does it where
no order in whole lots is near enough to q. Outside suppliers are ordered from so; stations between
them and the customer follow local base-stock levels.

Textbook sizing: q falls short of mean demand m by the slack that balances the stock of the random
walk demand - q, v / (2 (m - q)) with v the variance of demand (Kingman 1962), against what is lost:

    q = m - sqrt(h v / (2 p))

In the nearest whole lots below mean demand. Quantities in units a period.

>>> constant_order(mean=5, variance=5, holding=1, penalty=4)
4.2094
"""

from __future__ import annotations

import math

import numpy as np

from jitgym.control import Rule, pull_rule
from jitgym.control.masses import deviation_of
from jitgym.control.sizing import Stage, outside_suppliers, stages
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.units import whole, whole_up

from ..base.common import at_suppliers, levels_of_stations, lots_of, station_levels
from ..base.declaration import Classic, Parameter, Values, parameter, ruled
from . import eoq

MOST_ROUNDING = 1.5  # times the cost of the order that would be best were units not whole


def constant_order(mean: float, variance: float, holding: float, penalty: float) -> float:
    """Return q = m - sqrt(h v / (2 p)), at least 0, for lost sales."""
    if penalty <= 0:
        return 0.0
    return max(0.0, mean - math.sqrt(holding * variance / (2 * penalty)))


def why_not(scenario: Scenario) -> str:
    """Return why no constant order can be placed, or nothing."""
    if reason := below_the_minimum(scenario):
        return reason
    at = stages(scenario)
    for name in outside_suppliers(scenario):
        if not at[name].is_lost:
            return "demand waits here: a constant order does not react to backlog, so stock drifts"
        order, ideal = _textbook(at[name]), _ideal(at[name])
        if not order or _cost(at[name], order) > MOST_ROUNDING * _cost(at[name], ideal) + 1e-9:
            units = "whole unit" if at[name].lot == 1 else f"lot of {at[name].lot:g}"
            return f"its order from {name} is {ideal:.3g} units per period, and no {units} is near"
    return ""


def below_the_minimum(scenario: Scenario) -> str:
    """Return why a constant order would never be granted, or nothing."""
    at = stages(scenario)
    for name in outside_suppliers(scenario):
        least = scenario.sources[name].minimum_order
        if least > max(at[name].requirement, at[name].lot):
            return f"what a period needs is less than the minimum order of {name}, {least:g}"
    return eoq.why_not(scenario)


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the order of every outside supplier, and the stations' levels."""
    suppliers = outside_suppliers(scenario)
    at = [stages(scenario)[name] for name in suppliers]
    lots = lots_of(stages(scenario), suppliers)
    needed = np.array([stage.requirement + 2 * deviation_of(stage.demand) for stage in at])
    order = parameter(
        "order",
        "units a period",
        [_textbook(stage) for stage in at],
        of=suppliers,
        high=lots * whole_up(needed / lots),
        step=lots,
        whole=True,
    )
    return order, *station_levels(scenario)


def _textbook(stage: Stage) -> float:
    ideal, rivals = _ideal(stage), len(stage.scenario.sources_of(stage.item))
    order = stage.lot * round(ideal / stage.lot)
    if deviation_of(stage.demand) and order * rivals >= stage.requirement:  # stock would drift
        order = stage.lot * whole(ideal / stage.lot)
    return min(order, stage.largest_order)


def _cost(stage: Stage, order: float) -> float:
    """Cost a period of what is left and what is lost, h v / (2 (m - q)) + p (m - q)."""
    short = stage.requirement - order * len(stage.scenario.sources_of(stage.item))
    variance = deviation_of(stage.demand) ** 2
    if short <= 1e-9:
        return math.inf if variance > 1e-9 else 0.0
    return stage.holding * variance / (2 * short) + stage.shortage * short


def _ideal(stage: Stage) -> float:
    """The textbook's q before it is rounded to lots; its share, where the item has more sources."""
    variance = deviation_of(stage.demand) ** 2
    order = constant_order(stage.requirement, variance, stage.holding, stage.shortage)
    return order / len(stage.scenario.sources_of(stage.item))


def rule(layout: Layout, values: Values) -> Rule:
    """Return the rule with these orders and stations' levels."""
    levels, suppliers = levels_of_stations(layout, values), outside_suppliers(layout.scenario)
    return pull_rule(
        layout,
        levels={source: level for source, level in levels.items() if source not in suppliers},
        caps=at_suppliers(layout, values["order"]),
    )


CONSTANT = Classic("constant", why_not, parameters, ruled(rule))
