"""Write the pages that follow from the code: docs/scenarios and docs/glossary.md."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import _common as common
from tyro.conf import Positional, arg

import jitgym
from jitgym import catalog
from jitgym.report import drawing, glossary, pages

DOCS = common.ROOT / "docs"
FOLDER = DOCS / "scenarios"


def main(
    scenarios: Annotated[
        Positional[tuple[str, ...]],
        arg(metavar="SCENARIO...", help="catalog names; by default all"),
    ] = (),
    out: Annotated[Path, arg(metavar="DIR", help="the folder of the pages")] = FOLDER,
) -> None:
    """Write a page (.md) and a drawing (.svg) for each scenario into docs/scenarios.

    Without names, all scenarios of the catalog are written, and also docs/glossary.md (the terms,
    costs and KPIs). The other pages in docs name the command that writes them, if there is one.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in scenarios or catalog.names():
        scenario = jitgym.load(name)
        page, picture = (out / f"{scenario.name}.{kind}" for kind in ("md", "svg"))
        drawing.draw(scenario, picture)
        text = pages.page(scenario, picture.name, pages.results(name, DOCS))
        page.write_text(text, encoding="utf-8")
        print(page)
    if not scenarios:
        place = out.parent / "glossary.md"
        place.write_text(glossary.page(), encoding="utf-8")
        print(place)


if __name__ == "__main__":
    common.run(main)
