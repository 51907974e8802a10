"""Clark-Scarf: the exact echelon base-stock levels of a serial system, found stage by stage.

    C0(x) = (b + h1 + ... + hN) max(0, -x)
    Gj(y) = E[hj (y - D) + Cj-1(y - D)],   Sj = argmin Gj,   Cj(x) = Gj(min(x, Sj))

Stages are counted from the customer upstream. b is the shortage cost, hj the echelon holding cost
of stage j (that of its item less that of its material), D the demand over the lead time of the
stage, and GN(SN) the least cost per period (Clark and Scarf 1960; Chen and Zheng 1994; section 6.2
of Snyder and Shen). The same recursion gives the cost of any other echelon base-stock levels. In
it, units in transit pay the holding cost of the upstream item, which adds a constant.

In the order of events here, an order with lead time L can be used L periods later, before demand,
so that the last stage covers L + 1 periods. Units that arrive at once feed no other source before
the next period, so that the stages upstream cover at least one period. Parameters and orders are
those of base-stock. Levels in units, costs per unit and period.

>>> from jitgym.distributions import Poisson
>>> from jitgym.control.masses import mass
>>> demands = [mass(Poisson(mean=5 * lead_time)) for lead_time in (1, 1, 2)]
>>> echelon_base_stock(demands, holding=(3, 2, 2), shortage=37.12)  # Snyder and Shen, example 6.1
([9.0, 15.0, 26.0], 72.0467)

Exact evaluation of these levels also gives 72.0467. The textbook prints 72.0435, which is the cost
of demand that is cut off 4.5 standard deviations above its mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jitgym.control.costs import critical_ratio, overage, worth
from jitgym.control.masses import mass
from jitgym.control.sizing import local_levels
from jitgym.distributions import Deterministic
from jitgym.scenario import Demand, Item, Scenario, Source

from ..base.common import level_parameter
from ..base.declaration import Array, Classic, Parameter, ruled
from . import base_stock


def echelon_base_stock(
    demands: Sequence[Array],
    holding: Sequence[float],
    shortage: float,
    levels: Sequence[float] | None = None,
    step: float = 1.0,
) -> tuple[list[float], float]:
    """Return the best echelon levels, or those in `levels`, and their cost per period.

    Parameters
    ----------
    demands
        Mass of demand over each stage's lead time, from the customer upstream; entry k is k steps.
    holding, shortage
        Echelon holding costs in the same order; cost of a unit that waits, per period.
    levels
        Echelon levels to evaluate; by default, the best ones are found.
    step
        Units between two entries of a mass.
    """
    reach = sum(demand.size - 1 for demand in demands)
    positions = np.arange(-reach, reach + 1) * step
    cost = (shortage + sum(holding)) * np.maximum(-positions, 0.0)
    found: list[float] = []
    for stage, (demand, own) in enumerate(zip(demands, holding, strict=True)):
        of_position = np.convolve(own * positions + cost, demand, mode="valid")
        positions = positions[demand.size - 1 :]
        best = int(np.argmin(of_position))
        if levels is not None:
            best = int(np.searchsorted(positions, levels[stage] - 1e-9))
        found.append(round(float(positions[best]), 9))
        total = float(of_position[best])
        cost = of_position[np.minimum(np.arange(positions.size), best)]
    return found, total


def chain(scenario: Scenario) -> list[str]:
    """Return the sources of a serial system from the customer upstream."""
    return [scenario.sources_of(item)[0] for item in reversed(scenario.items_upstream_first)]


def why_not(scenario: Scenario) -> str:
    """Return why the recursion is not exact for this plant, or nothing."""
    if any(len(scenario.sources_of(item)) != 1 for item in scenario.items):
        return "it needs a serial system with one source per item"
    if len(scenario.demands) != 1:
        return f"it needs a serial system with one demand; here are {len(scenario.demands)}"
    ((name, demand),) = scenario.demands.items()
    order = chain(scenario)
    if demand.item != scenario.sources[order[0]].makes:
        return "the demand is not for the last item of the line"
    for source, material in zip(order, [*order[1:], None], strict=True):
        feeds = {scenario.sources[material].makes: 1} if material else {}
        if dict(scenario.sources[source].consumes) != feeds:
            return f"it needs stages that make one unit from one unit; {source} does not"
        if not isinstance(scenario.sources[source].lead_time, Deterministic):
            return f"the lead time of {source} is random"
    if scenario.horizon.ends:
        return "it minimizes the cost of the long run; here a season ends"
    if demand.unmet != "backordered":
        return "it needs demand that is backordered"
    if demand.quantity.distribution in DEPENDENT:
        return "it needs demand that does not depend on the past"
    parts: list[tuple[str, Source | Item | Demand]] = [
        *scenario.sources.items(),
        *scenario.items.items(),
        (name, demand),
    ]
    return next(filter(None, (_beyond(name, part) for name, part in parts)), "")


KNOWN = {
    *("makes", "consumes", "lead_time", "crossover", "unit_cost", "paid", "pays_after"),
    *("in_process_holding_cost", "emissions_per_unit", "emissions_per_shipment"),
    *("holding_cost", "value", "initial_stock", "issuing", "disposal_cost"),
    *("item", "quantity", "unmet", "shortage_cost", "price", "forecast"),
}
DEPENDENT = ("event", "recorded", "regimes", "life-cycle")


def _beyond(name: str, part: Source | Item | Demand) -> str:
    """Return what a source, item or demand has that the recursion does not include."""
    for field, about in type(part).model_fields.items():
        if field not in KNOWN and getattr(part, field) != about.default:
            return f"{name} has {field.replace('_', ' ')}, which the recursion does not include"
    return ""


def exact(scenario: Scenario) -> tuple[dict[str, float], float]:
    """Return source -> best echelon level, and the least cost per period by the recursion."""
    order = chain(scenario)
    (demand,) = scenario.demands.values()
    period, demands = mass(demand.quantity), []
    for stage, name in enumerate(order):
        lead_time = round(scenario.mean_lead_time(name))
        covered = np.ones(1)
        for _ in range(lead_time + 1 if stage == 0 else max(lead_time, 1)):
            covered = np.convolve(covered, period)
        demands.append(covered)
    local = [overage(scenario, scenario.sources[name].makes) for name in order]
    echelon = (np.array(local) - [*local[1:], 0.0]).tolist()
    # As in the newsvendor ratio: where holding costs nothing, nearly all demand is covered.
    shortage = worth(scenario, demand)
    least = shortage * (1.0 / critical_ratio(shortage, 0.0) - 1.0) if shortage else 0.0
    echelon = [max(cost, least) for cost in echelon]
    levels, cost = echelon_base_stock(demands, echelon, shortage)
    return dict(zip(order, levels, strict=True)), cost


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """Return the local base-stock levels."""
    usual = level_parameter(scenario)
    levels, _ = exact(scenario)
    local = local_levels(scenario, {name: levels[name] for name in scenario.sources})
    return (usual.resized([local[name] for name in usual.of]),)


CLARK_SCARF = Classic("clark-scarf", why_not, parameters, ruled(base_stock.rule))
