"""Tables as data, which are printed on a terminal or written as Markdown or JSON.

Every table of the project is made here. On a terminal it fits the width: the least important
columns are left out first, and a line below names them; columns that are `KEPT` are never left out.
Markdown and JSON hold all columns.
"""

from __future__ import annotations

import math
import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, Literal

from rich import box
from rich.console import Console
from rich.table import Table as Drawn
from rich.text import Text

from jitgym.evaluate.results import plain
from jitgym.evaluate.statistics import Interval, written

PIPE_WIDTH = 100  # width of the output if it is not a terminal and COLUMNS is not set
HEADING_WIDTH = 15  # about the width of the figures below
TEXT_WIDTH = 24  # a longer text may fold, but not below this width
KEPT = 100  # importance of a column that is never left out


@dataclass(frozen=True)
class Column:
    """One column: the meaning of its cells, and how they are printed."""

    name: str  # its key in JSON
    heading: str = ""  # by default the name with spaces
    unit: str = ""  # in words; "%": cells are shares and are printed in percent
    importance: int = 50  # the least important column is left out first; KEPT: never
    align: Literal["left", "right"] = "right"  # right: figures, which never fold
    form: str = "5"  # of floats: a Python format, or a number of digits
    sign: Literal["", "+"] = ""  # "+": positive figures have a plus sign
    absent: str = "n/a"  # for None

    @property
    def title(self) -> str:
        """The heading with its unit."""
        heading = self.heading or self.name.replace("_", " ")
        return f"{heading} ({self.unit})" if self.unit and self.unit != "%" else heading


@dataclass(frozen=True)
class Marked:
    """An interval with a mark behind it."""

    interval: Interval
    mark: str


@dataclass(frozen=True)
class Table:
    """A table: one cell for each column in every row, and notes below it.

    A cell is text, a number, an `Interval`, `Marked` or not, a mapping of parameters, a sequence of
    lines, or None.
    """

    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Any]]
    title: str = ""
    notes: Sequence[str] = ()
    verdict: str = ""  # the first line: what the table says, in words

    def texts(self) -> list[list[str]]:
        """Return the cells as they are printed, row by row."""
        cells = zip(*self.rows, strict=True) if self.rows else [()] * len(self.columns)
        columns = [texts(column, each) for column, each in zip(self.columns, cells, strict=True)]
        return [list(row) for row in zip(*columns, strict=True)]

    def only(self, kept: Sequence[Column]) -> Table:
        """Return the same table with only these columns."""
        places = [k for k, column in enumerate(self.columns) if column in kept]
        rows = [[row[k] for k in places] for row in self.rows]
        return replace(self, columns=tuple(self.columns[k] for k in places), rows=rows)


def texts(column: Column, cells: Sequence[Any]) -> list[str]:
    """Return the cells of a column as text; all intervals have the same decimals.

    Their half-widths decide how many, unless the column has its own format.
    """
    plain_cells = [each.interval if isinstance(each, Marked) else each for each in cells]
    marks = [each.mark if isinstance(each, Marked) else "" for each in cells]
    given = [each for each in plain_cells if isinstance(each, Interval)]
    form = "" if column.form.isdigit() else column.form
    intervals = iter(written(given, column.sign, form))
    return [
        next(intervals) + mark if isinstance(each, Interval) else text_of(column, each)
        for each, mark in zip(plain_cells, marks, strict=True)
    ]


def text_of(column: Column, cell: Any) -> str:
    """Return a cell as text; its lines are separated by line feeds."""
    match cell:
        case None:
            return column.absent
        case str():
            return cell
        case bool():
            return "yes" if cell else "no"
        case int():
            return f"{cell:{column.sign},}"
        case float() if math.isinf(cell):
            return f"{cell:{column.sign}}"
        case float() if math.isnan(cell):
            return "n/a"
        case float() if column.unit == "%":
            return f"{figure(100 * cell, column.form, column.sign)} %"
        case float():
            return figure(cell, column.form, column.sign)
        case Mapping():
            return ", ".join(f"{name} {_plainly(value)}" for name, value in cell.items())
    return "\n".join(map(str, cell))


