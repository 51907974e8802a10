"""Economic order quantity as an (r,Q) policy: if the position is at or below r, order Q.

    Q = sqrt(2 K D / h)                                                       (Harris 1913)

K is the fixed cost of an order, D the demand per period, and h the holding cost per unit and
period; without a fixed cost, Q is the mean demand of one period. Q is rounded to whole lots. Each
order is the smallest multiple of Q that brings the position above the reorder point r: (r,nQ).

The policy controls the outside suppliers, on the echelon position net of backorders. Stations
between them and the customer follow local base-stock levels, since a batch saves them no order (an
echelon (r,nQ) policy, Chen and Zheng 1994, with batches of one lot at the stations).

Textbook sizing of r, with F the distribution of demand over the lead time and one review period.
Where demand waits at cost b, positions r + 1 to r + Q are equally likely, and r minimizes their
mean cost (Zheng 1992): the mean of F over them is b / (b + h). Where demand is lost at cost p,
F(r) = p D / (p D + h Q) (Hadley and Whitin 1963). Quantities in units.
"""

from __future__ import annotations

from jitgym.control import Rule, pull_rule
from jitgym.control.costs import critical_ratio
from jitgym.control.masses import best_window, quantile
from jitgym.control.sizing import Stage, outside_suppliers, stages
from jitgym.plant import Layout
from jitgym.scenario import Scenario

from ..base.common import at_suppliers, levels_of_stations, lots_of, station_levels
from ..base.declaration import Array, Classic, Parameter, Values, parameter, ruled


def why_not(scenario: Scenario) -> str:
    """Return why this plant has no outside suppliers, or nothing."""
    if not outside_suppliers(scenario):
        return "it orders from outside suppliers; all sources here use a work center or materials"
    return ""


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return quantity and reorder point of every outside supplier, and the stations' levels."""
    suppliers = outside_suppliers(scenario)
    at = [stages(scenario)[name] for name in suppliers]
    quantities = [stage.order_quantity for stage in at]
    points = [reorder_point_of(stage, stage.lead_time_demand) for stage in at]
    lots = lots_of(stages(scenario), suppliers)
    return (
        parameter(
            "quantity",
            "units",
            quantities,
            of=suppliers,
            high=4 * (lots + quantities),
            step=lots,
            low=[stage.smallest_order for stage in at],
            whole=True,
        ),
        parameter(
            "reorder_point",
            "units",
            points,
            of=suppliers,
            high=[stage.ceiling for stage in at],
            step=[stage.resolution for stage in at],
        ),
        *station_levels(scenario),
    )


def reorder_point_of(stage: Stage, covered: Array) -> float:
    """Return the textbook reorder point of an economic order, for this mass of covered demand."""
    quantity = stage.order_quantity
    if stage.is_lost:
        gained = stage.shortage * stage.requirement
        return quantile(covered, critical_ratio(gained, stage.holding * quantity))
    return reorder_point(covered, quantity, *stage.ratios)


def reorder_point(lead_time_demand: Array, quantity: float, low: float, high: float) -> float:
    """Return the best r for this Q, at least 0: the mean of those for two ratios, in whole units.

    >>> from jitgym.control.masses import mass
    >>> from jitgym.distributions import Poisson
    >>> ratio = 150 / (150 + 20)  # Snyder and Shen, example 5.8: Q = 5
    >>> reorder_point(mass(Poisson(mean=3)), quantity=5, low=ratio, high=ratio)
    3.0
    """
    width = max(1, round(quantity))
    points = [best_window(lead_time_demand, ratio, width) for ratio in (low, high)]
    return max(0.0, sum(points) // 2)


def rule(layout: Layout, values: Values) -> Rule:
    """Return the rule with these quantities, reorder points and local levels of the stations."""
    quantities = at_suppliers(layout, values["quantity"])
    tops = at_suppliers(layout, values["reorder_point"] + values["quantity"])
    return pull_rule(layout, levels=levels_of_stations(layout, values) | tops, batches=quantities)


EOQ = Classic("eoq", why_not, parameters, ruled(rule))
