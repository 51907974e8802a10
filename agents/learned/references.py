"""What a curve is compared with: policies within reach, and the exact optimum.

A policy that costs far more than the start would squash every chart, so it is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jitgym import exact
from jitgym.control import Policy
from jitgym.evaluate import rollout
from jitgym.scenario import Scenario

from . import start as starts
from .gate import LOOKS
from .session import Problem

if TYPE_CHECKING:
    import pandas

REACH = 0.5  # a reference costs at most this share of the start's cost more than the start
SOLVED = 20e6  # bytes: solving a plant exactly takes about a second then
VALUED = 20e6  # bytes: the exact cost of a policy takes some tenths of a second then
LONGEST = 5000  # periods of an episode up to which the optimal policy, a table, is simulated


@dataclass(frozen=True)
class Reference:
    """A policy that the learned one is compared with, on the same episodes."""

    name: str  # of its run in TensorBoard: a plain name of a folder
    title: str
    cost: float  # mean over the episodes of the looks; the exact cost where there are no rows
    rows: pandas.DataFrame | None


def start(problem: Problem, rows: pandas.DataFrame) -> Reference:
    """Return the start as a reference; `rows` are those of the gate's looks."""
    found = problem.start
    return Reference("start", found.policy.name, float(rows["cost"].mean()), rows)


def others(problem: Problem, least: float, solution: exact.Solution | None) -> list[Reference]:
    """Return the textbook of the start and the optimum, if known, that are within reach.

    `least` is the cost of the start.
    """
    found = []
    textbook = starts.textbook(problem.start.name, problem.scenario)
    if getattr(textbook, "parameters", {}) != problem.start.parameters:
        found.append(_run("textbook", textbook.name, textbook, problem))
    known = problem.scenario.known_optimum
    if solution is not None and problem.scenario.horizon.of_split("validate")[0] > LONGEST:
        found.append(Reference("optimum", "the optimum (exact)", solution.cost, None))
    elif solution is not None:
        found.append(_run("optimum", "the optimal policy", solution.policy, problem))
    elif known is not None:
        found.append(Reference("optimum", f"the optimum ({known.source})", known.cost, None))
    return [each for each in found if each.cost <= least + REACH * abs(least)]


def _run(name: str, title: str, policy: Policy, problem: Problem) -> Reference:
    rows = rollout(policy, problem.scenario, LOOKS, problem.seed, "validate")
    return Reference(name, title, float(rows["cost"].mean()), rows)


def solved(scenario: Scenario) -> exact.Solution | None:
    """Return the exact solution of a plant that is small enough to solve on the way, or None."""
    try:
        return exact.solve(scenario, memory=SOLVED)
    except (exact.NotFinite, exact.TooLarge):
        return None


def optimum(scenario: Scenario, solution: exact.Solution | None) -> float | None:
    """Return the cost of the optimum, solved or known, or None."""
    if solution is not None:
        return solution.cost
    return None if scenario.known_optimum is None else scenario.known_optimum.cost


def gap(policy: Policy, scenario: Scenario, optimum: float) -> float | None:
    """Return how far the exact cost of a policy is above the optimum, in %.

    None if the policy cannot be evaluated exactly, or reaches too many states to do that on the
    way. That is counted in memory and not in time, so that it is the same on every machine.
    """
    try:
        cost = exact.evaluate(policy, scenario, memory=VALUED).cost
    except (exact.NotFinite, exact.TooLarge):
        return None
    return 100.0 * (cost - optimum) / abs(optimum) if optimum else None
