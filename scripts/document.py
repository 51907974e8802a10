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
SCENARIOS = "catalog names, or paths of YAML files; by default the whole catalog"
LAYOUT = "of the drawings: own (the same on every machine), or dot, if Graphviz is installed"
OUT = "the folder; by default docs/scenarios, or this folder for own plants and the layout dot"


def main(
    scenarios: Annotated[
        Positional[tuple[str, ...]],
        arg(metavar="SCENARIO...", help=SCENARIOS),
    ] = (),
    *,
    layout: Annotated[drawing.Layout, arg(help=LAYOUT)] = "own",
    out: Annotated[Path | None, arg(metavar="DIR", help=OUT)] = None,
) -> None:
    """Write a page (.md) and a drawing (.svg) for each scenario.

    Without names, all scenarios of the catalog are written, and also docs/glossary.md (the terms,
    costs and KPIs). The other pages in docs name the command that writes them, if there is one.
    """
    drawing.expect_layout(layout)
    shipped = layout == "own" and set(scenarios) <= set(catalog.names())
    out = out or (FOLDER if shipped else Path())
    out.mkdir(parents=True, exist_ok=True)
    for name in scenarios or catalog.names():
        scenario = jitgym.load(name)
        page, picture = (out / f"{scenario.name}.{kind}" for kind in ("md", "svg"))
        drawing.draw(scenario, picture, layout)
        text = pages.page(scenario, picture.name, pages.results(name, DOCS))
        page.write_text(text, encoding="utf-8")
        print(page)
    if shipped and not scenarios:
        place = out.parent / "glossary.md"
        place.write_text(glossary.page(), encoding="utf-8")
        print(place)


if __name__ == "__main__":
    common.run(main)
