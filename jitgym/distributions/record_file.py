"""A file of recorded quantities: CSV with the columns `date,item,quantity`.

Nothing is guessed. Text that can be read in two ways, or not at all, is an error that names the
file and the line, what was found and what to write instead.
"""

from __future__ import annotations

import csv
import datetime
import functools
import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from jitgym.errors import ScenarioError

from . import spacing
from .spacing import Spacing

Fault = Callable[[str], ScenarioError]
"""Makes an error, with file and line, from the text that says what is wrong with a row."""

COLUMNS = ("date", "item", "quantity")

NO_TEXT = "is not UTF-8 text; expected a CSV file saved as UTF-8 (in Excel: 'CSV UTF-8')"

MOST_PERIODS = 1_000_000
"""A file whose first and last dates are further apart than this is refused."""

LARGEST = 1e12
"""Units; a larger quantity is refused as a typing error."""

FEW = 5  # fewer rows may be evenly spaced by chance


@dataclass(frozen=True)
class Records:
    """The rows of a file: item -> day -> (quantity, line); a day is an ordinal or a period."""

    path: Path
    items: dict[str, dict[int, tuple[float, int]]]
    dated: bool  # whether the days are dates

    @functools.cached_property
    def days(self) -> list[int]:
        """All days of all items, sorted."""
        return sorted({day for rows in self.items.values() for day in rows})

    def shown(self, day: int) -> str:
        """A day as the file writes it."""
        return spacing.shown(day, self.dated)

    def spacing(self, item: str, every: str | None, missing: str | None) -> Spacing:
        """The spacing of the periods: `every`, or else the one that all dates of the file fit."""
        if every is not None and not self.dated:
            raise ScenarioError(
                f"{self.path}: its dates are numbers of periods, so that `every` has no meaning; "
                "expected no `every`"
            )
        if every is not None:
            return self._checked(spacing.stated(every, self.days))
        apart = spacing.found(self.days, self.dated)
        self._agrees(item, apart, missing)
        if apart.name == "day":
            self._is_even()
        if missing is not None and self.dated and self._nearest(apart) > 1:
            raise ScenarioError(
                f"{self.path}: no two dates are one {apart.name} apart, so that the length of a "
                "period is unknown; expected it in the scenario, beside `missing`, such as "
                f"every: {apart.name}, or every: {self._nearest(apart) * apart.step} {apart.unit}s"
            )
        return apart

    def _is_even(self) -> None:
        """Raise ScenarioError if most dates, but not all, are the same number of days apart."""
        gaps = [after - before for before, after in pairwise(self.days)]
        usual, count = max(Counter(gaps).items(), key=lambda pair: pair[1], default=(1, 0))
        if usual == 1 or not len(gaps) / 2 < count < len(gaps):
            return  # if all gaps are equal, `missing` reports the days between the dates
        k = next(k for k, gap in enumerate(gaps) if gap != usual)
        before, after = self.days[k], self.days[k + 1]
        line = next(rows[after][1] for rows in self.items.values() if after in rows)
        raise ScenarioError(
            f"{self.path}, line {line}: date {self.shown(after)} comes after {self.shown(before)}, "
            f"but most dates are {usual} days apart; expected {self.shown(before + usual)}, or the "
            "length of a period in the scenario, such as every: day"
        )

    def _checked(self, apart: Spacing) -> Spacing:
        for rows in self.items.values():
            for day, (_, line) in rows.items():
                if apart.index(day) is None:
                    steps = f"whole periods after {self.shown(apart.origin)}"
                    if apart.unit == "month":
                        steps += f", on day {apart.day_of_month} or the last day of its month"
                    raise ScenarioError(
                        f"{self.path}, line {line}: date is {self.shown(day)}; expected a date "
                        f"{steps}, as every: {apart.name} says"
                    )
        return apart

    def _nearest(self, apart: Spacing) -> int:
        """Periods between the two dates that are nearest to each other; 1 for a single date."""
        numbers = [apart.index(day) or 0 for day in self.days]
        return min((after - before for before, after in pairwise(numbers)), default=1)

    def _agrees(self, item: str, apart: Spacing, missing: str | None) -> None:
        """Raise ScenarioError if one item's dates are even and dates of others lie between them."""
        own = sorted(self.items[item])
        if len(own) < (3 if missing is None else FEW):
            return
        alone = spacing.found(own, self.dated)
        numbers = [alone.index(day) or 0 for day in own]
        if (alone.unit, alone.step) == (apart.unit, apart.step) or len(own) <= numbers[-1]:
            return
        for name, rows in self.items.items():
            for day, (_, line) in rows.items():
                if own[0] < day < own[-1] and alone.index(day) is None:
                    raise ScenarioError(
                        f"{self.path}, line {line}: {name!r} has a row for {self.shown(day)}, but "
                        f"those of {item!r} are one {alone.name} apart from {self.shown(own[0])}; "
                        "expected the same dates for all items, or `every` in the scenario "
                        f"(every: {apart.name})"
                    )

    def periods(self, apart: Spacing) -> list[int]:
        """The days of all periods from the file's first to its last."""
        count = apart.index(self.days[-1])
        assert count is not None
        if count >= MOST_PERIODS:
            raise ScenarioError(
                f"{self.path}: has {count + 1:,} periods of one {apart.name}, from "
                f"{self.shown(self.days[0])} to {self.shown(self.days[-1])}; expected at most "
                f"{MOST_PERIODS:,}"
            )
        return [apart.day(index) for index in range(count + 1)]

    def missing(self, item: str, day: int, apart: Spacing) -> ScenarioError:
        """The error for an item that has no row for a period."""
        before = [other for other in self.items[item] if other < day]
        line = f", line {self.items[item][max(before)][1]}" if before else ""
        after = " after this row" if before else ""
        text = (
            f"{self.path}{line}: {item!r} has no row for {self.shown(day)}{after}; expected a row "
            f"for every {apart.name}: add it (with quantity 0 if there was no demand), or write "
            "missing: zero in the scenario if periods without a row had no demand"
        )
        if apart.name == "day" and (day - 1) % 7 >= 5 and all((d - 1) % 7 < 5 for d in self.days):
            text += "; if only Monday to Friday are periods, write every: business day"
        nearest = self._nearest(apart)
        if self.dated and nearest > 1:
            text += f"; if dates are further apart, write every: {nearest * apart.step} "
            text += f"{apart.unit}s"
        return ScenarioError(text)


