"""The page of a scenario, made from the scenario itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jitgym import catalog, documents
from jitgym._register import environment_id
from jitgym.control.encodings import CONTROLS, QUANTITY, ObservationEncoding
from jitgym.distributions import Distribution
from jitgym.envs.spaces import Spaces
from jitgym.plant import headline_kpis, kpis_of, lay_out
from jitgym.scenario import Scenario

from .tables import Column, Table, markdown

ORDER_OF_EVENTS = (
    "View",
    "Release",
    "Start",
    "Serve",
    "Age",
    "Count",
    "Receive",
    "Nature",
)
"""The stages of a period; README.md explains each of them."""


NO_RESULTS = ("cases.md", "glossary.md", "report.md", "view.md", "watching.md")
"""Pages that name scenarios, but report no results of them."""


def results(name: str, folder: Path) -> list[tuple[str, str]]:
    """Return the pages in a folder that report on a scenario, as (title, link from a subfolder).

    The link leads to the first section that names the scenario, or else to the page. No page
    reports on a plant outside the catalog.
    """
    found: list[tuple[str, str]] = []
    if name not in catalog.names():
        return found
    for path in sorted(set(folder.glob("*.md")) - {folder / page for page in NO_RESULTS}):
        title, anchor = "", ""
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("# ") and not title:
                title = line.removeprefix("# ")
            elif line.startswith("## "):
                anchor = f"#{slug(line.removeprefix('## '))}"
            if reports(line, name):
                found.append((title or path.stem, f"../{path.name}{anchor}"))
                break
    return found


def reports(line: str, name: str) -> bool:
    """Whether a line names a scenario, its environment, or its published figures.

    >>> reports("| lost_sales_long_lead_times | 1 | optimal: cost |", "lost-sales")
    True
    >>> reports("    python scripts/frontier.py serial-system", "serial-system")
    True
    >>> reports("A serial system with perishable goods", "perishable")
    False
    """
    if f"`{name}`" in line or environment_id(name) in line:
        return True
    if "scripts/" in line and re.search(rf"(?<![\w-]){name}(?![\w-])", line):
        return True
    return re.match(rf"\| (\w+_)?{name.replace('-', '_')}(_\w+)? \|", line) is not None


def slug(heading: str) -> str:
    """The anchor that GitHub makes from a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def page(scenario: Scenario, drawing: str, reported: Sequence[tuple[str, str]] = ()) -> str:
    """Return the page of a scenario as Markdown.

    `drawing` is the file name of the picture; `reported` has (title, link) of pages with results.
    """
    layout = lay_out(scenario)
    lines = [f"# {scenario.title or scenario.name}", ""]
    lines += [*_header(scenario), ""]
    lines += [f"![The plant as a graph]({drawing})", ""]
    lines += [f"- environment: {_environment(scenario)}"]
    lines += [f"- period: {scenario.period}; horizon: {_horizon(scenario)}"]
    lines += [f"- yardstick: {scenario.yardstick}; terms: {', '.join(layout.terms)}"]
    lines += [f"- tags: {', '.join(scenario.tags)}"]
    if scenario.known_optimum is not None:
        best = scenario.known_optimum
        lines += [f"- known optimum: {best.cost:g} ({best.source})"]
    lines += ["", *_reported(scenario, reported), *_words(scenario), "## The plant", ""]
    for section in ("items", "work_centers", "sources", "streams", "demands", "carriers"):
        lines += _section(scenario, section)
    lines += _section(scenario, "projects")
    lines += [
        "## Parameters",
        "",
        "Short names for `jitgym.load`, `gymnasium.make` and `--set`.",
        "",
    ]
    lines += _table(
        ("name", "sets"),
        (
            (f"`{name}`", ", ".join(f"`{p}`" for p in paths))
            for name, paths in scenario.parameters.items()
        ),
    )
    lines += ["## Order of events", ""]
    lines += [" -> ".join(ORDER_OF_EVENTS) + " (the README explains each stage).", ""]
    lines += [
        "## Observation",
        "",
        "A quantity x is shown as 1 - 1 / sqrt(1 + 3 x / usual): its usual size is 1/2, and the",
        "entry grows without end toward 1. All other entries are divided by their largest value.",
        "",
    ]
    lines += _table(
        ("entry", "unit", "usual", "largest"),
        (
            (f"`{e.name}`", e.unit, f"{e.usual:g}", "")
            if e.kind == QUANTITY
            else (f"`{e.name}`", e.unit, "", f"{e.high:g}")
            for e in ObservationEncoding(layout).entries
        ),
    )
    lines += ["## Action", ""]
    for control in CONTROLS:
        lines += [f'`control="{control}"`: {_space(Spaces(layout, control))}', ""]
        lines += _table(
            ("entry", "unit", "from", "to", "step"),
            (
                (f"`{e.name}`", e.unit, f"{e.low:g}", f"{e.high:g}", f"{e.step:g}")
                for e in Spaces(layout, control).action_entries
            ),
        )
    return "\n".join(lines)


