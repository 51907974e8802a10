"""Tables whose plants are solved exactly: ours is the optimum, the classic is tuned exactly.

Costs and gaps are those of the long run, so that there is no interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jitgym import exact, load
from jitgym.evaluate import rollout
from jitgym.scenario import Scenario

from ...tuning.search import tune
from ..comparison import classics_exactly

SMALL = 200e6
"""Bytes that the exact cost of a classic may take; above it, its cost is simulated."""

EPISODES = 4096  # of a classic that is simulated


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _solved(scenario: Scenario, names: Sequence[str]) -> dict[str, Any]:
    optimum = exact.solve(scenario).cost
    found, left_out = classics_exactly(scenario, names)
    if not found:
        raise ValueError("; ".join(left_out.values()))
    best = min(found, key=lambda name: found[name].value.cost)
    classic = found[best].value.cost
    return {"ours": optimum, "exact": optimum, "classic": classic}


def s_S(row: dict[str, str]) -> dict[str, Any]:
    """Return the figures of a row of Zheng and Federgruen (1991)."""
    names = ("poisson_mean", "fixed_cost", "holding", "backorder")
    found = _solved(load("fixed-cost", **{name: float(row[name]) for name in names}), ["s-S"])
    return found | {"note": "an (s, S) policy is optimal: published, classic and ours agree"}


def tandem(row: dict[str, str]) -> dict[str, Any]:
    """Return the figures of a row of Veatch and Wein (1994)."""
    scenario = load(
        "tandem",
        demand_rate=float(row["demand_rate"]),
        service_rates=_numbers(row["service_rates"]),
        holding=_numbers(row["holding"]),
        backorder=float(row["backorder"]),
    )
    return _solved(scenario, ["kanban", "base-stock", "conwip"]) | {
        "note": "ours is the optimum, solved exactly"
    }


def dual_sourcing(row: dict[str, str]) -> dict[str, Any]:
    """Return gaps in percent of the optimum's cost above regular purchase, as the table prints."""
    names = ("regular_unit_cost", "expedited_unit_cost", "holding", "backorder")
    given: dict[str, Any] = {name: float(row[name]) for name in names}
    given |= {name: int(row[name]) for name in ("regular_lead_time", "expedited_lead_time")}
    found = _solved(load("dual-sourcing", **given), ["capped-dual-index", "tailored-base-surge"])
    above = float(row["optimum_above_regular_purchase"])
    gap = 100.0 * (found["classic"] - found["exact"]) / above
    total = 100.0 * (found["classic"] / found["exact"] - 1)
    return {
        "ours": 0.0,
        "exact": 0.0,
        "classic": gap,
        "note": "gaps in percent of the optimum's cost above regular purchase; ours is the "
        f"optimum, solved exactly. The best classic is at most {_ceiling(total)} % of the total "
        "cost above it",
    }


def _ceiling(share: float) -> str:
    return ".02" if share <= 0.02 else f"{share:.2g}"


def perishable(row: dict[str, str]) -> dict[str, Any]:
    """Return costs, minus the returns that De Moor et al. (2022) print."""
    scenario = load(
        "perishable",
        shelf_life=int(row["shelf_life"]),
        lead_time=int(row["lead_time"]),
        waste_cost=float(row["waste_cost"]),
        issuing=row["issuing"].lower(),
    )
    optimum = exact.solve(scenario).cost
    policy = tune("base-stock", scenario, 0)
    try:
        classic = exact.evaluate(policy, scenario, memory=SMALL).cost
    except (exact.NotFinite, exact.TooLarge):
        classic = float(rollout(policy, scenario, EPISODES)["cost"].mean())
    return {
        "ours": optimum,
        "exact": optimum,
        "classic": classic,
        "note": "costs are minus the printed returns, which are rounded and simulated; ours is the "
        "optimum, solved exactly",
    }
