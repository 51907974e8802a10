"""Tune classic policies by simulation, and print what was found."""

from __future__ import annotations

import json
from typing import Annotated, Any

import _common as common
from tyro.conf import Positional, arg

import agents
from agents.studies import comparison
from agents.tuning.target import STOCK
from jitgym.evaluate import Run, interval
from jitgym.evaluate.steadiness import GROWS, NO_STEADY_STATE
from jitgym.report import tables

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

    The folder of the run holds run.json, rows.csv and report.md (the whole table).
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
        intervals = {
            str(name): interval(frame["cost"].to_numpy()) for name, frame in rows.groupby("policy")
        }
        growing = set(rows.loc[rows[GROWS], "policy"])
        lines = [
            line
            | {
                f"{kind}_cost": "no steady state" if p.name in growing else intervals[p.name]
                for kind, p in (("textbook", textbook), ("tuned", tuned))
            }
            for line, textbook, tuned in zip(found, classics.textbook, classics.tuned, strict=True)
        ]
        notes = ["±: half-width of the 95 % interval", *plant.cautions]
        notes += [f"{name}: {NO_STEADY_STATE}" for name in sorted(growing)]
        notes += [f"{name} does not apply: {why}" for name, why in classics.left_out.items()]
        columns = tuple(column(name) for name in found[0])
        title = f"{plant.title or plant.name}: {plant.yardstick}, split test"
        shown = tables.Table(columns, [list(line.values()) for line in lines], title, notes)
        run.report(tables.markdown(shown))
    if json_:
        told = [
            line | {"steady": p.name not in growing}
            for line, p in zip(found, classics.tuned, strict=True)
        ]
        about = {"scenario": plant.name, "yardstick": plant.yardstick, "cautions": plant.cautions}
        print(json.dumps(about | {"policies": told}))
        return
    tables.show(shown)


IMPORTANCE = {"textbook_cost": 40, "textbook": 30, "periods": 20, "seconds": 10}


def column(name: str) -> tables.Column:
    """One column of the table: what was tuned, and what that gave, is never left out."""
    return tables.Column(
        name,
        unit="CPU s" if name == "seconds" else "",
        importance=IMPORTANCE.get(name, tables.KEPT),
        align="left" if name in ("policy", "textbook", "tuned") else "right",
    )


if __name__ == "__main__":
    common.run(main)
