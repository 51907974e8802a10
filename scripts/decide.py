"""Print today's orders of a policy, each with its reason, from a state that you write down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import _common as common
from tyro.conf import FlagCreatePairsOff, arg

import agents
from agents.studies import decisions
from jitgym.plant import lay_out
from jitgym.report import tables

POLICY = "a classic by name, tuned by simulation, or the folder of a training"
STATE = "today's state in YAML; without it, a file to fill in is printed"


def main(
    scenario: common.ScenarioName,
    *,
    policy: Annotated[str, arg(help=POLICY)] = "base-stock",
    state: Annotated[Path | None, arg(metavar="FILE", help=STATE)] = None,
    textbook: Annotated[
        bool, FlagCreatePairsOff, arg(help="a classic with textbook parameters, not tuned")
    ] = False,
    given: common.Given = (),
    json_: common.Json = False,
) -> None:
    """Print what a policy orders today, source by source, and why."""
    plant = common.scenario(scenario, given)
    layout = lay_out(plant)
    if state is None:
        print(decisions.template(layout), end="")
        return
    today = decisions.read_state(state, layout)
    if Path(policy).is_dir():
        chosen = agents.make("learned", plant, path=policy)
    else:
        agents.expect_name(policy)
        make = agents.make if textbook else agents.tune
        chosen = make(policy, plant)
    found = decisions.decide(chosen, layout, today)
    if json_:
        orders = [{"source": d.source, "units": d.units, "reason": d.reason} for d in found]
        print(json.dumps({"policy": chosen.name, "orders": orders}))
        return
    columns = (
        tables.Column("source", importance=tables.KEPT, align="left"),
        tables.Column("order", unit=plant.unit, importance=tables.KEPT, form="g"),
        tables.Column("why", importance=tables.KEPT, align="left"),
    )
    rows = [(d.source, d.units, d.reason) for d in found]
    note = "Orders are what is asked for; scarce material, capacity or storage may grant less."
    tables.show(tables.Table(columns, rows, f"Today's orders of {chosen.name}", [note]))


if __name__ == "__main__":
    common.run(main)