def figure(value: float, form: str, sign: str = "") -> str:
    """Return a number in a Python format, or with this many digits and without exponent.

    >>> figure(446491.3, "5"), figure(0.0312345, "4"), figure(2.5, ".2f", "+")
    ('446,490', '0.03123', '+2.50')
    """
    if not form.isdigit():
        return format(value, f"{sign}z{form}")  # z: no "-0.00"
    digits = int(form)
    rounded = float(f"{value:.{digits}g}")
    is_long = 10**digits <= abs(rounded) < 1e15
    return format(rounded, f"{sign},.0f" if is_long else f"{sign}z.{digits}g")


def _plainly(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def show(table: Table, file: IO[str] | None = None) -> None:
    """Print a table in the width of the terminal; in a pipe, print plain text.

    In a pipe the width is that of the environment variable COLUMNS, or else 100.
    """
    console = Console(file=file or sys.stdout)
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console = Console(file=file or sys.stdout, width=PIPE_WIDTH)
    kept = fitting(table, console.width)
    notes = list(table.notes)
    if left_out := [column.title for column in table.columns if column not in kept]:
        notes.insert(0, f"Columns left out for lack of room: {', '.join(left_out)}.")
    if table.verdict:
        console.print(Text(table.verdict))
        console.print()
    if table.title:
        console.print(Text(table.title), style="bold")
    needed = _least_width(table.only(kept))
    wide = Console(file=file or sys.stdout, width=max(console.width, needed))
    wide.print(render(table.only(kept)))  # rather too long lines than cut figures
    for note in notes:
        console.print(Text(note))


def fitting(table: Table, width: int) -> list[Column]:
    """Return the columns that fit; of equally important ones the last is left out first."""
    kept = list(table.columns)
    while _least_width(table.only(kept)) > width:
        rest = [column for column in kept if column.importance < KEPT]
        if not rest:
            break
        kept.remove(min(reversed(rest), key=lambda column: column.importance))
    return kept


def _least_width(table: Table) -> int:
    """Return the width that a table needs, with whole figures, folded texts, and gaps."""
    lines = table.texts()
    width = 0
    for k, column in enumerate(table.columns):
        cells = [line for row in lines for line in row[k].split("\n")]
        natural = max(map(len, [*cells, *_heading(column).split("\n")]))
        width += natural if column.align == "right" else min(natural, TEXT_WIDTH)
    return width + 2 * (len(table.columns) - 1)


def render(table: Table) -> Drawn:
    """Return the table for `rich`. Only texts may fold; figures stay whole."""
    drawn = Drawn(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True, padding=(0, 1)
    )
    lines = table.texts()
    for k, column in enumerate(table.columns):
        cells = [line for row in lines for line in row[k].split("\n")]
        least = min(TEXT_WIDTH, max(map(len, [*cells, column.title])))
        if column.align == "left":
            drawn.add_column(Text(_heading(column)), overflow="fold", min_width=least)
        else:
            drawn.add_column(Text(_heading(column)), justify="right", no_wrap=True)
    for row in lines:
        drawn.add_row(*map(Text, row))
    return drawn


def _heading(column: Column) -> str:
    if column.align == "left":
        return column.title
    return "\n".join(textwrap.wrap(column.title, HEADING_WIDTH, break_long_words=False))


def markdown(table: Table) -> str:
    """Return the whole table in Markdown: title, all columns, and the notes as a list."""
    head = [column.title for column in table.columns]
    aligns = ["---" if column.align == "left" else "---:" for column in table.columns]
    lines = [_line(head), _line(aligns), *map(_line, table.texts())]
    if table.verdict:
        lines = [table.verdict, "", *lines]
    if table.title:
        lines = [f"## {table.title}", "", *lines]
    if table.notes:
        lines += ["", *(f"- {note}" for note in table.notes)]
    return "\n".join([*lines, ""])


def _line(cells: Sequence[str]) -> str:
    escaped = (cell.replace("\n", " ").replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def as_json(table: Table) -> list[dict[str, Any]]:
    """Return the rows as plain data by column name; None if a cell is not defined or not known."""
    names = [column.name for column in table.columns]
    return [dict(zip(names, map(plain, row), strict=True)) for row in table.rows]
