"""Judge policies of the nominal plant, unchanged, on plants that differ from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import _common as common
from tyro.conf import arg

import agents
from agents.studies import robustness
from jitgym.control import Policy
from jitgym.report import tables

POLICIES = "classics by name, tuned on the nominal plant; the first one is also retuned"
RUN = "the folder of a training, for its learned policy"


def main(
    scenario: common.ScenarioName,
    *,
    policies: Annotated[tuple[str, ...], arg(name="agents", help=POLICIES)] = ("base-stock",),
    run: Annotated[Path | None, arg(metavar="DIR", help=RUN)] = None,
    given: common.Given = (),
    seed: common.Seed = 0,
    episodes: common.Episodes = 256,
    json_: common.Json = False,
) -> None:
    """Print the cost of policies on a plant with other demand, less time or later suppliers.

    What a change means for a plant is written in agents/studies/robustness.py. A change that the
    plant cannot have is left out and named.
    """
    plant = common.scenario(scenario, given)
    common.expect_sample(seed, episodes)
    common.expect(bool(policies), "--agents is empty; expected a classic policy")
    for name in policies:
        agents.expect_name(name)
    made: list[Policy] = [agents.tune(name, plant, seed, progress=True) for name in policies]
    if run is not None:
        made.append(agents.make("learned", plant, path=run))
    rows, notes = robustness.judge(made, plant, episodes=episodes, seed=seed, progress=True)
    if json_:
        found = [
            {
                "change": row.change,
                "policy": row.policy,
                "cost": None if row.cost is None else row.cost.mean,
                "difference": None if row.to_retuned is None else row.to_retuned.mean,
            }
            for row in rows
        ]
        print(json.dumps({"rows": found, "notes": notes}))
    else:
        tables.show(robustness.table(rows, plant, notes))


if __name__ == "__main__":
    common.run(main)
