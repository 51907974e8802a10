"""Train an agent on a scenario, and compare it with the classics on the same episodes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import _common as common
from tyro.conf import arg

import agents
from agents import learned
from agents.studies import comparison
from jitgym.evaluate import Run
from jitgym.report import comparisons, tables

RIVALS = "classics to compare with, separated by commas; default: the three that suit the plant"
CONFIG = "file of hyperparameters; the default files are in configs/agents/"


def main(
    scenario: common.ScenarioName,
    *,
    agent: Annotated[str, arg(help="the learner")] = "ppo",
    minutes: Annotated[float | None, arg(help="minutes of training; 3 without --steps")] = None,
    steps: Annotated[int | None, arg(help="steps of training, over all environments")] = None,
    given: common.Given = (),
    seed: common.Seed = 0,
    episodes: common.Episodes = 256,
    config: Annotated[Path | None, arg(help=CONFIG)] = None,
    out: common.Out = None,
    rivals: Annotated[str, arg(metavar="POLICY,...", help=RIVALS)] = "",
    resume: common.Resume = False,
    json_: common.Json = False,
) -> None:
    """Train an agent, then compare it with some classics, textbook and tuned.

    The agent learns on the split `train`. Its best policy on `validate` is kept and compared with
    the classics on `test`. The folder of the run holds run.json, rows.csv, report.md (the whole
    table), the agent (agent.yaml, best.pt, last.pt) and TensorBoard's curves.
    """
    learner = learned.find(agent)
    plant = common.scenario(scenario, given)
    common.expect_sample(seed, episodes)
    common.expect(steps is None or steps >= 1, f"--steps is {steps}; expected at least 1")
    common.expect(minutes is None or minutes > 0, f"--minutes is {minutes}; expected more than 0")
    settings = learner.read_settings(config)
    minutes = 3.0 if minutes is None and steps is None else minutes
    learned.expect_folder(out, resume)
    names = [name for name in rivals.split(",") if name] or comparison.rivals(plant)
    for name in names:
        agents.expect_name(name)
    limits = {"steps": steps, "minutes": minutes, "episodes": episodes}
    options = {"scenario": plant, "agent": agent, "settings": settings, "rivals": names} | limits
    seeds = {"all": seed}
    with Run(
        "train", plant.name, configuration=options, seeds=seeds, out=out, resume=resume
    ) as run:
        print(f"TensorBoard: tensorboard --logdir {run.folder}", file=sys.stderr)
        trained = learner.train(
            plant, settings, run.folder, steps=steps, minutes=minutes, seed=seed, resume=resume,
            references=comparison.textbook_costs(names, plant, seed), progress=True,
        )  # fmt: skip
        classics = comparison.classics(plant, names, seed, progress=True)
        entrants = [*classics.entrants, trained.policy]
        rows = comparison.contest(entrants, plant, episodes, seed, progress=True)
        run.save(rows)
        optimum = plant.known_optimum.cost if plant.known_optimum else None
        compared = comparisons.comparison(rows, classics.tuned_names, optimum, plant)
        said = comparison.effort(agent, trained.steps, trained.seconds)
        notes = [*comparison.cautions(plant), said]
        notes += classics.notes
        parameters = comparison.parameters_of(entrants)
        whole = comparisons.table(compared, plant, notes, parameters)
        run.report(tables.markdown(whole))
    if json_:
        (own,) = comparisons.as_json([r for r in compared if agent in r.names])["policies"]
        effort = {"steps": trained.steps, "seconds": trained.seconds, "folder": str(run.folder)}
        print(json.dumps(own | effort | comparisons.as_json(compared)))
    else:
        notes.append(f"The whole table, the rows, the settings and the checkpoints: {run.folder}")
        notes.append(f"Curves: tensorboard --logdir {run.folder}")
        tables.show(comparisons.table(compared, plant, notes))


if __name__ == "__main__":
    common.run(main)
