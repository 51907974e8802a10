"""Linear-capped rule: it weighs every cell of stock and pipeline instead of using their sum.

    order = floor(min(cap, max(0, w0 - w . x)))

x is the view of one item with one source: first the units that are ordered and not yet shipped,
then the pipeline by age, youngest first, then the stock by age, youngest first, net of backorders.
Base-stock is the case with all weights 1 and no cap. Where demand is lost, one more unit in a cell
reduces the optimal order by at most 1, and by less the older the unit is (Karlin and Scarf 1958;
Zipkin 2008). A linear rule can follow that; a base-stock level cannot. The cap is that of capped
base-stock (Xin 2021).

Sizing (ours, a start for the tuner; the literature has no formula): where demand is lost and has no
pattern, weights fall evenly from 1 for the latest order to 1/2 for the oldest stock; elsewhere all
are 1. w0 is such that the mean requirement is ordered at the mean pipeline and stock of base-stock.
The cap is that of capped base-stock. All are real numbers, which the tuner searches by the
cross-entropy method. w0 in units, cap in units per period, weights in units per unit.

>>> linear_order([5, 5, 4, 6], weights=[0.9, 0.8, 0.7, 0.6], level=19, cap=5)
4
>>> falling_weights(3, 0.5).tolist()
[1.0, 0.75, 0.5]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jitgym.control import Rule, linear_rule
from jitgym.control.masses import mean_of
from jitgym.control.positions import waiting
from jitgym.control.sizing import Stage, echelon_level, stages
from jitgym.plant import Layout, lay_out
from jitgym.plant.records import UNLIMITED
from jitgym.scenario import Scenario
from jitgym.units import whole

from ..base.declaration import Array, Classic, Parameter, Values, parameter, ruled
from .capped_base_stock import cap_sizes

LEAST_WEIGHT = 0.5  # for the oldest stock, where demand is lost
FINEST = 1e-3  # smallest difference between weights


def linear_order(cells: Sequence[float], weights: Sequence[float], level: float, cap: float) -> int:
    """Return floor(min(cap, max(0, w0 - w . x)))."""
    return int(whole(min(cap, max(0.0, level - float(np.dot(weights, cells))))))


def falling_weights(count: int, least: float) -> Array:
    """Return weights that fall evenly from 1 to `least`, (count,)."""
    return np.linspace(1.0, least, count).round(3)


def why_not(scenario: Scenario) -> str:
    """Return why this plant is not one item with one source, or nothing."""
    if len(scenario.items) > 1:
        return f"it needs a single item; here are {len(scenario.items)}"
    if len(scenario.sources) > 1:
        return f"it needs a single source; here are {len(scenario.sources)}"
    return ""


def cells_of(layout: Layout) -> dict[str, dict[int, float]]:
    """Return cell of the rule -> {cell of the state: units}, latest order to oldest stock."""
    parts = layout.named
    (item,), (source,) = layout.scenario.items, layout.scenario.sources
    coming, stock = parts[f"{source}.in_process"], parts[f"{item}.stock"]
    cells = {}
    if unshipped := parts.get(f"{source}.unshipped"):
        cells[unshipped.name] = {unshipped.start: 1.0}
    # The pipeline's first cell, for the order of this period, is empty when the rule acts.
    cells |= {
        f"{source}.in_process[{age}]": {coming.start + age: 1.0} for age in range(1, coming.size)
    }
    for age in range(stock.size):
        name = f"{item}.stock[{age}]" if stock.size > 1 else f"{item}.stock"
        cells[name] = {stock.start + age: 1.0}
    cells[list(cells)[-1]] |= dict.fromkeys(waiting(layout, item), -1.0)
    return cells


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return w0, the weights and the cap."""
    (stage,) = stages(scenario).values()
    cells = tuple(cells_of(lay_out(scenario)))
    falls = stage.is_lost and len(stage.cycle) == 1  # with a pattern, the mean order is never right
    weights = falling_weights(len(cells), LEAST_WEIGHT if falls else 1.0)
    cap, most = cap_sizes(stage)
    fine = FINEST * stage.lot
    source, least = (stage.source,), stage.smallest_order
    level = _level(stage, weights)
    return (
        parameter("level", "units", level, of=source, high=stage.ceiling, step=fine, real=True),
        parameter("weights", "units per unit", weights, of=cells, high=1.2, step=FINEST, real=True),
        parameter(
            "cap", "units per period", cap, of=source, high=most, step=fine, low=least, real=True
        ),
    )


def _level(stage: Stage, weights: Array) -> float:
    """Return the w0 that orders the mean requirement at base-stock's mean stock and pipeline."""
    gap = stage.requirement * (1 + stage.batch_wait) + mean_of(stage.below)
    if stage.scenario.sources[stage.source].at is not None:
        gap += stage.queue
    coming = np.full(weights.size - 1, stage.requirement)
    stock = max(echelon_level(stage) - gap - coming.sum(), 0.0)
    w0 = gap + float(weights @ np.append(coming, stock))
    if stage.smallest_order > 1:  # it is due when an empty pipeline leaves S less that much
        least = stage.smallest_order
        w0 = max(w0, least + float(weights[-1]) * max(echelon_level(stage) - least, 0.0))
    return round(max(w0, stage.smallest_order) / FINEST) * FINEST


def rule(layout: Layout, values: Values) -> Rule:
    """Return the rule with this w0, these weights and this cap."""
    level, weights, cap = (array.tolist() for array in values.values())
    ((source, about),) = layout.scenario.sources.items()
    position = {
        cell: weight * units
        for weight, cells in zip(weights, cells_of(layout).values(), strict=True)
        for cell, units in cells.items()
    }
    numbers = (UNLIMITED, level[0], cap[0], float(about.lot_size), 0.0)
    return linear_rule(layout, [source], [position], [numbers])


LINEAR_CAPPED = Classic("linear-capped", why_not, parameters, ruled(rule))
