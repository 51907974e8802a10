"""Capped base-stock: order up to the base-stock level S, but never more than a cap r at once.

    order = min(r, max(0, S - inventory position))

Where demand is lost, the policy lies between base-stock (r without bound) and the constant order (S
without bound), and is nearly optimal for short and for long lead times (Johansen and Thorstenson
2008; Xin 2021: asymptotically optimal as the lead time grows). It controls the outside suppliers;
stations between them and the customer follow local base-stock levels.

Textbook sizing: S is that of base-stock. In Xin (2021), r tends to the best constant order q for
long lead times L. Here r = q + sd / (L + 1), with q of `constant` and sd the standard deviation of
demand per period, rounded up to whole lots. Where demand waits, r must also clear the backlog: it
is mean demand + sd, and at least 1.25 times the mean. Levels in units, caps in units per period.

>>> capped_order(position=20, level=26, cap=5), capped_order(position=23, level=26, cap=5)
(5, 3)
>>> cap_of(mean=5, variance=5, holding=1, penalty=4, lead_time=4)  # best: 5, Zipkin's instances
4.656644
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from jitgym.control import Rule, pull_rule
from jitgym.control.costs import MOST_RATIO
from jitgym.control.masses import deviation_of, mean_of, quantile
from jitgym.control.sizing import Stage, outside_suppliers, stages
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.common import (
    all_echelon_levels,
    at_suppliers,
    level_parameter,
)
from ..base.declaration import Array, Classic, Parameter, Values, parameter, ruled
from . import eoq
from .constant import constant_order


def capped_order(position: float, level: float, cap: float) -> float:
    """Return min(r, max(0, S - inventory position))."""
    return min(cap, max(0, level - position))


def cap_of(mean: float, variance: float, holding: float, penalty: float, lead_time: float) -> float:
    """Return q + sd / (L + 1), with the constant order q.

    Without a penalty, demand waits, and orders must clear the backlog: m + sd, at least 1.25 m.
    """
    if not penalty:
        return mean + max(math.sqrt(variance), mean / 4)
    return constant_order(mean, variance, holding, penalty) + math.sqrt(variance) / (lead_time + 1)


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the local base-stock levels, and the cap of every outside supplier."""
    return level_parameter(scenario), caps_of(scenario, outside_suppliers(scenario))


def caps_of(scenario: Scenario, names: Sequence[str]) -> Parameter:
    """Return the caps of these suppliers as a parameter."""
    at = [stages(scenario)[name] for name in names]
    textbook, most = np.array([cap_sizes(stage) for stage in at]).T
    return parameter(
        "cap",
        "units per period",
        textbook,
        of=names,
        high=most,
        step=[stage.lot for stage in at],
        low=[stage.smallest_order for stage in at],
        whole=True,
    )


def cap_sizes(stage: Stage) -> Array:
    """Return the textbook cap of an outside supplier, and the highest cap that is tried, (2,)."""
    deviation = deviation_of(stage.demand)
    penalty = stage.shortage if stage.is_lost else 0.0
    lead_time = stage.scenario.mean_lead_time(stage.source)
    cap = cap_of(stage.requirement, deviation**2, stage.holding, penalty, lead_time)
    if len(stage.cycle) > 1:  # a cap below a peak that is known would only delay what it needs
        cap = max(cap, *(mean_of(phase) for phase in stage.cycle))
    lots = whole_up(np.array([cap, quantile(stage.demand, MOST_RATIO)]) / stage.lot)
    if stage.smallest_order > 1 and stage.scenario.sources[stage.source].at is not None:
        # Beside the order in work, so that time that is left goes to the next one.
        lots += stage.smallest_order / stage.lot
    textbook, most = np.maximum(lots * stage.lot, stage.smallest_order)
    return np.array([textbook, max(most, 2 * textbook)])


def rule(layout: Layout, values: Values) -> Rule:
    """Return the rule with these local base-stock levels and caps."""
    local, caps = values.values()
    levels = all_echelon_levels(layout, local)
    return pull_rule(layout, levels=levels, caps=at_suppliers(layout, caps))


CAPPED_BASE_STOCK = Classic("capped-base-stock", eoq.why_not, parameters, ruled(rule))
