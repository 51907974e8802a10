"""The page of published tables: what is printed, the best classic here, and ours."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from jitgym.report.tables import KEPT, Column, Table, markdown

from .tables import TABLES, Row

COLUMNS = (
    Column("instance", importance=KEPT, align="left"),
    Column("published", "published best", importance=KEPT),
    Column("classic", "best classic here"),
    Column("ours", importance=KEPT),
    Column("difference", "ours to published (%)", importance=KEPT),
    Column("exact"),
)


TO_BASE = (
    Column("to_base", "ours to base-stock (%)"),
    Column("published_to_base", "published to base-stock (%)"),
)


def table(rows: Sequence[Row]) -> Table:
    """Return a table of its rows."""
    if all(row.below_base is None for row in rows):
        return Table(COLUMNS, [_cells(row) for row in rows], notes=_notes(rows))
    cells = [(*_cells(row), *_to_base(row)) for row in rows]
    return Table((*COLUMNS, *TO_BASE), cells, notes=[*_notes(rows), _against_base(rows)])


def _to_base(row: Row) -> tuple[str, str]:
    if row.below_base is None:
        return "n/a", "n/a"
    ours, best = row.below_base
    return f"{100 * ours:+.2f}", f"{100 * best:+.2f}"


def _against_base(rows: Sequence[Row]) -> str:
    pairs = [row.below_base for row in rows if row.below_base is not None]
    below = sum(ours <= best for ours, best in pairs)
    most = max(100 * (ours - best) for ours, best in pairs)
    mean = 100 * sum(ours - best for ours, best in pairs) / len(pairs)
    return (
        f"relative to base-stock, each on its own tape: at or below the best printed policy in "
        f"{below} of {len(pairs)} rows; at most {max(most, 0.0):.2f} % above it; mean {mean:+.2f} %"
    )


def _cells(row: Row) -> tuple[str, ...]:
    known = [f"{value}" for value in row.instance.values()]
    apart = None
    if row.ours is not None and row.published is not None:
        apart = 100 * (row.ours / row.published - 1)
    half = 0.0 if row.interval is None else (row.interval[1] - row.interval[0]) / 2
    ours = "n/a" if row.ours is None else f"{row.ours:.6g}"
    return (
        ", ".join(known),
        "n/a" if row.published is None else f"{row.published:.6g}",
        "n/a" if row.classic is None else f"{row.classic:.6g}",
        f"{ours} ± {half:.2g}" if half else ours,
        "n/a" if apart is None else f"{apart:+.2f}",
        "n/a" if row.exact is None else f"{row.exact:.6g}",
    )


def _notes(rows: Sequence[Row]) -> list[str]:
    ratios = [
        row.ours / row.published
        for row in rows
        if row.ours is not None and row.published is not None
    ]
    remarks = list(dict.fromkeys(row.note for row in rows if row.note))
    if not ratios:
        return remarks
    below = sum(ratio <= 1.0 for ratio in ratios)
    near = sum(ratio <= 1.001 for ratio in ratios)
    mean = 100 * (sum(ratios) / len(ratios) - 1)
    said = [
        f"at or below the best printed policy: {below} of {len(rows)} rows; at most .1 % above: "
        f"{near}; mean difference {mean:+.2f} %"
    ]
    return said + remarks


def page(folder: Path) -> str:
    """Return the page of all tables that have been run."""
    lines = [
        "# Published tables",
        "",
        "Each table is a folder of `benchmarks/` with the printed figures and their source. The",
        "published best is the least cost of a *policy* that the table prints, never a bound.",
        "Intervals are of 95 %.",
    ]
    for name in TABLES:
        result = folder / name / "result.json"
        if not result.is_file():
            continue
        about = yaml.safe_load((folder / name / "about.yaml").read_text(encoding="utf-8"))
        stored = json.loads(result.read_text(encoding="utf-8"))
        rows = [_read(row) for row in stored["rows"]]
        lines += ["", f"## {about['title']}", "", about["about"].strip(), ""]
        lines += [f"Source: {about['source'].strip()}", ""]
        lines += [f"`{stored['command']}`, {stored['date']}, revision {stored['revision']}."]
        lines += ["", markdown(table(rows)).strip()]
    return "\n".join(lines) + "\n"


def _read(data: dict[str, Any]) -> Row:
    interval = data["interval"]
    both = None if interval is None else (float(interval[0]), float(interval[1]))
    return Row(**(data | {"interval": both}))


def revision(root: Path) -> str:
    """Return the revision of the repository that a figure was made with, or `unknown`."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