def read(path: Path) -> Records:
    """The records of a file. Every row is checked; raises ScenarioError with file and line."""
    try:
        content = path.read_bytes()
        if b"\0" in content:
            raise ScenarioError(f"{path}: {NO_TEXT}")
        return _parsed(path, content)
    except UnicodeDecodeError:
        raise ScenarioError(f"{path}: {NO_TEXT}") from None
    except (OSError, csv.Error) as error:
        raise ScenarioError(f"{path}: cannot be read ({error}); expected a CSV file") from None


@functools.lru_cache(maxsize=4)
def _parsed(path: Path, content: bytes) -> Records:
    """Parse a file once for all demands that use it."""
    items: dict[str, dict[int, tuple[float, int]]] = {}
    days: dict[str, tuple[int, bool]] = {}  # by their text: most dates come many times
    quantities: dict[str, float] = {}
    dated: bool | None = None
    with io.StringIO(content.decode("utf-8-sig"), newline="") as stream:
        reader = csv.reader(stream, strict=True)
        header = next(reader, [])
        at_date, at_item, at_quantity = _columns(path, header)

        def fault(text: str) -> ScenarioError:
            return ScenarioError(f"{path}, line {reader.line_num}: {text}")

        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise fault(_cell_count(cells, header))
            text = cells[at_date]
            if text not in days:
                days[text] = _day(text.strip(), fault)
                if dated not in (None, days[text][1]):
                    raise fault(
                        f"date is {text!r}, unlike those before it; expected dates YYYY-MM-DD in "
                        "all rows, or numbers of periods in all"
                    )
            day, dated = days[text]
            item = cells[at_item].strip()
            if not item:
                raise fault("item is empty; expected a name")
            text = cells[at_quantity]
            if text not in quantities:
                quantities[text] = _quantity(text.strip(), fault)
            rows = items.setdefault(item, {})
            if day in rows:
                raise fault(
                    f"a second row of {item!r} on {spacing.shown(day, dated)}; expected 1 (the "
                    f"first is on line {rows[day][1]}; where both count, write their sum)"
                )
            rows[day] = (quantities[text], reader.line_num)
    if not items:
        raise ScenarioError(f"{path}: has no rows; expected at least one below the first line")
    return Records(path, items, bool(dated))


