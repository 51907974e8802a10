"""The page of a report, from a template: verdict, table, charts, plant, definitions, how to repeat.

One file without anything from the network, so that it can be forwarded, read offline and printed.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from jitgym.documents import write_whole
from jitgym.plant import headline_kpis, kpis_of, lay_out, leading
from jitgym.scenario import Scenario

from .. import drawing
from ..comparisons import ComparisonRow, table
from ..glossary import COSTS
from ..tables import Table
from .charts import (
    Chart,
    Curve,
    Decisions,
    components,
    decisions,
    differences,
    inline,
    service,
    training,
)

if TYPE_CHECKING:
    import pandas as pd

PACKAGES = ("jitgym", "numpy", "numba", "torch", "stable-baselines3", "gymnasium")


@dataclass(frozen=True)
class Section:
    """The report of one comparison."""

    scenario: Scenario
    rows: Sequence[ComparisonRow]
    frame: pd.DataFrame  # the rows of all episodes
    verdict: str
    notes: Sequence[str]
    parameters: Mapping[str, Mapping[str, Any]]  # policy -> name -> value
    chosen_on: str  # the episodes on which the reference was chosen
    command: str
    pictures: Sequence[tuple[str, str]] = field(default=())  # title, SVG: sample paths and the like
    curves: Sequence[Curve] = field(default=())
    decisions: Sequence[Decisions] = field(default=())
    robustness: Table | None = None
    sizes: pd.DataFrame | None = None  # stock and service of classics over their size

    @cached_property
    def table(self) -> Table:
        """The whole table."""
        return table(self.rows, self.scenario, self.notes, chosen_on=self.chosen_on)

    @cached_property
    def charts(self) -> list[Chart]:
        """The charts that have something to show."""
        found = (
            differences(self.rows, self.scenario),
            components(self.rows, self.frame, self.scenario),
            service(self.rows, self.scenario, self.sizes),
            training(self.curves, self.rows, self.scenario),
            decisions(self.decisions, self.scenario),
        )
        return [chart for chart in found if chart is not None]

    @property
    def plant(self) -> str:
        """The drawing of the plant as SVG."""
        svg = drawing.as_svg(drawing.picture(self.scenario), f"The plant {self.scenario.name}")
        return inline(svg, f"{self.scenario.name}-plant")

    @property
    def drawn(self) -> list[tuple[str, str]]:
        """The pictures, with identifiers of their own."""
        return [
            (title, inline(svg, f"{self.scenario.name}-picture-{k}"))
            for k, (title, svg) in enumerate(self.pictures)
        ]

    @property
    def kpis(self) -> list[tuple[str, str, str]]:
        """Name, unit and formula of the figures of the table, and of the terms of the cost."""
        named, led = kpis_of(self.scenario), leading(self.scenario)
        found = [
            (kpi.title, kpi.unit, kpi.formula)
            for kpi in (named[name] for name in led.beside(headline_kpis(self.scenario)))
        ]
        terms = [term for term in lay_out(self.scenario).terms if term in COSTS]
        return [*found, *((term.replace("_", " "), "money", COSTS[term]) for term in terms)]

    @property
    def settings(self) -> list[tuple[str, str]]:
        """The parameters of each policy that has some."""
        return [
            (name, ", ".join(f"{key} {value}" for key, value in each.items()))
            for name, each in self.parameters.items()
            if each
        ]


def versions() -> list[tuple[str, str]]:
    """Return the packages that the figures depend on, with their versions."""
    found = [("Python", platform.python_version())]
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except ImportError:  # not installed: it has not been used
            continue
    return found


def render(sections: Sequence[Section]) -> str:
    """Return the page as HTML."""
    environment = Environment(
        loader=PackageLoader("jitgym.report.html", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html.j2")
    title = ", ".join(section.scenario.title or section.scenario.name for section in sections)
    return template.render(title=title, sections=sections, versions=versions())


def write(sections: Sequence[Section], folder: Path) -> Path:
    """Write report.html to a folder, and every chart as SVG, PNG and CSV to its folder `figures`.

    Raises RunError if the folder cannot be written to.
    """
    path = folder / "report.html"
    write_whole(path, render(sections))
    for section in sections:
        for chart in section.charts:
            name = chart.name if len(sections) == 1 else f"{section.scenario.name}-{chart.name}"
            place = folder / "figures"
            place.mkdir(exist_ok=True)
            write_whole(place / f"{name}.svg", chart.svg)
            (place / f"{name}.png").write_bytes(chart.png)
            write_whole(place / f"{name}.csv", chart.csv)
    return path
