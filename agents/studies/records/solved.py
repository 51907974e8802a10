"""Tables whose plants are solved: ours is the optimum, the classic is tuned by simulation.

Both costs are exact; only that of a classic in a plant with many states is simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jitgym import exact, load
from jitgym.evaluate import rollout
from jitgym.scenario import Scenario

from ...tuning.search import tune

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
