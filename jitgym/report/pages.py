"""The page of a scenario, written from the scenario itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jitgym import catalog
from jitgym._register import environment_id
from jitgym.distributions import Distribution
from jitgym.envs import CONTROLS
from jitgym.envs.spaces import Spaces
from jitgym.plant import lay_out
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
"""The stages of a period; README.md says what happens in each."""


def page(scenario: Scenario, drawing: str) -> str:
    """Return the page of a catalog scenario as Markdown; `drawing` is the picture's file name."""
    layout = lay_out(scenario)
    lines = [f"# {scenario.title or scenario.name}", ""]
    lines += [_header(scenario.name), ""]
    lines += [f"![The plant as a graph]({drawing})", ""]
    lines += [f"- environment: `{environment_id(scenario.name)}`"]
    lines += [f"- period: {scenario.period}; horizon: {_horizon(scenario)}"]
    lines += [f"- yardstick: {scenario.yardstick}; terms: {', '.join(layout.terms)}"]
    lines += [f"- tags: {', '.join(scenario.tags)}"]
    if scenario.known_optimum is not None:
        best = scenario.known_optimum
        lines += [f"- known optimum: {best.cost:g} ({best.source})"]
    lines += ["", "## The plant", ""]
    for section in ("items", "work_centers", "sources", "streams", "demands", "carriers"):
        lines += _section(scenario, section)
    lines += _section(scenario, "projects")
    lines += [
        "## Parameters",
        "",
        "Short names, for `jitgym.load`, `gymnasium.make` and `--set`.",
        "",
    ]
    lines += _table(
        ("name", "leads to"),
        (
            (f"`{name}`", ", ".join(f"`{p}`" for p in paths))
            for name, paths in scenario.parameters.items()
        ),
    )
    lines += ["## Order of events", ""]
    lines += [" -> ".join(ORDER_OF_EVENTS) + " (see the README).", ""]
    lines += [
        "## Observation",
        "",
        "Each entry is divided by its upper bound and saturates there.",
        "",
    ]
    spaces = Spaces(layout, "orders")
    lines += _table(
        ("entry", "unit", "from", "to"),
        ((f"`{e.name}`", e.unit, f"{e.low:g}", f"{e.high:g}") for e in spaces.observation_entries),
    )
    lines += ["## Action", ""]
    for control in CONTROLS:
        lines += [f'`control="{control}"`: {_space(Spaces(layout, control))}', ""]
        lines += _table(
            ("entry", "unit", "from", "to", "in steps of"),
            (
                (f"`{e.name}`", e.unit, f"{e.low:g}", f"{e.high:g}", f"{e.step:g}")
                for e in Spaces(layout, control).action_entries
            ),
        )
    return "\n".join(lines)


def _header(name: str) -> str:
    """The comment at the head of a scenario's file, as a paragraph."""
    text = catalog.text(name).splitlines()
    head = [line.removeprefix("#").strip() for line in text if line.startswith("#")]
    return "\n".join(head)


def _horizon(scenario: Scenario) -> str:
    horizon = scenario.horizon
    if horizon.ends:
        return f"a season of {horizon.periods} periods that ends"
    text = f"ongoing, {horizon.periods} periods of which {horizon.warm_up} are warm-up"
    if horizon.training is None:
        return text
    return f"{text}; {horizon.training} periods in training"


def _space(spaces: Spaces) -> str:
    return " ".join(str(spaces.action).split())


def _section(scenario: Scenario, section: str) -> list[str]:
    parts = getattr(scenario, section)
    if not parts:
        return []
    rows = ((f"`{name}`", _stated(part)) for name, part in parts.items())
    return [f"### {section.replace('_', ' ').capitalize()}", "", *_table(("name", "stated"), rows)]


def _stated(part: Any) -> str:
    """What a part states, without what has its default value."""
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
