"""Make the report of comparisons again, as one HTML file that can be forwarded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import _common as common
from tyro.conf import Positional, arg

from agents.studies import reports
from jitgym.report import html

RUNS = "folders of runs of compare.py"


def main(
    runs: Annotated[Positional[tuple[Path, ...]], arg(metavar="RUN...", help=RUNS)],
    *,
    out: Annotated[
        Path | None, arg(metavar="DIR", help="the folder of report.html; default: the run's")
    ] = None,
) -> None:
    """Write report.html: verdict, table, charts, plant, definitions, and how to repeat it.

    Several runs become one page. Every chart is also written as SVG, PNG and CSV.
    """
    common.expect(bool(runs), "no run is given; expected the folder of a run of compare.py")
    common.expect(out is not None or len(runs) == 1, "--out is missing; expected a folder")
    sections = [reports.read(run) for run in runs]
    names = [section.scenario.name for section in sections]
    common.expect(len(set(names)) == len(names), f"two runs are of the same scenario: {names}")
    folder = out or runs[0]
    folder.mkdir(parents=True, exist_ok=True)
    print(html.write(sections, folder))


if __name__ == "__main__":
    common.run(main)
