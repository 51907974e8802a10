"""Train an agent on a scenario, and compare it with the classics on the same episodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import _common as common
from tyro.conf import arg

import agents
from agents.studies import comparison
from jitgym.evaluate import Run
from jitgym.report import tables


def main(
    scenario: common.ScenarioName,
    agent: Annotated[Literal["ppo"], arg(help="the learner")] = "ppo",
    minutes: Annotated[float | None, arg(help="to train in all; 3 if --steps is not given")] = None,
    steps: Annotated[int | None, arg(help="to train in all, of all environments together")] = None,
    given: common.Given = (),
    seed: common.Seed = 0,
    episodes: common.Episodes = 256,
    config: Annotated[Path, arg(help="hyperparameters")] = common.ROOT / "configs/agents/ppo.yaml",
    out: common.Out = None,
    resume: common.Resume = False,
    json_: common.Json = False,
) -> None:
    """Train an agent, and compare it with the classics, by the textbook and tuned.

    It learns on the split `train`; of the policies on the way the best on `validate` is taken; all
    are compared on `test`. The folder of the run holds run.json, rows.csv, the agent (agent.yaml,
    best.pt, last.pt) and TensorBoard's curves.
    """
    from agents import learned  # imports torch, which takes seconds: not for --help

    plant = common.scenario(scenario, given)
    common.expect_sample(seed, episodes)
    common.expect(steps is None or steps >= 1, f"--steps is {steps}; expected at least 1")
    common.expect(minutes is None or minutes > 0, f"--minutes is {minutes}; expected more than 0")
    settings = learned.read_settings(config)
    minutes = 3.0 if minutes is None and steps is None else minutes
    learned.expect_folder(out, resume)
    limits = {"steps": steps, "minutes": minutes, "episodes": episodes}
    options = {"scenario": plant, "agent": agent, "settings": settings} | limits
    seeds = {"all": seed}
    with Run(
        "train", plant.name, configuration=options, seeds=seeds, out=out, resume=resume
    ) as run:
        rivals = comparison.classics(plant, agents.names(), seed, progress=True)
        lines = {policy.name: policy.tuning.cost for policy in rivals.tuned}
        trained = learned.train(
            plant, settings, run.folder, steps=steps, minutes=minutes, seed=seed, resume=resume,
            references=lines, progress=True,
        )  # fmt: skip
        entrants = [*rivals.entrants, trained.policy]
        rows = comparison.contest(entrants, plant, episodes, seed, progress=True)
        run.save(rows)
    optimum = plant.known_optimum.cost if plant.known_optimum else None
    table = tables.comparison(rows, rivals.tuned_names, optimum)
    if json_:
        (own,) = tables.as_json([row for row in table if agent in row.names])["policies"]
        effort = {"steps": trained.steps, "seconds": trained.seconds, "folder": str(run.folder)}
        print(json.dumps(own | effort | tables.as_json(table)))
    else:
        said = comparison.effort(agent, trained.steps, trained.seconds)
        where = f"rows, settings and checkpoints: {run.folder}"
        notes = [*comparison.cautions(plant), said, *rivals.notes, where]
        tables.show(table, plant.title or plant.name, notes, plant.yardstick)


if __name__ == "__main__":
    common.run(main)
