"""Constant order: the same quantity every period, whatever the stock.

    order = q

Where demand is lost and lead times are long, this is nearly optimal (Goldberg et al. 2016; Xin and
Goldberg 2016): over a long lead time, today's stock loses its value as a signal. The policy does
not apply where demand waits, because no order reacts to the backlog and stock drifts, nor where no
order in whole lots is near enough to q, nor where base-stock costs far less. It controls the
outside suppliers; stations between them and the customer follow local base-stock levels.

Textbook sizing: with q below mean demand m, the mean stock of the random walk is v / (2 (m - q)),
with v the variance of demand around its pattern (Kingman 1962). q balances its holding cost h
against the cost p of the demand that is lost:

    q = m - sqrt(h v / (2 p))

It is rounded to the nearest whole lots below mean demand. Quantities in units per period.

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
from jitgym.units import whole_up

from ..base.common import (
    at_suppliers,
    levels_of_stations,
    lots_of,
    newsvendor_cost,
    station_levels,
)
from ..base.declaration import Classic, Parameter, Values, parameter, ruled
from . import eoq

MOST_COST = 2.5  # times the cost of base-stock, by the formulas of both
MOST_ROUNDING = 1.5  # times the cost of the best order without rounding


def constant_order(mean: float, variance: float, holding: float, penalty: float) -> float:
    """Return q = m - sqrt(h v / (2 p)), at least 0, for lost sales."""
    if penalty <= 0:
        return 0.0
    return max(0.0, mean - math.sqrt(holding * variance / (2 * penalty)))


def why_not(scenario: Scenario) -> str:
    """Return why a constant order does not work here, or nothing."""
    if reason := below_the_minimum(scenario):
        return reason
    at = stages(scenario)
    for name in outside_suppliers(scenario):
        if not at[name].is_lost:
            return "demand waits here: a constant order does not react to backlog, so stock drifts"
        order, ideal = _textbook(at[name]), _ideal(at[name])
        if not order or _cost(at[name], order) > MOST_ROUNDING * _cost(at[name], ideal) + 1e-9:
            return (
                f"its order from {name} is {ideal:.3g} units per period, "
                "and no order that can be placed is near"
            )
        fixed = at[name].fixed  # of an order; both policies order in every period
        cost, rival = _cost(at[name], order) + fixed, newsvendor_cost(at[name]) + fixed
        if cost > MOST_COST * rival + 1e-9:
            return f"it would cost {cost / rival:.2g} times as much as base-stock with {name}"
    return ""


def below_the_minimum(scenario: Scenario) -> str:
    """Return why a constant order would never be granted, or nothing."""
    at = stages(scenario)
    for name in outside_suppliers(scenario):
        least = scenario.sources[name].minimum_order
        if least > max(at[name].requirement, at[name].lot):
            return f"the mean need per period is below the minimum order of {name}, {least:g}"
    return eoq.why_not(scenario)


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the order of every outside supplier, and the local levels of the stations."""
    suppliers = outside_suppliers(scenario)
    at = [stages(scenario)[name] for name in suppliers]
    lots = lots_of(stages(scenario), suppliers)
    needed = np.array([stage.requirement + 2 * deviation_of(stage.demand) for stage in at])
    order = parameter(
        "order",
        "units per period",
        [_textbook(stage) for stage in at],
        of=suppliers,
        high=lots * whole_up(needed / lots),
        step=lots,
        whole=True,
    )
    return order, *station_levels(scenario)


def _textbook(stage: Stage) -> float:
    """The order that can be placed nearest to the ideal; 0 where stock would drift with the least.

    It would where as much is ordered as is needed; certain demand may be met in full.
    """
    rivals, least = len(stage.scenario.sources_of(stage.item)), stage.smallest_order
    needed = stage.requirement + (0.0 if deviation_of(stage.surprise) else 2e-9)
    nearest = stage.lot * round(_ideal(stage) / stage.lot)
    candidates = (max(nearest, least), max(nearest - stage.lot, least))
    fitting = [order for order in candidates if order * rivals < needed]
    return min(fitting[0], stage.largest_order) if fitting else 0.0


def _cost(stage: Stage, order: float) -> float:
    """Return the holding and lost-sales cost per period, h v / (2 (m - q)) + p (m - q)."""
    short = stage.requirement - order * len(stage.scenario.sources_of(stage.item))
    variance = deviation_of(stage.surprise) ** 2
    if short <= 1e-9:
        return math.inf if variance > 1e-9 else 0.0
    return stage.holding * variance / (2 * short) + stage.shortage * short


def _ideal(stage: Stage) -> float:
    """Return the textbook q before rounding, divided by the number of sources of the item."""
    variance = deviation_of(stage.surprise) ** 2
    order = constant_order(stage.requirement, variance, stage.holding, stage.shortage)
    return order / len(stage.scenario.sources_of(stage.item))


def rule(layout: Layout, values: Values) -> Rule:
    """Return the rule with these orders and local levels of the stations."""
    levels, suppliers = levels_of_stations(layout, values), outside_suppliers(layout.scenario)
    return pull_rule(
        layout,
        levels={source: level for source, level in levels.items() if source not in suppliers},
        caps=at_suppliers(layout, values["order"]),
    )


CONSTANT = Classic("constant", why_not, parameters, ruled(rule))
