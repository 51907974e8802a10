"""Tables whose plants are solved: ours is the optimum, the classic is tuned by simulation.

Both costs are exact; only that of a classic in a plant with many states is simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jitgym import ScenarioError, exact, load
from jitgym.control import Policy, ViewLayout
from jitgym.evaluate import closed_loop, rollout
from jitgym.plant import lay_out
from jitgym.scenario import Scenario

from ...tuning.search import tune

DISCOUNT = 0.99  # per period, of the joint replenishment

SMALL = 200e6
"""Bytes that the exact cost of a classic may take; above it, its cost is simulated."""

EPISODES = 4096  # of a classic that is simulated
OURS = "ours is the optimum, solved exactly"


def _numbers(row: dict[str, str], names: Sequence[str]) -> dict[str, Any]:
    """Return columns of a row as parameters: numbers, whole where they are written so, or lists."""
    return {name: _number(row[name]) for name in names}


def _number(text: str) -> Any:
    if "," in text:
        return [float(part) for part in text.split(",")]
    return int(text) if text.isdigit() else float(text)


def _solved(scenario: Scenario, names: Sequence[str], note: str = OURS) -> dict[str, Any]:
    optimum = exact.solve(scenario).cost
    classic = min(_cost(name, scenario) for name in names)
    return {"ours": optimum, "exact": optimum, "classic": classic, "note": note}


def _cost(name: str, scenario: Scenario) -> float:
    policy = tune(name, scenario, 0)
    try:
        return float(exact.evaluate(policy, scenario, memory=SMALL).cost)
    except (exact.NotFinite, exact.TooLarge):
        return float(rollout(policy, scenario, EPISODES)["cost"].mean())


def s_S(row: dict[str, str]) -> dict[str, Any]:
    """Return the figures of a row of Zheng and Federgruen (1991): an (s, S) policy is optimal."""
    given = _numbers(row, ("poisson_mean", "fixed_cost", "holding", "backorder"))
    return _solved(load("fixed-cost", **given), ["s-S"])


def tandem(row: dict[str, str]) -> dict[str, Any]:
    """Return the figures of a row of Veatch and Wein (1994)."""
    given = _numbers(row, ("demand_rate", "service_rates", "holding", "backorder"))
    return _solved(load("tandem", **given), ["kanban", "base-stock", "conwip"])


def dual_sourcing(row: dict[str, str]) -> dict[str, Any]:
    """Return the figures of a row of Gijsbrechts et al. (2022), as total costs."""
    costs = ("regular_unit_cost", "expedited_unit_cost", "holding", "backorder")
    given = _numbers(row, (*costs, "regular_lead_time", "expedited_lead_time"))
    note = f"total costs, from the printed gaps; {OURS}"
    return _solved(load("dual-sourcing", **given), ["capped-dual-index", "dual-index"], note)


def cost_of_gap(row: dict[str, str], gap: float) -> float:
    """Return the total cost of a gap in percent of the optimum's cost above regular purchase."""
    return float(row["optimum_total"]) + gap / 100 * float(row["optimum_above_regular_purchase"])


def perishable(row: dict[str, str]) -> dict[str, Any]:
    """Return costs of a row of De Moor et al. (2022)."""
    given = _numbers(row, ("shelf_life", "lead_time", "waste_cost"))
    scenario = load("perishable", **given, issuing=row["issuing"].lower())
    note = f"costs are minus the printed returns, which are rounded and simulated; {OURS}"
    return _solved(scenario, ["base-stock"], note)


def cost_of_return(row: dict[str, str], printed: float) -> float:
    """Return the cost of a return: the same with the other sign."""
    return -printed


def joint_replenishment(row: dict[str, str]) -> dict[str, Any]:
    """Return the discounted costs of a setting of Vanvuchelen et al. (2020), from empty stock."""
    scenario = joint_plant(row)
    solution = exact.solve(scenario)
    classic = min(_cost(name, scenario) for name in ("can-order", "s-S"))
    share = full_trips(solution.policy, scenario)
    note = f"{OURS}; all of its trips are full where no other note says so"
    if share < 1:
        note = f"setting {row['setting']}: {100 * share:.4g} % of the optimum's trips are full"
    if printed := row.get("printed_orders_at_5_0", ""):
        found = ",".join(f"{units:g}" for units in orders_at(solution.policy, scenario, (5, 0)))
        note = f"setting {row['setting']}: at stocks of 5 and 0, the printed optimum orders "
        note += f"{printed}, and ours {found}; {100 * share:.4g} % of its trips are full"
    return {"ours": solution.cost, "exact": solution.cost, "classic": classic, "note": note}


def orders_at(policy: Policy, scenario: Scenario, stocks: Sequence[float]) -> list[float]:
    """Return what a policy orders of each item at these stocks, one per item."""
    layout = lay_out(scenario)
    state = layout.plant.initial[np.newaxis].copy()
    state[0, layout.plant.items["stock"]] = stocks
    asked = policy.act(ViewLayout(layout).of(state), policy.start(1))
    return [float(units) for units in np.asarray(asked)[0, : len(stocks)]]


def joint_plant(row: dict[str, str]) -> Scenario:
    """Return the plant of a row: items that share trucks, which arrive before demand."""
    holding, backorder, minor, high = (
        [float(part) for part in row[name].split(",")]
        for name in ("holding", "backorder", "minor_costs", "demand_high")
    )
    if not len(holding) == len(backorder) == len(minor) == len(high):
        raise ScenarioError(
            f"setting {row['setting']}: holding, backorder, minor_costs and demand_high have "
            "different numbers of items; expected one number each per item"
        )
    numbers = range(len(holding))
    truck = {"cost": float(row["major_cost"]), "capacity": float(row["truck_capacity"])}
    document = {
        "name": "joint",
        "title": "Items that share trucks",
        "period": "one period",
        "horizon": {"ongoing": 1000},
        "discount": DISCOUNT,
        "items": {f"item_{k}": {"holding_cost": holding[k], "initial_stock": 0} for k in numbers},
        "carriers": {"truck": truck},
        "sources": {
            f"order_{k}": {"makes": f"item_{k}", "shipment_cost": minor[k], "carrier": "truck"}
            for k in numbers
        },
        "demands": {
            f"customers_{k}": {
                "item": f"item_{k}",
                "quantity": {"distribution": "uniform", "low": 0, "high": int(high[k])},
                "unmet": "backordered",
                "shortage_cost": backorder[k],
            }
            for k in numbers
        },
    }
    return Scenario.from_document(document, "joint replenishment")


def full_trips(policy: Policy, scenario: Scenario) -> float:
    """Return the share of the periods with a trip in which all trucks are full."""
    layout = lay_out(scenario)
    engine = closed_loop.at_start(layout, "test", 0, np.arange(64))
    capacity, loads = layout.plant.carriers["capacity"][0], []
    for _ in closed_loop.run(engine, closed_loop.deciding(policy, layout, 64), 200):
        loads.append(engine.granted.sum(axis=1))
    loaded = np.concatenate(loads)
    return float((loaded[loaded > 0] % capacity == 0).mean())
