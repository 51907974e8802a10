"""Train on many plants with several seeds, and write the table of docs/learning.md."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import _common as common
from tyro.conf import Positional, arg

import jitgym
from agents.studies import evidence, trainings
from jitgym.documents import write_whole

PLAN = "a file such as configs/studies/learning.yaml"
FOLDER = Path("benchmarks/learning")
OUT = "the folder of all trainings; plants that are done there are not trained again"


def main(
    plan: Annotated[Positional[Path], arg(metavar="PLAN", help=PLAN)],
    *,
    out: Annotated[Path, arg(metavar="DIR", help=OUT)] = FOLDER,
    workers: Annotated[int, arg(help="trainings at the same time")] = 1,
    page: Annotated[Path | None, arg(metavar="FILE", help="write the page here too")] = None,
) -> None:
    """Train on every plant of a plan, and print the page; a second run goes on where it stopped.

    The figures of plants that are done are data of the repository (benchmarks/learning). Remove the
    folder of a plant, and the next run trains there again.
    """
    given = evidence.read_plan(plan)
    common.expect(workers >= 1, f"--workers is {workers}; expected at least 1")
    found = []
    for plant in given.plants:
        scenario = jitgym.load(plant.scenario, **plant.set)
        place = out / plant.folder
        done = place / "found.json"
        if not done.is_file():
            agent, periods = plant.agent or given.agent, given.periods
            job = trainings.Plan(
                agent, scenario, None, place, periods, None, given.episodes, True, plant.start
            )
            trained = trainings.conduct(job, 0, plant.seeds or given.seeds, workers, progress=True)
            evidence.write(evidence.found_of(plant, trained), done)
        besides = place / "beside.json"
        if not besides.is_file():
            data = evidence.beside(plant, scenario, given.episodes, progress=True)
            write_whole(besides, json.dumps(data, indent=1))
        beside = json.loads(besides.read_text(encoding="utf-8"))
        found.append(replace(evidence.read(done), plant=plant, beside=beside))
        command = f"python scripts/learning.py {plan}" + (f" --out {out}" if out != FOLDER else "")
        text = evidence.page(given, found, command)
        (out / "page.md").write_text(text, encoding="utf-8")
    if page is not None:
        page.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    common.run(main)
