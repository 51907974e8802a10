"""Capped base-stock: order up to a level S, but never more than a cap r at once.

    order = min(r, max(0, S - inventory position))

Where demand is lost it stands between base-stock (r without bound) and the constant order (S
without bound), and is nearly optimal for short and for long lead times (Johansen and Thorstenson
2008; Xin 2021: asymptotically optimal as the lead time grows). Outside suppliers are ordered from
so; stations between them and the customer follow local base-stock levels.

Textbook sizing: S that of base-stock. Xin (2021) lets r tend to the best constant order q for long
lead times L; we start at q + sd / (L + 1), with q of `constant` and sd the standard deviation of a
period's demand, rounded up to whole lots. Quantities in units.

>>> capped_order(position=20, level=26, cap=5), capped_order(position=23, level=26, cap=5)
(5, 3)
>>> cap_of(mean=5, variance=5, holding=1, penalty=4, lead_time=4)  # best: 5, Zipkin's instances
4.656644
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from jitgym.control import Policy, RulePolicy, pull_rule
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.declaration import Array, Classic, Parameter, Values, plain
from ..base.sizing import (
    MOST_RATIO,
    Stage,
    deviation_of,
    from_supplier_to_customer,
    outside_suppliers,
    quantile,
    stages,
)
from ..pull.base_stock import echelon_levels, level_parameter
from . import eoq
from .constant import constant_order


def capped_order(position: float, level: float, cap: float) -> float:
    """Return min(r, max(0, S - inventory position))."""
    return min(cap, max(0, level - position))


def cap_of(mean: float, variance: float, holding: float, penalty: float, lead_time: float) -> float:
    """Return q + sd / (L + 1) with the constant order q; without a penalty, q is mean demand."""
    base = constant_order(mean, variance, holding, penalty) if penalty else mean
    return base + math.sqrt(variance) / (lead_time + 1)


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the local levels, and the cap of every outside supplier."""
    at = stages(scenario)
    suppliers = outside_suppliers(scenario)
    return level_parameter(scenario), caps_of(at, suppliers)


def caps_of(at: Mapping[str, Stage], names: Sequence[str]) -> Parameter:
    """Return the caps of some suppliers as a parameter."""
    textbook, most = np.array([cap_sizes(at[name]) for name in names]).T
    smallest = np.array([at[name].smallest_order for name in names])
    return Parameter(
        name="cap",
        unit="units a period",
        of=tuple(names),
        textbook=textbook,
        high=most,
        step=np.array([at[name].lot for name in names]),
        low=smallest,
        least=smallest,
        whole=True,
    )


def cap_sizes(stage: Stage) -> Array:
    """Return the textbook's cap of an outside supplier and the highest that is tried, (2,)."""
    deviation = deviation_of(stage.demand)
    penalty = stage.shortage if stage.is_lost else 0.0
    lead_time = stage.scenario.mean_lead_time(stage.source)
    cap = cap_of(stage.requirement, deviation**2, stage.holding, penalty, lead_time)
    lots = whole_up(np.array([cap, quantile(stage.demand, MOST_RATIO)]) / stage.lot)
    textbook, most = np.maximum(lots * stage.lot, stage.smallest_order)
    return np.array([textbook, max(most, 2 * textbook)])


def build(name: str, layout: Layout, values: Values) -> Policy:
    """Return the policy with these local levels and caps."""
    scenario = layout.scenario
    local, caps = (array.tolist() for array in values.values())
    rule = pull_rule(
        layout,
        levels=echelon_levels(layout, from_supplier_to_customer(scenario), local),
        caps=dict(zip(outside_suppliers(scenario), caps, strict=True)),
    )
    return RulePolicy(name, layout, rule, plain(values))


CAPPED_BASE_STOCK = Classic("capped-base-stock", eoq.why_not, parameters, build)