def _reported(scenario: Scenario, reported: Sequence[tuple[str, str]]) -> list[str]:
    own = f"`python scripts/compare.py {_given(scenario)}` compares policies on this plant."
    links = [f"- [{title}]({link})" for title, link in reported]
    return ["## Results", "", own, "", *([*links, ""] if links else [])]


def _words(scenario: Scenario) -> list[str]:
    """A table of the KPIs that judge this scenario, if it has its own names for them."""
    if not scenario.words and not scenario.within:
        return []
    named = kpis_of(scenario)
    rows = (
        (named[k].title, named[k].unit, f"`{k}`", named[k].formula) for k in headline_kpis(scenario)
    )
    head = ("name in the trade", "unit", "KPI", "formula")
    return ["## How it is judged", "", *_table(head, rows)]


def _is_shipped(scenario: Scenario) -> bool:
    return scenario.file in catalog.names()


def _given(scenario: Scenario) -> str:
    """What a user writes for this scenario: its name, or its file in the current folder."""
    return Path(scenario.file).name


def _environment(scenario: Scenario) -> str:
    if _is_shipped(scenario):
        return f"`{environment_id(scenario.name)}`"
    return f'`gymnasium.make("jitgym/Plant-v0", scenario="{_given(scenario)}")`'


def _header(scenario: Scenario) -> list[str]:
    """The comments that begin in the first column of a scenario's file, as a paragraph."""
    if _is_shipped(scenario):
        text = catalog.text(scenario.file)
    elif Path(scenario.file).is_file():
        text = documents.read_text(Path(scenario.file))
    else:
        return []  # a family has no file
    return [line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#")]


def _horizon(scenario: Scenario) -> str:
    horizon = scenario.horizon
    if horizon.ends:
        return f"a season of {horizon.periods} periods that ends"
    text = f"ongoing, {horizon.periods} periods, of which {horizon.warm_up} are warm-up"
    training, _ = horizon.of_split("train")
    if training == horizon.periods:
        return text
    return f"{text}; {training} periods per episode in training"


def _space(spaces: Spaces) -> str:
    return " ".join(str(spaces.action).split())


def _section(scenario: Scenario, section: str) -> list[str]:
    parts = getattr(scenario, section)
    if not parts:
        return []
    rows = ((f"`{name}`", _stated(part)) for name, part in parts.items())
    return [
        f"### {section.replace('_', ' ').capitalize()}",
        "",
        *_table(("name", "as written"), rows),
    ]


def _stated(part: Any) -> str:
    """The fields that are written in a part; default values are left out."""
    return "; ".join(
        f"{name.replace('_', ' ')} {_written(getattr(part, name))}"
        for name in type(part).model_fields
        if name in part.model_fields_set
    )


def _written(value: Any) -> str:
    if isinstance(value, Distribution):
        given = value.model_dump(exclude={"distribution"})
        if value.distribution == "deterministic":
            return f"{value.expectation:g}"
        inside = ", ".join(f"{name} {_written(part)}" for name, part in _flat(given).items())
        return f"{value.distribution} ({inside})"
    if hasattr(value, "model_fields_set"):
        return f"({_stated(value)})"
    if isinstance(value, dict):
        return ", ".join(f"{_written(v)} {k}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        shown = [_written(part) for part in value[:16]]
        return ", ".join(shown + (["..."] if len(value) > 16 else []))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _flat(given: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in given.items() if part is not None}


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    columns = tuple(Column(name, align="left") for name in head)
    return markdown(Table(columns, list(rows))).split("\n")
