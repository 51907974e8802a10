"""Base-stock levels that depend on the states of the plant that the view shows.

    order = max(0, S(state) - inventory position)

There are levels for each regime of demand (Song and Zipkin 1993 prove this optimal for a single
item), and for the time while a supplier or a work center is down. The parameters are the local
levels in the first regime with everything up, and a shift for each other state. A shift moves the
levels of the sources that the state affects. A regime affects all sources that its demand needs. A
work center or supplier that is down affects the sources of what it makes, of the materials of that,
and of what is made of it. If all shifts are 0, the policy is base-stock; the tuner also starts from
the best base-stock.

Textbook sizing: the levels of base-stock as if each regime lasted for ever; the shifts for what is
down are 0. Levels are in units.

>>> from jitgym.distributions import Poisson
>>> from ..pull.base_stock import newsvendor_level
>>> [newsvendor_level(Poisson(mean=3 * m), holding=1, shortage=9) for m in (2, 8)]  # L = 2
[9, 30]
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from jitgym.control import Rule, pull_rule
from jitgym.control.rules import LEVEL
from jitgym.control.sizing import from_supplier_to_customer, stages
from jitgym.distributions import Regimes
from jitgym.plant import Layout
from jitgym.scenario import Scenario

from ..base.common import all_echelon_levels, echelon_levels, level_parameter
from ..base.declaration import Array, Classic, Parameter, Special, Values, parameter, ruled
from ..pull.base_stock import BASE_STOCK

REGIME, UP = "regime", "up"


def states(scenario: Scenario) -> Iterator[tuple[str, str, list[str]]]:
    """Yield each state that the view shows: owner, `regime` or `up`, and the affected sources."""
    at = stages(scenario)
    for name, demand in scenario.demands.items():
        if isinstance(demand.quantity, Regimes) and demand.quantity.seen:
            yield name, REGIME, [source for source, stage in at.items() if name in stage.units]
    for name, center in scenario.work_centers.items():
        if center.breakdown is not None:
            yield name, UP, _near(scenario, scenario.crew_of(name))
    for name, source in scenario.sources.items():
        if source.disruption is not None:
            yield name, UP, _near(scenario, (name,))


def _near(scenario: Scenario, sources: Sequence[str]) -> list[str]:
    """All sources of the items that these make, of their materials, and of what is made of them."""
    items = {scenario.sources[name].makes for name in sources}
    materials = {item for name in sources for item in scenario.sources[name].consumes}
    return [
        name
        for name in from_supplier_to_customer(scenario)
        if scenario.sources[name].makes in items | materials
        or items & set(scenario.sources[name].consumes)
    ]


def why_not(scenario: Scenario) -> str:
    """Return why the policy does not apply, or nothing."""
    for demand in scenario.demands.values():
        if isinstance(demand.quantity, Regimes) and len(demand.quantity.regimes) > 2:
            return "it has levels for two regimes; a demand here has more"
    return "" if any(states(scenario)) else "the view shows no regimes and nothing that can be down"


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return local levels of the first state, and the shift of each source in each other state."""
    levels, *others = [_levels(scenario, regime) for regime in (0, 1)]
    without = level_parameter(scenario)  # the levels of base-stock, which must be within the bounds
    levels = levels.resized(levels.textbook, high=without.textbook)
    place = list(stages(scenario)).index
    felt = [(owner, kind, source) for owner, kind, near in states(scenario) for source in near]
    second = others[0].textbook - levels.textbook
    high = np.array([max(levels.high[place(s)], others[0].high[place(s)]) for _, _, s in felt])
    shifts = parameter(
        "shifts",
        "units",
        [second[place(s)] if kind == REGIME else 0.0 for _, kind, s in felt],
        of=(f"{owner}:{source}" for owner, _, source in felt),
        high=high,
        step=[levels.step[place(s)] for _, _, s in felt],
        low=-high,
        least=-math.inf,
    )
    return levels, shifts


def _levels(scenario: Scenario, regime: int) -> Parameter:
    """Local levels as if demand stayed in this regime."""
    fixed = {
        name: demand.model_copy(
            update={"quantity": list(demand.quantity.regimes.values())[regime], "forecast": None}
        )
        for name, demand in scenario.demands.items()
        if isinstance(demand.quantity, Regimes)
    }
    demands = {**scenario.demands, **fixed}
    return level_parameter(scenario.model_copy(update={"demands": demands}))


def rule(layout: Layout, values: Values) -> Rule:
    """Return the rule with these local levels and shifts."""
    scenario = layout.scenario
    local, shifts = values.values()
    rule, given = pull_rule(layout, levels=all_echelon_levels(layout, local)), iter(shifts.tolist())
    for owner, kind, near in states(scenario):
        moves = {source: next(given) for source in near}
        by = echelon_levels(layout, moves, moves.values())
        rule = shifted(layout, rule, f"{owner}.{kind}", kind, np.array([*by.values()]))
    return rule


def shifted(layout: Layout, rule: Rule, cell: str, kind: str, shifts: Array) -> Rule:
    """Return a rule whose levels move by these shifts in the second regime or while down."""
    column = layout.named[cell].start
    asks, cells, weights = rule.asks.copy(), list(rule.cells), list(rule.weights[0])
    numbers = rule.numbers.copy()
    for k in range(len(asks)):
        shift = shifts[asks[k]["source"]]
        # Level + shift x regime, or level + shift x (1 - up).
        cells.insert(asks[k]["weights_end"], column)
        weights.insert(asks[k]["weights_end"], -shift if kind == REGIME else shift)
        numbers[0, k, LEVEL] += 0.0 if kind == REGIME else shift
        asks["weights_end"][k:] += 1
        asks["weights"][k + 1 :] += 1
        asks["on_order"] += 1  # these rows follow the rows of all positions
        asks["on_order_end"] += 1
    return rule._replace(
        asks=asks,
        cells=np.array(cells, dtype=np.int32),
        weights=np.array([weights]),
        numbers=numbers,
    )


def of_base_stock(scenario: Scenario, values: Values) -> Values:
    """Return the values with which the levels are the same in every state."""
    levels, shifts = parameters(scenario)
    (local,) = values.values()
    return {levels.name: local, shifts.name: np.zeros(shifts.textbook.size)}


REGIME_BASE_STOCK = Classic(
    "regime-base-stock",
    why_not,
    parameters,
    ruled(rule),
    holds=(Special(BASE_STOCK, of_base_stock),),
)
