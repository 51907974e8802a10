"""Run a sweep, scenarios x agents x seeds; the same command goes on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import _common as common
from tyro.conf import Positional, arg

from agents.progress import Progress
from agents.studies import sweep
from jitgym.report import tables

PLAN = "a file such as configs/sweeps/classics.yaml"
BACKEND = "processes of this machine, or of a Ray cluster (pip install 'jitgym[ray]')"
SHARD = "compute part i of n only, such as 1/4, for job arrays that share --out"


def main(
    plan: Annotated[Positional[Path], arg(metavar="PLAN", help=PLAN)],
    *,
    out: Annotated[Path, arg(metavar="DIR", help="the folder of all cells")] = Path("runs/sweep"),
    workers: Annotated[int, arg(help="cells that are computed at the same time")] = 1,
    backend: Annotated[Literal["loky", "ray"], arg(help=BACKEND)] = "loky",
    shard: Annotated[str, arg(metavar="I/N", help=SHARD)] = "1/1",
    json_: common.Json = False,
) -> None:
    """Compute the cells of a sweep that are not there yet, and print one table of all.

    A cell is one file, named by the hash of all that its result depends on. A changed plan, setting
    or version gives other cells, so that old rows never mix with new ones.
    """
    given = sweep.read_plan(plan)
    common.expect(workers >= 1, f"--workers is {workers}; expected at least 1")
    every = sweep.cells(given)
    part = sweep.shard(every, shard)
    with Progress(f"sweep {given.title}", len(part)) as bar:
        sweep.conduct(part, out, workers, bar.update, backend)
    rows = sweep.results(given, every, out)
    over = sweep.overall(given, every, out) if len(given.scenarios) > 1 else []
    missing = sum(not sweep.file_of(cell, out).is_file() for cell in every)
    if json_:
        print(json.dumps(sweep.as_json(rows, missing, over)))
    else:
        tables.show(sweep.table(given, rows, missing))
        if over:
            tables.show(sweep.overall_table(given, over))


if __name__ == "__main__":
    common.run(main)
