"""Run a published table: the best printed policy, the best classic here, and ours, row by row."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import Annotated

import _common as common
from tyro.conf import FlagCreatePairsOff, Positional, arg

from agents.progress import Progress
from agents.studies import records
from agents.studies.records import pages
from jitgym.documents import write_whole
from jitgym.report import tables

BENCHMARKS = common.ROOT / "benchmarks"
FILE = "another file of the same form; default: benchmarks/TABLE/table.csv"
SAVE = "write benchmarks/TABLE/result.json and docs/records.md"


def main(
    table: Annotated[Positional[str], arg(metavar="TABLE", help=", ".join(records.TABLES))],
    *,
    file: Annotated[Path | None, arg(name="table", metavar="FILE", help=FILE)] = None,
    workers: Annotated[int, arg(help="rows that are run at the same time")] = 2,
    save: Annotated[bool, FlagCreatePairsOff, arg(help=SAVE)] = False,
    json_: common.Json = False,
) -> None:
    """Run every row of a published table, and print it with the figures of this repository."""
    record = records.find(table)
    common.expect(workers >= 1, f"--workers is {workers}; expected at least 1")
    common.expect(not (save and file), "--save is for the table of the repository, without --table")
    rows = records.read_rows(record, file or BENCHMARKS / table / "table.csv")
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    with Progress(f"records {table}", len(rows)) as bar:
        found = records.run(record, rows, workers, lambda done: bar.advance())
    if save:
        data = {
            "command": f"python scripts/records.py {table} --save",
            "date": datetime.date.today().isoformat(),
            "revision": pages.revision(common.ROOT),
            "rows": [row.as_json() for row in found],
        }
        write_whole(BENCHMARKS / table / "result.json", json.dumps(data, indent=1) + "\n")
        write_whole(common.ROOT / "docs" / "records.md", pages.page(BENCHMARKS))
    if json_:
        print(json.dumps({"table": table, "rows": [row.as_json() for row in found]}))
    else:
        tables.show(pages.table(found))


if __name__ == "__main__":
    common.run(main)