def _columns(path: Path, header: Sequence[str]) -> tuple[int, int, int]:
    """The positions of the three columns; capitals and spaces around a name do not matter."""
    names = [cell.strip().casefold() for cell in header]
    if len(names) == 1:
        for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
            if mark in names[0]:
                raise ScenarioError(
                    f"{path}, line 1: columns are separated by {name}; expected commas between "
                    "them, and a point in numbers such as 1.5"
                )
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise ScenarioError(
            f"{path}, line 1: missing column {', '.join(map(repr, missing))}; "
            f"expected the columns date,item,quantity, found {','.join(header) or 'nothing'}"
        )
    for name in COLUMNS:
        if names.count(name) > 1:
            raise ScenarioError(f"{path}, line 1: has two columns {name!r}; expected one")
    at_date, at_item, at_quantity = (names.index(name) for name in COLUMNS)
    return at_date, at_item, at_quantity


def _cell_count(cells: Sequence[str], header: Sequence[str]) -> str:
    told = f"has {len(cells)} cells; expected {len(header)}, as the first line has"
    if len(cells) > len(header):
        told += " (a comma inside a number or a name starts a new cell: write 1234 for 1,234, "
        told += "1.5 for 1,5, and quotes around a name with a comma)"
    return told


def _day(text: str, fault: Fault) -> tuple[int, bool]:
    """The ordinal of a date or the number of a period, and whether it is a date."""
    if re.fullmatch(r"[0-9]{1,6}", text):
        return int(text), False
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        try:
            return datetime.date.fromisoformat(text).toordinal(), True
        except ValueError:
            told = f"date is {text!r}, which is not a date of the calendar; expected YYYY-MM-DD"
            raise fault(told) from None
    hint = _meant(text)
    raise fault(f"date is {text!r}; expected YYYY-MM-DD" + (hint and f": {hint}"))


def _meant(text: str) -> str:
    """How a date in another format should be written, with each of its possible meanings."""
    number = "([0-9]{1,2})"
    if found := re.match(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]", text):
        return f"{found[1]}, without the time"
    if found := re.fullmatch(rf"([0-9]{{4}})[-/.]{number}", text):
        return f"write a month as its first day, {found[1]}-{int(found[2]):02}-01"
    if found := re.fullmatch(rf"([0-9]{{4}})[-/.]?{number}[-/.]?{number}", text):
        return f"{found[1]}-{int(found[2]):02}-{int(found[3]):02}"
    if found := re.fullmatch(rf"{number}[-/.]{number}[-/.]([0-9]{{4}})", text):
        pairs = ((int(found[1]), int(found[2])), (int(found[2]), int(found[1])))
        dates = [f"{found[3]}-{month:02}-{day:02}" for day, month in pairs if 1 <= month <= 12]
        return " or ".join(dict.fromkeys(dates)) + (
            ", whichever you mean" if len(dates) > 1 else ""
        )
    return ""


def _quantity(text: str, fault: Fault) -> float:
    """A number of at least 0, written with digits and at most one point."""
    if re.fullmatch(r"\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", text):
        quantity = float(text)
        if quantity <= LARGEST:
            return quantity
        raise fault(f"quantity is {text!r}; expected at most {LARGEST:g}")
    told = f"quantity is {text!r}; expected a number of at least 0"
    if not text:
        told = "quantity is empty; expected a number (0 if there was no demand)"
    elif re.fullmatch(r"-[0-9.]+", text):
        told += " (a return is not a demand: leave it out, or write the quantity that was demanded)"
    elif re.fullmatch(r"[0-9]{1,3}([,' ’\u00a0\u202f][0-9]{3})+(\.[0-9]*)?", text):
        plain = re.sub(r"[,' ’\u00a0\u202f]", "", text)
        told += f", without separators between its digits: {plain}"
        if re.fullmatch(r"[0-9]+,[0-9]{3}", text):
            told += f", or {text.replace(',', '.')} if the comma is a decimal point"
    elif re.fullmatch(r"[0-9]*,[0-9]+", text):
        told += f", with a decimal point: {text.replace(',', '.')}"
    elif re.fullmatch(r"[0-9]{1,3}(\.[0-9]{3})*(,[0-9]+)?", text):
        told += f", with a decimal point: {text.replace('.', '').replace(',', '.')}"
    raise fault(told)
