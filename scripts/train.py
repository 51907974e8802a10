"""Train a learned policy on a scenario, and judge it beside the classic that it starts from."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import _common as common
from tyro.conf import arg

import agents
from agents import learned
from agents.learned.start import NOTHING
from agents.studies import comparison, trainings
from agents.studies.comparison import CHOSEN_ON
from jitgym.evaluate import Run
from jitgym.report import comparisons, tables

AGENT = "the learner; `learned` chooses the one that suits the plant"
PERIODS = "the budget of a training, in simulated periods; default: stated in configs/agents/"
MINUTES = "stop earlier, after this time, between two looks at the policy"
SEEDS = "number of trainings, with the seeds --seed, --seed + 1, ..."
RIVALS = (
    "classics to compare with, separated by commas; default: the three that suit the plant, or "
    "none with --json"
)
START = (
    "the classic to start from, tuned; default: the best; `nothing`: from scratch, where the net "
    "alone decides how much is ordered"
)
CONFIG = "file of hyperparameters; the default files are in configs/agents/"
WORKERS = "trainings at the same time, each in a process of its own"


def main(
    scenario: common.ScenarioName,
    *,
    agent: Annotated[str, arg(help=AGENT)] = "learned",
    periods: Annotated[int | None, arg(help=PERIODS)] = None,
    minutes: Annotated[float | None, arg(help=MINUTES)] = None,
    given: common.Given = (),
    seed: common.Seed = 0,
    seeds: Annotated[int, arg(help=SEEDS)] = 1,
    workers: Annotated[int, arg(help=WORKERS)] = 1,
    episodes: common.Episodes = 256,
    start: Annotated[str, arg(metavar="POLICY", help=START)] = "",
    config: Annotated[Path | None, arg(help=CONFIG)] = None,
    out: common.Out = None,
    rivals: Annotated[str, arg(metavar="POLICY,...", help=RIVALS)] = "",
    resume: common.Resume = False,
    json_: common.Json = False,
) -> None:
    """Train a learned policy, then judge it on the split `test`, beside its start and rivals.

    The learner starts from the tuned classic with the lowest cost, learns on the split `train`, and
    replaces the classic only if it is better on fresh episodes of `validate`. The folder of the run
    holds run.json, rows.csv, report.md, a folder for each training and TensorBoard's curves.
    """
    learner = learned.find(agent)
    plant = common.scenario(scenario, given)
    common.expect_sample(seed, episodes)
    common.expect(periods is None or periods >= 1, f"--periods is {periods}; expected at least 1")
    common.expect(minutes is None or minutes > 0, f"--minutes is {minutes}; expected more than 0")
    common.expect(seeds >= 1, f"--seeds is {seeds}; expected at least 1")
    common.expect(workers >= 1, f"--workers is {workers}; expected at least 1")
    settings = learner.read_settings(config)
    usual = [] if json_ else comparison.rivals(plant)
    names = [name for name in rivals.split(",") if name] or usual
    for name in names:
        agents.expect_name(name)
    if start not in ("", NOTHING):
        agents.expect_name(start)
    limits = {"periods": periods, "minutes": minutes, "episodes": episodes}
    options = {"scenario": plant, "agent": agent, "settings": settings, "rivals": names} | limits
    options |= {"start": start} if start else {}
    given_seeds = {"first": seed, "count": seeds}
    with Run(
        "train", plant.name, configuration=options, seeds=given_seeds, out=out, resume=resume
    ) as run:
        print(f"TensorBoard: tensorboard --logdir {run.folder}", file=sys.stderr)
        plan = trainings.Plan(
            agent, plant, config, run.folder, periods, minutes, episodes, resume, start
        )
        found = trainings.conduct(plan, seed, seeds, workers, progress=not json_)
        classics = comparison.classics(plant, names, seed, progress=True)
        rows = trainings.rows(found, classics, plant, episodes, seed)
        run.save(rows)
        reference = comparison.best_classic(classics.tuned, plant, episodes, seed, progress=True)
        compared = comparisons.comparison(
            rows, classics.tuned_names, found.optimum, plant, reference=reference or None
        )
        notes = [*comparison.cautions(plant), *found.notes, *classics.notes]
        run.report(tables.markdown(comparisons.table(compared, plant, notes, chosen_on=CHOSEN_ON)))
    if json_:
        print(json.dumps(found.as_json()))
    else:
        notes.append(f"The whole table, the rows, the settings and the checkpoints: {run.folder}")
        notes.append(f"Curves: tensorboard --logdir {run.folder}")
        tables.show(comparisons.table(compared, plant, notes, chosen_on=CHOSEN_ON))


if __name__ == "__main__":
    common.run(main)
