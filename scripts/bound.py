"""Print lower bounds of plants that are too large to solve, beside the best tuned classic."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import _common as common
from tyro.conf import Positional, arg

from agents.studies import bounding
from jitgym.report import tables

NAMES = "catalog names, or paths of YAML files"


def main(
    scenarios: Annotated[Positional[tuple[str, ...]], arg(metavar="SCENARIO...", help=NAMES)],
    *,
    given: common.Given = (),
    tapes: Annotated[int, arg(help="episodes of `test` on which the clairvoyant runs")] = 8,
    seconds: Annotated[float, arg(help="time of the solver for each tape")] = 10.0,
    json_: common.Json = False,
    page: Annotated[Path | None, arg(metavar="FILE", help="write a page here too")] = None,
) -> None:
    """Print the optimum, the optimum with shorter lead times, and the clairvoyant's cost.

    No policy costs less than a bound. What is between the bound and the best classic is the most
    that can still be won. A plant whose features the clairvoyant's program does not know has none.
    """
    common.expect(bool(scenarios), "no scenario is given; expected at least one")
    common.expect(tapes >= 2, f"--tapes is {tapes}; expected at least 2")
    common.expect(seconds > 0, f"--seconds is {seconds}; expected more than 0")
    plants = [common.scenario(name, given) for name in scenarios]
    found = [
        bounding.bounded(plant, _label(plant.name, given), tapes, seconds, progress=True)
        for plant in plants
    ]
    table = bounding.table(found)
    if json_:
        print(json.dumps({"rows": [bounding.as_json(each) for each in found]}))
    else:
        tables.show(table)
    if page is not None:
        lines = [
            "# Lower bounds",
            "",
            f"`python scripts/bound.py {shlex.join(sys.argv[1:])}` wrote this page.",
            "No policy costs less than a bound. The clairvoyant knows the whole tape of an episode",
            f"beforehand; where his program is not solved within {seconds:g} s, the solver's own",
            f"bound counts. Costs are on the same {tapes} tapes of the split `test`.",
            "",
            tables.markdown(table),
        ]
        page.write_text("\n".join(lines), encoding="utf-8")


def _label(name: str, given: common.Given) -> str:
    return " ".join([name, *(text for each in given for text in each)])


if __name__ == "__main__":
    common.run(main)
