"""Solve a small plant exactly, and print the optimum and the gap of each classic policy to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import _common as common
import tyro
from tyro.conf import Positional, arg

import agents
from agents.progress import Progress, track
from agents.studies import comparison
from jitgym import ScenarioError, exact
from jitgym.report import policies as drawn
from jitgym.report import tables

POLICIES = "classic policies by name; all that apply if none is named"
EXACTLY = "tune each classic exactly, until no neighboring parameters cost less; takes longer"


def main(
    scenario: common.ScenarioName,
    policies: Annotated[Positional[tuple[str, ...]], arg(metavar="POLICY...", help=POLICIES)] = (),
    *,
    given: common.Given = (),
    seed: common.Seed = 0,
    memory: Annotated[float, arg(help="GB of memory that may be used")] = exact.MEMORY / 1e9,
    exactly: Annotated[bool, tyro.conf.FlagCreatePairsOff, arg(help=EXACTLY)] = False,
    table: Annotated[
        Path | None, arg(metavar="FILE", help="save the optimal policy (.npz)")
    ] = None,
    plot: Annotated[Path | None, arg(metavar="FILE", help="draw the optimal policy (.svg)")] = None,
    json_: common.Json = False,
) -> None:
    """Enumerate every state, find the optimum, and evaluate the classics exactly.

    Each classic is listed twice: sized by the textbook, and tuned by simulation on the split
    `tune`. With --exactly it is listed once, with parameters that no neighbor beats.
    """
    plant = common.scenario(scenario, given)
    for name in policies:
        agents.expect_name(name)
    common.expect(
        table is None or table.parent.is_dir(), f"--table {table}: there is no such folder"
    )
    common.expect(plot is None or plot.parent.is_dir(), f"--plot {plot}: there is no such folder")
    with Progress(f"solve {plant.name}"):
        solution = exact.solve(plant, memory=memory * 1e9)
    if table is not None:
        solution.policy.save(table)
    if plot is not None:
        drawn.draw(solution.policy, plot)
    names = policies or agents.names()
    if exactly:
        best, left_out = comparison.classics_exactly(plant, names, seed, progress=True)
        lines = [line(each.policy, each.value, solution.cost) for each in best.values()]
    else:
        classics = comparison.classics(plant, names, seed, progress=True)
        left_out = classics.left_out
        evaluated = track(classics.entrants, f"evaluate exactly on {plant.name}")
        lines = [line(each, value(each, plant), solution.cost) for each in evaluated]
    found = {
        "scenario": plant.name,
        "yardstick": solution.yardstick,
        "cost": solution.cost,
        "lower": solution.lower,
        "upper": solution.upper,
        "states": solution.states,
        "transitions": solution.transitions,
        "seconds": solution.seconds,
        "cut": solution.cut,
        "edge": solution.edge,
        "policies": lines,
        "left_out": left_out,
    }
    if json_:
        print(json.dumps(found))
        return
    notes = [
        f"{solution.states:,} states, {solution.transitions:,} transitions, "
        f"{solution.seconds:.2f} s; optimum in [{solution.lower:.8g}, {solution.upper:.8g}]; tails "
        f"cut: {solution.cut:.0e}; demand turned away: {solution.edge:.0e} per period",
        *(f"{name} is left out: {why}" for name, why in left_out.items()),
    ]
    tables.show(shown(plant.title or plant.name, solution, lines, notes))


def value(policy: Any, plant: Any) -> exact.Value | ScenarioError:
    """Return the exact cost of a policy, or the error that says why it cannot be computed."""
    try:
        return exact.evaluate(policy, plant)
    except ScenarioError as error:
        return error


def line(policy: Any, value: exact.Value | ScenarioError, optimum: float) -> dict[str, Any]:
    """Return the row of a policy in the table."""
    row = {"policy": policy.name, "parameters": getattr(policy, "parameters", {})}
    if isinstance(value, ScenarioError):
        return row | {"cost": None, "gap_percent": None, "why": str(value)}
    gap = 100 * (value.cost - optimum) / abs(optimum) if optimum else None
    row |= {"cost": value.cost, "lower": value.lower, "upper": value.upper, "gap_percent": gap}
    return row | {"states": value.states, "why": ""}


def shown(
    title: str, solution: exact.Solution, lines: list[dict[str, Any]], notes: list[str]
) -> tables.Table:
    """Return the optimum and the classics as a table."""
    columns = (
        tables.Column("policy", importance=tables.KEPT, align="left"),
        tables.Column("cost", importance=tables.KEPT, form=".6g"),
        tables.Column("gap", "above the optimum", "%", importance=tables.KEPT, form=".2f"),
        tables.Column("parameters", align="left"),
    )
    rows: list[tuple[Any, ...]] = [("optimal", solution.cost, 0.0, {})]
    for each in sorted(lines, key=lambda one: (one["cost"] is None, one["cost"])):
        gap = None if each.get("gap_percent") is None else each["gap_percent"] / 100
        rows.append((each["policy"], each["cost"], gap, each["parameters"]))
    why = [f"{each['policy']} is not evaluated: {each['why']}" for each in lines if each["why"]]
    return tables.Table(columns, rows, f"{title}: {solution.yardstick}, exact", [*notes, *why])


if __name__ == "__main__":
    common.run(main)
