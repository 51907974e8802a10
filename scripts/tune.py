"""Tune classic policies by simulation, and print the results."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import _common as common
from tyro.conf import Positional, arg

import agents
from agents.studies import comparison, findings
from agents.tuning.target import aim_of
from jitgym.evaluate import Run
from jitgym.report import tables

POLICIES = "classic policies by name; by default all that apply"
TARGET = "a KPI and its bound, such as fill_rate=0.98; several targets must all be reached"
LEAST = "what to minimize among the parameters that reach the target"
FIX = "parameters held at a value, such as quantity=42, or at a list, such as cards=3,4,5"


def main(
    scenario: common.ScenarioName,
    policies: Annotated[Positional[tuple[str, ...]], arg(metavar="POLICY...", help=POLICIES)] = (),
    *,
    given: common.Given = (),
    target: Annotated[tuple[str, ...], arg(metavar="KPI=VALUE...", help=TARGET)] = (),
    least: Annotated[Literal["cost", "stock"], arg(help=LEAST)] = "cost",
    fix: Annotated[tuple[str, ...], arg(metavar="NAME=VALUE...", help=FIX)] = (),
    seed: common.Seed = 0,
    episodes: common.Episodes = 256,
    out: common.Out = None,
    json_: common.Json = False,
) -> None:
    """Tune classic policies on the split `tune`, and evaluate them on `test`.

    The search looks for the parameters with the lowest cost or, with --target, for those that reach
    the target with the lowest cost or stock. The folder of the run holds run.json, rows.csv and
    report.md (the table). If no policy reaches the target, the best parameters found are printed
    and the exit code is 1.
    """
    plant = common.scenario(scenario, given)
    common.expect_sample(seed, episodes)
    names = policies or agents.names()
    for name in names:
        agents.expect_name(name)
    bounds = [agents.Target(*common.assignment("--target", text)) for text in target]
    aim_of(bounds or None, least, plant)  # wrong targets are reported before the run begins
    fixed = dict(common.listed("--fix", text) for text in fix)
    common.expect(
        bool(policies) or not fixed,
        "--fix is given without a policy; expected the name of a policy",
    )
    wanted = {each.kpi: each.value for each in bounds}
    options: dict[str, Any] = {"scenario": plant, "policies": names, "episodes": episodes}
    options |= {"target": wanted, "least": least, "fixed": fixed}
    request = comparison.Request(bounds or None, least, fixed)
    with Run("tune", plant.name, configuration=options, seeds={"all": seed}, out=out) as run:
        classics = comparison.classics(plant, names, seed, request=request, progress=True)
        common.expect(bool(classics.tuned), "; ".join(classics.notes))
        entrants = [*classics.textbook, *classics.tuned]
        rows = comparison.contest(entrants, plant, episodes, seed, progress=True)
        run.save(rows)
        found = findings.of(classics, rows, tuple(wanted))
        shown = findings.table(found, classics, rows, plant, request)
        run.report(tables.markdown(shown))
    if json_:
        about = {"scenario": plant.name, "yardstick": plant.yardstick, "cautions": plant.cautions}
        print(json.dumps(about | {"policies": found}))
    else:
        tables.show(shown)
    if not any(policy.tuning.is_reached for policy in classics.tuned):
        raise SystemExit(1)


if __name__ == "__main__":
    common.run(main)
