"""Tune classic policies by simulation, and print what was found."""

from __future__ import annotations

import json
from typing import Annotated, Any

import _common as common
from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

import agents
from agents.studies import comparison
from agents.tuning.target import STOCK
from jitgym.evaluate import Run

POLICIES = "classic policies by name; all that apply if none is named"
TARGET = "a KPI and its bound, such as fill_rate=0.98: tune to the least stock that reaches it"


def main(
    scenario: common.ScenarioName,
    policies: Annotated[Positional[tuple[str, ...]], arg(metavar="POLICY...", help=POLICIES)] = (),
    given: common.Given = (),
    target: Annotated[tuple[str, ...], arg(metavar="KPI=VALUE...", help=TARGET)] = (),
    seed: common.Seed = 0,
    episodes: common.Episodes = 256,
    out: common.Out = None,
    json_: common.Json = False,
) -> None:
    """Tune classic policies on the split `tune`, and evaluate them on `test`.

    Tuned is cost, or with --target the average inventory of those who reach that service.

    The folder of the run holds run.json and rows.csv.
    """
    plant = common.scenario(scenario, given)
    common.expect_sample(seed, episodes)
    names = policies or agents.names()
    for name in names:
        agents.expect_name(name)
    bounds = dict(common.assignment("--target", text) for text in target)
    options = {"scenario": plant, "policies": names, "episodes": episodes, "target": bounds}
    if bounds:
        agents.Target(bounds)  # what makes no sense is said before the run begins
    with Run("tune", plant.name, configuration=options, seeds={"all": seed}, out=out) as run:
        classics = comparison.classics(plant, names, seed, target=bounds or None, progress=True)
        common.expect(bool(classics.tuned), "; ".join(classics.notes))
        rows = comparison.contest([*classics.textbook, *classics.tuned], plant, episodes, seed)
        run.save(rows)
    mean = rows.groupby("policy")[["cost", STOCK, *bounds]].mean()
    cost = mean["cost"]
    found: list[dict[str, Any]] = [
        {
            "policy": textbook.name.removesuffix(" (textbook)"),
            "textbook": policy.tuning.textbook,
            "textbook_cost": float(cost[textbook.name]),
            "tuned": policy.parameters,
            "tuned_cost": float(cost[policy.name]),
            **({STOCK: float(mean[STOCK][policy.name])} if bounds else {}),
            **{kpi: float(mean[kpi][policy.name]) for kpi in bounds},
            "periods": policy.tuning.periods,
            "seconds": policy.tuning.seconds,
        }
        for textbook, policy in zip(classics.textbook, classics.tuned, strict=True)
    ]
    if json_:
        print(json.dumps({"scenario": plant.name, "yardstick": plant.yardstick, "policies": found}))
        return
    table = Table(title=f"{plant.title or plant.name}: {plant.yardstick}, split test")
    for column in found[0]:
        table.add_column(column.replace("_", " "))
    for line in found:
        table.add_row(*(f"{v:.5g}" if isinstance(v, float) else _written(v) for v in line.values()))
    console = Console()
    console.width = max(console.width, 100)  # what is not a terminal gets them too
    console.print(table)
    for name, why in classics.left_out.items():
        console.print(f"{name} does not apply: {why}")


def _written(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {numbers}" for name, numbers in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    common.run(main)
