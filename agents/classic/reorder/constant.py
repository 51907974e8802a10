"""Constant order: the same quantity every period, whatever the stock.

    order = q

Where demand is lost and lead times are long this is nearly optimal (Goldberg et al. 2016; Xin and
Goldberg 2016): a long lead time makes today's stock worthless as a signal. Where demand waits it
drifts, with no feedback at all, and is shown for that. Outside suppliers are ordered from so;
stations between them and the customer follow local base-stock levels.

Textbook sizing: q falls short of mean demand m by the slack that balances the stock of the random
walk demand - q, v / (2 (m - q)) with v the variance of demand (Kingman 1962), against what is lost:

    q = m - sqrt(h v / (2 p))

Where demand waits, q is the mean demand. Both in whole lots: the nearest, or where demand waits the
next above. Quantities in units a period.

>>> constant_order(mean=5, variance=5, holding=1, penalty=4)
4.2094
"""

from __future__ import annotations

import math

import numpy as np

from jitgym.control import Policy, RulePolicy, pull_rule
from jitgym.plant import Layout
from jitgym.scenario import Scenario
from jitgym.units import whole_up

from ..base.declaration import Classic, Parameter, Values, plain
from ..base.sizing import Stage, deviation_of, from_supplier_to_customer, outside_suppliers, stages
from ..pull.base_stock import echelon_levels, level_parameter
from . import eoq


def constant_order(mean: float, variance: float, holding: float, penalty: float) -> float:
    """Return q = m - sqrt(h v / (2 p)), at least 0, for lost sales."""
    if penalty <= 0:
        return 0.0
    return max(0.0, mean - math.sqrt(holding * variance / (2 * penalty)))


def why_not(scenario: Scenario) -> str:
    """Return why no constant order can be placed, or nothing."""
    at = stages(scenario)
    for name in outside_suppliers(scenario):
        least = scenario.sources[name].minimum_order
        if least > max(at[name].requirement, at[name].lot):
            return f"a period's need is below the minimum order of {name}, {least:g}"
    return eoq.why_not(scenario)


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the order of every outside supplier, and the stations' levels."""
    at = stages(scenario)
    suppliers = outside_suppliers(scenario)
    ordered = [at[name] for name in suppliers]
    deviations = [deviation_of(stage.demand) for stage in ordered]
    needed = np.array([stage.requirement for stage in ordered])
    lots = np.array([stage.lot for stage in ordered])
    order = Parameter(
        name="order",
        unit="units a period",
        of=tuple(suppliers),
        textbook=np.array([_textbook(stage) for stage in ordered]),
        high=lots * whole_up((needed + 2 * np.array(deviations)) / lots),
        step=lots,
        whole=True,
    )
    stations = [name for name in at if name not in suppliers]
    return (order, *([level_parameter(scenario, stations)] if stations else []))


def _textbook(stage: Stage) -> float:
    rivals = len(stage.scenario.sources_of(stage.item))
    if not stage.is_lost:
        return stage.lot * float(whole_up(stage.requirement / rivals / stage.lot))
    variance = deviation_of(stage.demand) ** 2
    order = constant_order(stage.requirement, variance, stage.holding, stage.shortage)
    return stage.lot * round(order / rivals / stage.lot)


def build(name: str, layout: Layout, values: Values) -> Policy:
    """Return the policy with these orders and stations' levels."""
    scenario = layout.scenario
    suppliers = outside_suppliers(scenario)
    stations = [s for s in from_supplier_to_customer(scenario) if s not in suppliers]
    levels = echelon_levels(layout, stations, values.get("levels", np.empty(0)).tolist())
    rule = pull_rule(
        layout,
        levels={source: levels[source] for source in stations},
        caps=dict(zip(suppliers, values["order"].tolist(), strict=True)),
    )
    return RulePolicy(name, layout, rule, plain(values))


CONSTANT = Classic("constant", why_not, parameters, build)
