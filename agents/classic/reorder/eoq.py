"""Economic order quantity as an (r,Q) policy: when the position is at or below r, order Q.

    Q = sqrt(2 K D / h)                                                       (Harris 1913)

K fixed cost of an order, D demand a period, h holding cost a unit and period; without a fixed cost
Q is one period's mean demand. Q is rounded to whole lots. As many Q are ordered as it takes to come
above r, (r,nQ). Outside suppliers are ordered from so, on the echelon's position net of backorders;
stations between them and the customer follow local base-stock levels, since a batch saves them no
order (an echelon (r,nQ) policy, Chen and Zheng 1994, with batches of one lot at the stations).

Textbook sizing of r, with F the distribution of demand over the lead time and one review period:
where demand waits, the r for which positions r + 1 to r + Q, all equally likely, cost least (Zheng
1992), that is F = b / (b + h) on the average over them; where it is lost, F(r) = p D / (p D + h Q)
(Hadley and Whitin 1963). Quantities in units.
"""

from __future__ import annotations

import numpy as np

from jitgym.control import Policy, RulePolicy, pull_rule
from jitgym.plant import Layout
from jitgym.scenario import Scenario

from ..base.declaration import Array, Classic, Parameter, Values, plain
from ..base.sizing import (
    Stage,
    best_window,
    critical_ratio,
    from_supplier_to_customer,
    outside_suppliers,
    quantile,
    stages,
)
from ..formulas.economic_order import economic_order_quantity
from ..pull.base_stock import echelon_levels, level_parameter


def order_lasts(stage: Stage) -> float:
    """Return how many periods an economic order lasts; 1 where no order has a fixed cost."""
    source = stage.scenario.sources[stage.source]
    fixed = source.shipment_cost + source.setup_cost
    quantity = economic_order_quantity(fixed, stage.requirement, stage.holding)
    return quantity / stage.requirement if stage.requirement else 1.0


def why_not(scenario: Scenario) -> str:
    """Return why this plant places no orders, or nothing."""
    if not outside_suppliers(scenario):
        return "it orders from outside suppliers; all sources here run a machine or consume"
    return ""


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return quantity and reorder point of the outside suppliers, and the stations' levels."""
    at = stages(scenario)
    suppliers = outside_suppliers(scenario)
    ordered = [at[name] for name in suppliers]
    quantities = np.array([_quantity(stage) for stage in ordered])
    points = np.array(
        [_reorder_point(stage, q) for stage, q in zip(ordered, quantities.tolist(), strict=True)]
    )
    lots = np.array([stage.lot for stage in ordered])
    smallest = np.array([stage.smallest_order for stage in ordered])
    batches = Parameter(
        name="quantity",
        unit="units",
        of=tuple(suppliers),
        textbook=quantities,
        high=quantities * 4 + 4 * lots,
        step=lots,
        low=smallest,
        least=smallest,
        whole=True,
    )
    reorder = Parameter(
        name="reorder_point",
        unit="units",
        of=tuple(suppliers),
        textbook=points,
        high=np.maximum([stage.ceiling for stage in ordered], points),
        step=np.array([stage.resolution for stage in ordered]),
    )
    stations = [name for name in at if name not in suppliers]
    return (batches, reorder, *([level_parameter(scenario, stations)] if stations else []))


def _quantity(stage: Stage) -> float:
    source = stage.scenario.sources[stage.source]
    fixed = source.shipment_cost + source.setup_cost
    quantity = economic_order_quantity(fixed, stage.requirement, stage.holding)
    return max(stage.lot * round(quantity / stage.lot), stage.smallest_order)


def _reorder_point(stage: Stage, quantity: float) -> float:
    covered = stage.lead_time_demand
    if stage.is_lost:
        gained = stage.shortage * stage.requirement
        return quantile(covered, critical_ratio(gained, stage.holding * quantity))
    return reorder_point(covered, quantity, *stage.ratios)


def reorder_point(lead_time_demand: Array, quantity: float, low: float, high: float) -> float:
    """Return the best r for this Q, at least 0: the mean of those at two ratios, in whole units.

    >>> from jitgym.distributions import Poisson
    >>> from ..base.sizing import mass
    >>> ratio = 150 / (150 + 20)  # Snyder and Shen, example 5.8: Q = 5
    >>> reorder_point(mass(Poisson(mean=3)), quantity=5, low=ratio, high=ratio)
    3.0
    """
    width = max(1, round(quantity))
    points = [best_window(lead_time_demand, ratio, width) for ratio in (low, high)]
    return max(0.0, sum(points) // 2)


def build(name: str, layout: Layout, values: Values) -> Policy:
    """Return the policy with these quantities, reorder points and stations' levels."""
    scenario = layout.scenario
    suppliers = outside_suppliers(scenario)
    stations = [s for s in from_supplier_to_customer(scenario) if s not in suppliers]
    quantities = dict(zip(suppliers, values["quantity"].tolist(), strict=True))
    points = dict(zip(suppliers, values["reorder_point"].tolist(), strict=True))
    levels = echelon_levels(layout, stations, values.get("levels", np.empty(0)).tolist())
    levels |= {source: points[source] + quantities[source] for source in suppliers}
    rule = pull_rule(layout, levels=levels, batches=quantities)
    return RulePolicy(name, layout, rule, plain(values))


EOQ = Classic("eoq", why_not, parameters, build)
